"""Files of a run directory that are not what a run writes: the reason, and one line that names the file and the fix."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from educe.data.errors import UserError

# What reading raises for a file that was cut short, or whose parts are missing or of another type. Any other exception
# is a fault of ours.
CORRUPTION = (ValueError, OSError)


class Corrupt(UserError):
    """A file of a run directory that is not what a run writes."""


@contextmanager
def report_corruption(path: Path) -> Iterator[None]:
    """Corrupt, with the path, where what is read from it in here is not what a run writes."""
    try:
        yield
    except Corrupt:
        raise
    except CORRUPTION as error:
        raise Corrupt(f"{path} is corrupt ({reason_of(error, path)}); delete it and run the study again") from error


def reason_of(error: BaseException, path: Path) -> str:
    """Why what is at a path is corrupt, in one line without that path."""
    if isinstance(error, ValidationError):
        fault = error.errors()[0]
        place = ".".join(map(str, fault["loc"]))
        said = fault["msg"].removeprefix("Value error, ")
        text = f"{place}{': ' if place else ''}{said[0].lower()}{said[1:]}"
    elif isinstance(error, OSError):
        text = error.strerror or str(error)
    else:
        text = str(error)
    text = text.replace(f"{path}/", "").replace(f"{path} is", "it is").removeprefix(f"{path}: ")
    return " ".join(text.split()).removesuffix("; fix the file")

"""Files of a run directory that are not what a run writes: one line that names the file and the fix."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from pydantic import ValidationError

from educe.data.errors import UserError

# What reading raises for a file that was cut short, or whose parts are missing or of another type.
_CORRUPTION = (ValueError, OSError, TypeError, LookupError, AttributeError, yaml.YAMLError)


@contextmanager
def report_corruption(path: Path) -> Iterator[None]:
    """UserError that names the path where what is read from it in here is not what a run writes."""
    try:
        yield
    except _CORRUPTION as error:
        raise UserError(f"{path} is corrupt ({_reason(error)}); delete it and run the study again") from error


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        fault = error.errors()[0]
        place = ".".join(map(str, fault["loc"]))
        return f"{place}{': ' if place else ''}{fault['msg'][0].lower()}{fault['msg'][1:]}"
    return f"no {error}" if isinstance(error, KeyError) else str(error)

"""Files of a run directory that are not what a run writes: one line that names the file and the way out."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from educe.data.errors import UserError

# What reading meets in a file that was cut short, or whose parts are missing or of another kind.
_CORRUPTION = (ValueError, OSError, TypeError, LookupError, AttributeError, yaml.YAMLError)


@contextmanager
def report_corruption(path: Path) -> Iterator[None]:
    """UserError that names the path where what is read from it in here is not what a run writes."""
    try:
        yield
    except _CORRUPTION as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise UserError(f"{path} is damaged ({reason}); delete it and run the study again") from error

"""Libraries reading a stranger's files: what they raise becomes one line."""

from collections.abc import Iterator
from contextlib import contextmanager

from educe.data.errors import UserError


@contextmanager
def one_line(what: str, fix: str, *, hide: str = "") -> Iterator[None]:
    """A library's failure as a UserError: `what`, the first line of its reason, and the `fix`.

    For calls of libraries only, so that no fault of ours is called a user's mistake. `hide` is a scratch path that the
    reason should not name.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(_line(what, fix, error, hide)) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # what a library in Rust raises for a fault of its own
            raise
        raise UserError(_line(what, fix, error, hide)) from error


def _line(what: str, fix: str, error: BaseException, hide: str) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # Validators put the field on the first line and what is wrong with it on the second.
    reason = " ".join(lines[: 2 if lines and lines[0].endswith(":") else 1])[:300] or "no reason given"
    if not isinstance(error, OSError | ValueError):
        reason = f"{type(error).__name__}: {reason}"
    return f"{what}: {reason.replace(f'{hide}/', '') if hide else reason}; {fix}"

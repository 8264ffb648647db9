"""The one exception for a user's mistake, suggestions for wrong names, and failures of libraries as one line."""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn


class UserError(ValueError):
    """A user's mistake: one line that names the value and the fix.

    The command line prints it without a traceback and exits with 2. Every other exception is a fault of the suite.
    """


class UserErrors(UserError):
    """Several mistakes of a user, one line each."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = list(lines)


def lines_of(error: UserError) -> list[str]:
    """The lines of an error, one a mistake. A line break inside of a value makes no further line."""
    lines = error.lines if isinstance(error, UserErrors) else [str(error)]
    return [" ".join(line.split()) for line in lines]


class RunStopped(UserError):
    """A mistake that would meet every later cell, too: the run stops, and no cell is noted as failed."""


class Mistakes:
    """Collects UserErrors, so that they are listed at once and not one a run."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Keep a UserError of this block, and go on after it."""
        try:
            yield
        except UserError as error:
            self.lines.extend(lines_of(error))

    def check(self) -> None:
        """UserErrors with every line that was collected, each once; nothing where there is none."""
        if self.lines:
            raise UserErrors(list(dict.fromkeys(self.lines)))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of an error line: the known name that was probably meant, or all known names."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    close = close or [one for one in known if len(name) > 2 and one.startswith(name)]
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"


def raise_error(error: UserError) -> NoReturn:
    """Raise an error that was kept for later."""
    raise error


def reason_of(error: object) -> str:
    """What an exception says, in one line of at most 300 characters."""
    return " ".join(str(error).split())[:300] or "no reason given"


def is_fault(error: BaseException) -> bool:
    """Whether something went wrong, rather than that the program is to stop.

    Libraries in Rust raise a PanicException, which is no Exception.
    """
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


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
    except BaseException as error:
        if not is_fault(error):
            raise
        raise UserError(_line(what, fix, error, hide)) from error


def _line(what: str, fix: str, error: BaseException, hide: str) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # Validators put the field on the first line and what is wrong with it on the second.
    reason = reason_of(" ".join(lines[: 2 if lines and lines[0].endswith(":") else 1]))
    if not isinstance(error, OSError | ValueError):
        reason = f"{type(error).__name__}: {reason}"
    return f"{what}: {reason.replace(f'{hide}/', '') if hide else reason}; {fix}"

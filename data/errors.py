"""The one exception for a user's mistake, and suggestions for wrong names."""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager


class UserError(ValueError):
    """A user's mistake: one line that names the value and the fix.

    The command line prints it without a traceback and exits with 2. Every other exception is a fault of the suite.
    """


class UserErrors(UserError):
    """Several mistakes at once, a line each."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))


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
            self.lines.extend(str(error).splitlines())

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

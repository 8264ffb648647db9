"""The one exception for a user's mistake, and suggestions for wrong names."""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """A user's mistake: one line that names the value and the fix.

    The command line prints it without a traceback and exits with 2. Every other exception is a fault of the suite.
    """


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of an error line: the known name that was probably meant, or all known names."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    close = close or [one for one in known if len(name) > 2 and one.startswith(name)]
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"

"""The one exception for a user's mistake, and the nearest right name for a wrong one."""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """A mistake in what the user gave: one line that names the value and the fix.

    The command line prints it without a traceback and exits with 2; every other exception is ours and crashes loudly.
    """


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Say which known name was probably meant, as a clause that ends an error line."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    close = close or [one for one in known if len(name) > 2 and one.startswith(name)]
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"

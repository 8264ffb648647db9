"""Standard output and error of a command: what is written there cannot act on a terminal."""

import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from educe.data.display import visible

# What tqdm writes beside its text: a carriage return before a bar, one alone, and steps to another bar.
_MOVES = re.compile(r"\r|(\x1b\[A)+")
# The module through which the bars of tqdm are written. What is printed beside them is not (`tqdm.write`).
_BARS = "tqdm.utils"


class Shown:
    """A text stream whose control characters are shown; all else is the stream itself."""

    def __init__(self, stream: TextIO) -> None:
        self.unescaped = stream

    def write(self, text: str) -> int:
        moves = ""
        # The text alone does not say who wrote it: a name can be one that moves the cursor.
        if self.unescaped.isatty() and sys._getframe(1).f_globals.get("__name__") == _BARS:
            moves = found[0] if (found := _MOVES.match(text)) else ""
        self.unescaped.write(moves + visible(text[len(moves) :], lines=True))
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.unescaped, name)


@contextmanager
def shown_output() -> Iterator[None]:
    """Show control characters on standard output and error: in our lines, in those of libraries and in tracebacks."""
    output, errors = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = Shown(output), Shown(errors)
    try:
        yield
    except Exception:
        # Not by the interpreter, which would print it when the streams are the old ones again.
        traceback.print_exc()
        sys.exit(1)
    finally:
        sys.stdout, sys.stderr = output, errors


def unescaped(stream: TextIO) -> TextIO:
    """The stream below a `Shown`, for who moves the cursor: a live bar."""
    return getattr(stream, "unescaped", stream)

"""Standard output and error of a command: what is written there cannot act on a terminal."""

import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from educe.data.display import visible

# What tqdm writes beside its text: a carriage return at the start or the end of one write, and steps to another bar.
_BAR = re.compile(r"(\r?)(.*?)(\r?)", re.DOTALL)
_STEPS = re.compile(r"(\x1b\[A)+")


class Shown:
    """A text stream whose control characters are shown; all else is the stream itself."""

    def __init__(self, stream: TextIO) -> None:
        self.unescaped = stream

    def write(self, text: str) -> int:
        if self.unescaped.isatty() and _STEPS.fullmatch(text):
            self.unescaped.write(text)
        elif self.unescaped.isatty() and (found := _BAR.fullmatch(text)):
            before, middle, after = found.groups()
            self.unescaped.write(before + visible(middle, lines=True) + after)
        else:
            self.unescaped.write(visible(text, lines=True))
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

"""Text as it is shown to a person: control characters become visible, so that no text can act on a terminal."""

import unicodedata
from collections.abc import Sequence

# Controls (C0, C1, DEL), format characters (writing direction, zero width, tags), lone surrogates, what has no meaning
# in Unicode, and the separators of lines and paragraphs.
HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def visible(text: str, *, lines: bool = False) -> str:
    r"""The text with each control or invisible character as an escape, such as `\x1b` or `\u202e`.

    With `lines`, line feeds and tabs stay: for text of several lines.
    """
    if text.isprintable():
        return text
    return "".join(one if lines and one in "\n\t" else _shown(one) for one in text)


def cut(text: str, width: int) -> str:
    """The text in one line of at most so many characters."""
    flat = " ".join(text.split())
    return flat if len(flat) <= width else flat[: width - 1] + "…"


def _shown(character: str) -> str:
    if unicodedata.category(character) not in HIDDEN:
        return character
    # Of a lone surrogate and of every hidden character: \n, \x1b, \u202e, \U000e0041.
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def aligned(rows: Sequence[Sequence[str]], *, left: Sequence[bool]) -> list[str]:
    """Rows as lines in which columns end alike, and those that are `left` begin alike."""
    shown = [[visible(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    return [
        "  ".join(f"{cell:{'<' if text else '>'}{width}}" for cell, width, text in zip(row, widths, left, strict=True))
        .rstrip()
        for row in shown
    ]  # fmt: skip

"""Which script is the letter Ж from?

Source: the Unicode Character Database 3.2, which Python has (Unicode licence).
"""

import unicodedata

from educe.data.example import Example
from educe.data.hashing import shuffled
from educe.data.task import Task
from educe.data.tasks.drawing import Fact, balanced_choices, bundled

# The block of each script's letters.
_BLOCKS = {
    "Greek": (0x0391, 0x03C9), "Cyrillic": (0x0410, 0x045F), "Armenian": (0x0531, 0x0586), "Hebrew": (0x05D0, 0x05EA),
    "Arabic": (0x0621, 0x064A), "Devanagari": (0x0905, 0x0939), "Bengali": (0x0985, 0x09B9),
    "Gurmukhi": (0x0A05, 0x0A39), "Gujarati": (0x0A85, 0x0AB9), "Tamil": (0x0B85, 0x0BB9), "Telugu": (0x0C05, 0x0C39),
    "Kannada": (0x0C85, 0x0CB9), "Malayalam": (0x0D05, 0x0D39), "Thai": (0x0E01, 0x0E2E), "Georgian": (0x10D0, 0x10F0),
    "Ethiopic": (0x1200, 0x135A), "Cherokee": (0x13A0, 0x13F4), "Khmer": (0x1780, 0x17A2), "Tibetan": (0x0F40, 0x0F6A),
    "Hiragana": (0x3042, 0x3093), "Katakana": (0x30A2, 0x30F3), "Hangul": (0xAC00, 0xD7A3), "Sinhala": (0x0D85, 0x0DC6),
    "Burmese": (0x1000, 0x102A), "Mongolian": (0x1820, 0x1842),
}  # fmt: skip
_EACH = 18


def scripts() -> Task:
    """The script of 18 letters from each of 25 scripts, four options; each script is as often right as another.

    The two cases of a letter share a split. The letters of a script have like bytes, so rows teach a part of it.
    """
    return bundled("scripts", _examples)


def _examples() -> list[Example]:
    facts = [
        Fact(
            id=f"{ord(letter):x}",
            question=f'Which script is the letter "{letter}" from?',
            answer=script,
            cluster=f"letter:{letter.casefold()}",
        )
        for script, (first, last) in _BLOCKS.items()
        for letter in shuffled(_letters(first, last), key=script)[:_EACH]
    ]
    return balanced_choices(facts, num_choices=4)


def _letters(first: int, last: int) -> list[str]:
    # The old database is the same in every version of Python.
    table = unicodedata.ucd_3_2_0
    return [chr(code) for code in range(first, last + 1) if table.category(chr(code)) in ("Lo", "Lu", "Ll")]

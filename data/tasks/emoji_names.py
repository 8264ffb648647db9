"""What does an emoji show? Its official name.

Source: the Unicode Character Database, which Python has (Unicode licence).
"""

import unicodedata

from educe.data.example import Example
from educe.data.task import Task
from educe.data.tasks.drawing import Fact, bundled, near_choices

# Characters of Unicode 6, whose names never change: plants and food, sports and places, animals, people and things,
# faces, vehicles.
_RANGES = (
    (0x1F330, 0x1F335), (0x1F337, 0x1F37C), (0x1F380, 0x1F393), (0x1F3A0, 0x1F3C4), (0x1F3E0, 0x1F3F0),
    (0x1F400, 0x1F43E), (0x1F442, 0x1F4F7), (0x1F600, 0x1F610), (0x1F612, 0x1F640), (0x1F680, 0x1F6C5),
)  # fmt: skip
_MAX_LETTERS = 28


def emoji_names() -> Task:
    """The name of about 500 emoji, four options near it in the code table, where like stands beside like.

    Emoji whose names begin with the same word share a split.
    """
    return bundled("emoji_names", _examples)


def _examples() -> list[Example]:
    signs = [chr(code) for first, last in _RANGES for code in range(first, last + 1)]
    facts = [
        Fact(
            id=f"{ord(sign):x}",
            question=f"What is the name of the emoji {sign}?",
            answer=name,
            cluster=f"emoji:{name.partition(' ')[0]}",
        )
        for sign in signs
        if len(name := unicodedata.name(sign).lower()) <= _MAX_LETTERS
    ]
    return near_choices(facts, num_choices=4, width=12)

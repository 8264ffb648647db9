"""Which option is spelled most like the question, as a name and its translation are."""

import re

from educe.data.example import Example
from educe.data.hashing import fraction

_MAX_QUESTION = 1_000  # what is asked stands at the end of a long text
_SIZES = (2, 3)  # letters in a row


def most_alike(row: Example) -> str:
    """The option of which the largest share of pairs and triples of letters stands in the question.

    Case and punctuation are ignored, accents are not, and the ends of words count as letters. A hash, which favours no
    place, chooses among equals.
    """
    asked = _grams(row.question[-_MAX_QUESTION:])
    alike = {choice: _share(_grams(choice), asked) for choice in row.choices}
    return min(row.choices, key=lambda choice: (-alike[choice], fraction(row.id + choice)))


def _share(grams: set[str], asked: set[str]) -> float:
    return len(grams & asked) / len(grams) if grams else 0.0


def _grams(text: str) -> set[str]:
    words = " ".join(["", *re.findall(r"\w+", text.casefold()), ""])
    return {words[i : i + size] for size in _SIZES for i in range(len(words) - size + 1)}

"""Regular expressions on model output and strangers' text take linear time: long hostile texts are read in seconds."""

import itertools
import time

import pytest

from educe.data.example import Example
from educe.data.grade import exact_match, named_choice, number_match
from educe.data.instructions import overlap
from educe.data.refusal import refuses

SECONDS = 5.0
PIECES = [
    "1", "-", "1,", "1.", "9,999", "1e", "/", "$", "####", "answer is ", "answer ", "option ", "the ", " ", "\t", "\n",
    ".", "*", "(", "'", '"', "_", "A", "a b", "\u2212", "\u0660", "%", "the word ",
]  # fmt: skip
PHRASES = [
    "so ", "sorry ", "i ", "cannot ", "as an ai ", "language ", "simply, ", "unfortunately, ", "thanks ", "help ", ", ",
    "because i understand ", "in good conscience, ", "a-", "not ", "my ", "no ", "\n", "but ", "- ", "'", '"',
]  # fmt: skip
ITEM = Example(id="1", question="How many?", answer="12", choices=("12", "13"))


@pytest.mark.parametrize("piece", PIECES)
def test_a_long_answer_is_graded_in_seconds(piece: str) -> None:
    """A quadratic pattern took minutes for a megabyte of one character."""
    text = piece * (200_000 // len(piece))
    started = time.perf_counter()
    number_match(ITEM, text)
    exact_match(ITEM, text)
    named_choice(ITEM.choices, text, labels=("A", "B"))
    overlap._WORD.findall(text)
    assert time.perf_counter() - started < SECONDS


def test_a_long_refusal_is_found_in_seconds() -> None:
    started = time.perf_counter()
    for first, second in itertools.product(PHRASES, PHRASES):
        for opening in ("", "i am ", "as an "):
            refuses(opening + (first * 3 + second) * 2000)
    assert time.perf_counter() - started < 30

"""Grading: what counts as the answer in generated text."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from educe.data.example import Example
from educe.data.grade import exact_match, final_number, number_match, number_text, numeric_answer

PARIS = Example(id="1", question="Capital of France?", answer="Paris", aliases=("City of Light",))
EIGHTEEN = Example(id="1", question="How many?", answer="18")


@pytest.mark.parametrize(
    "text",
    [
        "Paris",
        " paris.",
        "Paris\nQuestion: What is",
        "Paris. It lies on the Seine.",
        "**Paris**",
        '"Paris"',
        "The answer is Paris.",
        "Answer: Paris",
        "the City of  Light",
    ],
)
def test_right_text(text: str) -> None:
    assert exact_match(PARIS, text) == 1.0


@pytest.mark.parametrize("text", ["", "London", "Not Paris", "London\nParis", "Parish", "It is Paris or London"])
def test_wrong_text(text: str) -> None:
    assert exact_match(PARIS, text) == 0.0


def test_an_answer_of_marks_only_is_still_compared() -> None:
    example = Example(id="1", question="Which mark ends a question?", answer="?")
    assert exact_match(example, "?") == 1.0
    assert exact_match(example, "") == 0.0
    assert exact_match(example, "!") == 0.0


def test_an_answer_with_a_stop_inside_matches_the_whole_line() -> None:
    assert (
        exact_match(Example(id="1", question="Capital of Malta's sister?", answer="St. John's"), "St. John's.") == 1.0
    )


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("18", "18"),
        ("She makes 9 * 2 = $<<9*2=18>>18 a day.\n#### 18", "18"),
        ("#### 18\nQuestion: 5 apples", "18"),
        ("The total is $1,234.50.", "1234.5"),
        ("about 12.00%", "12"),
        ("16-3", "3"),
        ("= -3", "-3"),
        ("-$5", "-5"),
        ("\u22127", "-7"),
        ("(4)-2", "2"),
        ("so .5 remains", "0.5"),
        ("3, 4", "4"),
        ("1,2345", "2345"),
        ("in 2,000,000 years", "2000000"),
    ],
)
def test_final_number(text: str, number: str) -> None:
    assert final_number(text) == Decimal(number)


def test_text_without_number() -> None:
    assert final_number("none at all") is None
    assert final_number("12 apples #### none") is None
    assert numeric_answer("none at all") is None


@pytest.mark.parametrize("text", ["18.0", "It is 18.\nQuestion: What is 3 + 5?\nAnswer: 8", "16 + 2 = 18"])
def test_right_number(text: str) -> None:
    assert number_match(EIGHTEEN, text) == 1.0


@pytest.mark.parametrize("text", ["", "17", "18 + 1 = 19", "-18", "180"])
def test_wrong_number(text: str) -> None:
    assert number_match(EIGHTEEN, text) == 0.0


@given(st.integers(-(10**12), 10**12))
def test_numbers_survive_being_written(number: int) -> None:
    assert final_number(f"It is {number:,}.") == number
    assert number_text(Decimal(number)) == str(number)


def test_numeric_answer_keeps_the_solution() -> None:
    assert numeric_answer("9 * 2 = 18\n#### 1,800.50") == ("1800.5", "9 * 2 = 18\n#### 1,800.50")
    assert numeric_answer("$1,000") == ("1000", None)

"""Wrong options: from the same side, as often wrong as they should be, and no telling by the middle."""

from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare

from educe.data.splits import SPLITS, split_of, split_rows
from educe.data.tasks.drawing import Fact, balanced_choices, grid, in_train, near_choices, placed
from educe.data.tasks.letters import bare, compounds
from educe.data.tasks.numerals import in_english, in_french, in_roman


def facts(count: int, *, answers: int | None = None) -> list[Fact]:
    return [
        Fact(id=str(n), question=f"What is {n}?", answer=f"{n if answers is None else n % answers:05}")
        for n in range(count)
    ]


def test_near_options_are_of_the_same_side() -> None:
    made = facts(400)
    side = {fact.answer: in_train(fact) for fact in made}
    rows = near_choices(made, num_choices=4, width=12)
    assert {len(row.choices) for row in rows} == {4}
    assert all(len({side[choice] for choice in row.choices}) == 1 for row in rows)


def test_near_options_do_not_tell_by_their_rank() -> None:
    """Neighbours drawn on both sides of the answer would make it the middle one."""
    rows = near_choices(facts(4000), num_choices=5, width=10)
    ranks = Counter(sorted(row.choices).index(row.answer) for row in rows)
    assert chisquare([ranks[rank] for rank in range(5)]).pvalue > 0.01


def test_near_options_are_near() -> None:
    rows = near_choices(facts(4000), num_choices=4, width=12)
    spread = [max(map(int, row.choices)) - min(map(int, row.choices)) for row in rows]
    assert np.median(spread) < 40


def test_no_two_options_are_of_one_cluster() -> None:
    made = [Fact(id=str(n), question=f"What is {n}?", answer=f"{n:05}", cluster=f"c{n // 3}") for n in range(600)]
    cluster = {fact.answer: fact.cluster for fact in made}
    for row in near_choices(made, num_choices=4, width=16):
        assert len({cluster[choice] for choice in row.choices}) == 4


def test_too_few_neighbours_are_a_mistake_of_ours() -> None:
    with pytest.raises(AssertionError, match="others near it, not 9"):
        near_choices(facts(10), num_choices=10, width=12)


def test_balanced_options_are_wrong_three_times_as_often_as_right() -> None:
    made = facts(900, answers=20)
    rows = balanced_choices(made, num_choices=4)
    for side in (True, False):
        mine = [row for row in rows if (split_of(row) == "train") == side]
        right = Counter(row.answer for row in mine)
        offered = Counter(choice for row in mine for choice in row.choices)
        assert {answer: offered[answer] for answer in right} == {answer: 4 * times for answer, times in right.items()}


def test_a_frequent_answer_takes_what_it_can() -> None:
    made = [Fact(id=str(n), question=f"What is {n}?", answer=str(n % 10 if n % 2 else 0)) for n in range(200)]
    assert {len(row.choices) for row in balanced_choices(made, num_choices=4)} == {4}


def test_places_are_equal_in_each_split_and_only_the_answer_moves() -> None:
    rows = balanced_choices(facts(600, answers=30), num_choices=4)
    moved = placed(rows)
    for split, held in split_rows({"all": moved}, task="t").items():
        places = Counter(row.answer_index for row in held)
        assert max(places.values()) - min(places.values()) <= 1, split
    for before, after in zip(rows, moved, strict=True):
        assert [each for each in before.choices if each != before.answer] == [
            each for each in after.choices if each != after.answer
        ]
    assert SPLITS == ("train", "dev", "test")


def test_a_grid_has_every_combination() -> None:
    assert grid("12", "34", write=lambda one, other: one + other) == ["13", "14", "23", "24"]


def test_a_word_is_of_the_family_of_its_ending() -> None:
    assert compounds(["man", "fisherman", "woman", "city"]) == {
        "man": "man", "fisherman": "man", "woman": "man", "city": "city",
    }  # fmt: skip
    assert bare("Côte d’Ivoire") == "cotedivoire"


@pytest.mark.parametrize(
    ("number", "english"),
    [
        (0, "zero"), (13, "thirteen"), (40, "forty"), (342, "three hundred forty-two"), (100, "one hundred"),
        (402_016, "four hundred two thousand sixteen"), (1_000_000, "one million"),
        (999_999_999, "nine hundred ninety-nine million nine hundred ninety-nine thousand nine hundred ninety-nine"),
    ],
)  # fmt: skip
def test_english(number: int, english: str) -> None:
    assert in_english(number) == english


@pytest.mark.parametrize(
    ("number", "french"),
    [
        (16, "seize"), (21, "vingt et un"), (60, "soixante"), (70, "soixante-dix"), (71, "soixante et onze"),
        (72, "soixante-douze"), (80, "quatre-vingts"), (81, "quatre-vingt-un"), (91, "quatre-vingt-onze"),
        (99, "quatre-vingt-dix-neuf"), (100, "cent"), (171, "cent soixante et onze"), (200, "deux cents"),
        (280, "deux cent quatre-vingts"), (0, "zéro"),
    ],
)  # fmt: skip
def test_french(number: int, french: str) -> None:
    assert in_french(number) == french


@pytest.mark.parametrize(
    ("number", "roman"), [(4, "IV"), (9, "IX"), (42, "XLII"), (1999, "MCMXCIX"), (2024, "MMXXIV"), (3999, "MMMCMXCIX")]
)
def test_roman(number: int, roman: str) -> None:
    assert in_roman(number) == roman

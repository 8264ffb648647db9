"""Outcomes: columns that behave as the sequence of values that they were made of."""

from dataclasses import fields
from typing import Any

import numpy as np

from educe.eval.measurement import COLUMNS, Outcome, Outcomes, Ragged

CHOICE = Outcome(
    id="q1", score=1.0, cluster="odd", answer="b", picked="b", margin=0.25, loglikelihoods=(-1.0, -0.75),
    option_tokens=(1, 2),
)  # fmt: skip
TEXT = Outcome(id="q2", score=0.5, answer="14", text="fifteen")
THREE = Outcome(id="q3", score=0.0, answer="c", picked="a", margin=0.0, loglikelihoods=(-1.0, -1.0, -3.0))
BARE: Any = {
    each.name: each.default for each in fields(Outcome) if each.name not in ("id", "score", "answer")
}  # fmt: skip


def test_columns_give_back_the_values_they_were_made_of() -> None:
    made = Outcomes.of([CHOICE, TEXT, THREE])
    assert list(made) == [CHOICE, TEXT, THREE] and len(made) == 3
    assert TEXT in made and list(Outcomes.of(())) == []
    assert [type(value) for value in vars(next(iter(made))).values()] == [
        type(value) for value in vars(CHOICE).values()
    ]


def test_outcomes_are_equal_as_their_values_are() -> None:
    made = Outcomes.of([CHOICE, TEXT])
    assert made == Outcomes.of([CHOICE, TEXT]) and hash(made) == hash(Outcomes.of([CHOICE, TEXT]))
    assert made != Outcomes.of([TEXT, CHOICE]) and made != Outcomes.of([CHOICE])


def test_columns_for_arithmetic() -> None:
    made = Outcomes.of([CHOICE, TEXT, THREE])
    assert (made.ids, made.clusters) == (("q1", "q2", "q3"), ("odd", None, None))
    np.testing.assert_array_equal(made.scores, [1.0, 0.5, 0.0])
    np.testing.assert_array_equal(made.margins, [0.25, np.nan, 0.0])


def test_every_field_has_its_column() -> None:
    assert list(COLUMNS) == [each.name for each in fields(Outcome)]


def test_rows_of_unequal_length_as_a_matrix() -> None:
    column = Outcomes.of([CHOICE, TEXT, THREE]).loglikelihoods
    assert column.sizes.tolist() == [2, 0, 3]
    assert column.padded(0.5).tolist() == [[-1.0, -0.75, 0.5], [0.5, 0.5, 0.5], [-1.0, -1.0, -3.0]]
    assert Ragged.of([]).padded(0.0).shape == (0, 0)

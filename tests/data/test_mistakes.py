"""Wrong demonstrations: as many as asked for, wrong in the way asked for, and the rest untouched."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from educe.data.errors import UserError
from educe.data.mistakes import check_errors, num_wrong, with_errors
from educe.data.resolve import resolve
from educe.data.tasks.arithmetic import arithmetic
from educe.data.tasks.capitals import capitals
from educe.data.tasks.plurals import plurals
from educe.data.tasks.word_sentiment import word_sentiment

SHOTS = capitals().draw("train", 8, seed=0)


def test_a_wrong_option_a_number_off_by_ten_and_another_rows_answer() -> None:
    for task in (capitals(), arithmetic(), plurals()):
        shots = task.draw("train", 8, seed=0)
        made = with_errors(task, shots, share=0.5, errors="mistake", seed=0)
        assert [row.question for row in made] == [row.question for row in shots]
        assert sum(one.answer != other.answer for one, other in zip(made, shots, strict=True)) == 4
    sums = arithmetic().draw("train", 8, seed=0)
    made = with_errors(arithmetic(), sums, share=1.0, errors="mistake", seed=0)
    off = [int(one.answer) - int(other.answer) for one, other in zip(made, sums, strict=True)]
    assert set(off) == {-10, 10}


def test_decimals_keep_their_places() -> None:
    row = replace(arithmetic().draw("train", 1, seed=0)[0], answer="1,204.50")
    (made,) = with_errors(arithmetic(), [row], share=1.0, errors="mistake", seed=0)
    assert made.answer in ("1214.50", "1194.50")
    with pytest.raises(UserError, match="answer 'ten' is no number to be off by 10"):
        with_errors(arithmetic(), [replace(row, answer="ten")], share=1.0, errors="mistake", seed=0)


def test_permuted_labels_are_the_same_exchange_for_every_row() -> None:
    task = word_sentiment()
    shots = task.draw("train", 8, seed=0)
    made = with_errors(task, shots, share=1.0, errors="permuted", seed=0)
    assert {(one.answer, other.answer) for one, other in zip(shots, made, strict=True)} == {
        ("negative", "positive"),
        ("positive", "negative"),
    }
    check_errors(task, "permuted")
    check_errors(arithmetic(), "mistake")
    for other in (capitals(), arithmetic()):
        with pytest.raises(UserError, match="has no labels that all of its rows share, so none to permute; use errors"):
            check_errors(other, "permuted")


def test_random_labels_are_right_as_often_as_guessing() -> None:
    task = word_sentiment()
    shots = task.draw("train", 400, seed=0)
    made = with_errors(task, shots, share=1.0, errors="random", seed=0)
    assert 160 < sum(one.answer == other.answer for one, other in zip(made, shots, strict=True)) < 240


def test_what_is_wrong_is_wrong_and_nothing_else_differs() -> None:
    """Where demonstrations share an answer, another one is taken; where there is none, that is said."""
    months = resolve({"month_names": {"written": True}})
    for seed in range(20):
        shots = months.draw("train", 8, seed=seed)
        made = with_errors(months, shots, share=1.0, errors="mistake", seed=seed)
        assert all(one.answer not in (other.answer, *other.aliases) for one, other in zip(made, shots, strict=True))
    with pytest.raises(UserError, match=r"is shown with no other answer than its own, .*; show more demonstrations"):
        with_errors(plurals(), plurals().draw("train", 1, seed=0), share=1.0, errors="mistake", seed=0)
    worked = [replace(row, worked=f"Let me see. {row.answer}") for row in arithmetic().draw("train", 4, seed=0)]
    made = with_errors(arithmetic(), worked, share=0.5, errors="mistake", seed=0)
    assert all(row.worked is None for row in made)


def test_random_answers_are_drawn_from_all_demonstrations() -> None:
    """Of one wrong demonstration, too: it would keep its own if only wrong ones were drawn from."""
    changed = 0
    for seed in range(20):
        shots = arithmetic().draw("train", 4, seed=seed)
        made = with_errors(arithmetic(), shots, share=0.25, errors="random", seed=seed)
        changed += sum(one.answer != other.answer for one, other in zip(made, shots, strict=True))
    assert 10 <= changed <= 20


@given(st.integers(0, 8), st.integers(0, 8), st.integers(0, 3))
def test_a_larger_share_leaves_wrong_what_is_wrong(first: int, second: int, seed: int) -> None:
    low, high = sorted((first, second))
    fewer = with_errors(capitals(), SHOTS, share=low / 8, errors="mistake", seed=seed)
    more = with_errors(capitals(), SHOTS, share=high / 8, errors="mistake", seed=seed)
    wrong = [row for row, right in zip(fewer, SHOTS, strict=True) if row.answer != right.answer]
    assert len(wrong) == low and set(wrong) <= set(more)


def test_a_share_that_is_no_whole_number_of_demonstrations_is_refused() -> None:
    assert [num_wrong(8, share) for share in (0.0, 0.125, 0.5, 1.0)] == [0, 1, 4, 8]
    assert num_wrong(3, 1 / 3) == num_wrong(3, 0.3333) == 1
    with pytest.raises(UserError, match=r"wrong = 0.1 of 4 demonstrations is 0.4, no whole number; use more shots, or"):
        num_wrong(4, 0.1)

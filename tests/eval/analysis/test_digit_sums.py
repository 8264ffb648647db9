"""Sums beside the sums of their digits: which are paired, which way they differ, and what is left out."""

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from educe.eval.analysis.conditions import pool
from educe.eval.analysis.digit_sums import digit_sums
from educe.eval.measurement import Measurement, Outcome, Outcomes
from educe.eval.report.contrasts import DIGIT_COLUMNS
from educe.eval.report.page import write_report
from educe.eval.spend import Spend
from tests.eval.synthetic import measurement

EASY, HARD = "arithmetic_1_digits_sums", "arithmetic_sums"


def run(task: str, sums: Mapping[str, float], **changed: object) -> Measurement:
    made = measurement(task=task, right=list(sums.values()), method="zero_shot", examples=0, **changed)  # type: ignore[arg-type]
    outcomes = [Outcome(id=id, cluster=id, score=float(score), answer="") for id, score in sums.items()]
    return replace(made, outcomes=Outcomes.of(outcomes))


def test_a_sum_is_beside_the_sums_of_its_digits() -> None:
    easy = run(EASY, {"1+2": 1, "3+4": 0, "2+2": 1, "5+6": 1})
    hard = run(HARD, {
        "31+42": 1,  # 3+4 is wrong: it shows what the digits hide
        "12+22": 0,  # 1+2 and 2+2 are right
        "22+21": 1,  # 2+2 and 1+2, in the other order
        "35+46": 0,  # both wrong
        "91+12": 1,  # 9+1 was not asked
        "12+2": 1,  # of unequal length
        "12*22": 1, "capital": 1,
    })  # fmt: skip
    (found,) = digit_sums(pool([easy, hard]))
    assert (found.n, found.only_sum, found.only_digits, found.seed) == (4, 1, 1, 0)
    assert (found.digits, found.wrong) == (4, 1)
    assert found.condition.task == HARD and found.easier.task == EASY


def test_of_a_digit_sum_that_was_asked_twice_both_have_to_be_right() -> None:
    easy, hard = run(EASY, {"3+4": 1, "4+3": 0, "1+1": 1}), run(HARD, {"31+41": 1})
    assert digit_sums(pool([easy, hard]))[0].only_sum == 1


def test_one_wrong_digit_sum_in_many_sums_is_one_finding() -> None:
    """25 sums hold the one digit sum that is wrong: taken as independent, they would give p = 6e-8."""
    easy = run(EASY, {f"{a}+{b}": float((a, b) != (6, 9)) for a in range(10) for b in range(a, 10)})
    hard = run(HARD, {f"{a}6+{b}9": 1.0 for a in range(1, 6) for b in range(1, 6)})
    (found,) = digit_sums(pool([easy, hard]))
    assert (found.only_sum, found.only_digits, found.wrong) == (25, 0, 1)
    assert found.num_apart == 1 and found.apart.p == 1.0


@pytest.mark.parametrize(
    ("easy", "hard", "other"),
    [
        ({"3+4": 1}, {"31+41": 1}, {}),  # 1+1 was not asked
        ({"3+4": 1, "1+1": 1}, {"31+41": 1}, {"model": "big"}),
        ({"3+4": 1, "1+1": 1}, {"31+41": 1}, {"settings": {"template": "native"}}),
        ({"3+4": 0.5, "1+1": 1}, {"31+41": 1}, {}),  # neither right nor wrong
        ({"3+4": 1, "1+1": 1}, {"31+41": 1}, {"seed": 1}),
    ],
)
def test_what_cannot_be_paired_is_left_out(
    easy: dict[str, float], hard: dict[str, float], other: dict[str, object]
) -> None:
    assert not digit_sums(pool([run(EASY, easy), run(HARD, hard, **other)]))


def test_what_learned_from_each_task_s_rows_is_two_models() -> None:
    spend = Spend(labelled_examples=4, train_flops=1e9)
    easy = run(EASY, {"3+4": 1, "1+1": 1}, spend=spend)
    assert not digit_sums(pool([easy, run(HARD, {"31+41": 1}, spend=spend)]))


@pytest.mark.usefixtures("no_task_figures")
def test_the_page_and_its_table(tmp_path: Path) -> None:
    easy, hard = run(EASY, {"3+4": 0, "1+1": 1}), run(HARD, {"31+41": 1, "11+11": 0})
    page = write_report([easy, hard], (), tmp_path, study="s", study_text="name: s").read_text("utf-8")
    assert 'id="digit-sums"' in page
    (row,) = csv.DictReader((tmp_path / "digit_sums.csv").read_text("utf-8").splitlines())
    assert list(row) == list(DIGIT_COLUMNS)
    assert (row["right_with_digits_wrong"], row["wrong_with_digits_right"], row["sums"]) == ("1", "1", "2")

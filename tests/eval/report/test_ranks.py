"""Rankings in the report: which conditions are ranked, over which items, and what is said of their ranks."""

import pytest

from educe.eval.analysis.conditions import pool
from educe.eval.report.ranks import rankings
from tests.eval.synthetic import measurement, small_study


def test_one_condition_per_method_over_all_tasks() -> None:
    found, missing = rankings(pool(small_study()))
    assert missing == []
    assert [each.model for each in found] == ["big", "small"]
    assert (found[0].n, found[0].tasks) == (80, ("capitals", "sentiment"))
    # Largest budgets only; 64 examples beat 8 shots, which beat none.
    assert [name for name, _ in found[0].rows] == ["iid_sft rank=8, 64 examples", "few_shot shots=8", "zero_shot"]
    assert [ranked.rank for _, ranked in found[0].rows] == [1, 2, 3]
    assert [ranked.score for _, ranked in found[0].rows] == pytest.approx([37.5 / 40, 26.5 / 40, 24 / 40])
    # 2.5 more of 40 items in each of two tasks: a center of 2.5 / 42 and a variance of ((2.25 + 1) / 42 - (2.5 / 42)^2)
    # / 42 / 2, so t = 2.008, which is just over the quantile 1.991 of 78 degrees of freedom: Holm's last step.
    assert [(ranked.best_rank, ranked.worst_rank) for _, ranked in found[0].rows] == [(1, 1), (2, 2), (3, 3)]


def test_fewer_than_three_shared_conditions_are_not_ranked() -> None:
    fewer = [each for each in small_study() if (each.task, each.method) != ("capitals", "few_shot")]
    found, missing = rankings(pool(fewer))
    assert found == []
    assert missing[0] == "big: fewer than 3 methods were measured on all of its tasks."


def test_tasks_count_the_same_whatever_their_size() -> None:
    made = [
        measurement(method=method, task=task, right=right, of=of)
        for method, rights in (("zero_shot", (50, 10)), ("few_shot", (60, 9)), ("iid_sft", (70, 2)))
        for task, right, of in zip(("capitals", "sentiment"), rights, (100, 10), strict=True)
    ]
    (found,), _ = rankings(pool(made))
    # 50% and 100%; 60% and 90%; 70% and 20%.
    assert [round(ranked.score, 3) for _, ranked in found.rows] == [0.75, 0.75, 0.45]
    assert [ranked.rank for _, ranked in found.rows] == [1, 1, 3]

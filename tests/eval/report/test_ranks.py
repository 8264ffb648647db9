"""Rankings in the report: which conditions are ranked, over which items, and what is said of their ranks."""

import pytest

from educe.eval.analysis.conditions import pool
from educe.eval.analysis.looks import Look, Looks
from educe.eval.measurement import Measurement
from educe.eval.report.ranks import rankings
from tests.eval.synthetic import measurement, small_study


def test_one_condition_per_method_over_all_tasks() -> None:
    found, missing = rankings(pool(small_study()))
    assert missing == []
    assert [each.model for each in found] == ["big", "small"]
    assert (found[0].n, found[0].tasks) == (80, ("capitals", "sentiment"))
    # Largest budgets only; 64 examples beat 8 shots, which beat none.
    names = [name for name, _ in found[0].rows]
    assert names == ["iid_sft rank=8, 64 examples †", "few_shot shots=8 †", "zero_shot"]
    assert [ranked.rank for _, ranked in found[0].rows] == [1, 2, 3]
    assert [ranked.score for _, ranked in found[0].rows] == pytest.approx([37.5 / 40, 26.5 / 40, 24 / 40])
    # Two seeds say nothing of the recipes.
    assert found[0].untested == 2
    assert {(ranked.best_rank, ranked.worst_rank) for _, ranked in found[0].rows} == {(1, 3)}


def of_five_seeds() -> list[Measurement]:
    """Zero-shot right on 24 of 40 items of two tasks, few-shot on 27, training on 38."""
    rights = (("zero_shot", 24, 0, 1), ("few_shot", 27, 8, 5), ("iid_sft", 38, 64, 5))
    return [
        measurement(method=method, task=task, examples=examples, right=right, of=40, seed=seed,
                    provenance={"cell": f"{task} {method} {seed}"})
        for method, right, examples, seeds in rights
        for task in ("capitals", "sentiment")
        for seed in range(seeds)
    ]  # fmt: skip


def test_five_seeds_are_ranked() -> None:
    (found,), _ = rankings(pool(of_five_seeds()))
    # 3 more of 40 items in each of two tasks: a center of 3 / 42, a variance of ((3 + 1) / 42 - (3 / 42)^2) / 42 / 2.
    # So t = 2.18, which is over the quantile 1.991 of 78 degrees of freedom: Holm's last step.
    assert [(ranked.best_rank, ranked.worst_rank) for _, ranked in found.rows] == [(1, 1), (2, 2), (3, 3)]
    assert found.untested == 0 and not any("†" in name for name, _ in found.rows)


def test_p_values_of_ranks_are_adjusted_for_looks() -> None:
    """Half of the planned seeds: p = 0.03 against zero-shot was taken as it is."""
    made = of_five_seeds()
    ids = {each.provenance.cell: f"{each.task} {each.method}" for each in made}
    stood = {each: frozenset({0} if "zero" in each else range(5)) for each in ids.values()}
    listed = {each: frozenset({0} if "zero" in each else range(10)) for each in ids.values()}
    looks = Looks(ids=ids, now=Look(listed=listed, stood=stood))
    (found,), _ = rankings(pool(made), looks)
    assert [(ranked.best_rank, ranked.worst_rank) for _, ranked in found.rows] == [(1, 1), (2, 3), (2, 3)]


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

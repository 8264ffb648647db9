"""Rankings in the report: which conditions are ranked, over which items, and the verdict."""

from dataclasses import replace
from typing import Any

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
    assert [strength.rank for _, strength in found[0].rows] == [1, 2, 3]
    assert found[0].verdict.startswith("One ranking does not describe all pairs (p = 0.0")


def test_fewer_than_three_shared_conditions_are_not_ranked() -> None:
    fewer = [each for each in small_study() if (each.task, each.method) != ("capitals", "few_shot")]
    found, missing = rankings(pool(fewer))
    assert found == []
    assert missing[0] == "big: fewer than 3 methods were measured on all of its tasks."


def test_a_cycle_is_reported() -> None:
    # Each beats the next on 60 of 90 items.
    third = 30
    scores: dict[str, Any] = {
        "zero_shot": [1.0] * third + [0.5] * third + [0.0] * third,
        "few_shot": [0.5] * third + [0.0] * third + [1.0] * third,
        "iid_sft": [0.0] * third + [1.0] * third + [0.5] * third,
    }
    made = [replace(measurement(method=method, right=right), recipe=method) for method, right in scores.items()]
    (found,), _ = rankings(pool(made))
    assert found.verdict.startswith("No ranking is right for all pairs: ")
    assert found.verdict.count(" beats ") == 3

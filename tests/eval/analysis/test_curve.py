"""Curves: grouped by what their fields say, pooled over seeds."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from educe.data.errors import UserError
from educe.eval.analysis.conditions import compare, item_scores, plain_prompting, pool
from educe.eval.analysis.curves import curves, sweeps, without_sweeps
from educe.eval.analysis.statistics.intervals import pooled_interval, wilson
from educe.eval.analysis.statistics.variance import Side
from educe.eval.measurement import Outcome, Outcomes
from educe.eval.spend import Spend
from tests.eval.synthetic import measurement, small_study


def test_seeds_are_pooled_at_equal_examples_and_budgets_sorted() -> None:
    made = [measurement(examples=examples, seed=seed, right=right) for examples, seed, right in
            [(64, 0, 9), (4, 1, 6), (64, 1, 8), (4, 0, 5)]]  # fmt: skip
    (curve,) = curves(made, "examples")
    assert [(point.budget, point.score, point.num_seeds, point.n) for point in curve.points] == [
        (4, pytest.approx(0.55), 2, 10),
        (64, pytest.approx(0.85), 2, 10),
    ]
    few = np.array([[float(i < right) for i in range(10)] for right in (5, 6)])
    expected = pooled_interval(Side(scores=few, seeds=(0, 1)))
    assert (curve.points[0].low, curve.points[0].high) == (expected.low, expected.high)
    # Two seeds are two runs: the variance over items of their mean (5 items at 1, one at 1/2), and nothing over seeds.
    variance = (5 * 0.45**2 + 0.05**2 + 4 * 0.55**2) / 9 / 10
    n = 0.55 * 0.45 / variance * float(stats.norm.ppf(0.975) / stats.t.ppf(0.975, 9)) ** 2
    assert (expected.low, expected.high) == pytest.approx(wilson(0.55, n))


def test_one_seed_keeps_its_own_interval() -> None:
    (condition,) = pool([measurement(low=0.111, high=0.999, interval="mine 90%")])
    assert (condition.low, condition.high, condition.interval) == (0.111, 0.999, "mine 90%")


def test_grouping_reads_fields_and_not_names() -> None:
    made = [
        measurement(settings={"rank": 8}, recipe="same name"),
        measurement(settings={"rank": 1}, recipe="same name"),
        measurement(settings={"rank": 8}, examples=16, recipe="another name"),
        measurement(settings={"rank": 8}, method="other", recipe="same name"),
        measurement(settings={"rank": 8}, task="other"),
        measurement(settings={"rank": 8}, model="other"),
    ]
    assert sorted(len(curve.points) for curve in curves(made, "examples")) == [1, 1, 1, 1, 2]


def test_shots_are_a_budget_and_not_another_recipe() -> None:
    made = [measurement(method="few_shot", settings={"shots": k}, examples=k) for k in (8, 2)]
    (curve,) = curves(made, "examples")
    assert (curve.label, [point.budget for point in curve.points]) == ("few_shot", [2, 8])
    (default,) = pool([measurement(method="few_shot", settings={"shots": 8}, recipe="few_shot", examples=8)])
    assert (default.name, curve.points[0].condition.name) == ("few_shot shots=8", "few_shot shots=2")


def test_curves_of_one_name_are_told_apart_by_their_settings() -> None:
    made = [
        measurement(method="few_shot", settings={"shots": k, "template": template}, examples=k)
        for k in (2, 8)
        for template in ("chat", "auto")
    ]
    labels = [curve.label for curve in curves(made, "examples")]
    assert labels == ["few_shot template=chat", "few_shot template=auto"]


@pytest.mark.parametrize(("axis", "budgets"), [("flops", [6e12, 9e12]), ("parameters", [100, 200])])
def test_other_axes(axis: Any, budgets: list[float]) -> None:
    made = [
        measurement(
            examples=4 if axis == "parameters" else 4 * rank, settings={"rank": rank if axis == "parameters" else 1},
            spend=Spend(train_flops=3e12 * rank, search_flops=3e12, trainable_parameters=100 * rank),
        )
        for rank in (2, 1)
    ]  # fmt: skip
    (curve,) = curves(made, axis)
    assert [point.budget for point in curve.points] == budgets


def test_missing_cells_are_missing() -> None:
    made = [each for each in small_study() if not (each.examples == 4 and each.model == "big")]
    found = {(curve.model, curve.task, curve.method): len(curve.points) for curve in curves(made, "examples")}
    assert found["big", "capitals", "iid_sft"] == 1
    assert found["small", "capitals", "iid_sft"] == 2
    assert curves([], "flops") == ()


def test_a_cell_twice_is_refused_by_name() -> None:
    with pytest.raises(UserError, match="iid_sft on small, capitals, 4 examples, seed 0 was measured twice"):
        pool([measurement(), measurement()])


def test_seeds_are_pooled_on_the_items_they_share() -> None:
    long, short = measurement(of=10, right=5), measurement(of=5, right=5, seed=1)
    (condition,) = pool([long, short])
    assert (condition.n, condition.score) == (5, 1.0)
    strangers = measurement(seed=1, outcomes=Outcomes.of(()))
    with pytest.raises(ValueError, match="shares no test item"):
        pool([long, strangers])


def test_scores_of_shared_items_stand_in_one_order_with_their_clusters() -> None:
    def side(names: str, seed: int) -> Any:
        made = [
            Outcome(id=name, score="abcde".index(name) / 4, answer="x", cluster=name.upper() if name < "d" else None)
            for name in names
        ]
        return measurement(seed=seed, outcomes=Outcomes.of(made))

    (one, other), clusters = item_scores([side("edcba", 0), side("bcde", 1)], [side("abcd", 0)])
    np.testing.assert_array_equal(one, [[0.75, 0.5, 0.25]] * 2)  # d, c, b: as the first measurement has them
    np.testing.assert_array_equal(other, [[0.75, 0.5, 0.25]])
    assert clusters == [None, "C", "B"]


def test_plain_prompting_is_zero_shot_at_its_defaults() -> None:
    made = [
        measurement(method="zero_shot", examples=0, settings={"answer_as": "letter"}),
        measurement(method="zero_shot", examples=0, settings={"answer_as": None}, recipe="zero_shot"),
        measurement(),
    ]
    plain = plain_prompting(pool(made))
    assert plain is not None
    assert plain.settings == '{"answer_as": null}'
    assert plain_prompting(pool([measurement()])) is None


def test_compare_pairs_by_item_whatever_the_order() -> None:
    here = measurement(right=7, method="zero_shot", examples=0)
    there = measurement(right=5)
    turned = measurement(right=5, outcomes=Outcomes.of(list(there.outcomes)[::-1]))
    (first,), (second,), (third,) = pool([here]), pool([there]), pool([turned])
    assert compare(first, second) == compare(first, third)
    assert compare(first, second).difference == pytest.approx(0.2)


def test_a_recipe_run_with_several_sizes_is_a_curve_along_parameters() -> None:
    def condition(numbers: int, right: int, **settings: float) -> Any:
        return measurement(
            method="sparse_lora",
            settings={"trainable_parameters": numbers, "learning_rate": 0.1, **settings},
            examples=64,
            right=right,
            spend=Spend(trainable_parameters=numbers),
        )

    conditions = pool(
        [
            condition(16, 6),
            condition(1, 4),
            condition(256, 9),
            condition(1, 5, learning_rate=0.2),
            measurement(method="zero_shot"),
        ]
    )
    (curve,) = sweeps(conditions)
    assert [(point.budget, point.score) for point in curve.points] == [(1, 0.4), (16, 0.6), (256, 0.9)]
    left = without_sweeps(conditions)
    assert [(each.method, each.trainable_parameters) for each in left] == [
        ("sparse_lora", 256),
        ("sparse_lora", 1),  # another rate: no point of that curve
        ("zero_shot", 0),
    ]
    assert sweeps(left) == ()


def test_only_what_was_measured_in_bits_is_on_the_axis_of_bits() -> None:
    made = [measurement(examples=4, spend=Spend(bits=12.5)), measurement(method="few_shot")]
    (curve,) = curves(made, "bits")
    assert [(point.budget, curve.method) for point in curve.points] == [(12.5, "iid_sft")]

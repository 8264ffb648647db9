"""The best prompt and the best training of each task, corrected for having been picked."""

from typing import Any

import numpy as np
import pytest

from educe.eval.analysis.by_task import TaskRow, task_rows
from educe.eval.analysis.conditions import by_task_and_model, compare, pool
from educe.eval.measurement import Measurement
from educe.eval.spend import Spend
from tests.eval.synthetic import in_one_cluster, measurement


def tuned(right: int | list[float], examples: int, seed: int = 0, **changed: Any) -> Measurement:
    spend = Spend(labelled_examples=examples, train_flops=1e9 * examples)
    return measurement(right=right, of=100, examples=examples, seed=seed, spend=spend, **changed)


def plain(right: int = 40) -> Measurement:
    return measurement(method="zero_shot", examples=0, right=right, of=100)


def shown(right: int, shots: int) -> Measurement:
    return measurement(method="few_shot", settings={"shots": shots}, examples=shots, right=right, of=100)


def row_of(*made: Measurement) -> TaskRow:
    (row,) = task_rows(by_task_and_model(pool(made)))
    return row


def equal_recipes(count: int) -> list[Measurement]:
    """Trained recipes that are all right on half of the items, by noise alone."""
    rng = np.random.default_rng(3)
    return [
        tuned((rng.random(100) < 0.5).astype(float).tolist(), 4, settings={"rank": place}) for place in range(count)
    ]


def test_with_nothing_to_choose_from_the_gains_are_the_paired_ones() -> None:
    made = [plain(), shown(50, 8), tuned(70, 64), tuned(30, 64, method="ngrams")]
    row = row_of(*made)
    conditions = {each.method: each for each in pool(made)}
    for found, other in ((row.gain, "zero_shot"), (row.above_control, "ngrams")):
        expected = compare(conditions["iid_sft"], conditions[other])
        assert found is not None
        assert found.value == pytest.approx(expected.difference)
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert row.tuned and row.prompt and row.control and row.plain
    assert (row.tuned.rivals, row.prompt.condition.method, row.control.method) == (1, "few_shot", "ngrams")
    assert (row.n, row.chance, row.estimand) == (100, 0.25, "runs")


def test_the_best_of_many_equals_is_lowered_and_its_gain_with_it() -> None:
    row = row_of(plain(), *equal_recipes(12))
    assert row.tuned and row.tuned.score and row.gain and row.plain
    measured = row.tuned.condition.score
    assert row.tuned.rivals == 12 and measured > 0.55
    assert row.tuned.score.value < measured - 0.03
    assert row.gain.value == pytest.approx(row.tuned.score.value - row.plain.score)
    raw = compare(row.tuned.condition, row.plain)
    assert row.gain.high - row.gain.low == pytest.approx(raw.high - raw.low)


def test_the_control_is_the_one_at_the_picked_budget() -> None:
    row = row_of(plain(), tuned(60, 4), tuned(90, 64), *(tuned(20 + n, n, method="ngrams") for n in (4, 64)))
    assert row.tuned and row.control and row.above_control
    assert (row.tuned.condition.examples, row.control.examples) == (64, 64)
    assert row.above_control.value == pytest.approx(0.06, abs=0.01)


def test_without_a_control_at_the_picked_budget_there_is_no_gain_above_it() -> None:
    row = row_of(plain(), tuned(60, 4), tuned(90, 64), tuned(20, 4, method="ngrams"))
    assert (row.control, row.above_control) == (None, None)
    assert row.gain is not None


def test_zero_shot_and_controls_are_no_prompt_and_no_training() -> None:
    row = row_of(plain(90), tuned(95, 4, method="ngrams"))
    assert (row.prompt, row.tuned, row.gain, row.control) == (None, None, None, None)
    alone = row_of(tuned(95, 4, method="ngrams"))
    assert (alone.plain, alone.tuned, alone.chance) == (None, None, 0.25)


def test_without_zero_shot_there_is_no_gain() -> None:
    row = row_of(shown(50, 4), shown(60, 8), tuned(70, 64))
    assert row.gain is None and row.prompt and row.prompt.rivals == 2


def test_items_of_one_cluster_show_no_noise_to_correct() -> None:
    row = row_of(*(in_one_cluster(each) for each in (plain(), tuned(70, 4), tuned(72, 64))))
    assert row.tuned and row.tuned.score is None and row.gain is None


def test_three_seeds_speak_of_the_recipe() -> None:
    made = [plain(), *(tuned(70 + seed, 64, seed) for seed in range(3))]
    assert row_of(*made).estimand == "recipe"

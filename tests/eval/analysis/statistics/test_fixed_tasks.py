"""The mean over a fixed list of tasks: by hand, and where it would be wrong to call a task or a seed certain."""

import numpy as np
import pytest
from scipy import stats

from educe.eval.analysis.statistics.fixed_tasks import (
    TaskValue,
    chance_adjusted,
    mean_over_tasks,
    task_difference,
    task_score,
)
from educe.eval.analysis.statistics.intervals import wilson
from educe.eval.analysis.statistics.paired import paired_difference
from educe.eval.analysis.statistics.variance import Side
from tests.benchmarks.suites import held


def one(right: int, of: int) -> Side:
    return Side.of([1.0] * right + [0.0] * (of - right))


def test_the_limits_of_each_task_are_combined_as_by_hand() -> None:
    found = mean_over_tasks([task_score(one(40, 50)), task_score(one(30, 100))])
    (low_1, high_1), (low_2, high_2) = wilson(0.8, 50), wilson(0.3, 100)
    assert (found.value, found.n) == (pytest.approx(0.55), 150)
    # Wilson's interval is longer below 80% and above 30%; the shorter ends count as half of the interval.
    assert found.low == pytest.approx(0.55 - ((0.8 - low_1) ** 2 + ((high_2 - low_2) / 2) ** 2) ** 0.5 / 2)
    assert found.high == pytest.approx(0.55 + (((high_1 - low_1) / 2) ** 2 + (high_2 - 0.3) ** 2) ** 0.5 / 2)


def test_a_task_on_which_all_is_right_is_not_certain() -> None:
    """Its own variance is 0: 20 of 20 may be 84% of all, so the mean with a well known task may be 8 points lower."""
    found = mean_over_tasks([task_score(one(20, 20)), task_score(one(5_000, 10_000))])
    assert found.low == pytest.approx(0.75 - (1 - wilson(1.0, 20)[0]) / 2, abs=1e-3)
    assert found.low < 0.675 < 0.75 < found.high


def test_a_seed_may_move_all_tasks_at_once() -> None:
    """Ten tasks whose seeds agree are no better known than one, as far as seeds go; seeds that cancel cost nothing."""
    rng = np.random.default_rng(0)
    effects = np.array([0.1, 0.0, -0.1])

    def side(signs: float) -> Side:
        scores = np.repeat((0.5 + signs * effects)[:, None], 2_000, axis=1)
        return Side(scores=scores + 1e-3 * rng.standard_normal(2_000), seeds=(0, 1, 2))

    together = mean_over_tasks([task_score(side(1.0)) for _ in range(10)])
    alone = stats.t.ppf(0.975, 2) * 0.1 / 3**0.5
    assert (together.high - together.low) / 2 == pytest.approx(alone, rel=0.01)
    apart = mean_over_tasks([task_score(side(sign)) for sign in (1.0, -1.0) * 5])
    assert (apart.high - apart.low) / 2 < 0.02


def test_seeds_too_few_to_speak_of_others_add_nothing() -> None:
    scores = np.array([[1.0] * 80 + [0.0] * 20, [1.0] * 20 + [0.0] * 80])
    two = [task_score(Side(scores=scores, seeds=(0, 1))) for _ in range(2)]
    assert mean_over_tasks(two) == mean_over_tasks([task_score(Side(scores=scores)) for _ in range(2)])


def test_tasks_of_one_cluster_do_not_average_out() -> None:
    """Nothing is known of either task, and so nothing of their mean."""
    side, same = one(5, 10), ["same"] * 10
    found = mean_over_tasks([task_score(side, same), task_score(side, same)])
    assert (found.low, found.high) == (0.0, 1.0)
    gain = mean_over_tasks([task_difference(side, one(3, 10), same)] * 2)
    assert (gain.low, gain.high) == (-1.0, 1.0)
    half = mean_over_tasks([task_score(side, same), task_score(one(500, 1_000))])
    assert 0.5 < half.high - half.low < 0.6


def test_differences_are_those_of_the_paired_interval() -> None:
    ours, theirs = one(30, 40), one(20, 40)
    value = task_difference(ours, theirs)
    found = paired_difference(ours, theirs)
    assert (value.value, value.low, value.high) == (found.difference, found.low, found.high)
    assert mean_over_tasks([value] * 4).value == pytest.approx(0.25)


def test_the_way_from_chance() -> None:
    score = task_score(one(70, 100))
    share = chance_adjusted(score, 0.25)
    assert share.value == pytest.approx(0.6)
    assert share.high == pytest.approx((score.high - 0.25) / 0.75)
    assert share.bounds == pytest.approx((-1 / 3, 1))
    below = mean_over_tasks([chance_adjusted(task_score(one(0, 3)), 0.5)] * 2)
    assert (below.value, below.low) == (-1.0, -1.0)
    with pytest.raises(ValueError, match="chance in"):
        chance_adjusted(score, 1.0)


def test_one_task_is_no_mean() -> None:
    with pytest.raises(ValueError, match="got 1"):
        mean_over_tasks([task_score(one(1, 2))])


def test_the_interval_holds_near_one() -> None:
    """One run a task: with the ends as they are it would hold in about 91%, because the upper ones are short."""
    assert held(tasks=25, seeds=1, variance=0.0, correlation=0.0, studies=200, shares=(0.93, 0.995)) >= 95


def test_the_interval_holds_where_seeds_act_on_all_tasks() -> None:
    """Independent tasks, each with its own seeds, would hold in about 87%."""
    assert held(tasks=25, seeds=3, variance=0.01, correlation=0.3, studies=200) >= 91


def test_graded_scores_are_averaged_likewise() -> None:
    graded: list[TaskValue] = [task_score(Side.of(np.linspace(0, 1, 40))) for _ in range(3)]
    found = mean_over_tasks(graded)
    assert found.value == pytest.approx(0.5)
    assert (found.high - found.low) == pytest.approx((graded[0].high - graded[0].low) / 3**0.5, rel=0.01)

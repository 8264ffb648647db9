"""The frontier: who is not beaten on score and cost at once, and how sure that is."""

import numpy as np
import pytest

from educe.eval.analysis.conditions import pool
from educe.eval.analysis.frontier import break_even, cost_of, frontier, questions_to_break_even, undominated
from educe.eval.spend import Spend
from tests.eval.synthetic import in_one_cluster, measurement


def test_undominated_by_hand() -> None:
    costs = np.array([3.0, 1.0, 2.0, 2.0, 3.0])
    scores = np.array([[0.9, 0.5, 0.7, 0.6, 0.9], [0.5, 0.5, 0.4, 0.6, 0.7]])
    # Second row: 0.5 at cost 3 is beaten, 0.4 too; equal score at equal cost (first row) stands together.
    assert undominated(scores, costs).tolist() == [
        [True, True, True, False, True],
        [False, True, False, True, True],
    ]
    # No more score for more cost is no place on the frontier.
    assert undominated(np.array([[0.5, 0.5]]), np.array([1.0, 2.0])).tolist() == [[True, False]]


def test_costs_and_sureness() -> None:
    made = [
        measurement(method="zero_shot", examples=0, right=20, of=100, spend=Spend(flops_per_answer=1e9)),
        measurement(right=80, of=100, spend=Spend(labelled_examples=4, train_flops=5e12, flops_per_answer=1e9)),
        measurement(
            method="few_shot",
            examples=8,
            right=81,
            of=100,
            spend=Spend(labelled_examples=8, flops_per_answer=9e9),
        ),
    ]
    conditions = pool(made)
    assert [cost_of(condition, "flops") for condition in conditions] == [1e12, 6e12, 9e12]
    assert [cost_of(condition, "flops", questions=10) for condition in conditions] == [1e10, 5.01e12, 9e10]
    places = frontier(conditions, "flops")
    assert [place.condition.method for place in places] == ["zero_shot", "iid_sft", "few_shot"]
    assert [place.on_frontier for place in places] == [True, True, True]
    assert places[1].frontier_share == 1.0
    # One item more of a hundred, which 37% of resamples do not draw.
    assert places[2].frontier_share == pytest.approx(1 - 0.99**100, abs=0.05)
    assert [place.cost for place in frontier(conditions, "labels")] == [0, 4, 8]
    assert frontier(conditions, "flops", questions=10)[1].condition.method == "few_shot"
    assert break_even(conditions[1], conditions[2]) == pytest.approx(5e12 / 8e9)
    assert break_even(conditions[0], conditions[1]) is None


def test_one_item_and_all_alike() -> None:
    conditions = pool([measurement(method="zero_shot", examples=0, right=1, of=1), measurement(right=1, of=1)])
    assert [(place.on_frontier, place.frontier_share) for place in frontier(conditions, "labels")] == [
        (True, 1.0),
        (False, 0.0),
    ]


def test_seeds_that_disagree_are_not_sure() -> None:
    """Conditions, both with a mean gain of six items; the seeds of one agree, the other's are 25 items apart."""

    def made(rights: tuple[int, ...]) -> float:
        cheap = measurement(method="zero_shot", examples=0, right=50, of=100, spend=Spend(flops_per_answer=1e9))
        spend = Spend(labelled_examples=4, train_flops=5e12, flops_per_answer=1e9)
        trained = [measurement(right=right, of=100, seed=seed, spend=spend) for seed, right in enumerate(rights)]
        return frontier(pool([cheap, *trained]), "flops")[1].frontier_share

    assert made((56, 56, 56)) > 0.98
    assert 0.6 < made((31, 56, 81)) < 0.8


def test_break_even():
    assert questions_to_break_even(100.0, prompt_flops=5.0, tuned_flops=3.0) == 50
    assert questions_to_break_even(100.0, prompt_flops=3.0, tuned_flops=3.0) is None


def test_equal_recipes_on_the_frontier_are_corrected_for_the_noise_that_picked_the_best() -> None:
    """Twenty recipes of one cost, all right on half of all items: the best of them reads 4 points high."""
    rng = np.random.default_rng(1)
    errors, covered = [], 0
    for _ in range(12):
        easy = rng.random(300)
        made = [
            measurement(settings={"rank": rank}, right=(0.6 * easy + 0.4 * rng.random(300) < 0.5).astype(float))
            for rank in range(20)
        ]
        (point,) = [each for each in frontier(pool(made), "labels") if each.on_frontier][:1]
        assert point.corrected is not None and point.optimism is not None and point.optimism > 0
        errors.append((point.condition.score - 0.5, point.corrected.value - 0.5))
        covered += point.corrected.low <= 0.5 <= point.corrected.high
    measured, corrected = np.mean(errors, axis=0)
    assert measured > 0.025
    assert abs(corrected) < 0.015
    assert covered >= 11


def test_nothing_is_corrected_where_nothing_was_picked() -> None:
    """The cheapest condition had no rival; one cluster of items says nothing about noise."""
    cheap = measurement(method="zero_shot", examples=0, right=20, of=100)
    first = frontier(pool([cheap, measurement(right=80, of=100)]), "labels")[0]
    assert first.corrected is not None and first.optimism == pytest.approx(0, abs=1e-12)
    assert (first.corrected.low, first.corrected.high) == pytest.approx((first.condition.low, first.condition.high))
    together = [in_one_cluster(cheap), in_one_cluster(measurement(right=80, of=100))]
    assert [point.corrected for point in frontier(pool(together), "labels")] == [None, None]

"""Claims about one condition's scores: the numbers by hand or by scipy, what is refused and why."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest

from educe.data.errors import UserError
from educe.eval.analysis.claims.runs import p_score_above, p_score_below
from educe.eval.analysis.claims.score import above_threshold, first_success, rarer_than
from educe.eval.analysis.conditions import pool
from educe.eval.measurement import Outcome, Outcomes
from educe.eval.spend import Spend
from tests.eval.analysis.claims.claiming import claimed, clustered, condition, refused
from tests.eval.synthetic import measurement


def test_a_threshold_claim_is_the_exact_binomial_test() -> None:
    made = claimed(above_threshold(condition(93), 0.5))
    want = binomtest(93, 100, 0.5, alternative="greater").pvalue
    assert made.numbers["p"] == pytest.approx(want, rel=1e-9) and made.numbers["p"] < 1e-5
    assert "small on capitals, iid_sft with 4 labelled examples: scores above 50% in its one run: 93%" in str(made)
    assert "100 items" in str(made)
    assert "it scores 50%" in str(refused(above_threshold(condition(50), 0.5)))


@pytest.mark.parametrize("threshold", [0.0, 1.0, 1.5, -0.1, math.nan])
def test_a_threshold_outside_0_and_1_is_a_mistake(threshold: float) -> None:
    with pytest.raises(UserError, match=r"threshold = .* is not between 0 and 1"):
        above_threshold(condition(60), threshold)


def test_the_worst_run_decides() -> None:
    (runs,) = pool([measurement(right=right, of=100, seed=seed) for seed, right in enumerate((93, 60, 80))])
    made = claimed(above_threshold(runs, 0.5))
    assert made.numbers["p"] == pytest.approx(binomtest(60, 100, 0.5, alternative="greater").pvalue)
    assert "in each of 3 runs: 60% to 93%" in str(made)


def test_clusters_make_the_test_stricter() -> None:
    alone = clustered([1.0, 1.0, 0.0, 1.0] * 25, 1)
    fives = clustered([1.0] * 75 + [0.0] * 25, 5)
    assert p_score_above(fives, 0.6) > 10 * p_score_above(alone, 0.6)
    assert p_score_above(alone, 0.6) == pytest.approx(binomtest(75, 100, 0.6, alternative="greater").pvalue)
    assert p_score_below(alone, 0.9) == pytest.approx(binomtest(75, 100, 0.9, alternative="less").pvalue)


def test_an_approximate_tail_is_not_believed_beyond_a_millionth() -> None:
    assert p_score_above(clustered([1.0] * 398 + [0.0] * 2, 2), 0.25) == 1e-6


def test_what_is_too_thin_for_any_claim() -> None:
    assert "sampling error of one item" in str(refused(above_threshold(condition(1, 1), 0.5)))
    (one,) = pool([clustered([1.0] * 10, 10)])
    assert "one cluster" in str(refused(above_threshold(one, 0.5)))
    (dev,) = pool([measurement(right=90, of=100, provenance={"measured_on": "dev"})])
    assert "dev rows" in str(refused(first_success(dev))) and "dev rows" in str(refused(rarer_than(dev, 0.1)))
    holes = measurement(right=10, of=10)
    missing = Outcome(id="item-0", score=math.nan, answer="a")
    (broken,) = pool([measurement(right=10, of=10)])
    hole = replace(holes, outcomes=Outcomes.of([missing, *list(holes.outcomes)[1:]]))
    made = refused(rarer_than(replace(broken, measurements=(hole,)), 0.5))
    assert "a score is missing (NaN)" in str(made) and made.cause == "unusable data"


def test_a_rare_outcome_is_bounded_exactly_in_five_runs() -> None:
    five = [measurement(right=2, of=1000, seed=seed) for seed in range(5)]
    (runs,) = pool(five)
    made = claimed(rarer_than(runs, 0.01))
    assert made.numbers["p"] == pytest.approx(binomtest(2, 1000, 0.01, alternative="less").pvalue)
    assert "right answers are rarer than 1 in 100 in each of 5 runs: at most 2 of 1,000 items had one" in str(made)
    (three,) = pool(five[:3])
    assert refused(rarer_than(three, 0.01)).cause == "too few runs"
    claimed(rarer_than(condition(998, 1000, method="zero_shot", examples=0), 0.01, event="wrong"))


def test_a_cluster_counts_once_for_a_rare_outcome() -> None:
    (pairs,) = pool([clustered([1.0, 1.0] + [0.0] * 598, 2, method="zero_shot", examples=0)])
    made = claimed(rarer_than(pairs, 0.02))
    assert (made.numbers["seen"], made.numbers["n"]) == (1, 300) and "1 of 300 clusters" in str(made)


def test_the_first_success_costs_elicitation_and_one_over_p_answers() -> None:
    spend = Spend(train_flops=3e12, search_flops=1e12, flops_per_answer=1e10)
    made = claimed(first_success(condition(20, 100, spend=spend, chance=None)))
    low, high = binomtest(20, 100).proportion_ci(0.95, method="exact")
    assert made.numbers["low"] == pytest.approx(4e12 + 1e10 / high, rel=1e-9)
    assert made.numbers["high"] == pytest.approx(4e12 + 1e10 / low, rel=1e-9)
    assert "costs 4.03e12 FLOPs to 4.08e12 FLOPs on average in its one run, with 95% confidence" in str(made)
    nothing = claimed(first_success(condition(0, 100, spend=Spend(flops_per_answer=1e10), chance=None)))
    assert nothing.numbers["high"] == math.inf and "costs over " in str(nothing)


def test_every_run_is_in_what_the_first_success_costs() -> None:
    spend = Spend(flops_per_answer=1e10)
    rights = (20, 50, 80)
    (apart,) = pool(
        [measurement(right=right, of=100, seed=k, spend=spend, chance=None) for k, right in enumerate(rights)]
    )
    made = claimed(first_success(apart))
    level = 1 - 0.05 / 3
    assert made.numbers["high"] == pytest.approx(1e10 / binomtest(20, 100).proportion_ci(level, method="exact").low)
    assert made.numbers["low"] == pytest.approx(1e10 / binomtest(80, 100).proportion_ci(level, method="exact").high)


def test_guesses_are_no_success() -> None:
    made = refused(first_success(condition(28, 100, chance=0.25), chance_p=0.2))
    assert "its score of 28% is not significantly above guessing" in str(made)
    claimed(first_success(condition(40, 100, chance=0.25), chance_p=0.001))


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.25, 0.5])
def test_the_test_of_a_threshold_rejects_a_true_null_as_often_as_it_says(share: float) -> None:
    rng = np.random.default_rng(0)
    rejected = 0
    for _ in range(400):
        cluster_sizes = np.minimum(40, rng.pareto(1.5, 120).astype(int) + 1)
        codes = np.repeat(np.arange(120), cluster_sizes)[:300]
        right = rng.random(120)[codes] * 0.5 + rng.random(len(codes)) * 0.5 < _share_quantile(share)
        outcomes = Outcomes.of(Outcome(id=str(i), score=float(one), answer="a", cluster=f"c{code}")
                               for i, (one, code) in enumerate(zip(right, codes, strict=True)))  # fmt: skip
        rejected += p_score_above(measurement(right=right.astype(float).tolist(), outcomes=outcomes), share) < 0.05
    assert rejected <= 20 + 2.33 * (400 * 0.05 * 0.95) ** 0.5


def _share_quantile(share: float) -> float:
    """Below this lies such a share of the mean of two uniform numbers (triangular on [0, 1])."""
    return (share / 2) ** 0.5 if share <= 0.5 else 1 - ((1 - share) / 2) ** 0.5

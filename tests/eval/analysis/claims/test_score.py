"""Claims: the numbers by hand or by scipy, what is refused and why, and how often a false one is made."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from educe.data.errors import UserError
from educe.eval.analysis.claims.budgets import not_elicited, robust, within_ceiling
from educe.eval.analysis.claims.claim import Sample
from educe.eval.analysis.claims.score import above_threshold, first_success, p_above, rarer_than, sample_of
from educe.eval.analysis.claims.study import claims_of
from educe.eval.analysis.conditions import Condition, pool
from educe.eval.analysis.curves import join
from educe.eval.analysis.formatting import format_odds, format_p_value
from educe.eval.analysis.statistics.power import items_to_exclude, zero_events_bound
from educe.eval.details import Details, FormatAccuracies
from educe.eval.measurement import Measurement, Outcome, Outcomes
from educe.eval.spend import Spend
from tests.eval.analysis.claims.claiming import claimed, clustered, condition, refused, study
from tests.eval.synthetic import measurement, small_study


def test_a_threshold_claim_is_the_exact_binomial_test() -> None:
    made = claimed(above_threshold(condition(93), 0.5))
    want = binomtest(93, 100, 0.5, alternative="greater").pvalue
    assert made.numbers["p"] == pytest.approx(want, rel=1e-9) and made.numbers["p"] < 1e-5
    assert "small on capitals, iid_sft with 4 labelled examples, scores above 50%: 93%, p < 1e-19" in str(made)
    assert "exact binomial test" in str(made) and "100 items" in str(made)


def test_a_threshold_claim_is_corrected_and_refused_with_its_p() -> None:
    p = binomtest(60, 100, 0.5, alternative="greater").pvalue
    assert claimed(above_threshold(condition(60), 0.5)).numbers["p"] == pytest.approx(p)
    assert "p = 0.057" in refused(above_threshold(condition(60), 0.5, comparisons=2))
    assert "scores 50%, p = 0.54" in refused(above_threshold(condition(50), 0.5))


@pytest.mark.parametrize("threshold", [0.0, 1.0, 1.5, -0.1, math.nan])
def test_a_threshold_outside_0_and_1_is_a_mistake(threshold: float) -> None:
    with pytest.raises(UserError, match=r"threshold = .* is not between 0 and 1"):
        above_threshold(condition(60), threshold)


def test_clusters_and_seeds_make_the_test_stricter() -> None:
    (alone,), (fours,) = (
        pool([clustered([1.0, 1.0, 0.0, 1.0] * 25 if size == 1 else [1.0] * 75 + [0.0] * 25, size)]) for size in (1, 5)
    )
    (single, test), (several, stricter) = (p_above(sample, 0.6) for sample in map(_sample, (alone, fours)))
    assert test.startswith("exact") and "clusters" in stricter and several > 10 * single
    seeds = pool([measurement(right=70 + 8 * seed, seed=seed, of=100) for seed in (-1, 0, 1)])[0]
    p, name = p_above(_sample(seeds), 0.6)
    # Three seeds at 62, 70 and 78%: sd 8 points, so a standard error of 4.6 over seeds alone.
    assert "items and seeds" in name and p > 3 * p_above(_sample(condition(70)), 0.6)[0]


def test_an_approximate_tail_is_not_believed_beyond_a_millionth() -> None:
    (fives,) = pool([clustered([1.0] * 398 + [0.0] * 2, 2, of=400)])
    assert p_above(_sample(fives), 0.25)[0] == 1e-6


def test_what_is_too_thin_for_any_claim() -> None:
    assert "sampling error of one item" in refused(above_threshold(condition(1, 1), 0.5))
    (one,) = pool([clustered([1.0] * 10, 10)])
    assert "one cluster" in refused(above_threshold(one, 0.5))
    (dev,) = pool([measurement(right=90, of=100, provenance={"measured_on": "dev"})])
    assert "dev rows" in refused(first_success(dev)) and "dev rows" in refused(rarer_than(dev, 0.1))
    holes = measurement(right=10, of=10)
    missing = Outcome(id="item-0", score=math.nan, answer="a")
    (broken,) = pool([measurement(right=10, of=10, outcomes=Outcomes.of([missing, *list(holes.outcomes)[1:]]))])
    assert "a score is missing (NaN)" in refused(rarer_than(broken, 0.5))
    curve, plain = study(500, 500)
    (bad,) = join([broken], "examples")
    assert "NaN" in refused(robust(bad, plain, margin=0.05)) and curve


def test_none_of_thirty_thousand_is_rarer_than_one_in_ten_thousand() -> None:
    made = claimed(rarer_than(condition(0, 30_000), 1e-4))
    assert made.numbers["upper"] == pytest.approx(zero_events_bound(30_000)) and made.numbers["upper"] < 1e-4
    assert "right answers are rarer than 1 in 10,000 with 95% confidence: none of 30,000 items had one" in str(made)
    less = rarer_than(condition(0, 300), 1e-4)
    assert f"none of {items_to_exclude(1e-4):,}" in refused(less) and less.numbers["needed"] == 29_956
    assert "up to 100%" in refused(rarer_than(condition(300, 300), 0.5))


def test_a_rare_outcome_that_was_seen_is_bounded_exactly() -> None:
    made = claimed(rarer_than(condition(998, 1000), 0.01, event="wrong"))
    want = binomtest(2, 1000).proportion_ci(0.9, method="exact").high
    assert made.numbers["upper"] == pytest.approx(want, rel=1e-9) and "2 of 1,000 items had one" in str(made)
    assert "with 95% confidence, corrected for 10 comparisons" in str(
        claimed(rarer_than(condition(998, 1000), 0.01, event="wrong", comparisons=10))
    )
    refused(rarer_than(condition(998, 1000), 0.0065, event="wrong", comparisons=10))
    claimed(rarer_than(condition(998, 1000), 0.0065, event="wrong"))


def test_a_cluster_counts_once_for_a_rare_outcome() -> None:
    (pairs,) = pool([clustered([1.0, 1.0] + [0.0] * 598, 2)])
    made = claimed(rarer_than(pairs, 0.02))
    assert (made.numbers["seen"], made.numbers["n"]) == (1, 300) and "1 of 300 clusters" in str(made)
    seeds = pool([measurement(right=[float(place == seed) for place in range(300)], seed=seed) for seed in (0, 1)])[0]
    assert claimed(rarer_than(seeds, 0.05)).numbers["seen"] == 2


def test_the_first_success_costs_elicitation_and_one_over_p_answers() -> None:
    spend = Spend(train_flops=3e12, search_flops=1e12, flops_per_answer=1e10)
    made = claimed(first_success(condition(20, 100, spend=spend, chance=None)))
    low, high = binomtest(20, 100).proportion_ci(0.95, method="exact")
    assert made.numbers["cost"] == pytest.approx(4e12 + 1e10 / 0.2)
    assert made.numbers["low"] == pytest.approx(4e12 + 1e10 / high, rel=1e-9)
    assert made.numbers["high"] == pytest.approx(4e12 + 1e10 / low, rel=1e-9)
    assert "4.05e12 FLOPs on average, 95% interval 4.03e12 to 4.08e12 FLOPs" in str(made)


def test_no_success_bounds_the_cost_from_below() -> None:
    made = claimed(first_success(condition(0, 100, spend=Spend(flops_per_answer=1e10), chance=None)))
    assert made.numbers["low"] == pytest.approx(1e10 / zero_events_bound(100)) and "more than 3.39e11 FLOPs" in str(
        made
    )


def test_a_share_that_may_be_nothing_leaves_the_cost_open() -> None:
    made = claimed(first_success(condition([0.0] * 49 + [0.5], spend=Spend(flops_per_answer=1e10), chance=None)))
    assert made.numbers["high"] == math.inf and "1.00e12 FLOPs on average, 95% interval more than " in str(made)


def test_guesses_are_no_success() -> None:
    assert "its score of 28% is not significantly above guessing, 25%" in refused(
        first_success(condition(28, 100, chance=0.25))
    )
    assert any("guesses count" in one for one in claimed(first_success(condition(50, 100, chance=0.25))).assumptions)
    refused(first_success(condition(34, 100, chance=0.25), comparisons=20))
    claimed(first_success(condition(34, 100, chance=0.25)))


def test_several_seeds_widen_what_the_first_success_costs() -> None:
    spend = Spend(flops_per_answer=1e10)
    apart = pool([measurement(right=50 + 30 * k, of=100, seed=k, spend=spend, chance=None) for k in (-1, 0, 1)])[0]
    single, several = (
        claimed(first_success(each)).numbers for each in (condition(50, spend=spend, chance=None), apart)
    )
    assert several["high"] > 1.1 * single["high"] and several["low"] < single["low"]


def test_all_claims_of_a_study_by_model_and_task() -> None:
    conditions = pool(small_study())
    made = claims_of(conditions, within=0.2, margin=0.2)
    groups = [(each.model, each.task) for each in made]
    assert list(dict.fromkeys(groups)) == [(s, t) for s in ("big", "small") for t in ("capitals", "sentiment")]
    assert len(set(map(str, made))) == len(made)
    kinds = {each.kind for each in made}
    assert kinds == {"threshold", "rare event", "ceiling", "inability", "robust"}  # most answers are right
    assert claims_of(conditions, within=0.2, margin=0.2) == made
    thresholds = [each for each in made if each.kind == "threshold"]
    assert len(thresholds) == len(conditions)


def test_holm_goes_on_from_the_smallest_p() -> None:
    conditions = [
        condition(right, of=100, examples=examples, chance=0.5) for examples, right in ((4, 60), (16, 62), (64, 63))
    ]
    made = [each for each in claims_of(conditions) if each.kind == "threshold"]
    ps = [binomtest(right, 100, 0.5, alternative="greater").pvalue for right in (63, 62, 60)]
    assert [each.numbers["p"] for each in made] == pytest.approx(np.maximum.accumulate([3 * ps[0], 2 * ps[1], ps[2]]))
    assert all(each.holds and "corrected for 3 conditions" in str(each) for each in made)


def test_the_largest_budget_comes_first_whatever_the_order_of_cells() -> None:
    def said(cells: list[Measurement]) -> dict[str, list[str]]:
        made = claims_of(pool(cells), within=0.2, margin=0.2)
        return {kind: [str(one) for one in made if one.kind == kind] for kind in ("threshold", "robust", "inability")}

    cells = [each for each in small_study() if (each.model, each.task) == ("big", "capitals")]
    first = said(cells)
    named = {"threshold": ("with 64 labelled", "with 4 labelled", "few_shot", "zero_shot"), "robust": ("iid", "few")}
    for kind, names in named.items():
        assert all(name in each for name, each in zip(names, first[kind], strict=True))
    assert said(cells[::-1]) == first


def test_conditions_that_share_no_item_are_not_compared() -> None:
    spends = {k: Spend(labelled_examples=k, train_flops=1e12 * k) for k in (4, 16, 64)}
    others = Outcomes.of(Outcome(id=f"other-{place}", score=1.0, answer="a") for place in range(100))
    plain = measurement(method="zero_shot", examples=0, right=50, of=100)
    near = measurement(right=60, of=100, examples=4, spend=spends[4])
    far = measurement(outcomes=others, n=100, examples=16, spend=spends[16])
    top = measurement(method="full_fine_tune", outcomes=others, n=100, examples=64, spend=spends[64])
    about = [
        each for each in claims_of(pool([plain, near, far, top])) if each.kind in ("robust", "ceiling", "inability")
    ]
    reasons = [refused(each) for each in about]
    apart = [reason for reason in reasons if "and zero_shot share no test item" in reason]
    assert len(apart) == 4 and ["a fit needs three budgets" in each for each in reasons if each not in apart] == [True]
    (curve,), (floor, ceiling) = join(pool([near]), "examples"), pool([plain, top])
    reason = refused(not_elicited(curve, floor, target=ceiling, within=0.1))
    assert "4 labelled examples and full_fine_tune with 64 labelled examples share no test item" in reason
    wide = replace(plain, outcomes=Outcomes.of([*plain.outcomes, *(replace(one, score=0.0) for one in others)]))
    (mixed,), (base,) = join(pool([near, far]), "examples"), pool([wide])
    reason = refused(within_ceiling(mixed, base, within=0.1))
    assert "with 4 labelled examples and iid_sft with 16 labelled examples share no test item" in reason


def test_a_threshold_is_also_compared_with_every_curve() -> None:
    made = claims_of(pool(small_study()), above=0.99)
    asked = [each for each in made if each.kind == "inability" and "to 99%" in str(each)]
    assert len(asked) == 8


def test_not_elicited_is_corrected_over_every_target() -> None:
    def of(right: int, examples: int, **named: Any) -> Measurement:
        spend = Spend(labelled_examples=examples, train_flops=1e12 * examples)
        return measurement(right=right, of=1000, examples=examples, spend=spend, **named)

    plain = measurement(method="zero_shot", examples=0, right=500, of=1000)
    cells = [plain, of(510, 4), of(520, 16), of(900, 64, method="full_fine_tune")]
    for above, comparisons in ((None, 2), (0.99, 5)):  # two budgets below the most trained condition, three of 99%
        made = [each for each in claims_of(pool(cells), above=above) if each.kind == "inability" and each.holds]
        assert made and all(f"confidence, corrected for {comparisons} comparisons" in str(each) for each in made)


@pytest.mark.parametrize(("chance", "reason"), [(0.0, "guessing is never right"), (1.0, "guessing is always right")])
def test_chance_that_is_no_threshold_is_refused_with_its_reason(chance: float, reason: str) -> None:
    assert f"scores above chance; {reason}" in refused(claims_of([condition(60, chance=chance)])[0])


def test_no_chance_no_threshold_and_no_formats() -> None:
    free = condition(50, chance=None)
    made = claims_of([free])
    assert "chance is not known" in str(made[0])
    formats = FormatAccuracies(accuracies={}, pairs_asked=0, quantiles={"0.5": 0.6})
    assert claims_of(pool([measurement(details=Details(formats=formats))])) == []


@pytest.mark.parametrize("asked", [{"above": 1.5}, {"within": 0.0}, {"rarer": -1.0}, {"power": 1.0}, {"flops": 0.0}])
def test_what_cannot_be_meant_is_a_mistake(asked: dict[str, float]) -> None:
    with pytest.raises(UserError, match=rf"{next(iter(asked))} = .*; give "):
        claims_of([condition(50)], **asked)


def test_formatting() -> None:
    assert [format_p_value(p) for p in (0.9, 0.049, 0.0012, 9.9e-4, 1e-5, 9e-6, 0.0)] == [
        "p = 0.9",
        "p = 0.049",
        "p = 0.0012",
        "p < 1e-3",
        "p < 1e-4",
        "p < 1e-5",
        "p < 1e-299",
    ]
    assert [format_odds(p) for p in (1e-4, 0.3, 0.02, 0.12345, 0.9996, 3.33e-17)] == [
        "1 in 10,000",
        "30%",
        "1 in 50",
        "12.4%",
        "100%",
        "1 in 3e16",
    ]


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_false_threshold_claim_is_rare(seeds: int) -> None:
    """300 studies at the threshold itself, in equal pairs: at most 5% of claims, 25 of 300 by chance."""
    rng, made = np.random.default_rng(seeds), 0
    for _ in range(300):
        common = np.repeat(rng.random(60) < 0.5, 2)
        runs = [np.where(rng.random(120) < 0.7, common, rng.random(120) < 0.5) * 1.0 for _ in range(seeds)]
        sample = Sample(scores=np.array(runs), clusters=tuple(f"c{item // 2}" for item in range(120)))
        made += p_above(sample, 0.5)[0] <= 0.05
    assert made <= 25


def _sample(each: Condition) -> Sample:
    sample = sample_of(each)
    assert isinstance(sample, Sample)
    return sample

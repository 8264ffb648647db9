"""Power against published examples, statsmodels, scipy and simulation."""

import math
import operator
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats import power as theirs

from educe.eval.analysis.statistics.intervals import wilson
from educe.eval.analysis.statistics.paired import paired_difference
from educe.eval.analysis.statistics.power import (
    ITEM_NOISE_REMOVED_FROM_DIFFERENCES,
    REMOVAL_EXPONENT,
    Noise,
    bonferroni_level,
    bootstrap_end_error,
    exact_mcnemar_power,
    half_width,
    interval_power,
    items_needed,
    items_to_exclude,
    mcnemar_items,
    mcnemar_power,
    min_detectable_effect,
    min_significant_difference,
    normal_min_detectable_effect,
    normal_seeds_needed,
    power_of,
    resamples_needed,
    seeds_needed,
    standard_error_of,
    t_quantile,
    with_seeds,
    zero_events_bound,
)
from tests.benchmarks.power import rejected

MILLER = Noise(first=1 / 6, second=1 / 6)


def test_millers_worked_examples_to_the_printed_digit() -> None:
    """Miller (2024): 969 items for 3 points; at 198 items 13.2 points, and 7.5 with ten answers to each."""
    assert items_needed(0.03, Noise()) == 969
    exact = [100 * normal_min_detectable_effect(198, with_seeds(MILLER, answers)) for answers in (1, 10)]
    # The paper cuts off after the first decimal: rounded, these are 13.3 and 7.6.
    assert exact == pytest.approx([13.2733, 7.5670], abs=5e-5)
    assert [math.floor(10 * points) / 10 for points in exact] == [13.2, 7.5]


@pytest.mark.parametrize(
    ("effect", "level", "power"), [(0.03, 0.95, 0.8), (0.1, 0.99, 0.9), (0.005, 0.9, 0.5), (0.4, 0.95, 0.975)]
)
def test_items_and_effect_agree_with_statsmodels(effect: float, level: float, power: float) -> None:
    spread = math.sqrt(MILLER.per_item)
    want = theirs.normal_sample_size_one_tail(effect, power, (1 - level) / 2, std_null=spread)
    assert items_needed(effect, MILLER, level=level, power=power) == math.ceil(want)
    assert normal_min_detectable_effect(want, MILLER, level=level, power=power) == pytest.approx(effect, rel=1e-9)


@pytest.mark.parametrize("effect", [0.0, 0.01, -0.05, 0.2])
@pytest.mark.parametrize("level", [0.9, 0.99])
def test_power_agrees_with_statsmodels(effect: float, level: float) -> None:
    want = theirs.NormalIndPower().power(effect / math.sqrt(MILLER.per_item), 150, 1 - level, ratio=0)
    assert power_of(effect, standard_error_of(150, MILLER), level=level) == pytest.approx(want, rel=1e-9)


def test_a_t_test_of_many_items_has_the_same_power() -> None:
    ours = power_of(0.03, standard_error_of(20_000, Noise(between=1.0)))
    assert ours == pytest.approx(theirs.TTestPower().power(0.03, 20_000, 0.05), abs=1e-4)


def test_effect_items_and_power_undo_one_another() -> None:
    noise = Noise(between=0.2, first=0.1, first_seeds=3, design_effect=1.7)
    effect = normal_min_detectable_effect(400, noise, level=0.9, power=0.7)
    assert items_needed(effect + 1e-12, noise, level=0.9, power=0.7) == 400
    assert power_of(effect, standard_error_of(400, noise), level=0.9) == pytest.approx(0.7, abs=1e-3)


def test_clusters_cost_items_in_proportion() -> None:
    # Ten alike in every cluster: ten times the items.
    assert items_needed(0.03, Noise(design_effect=10.0)) == math.ceil(10 * 968.998)
    assert normal_min_detectable_effect(500, Noise(design_effect=4.0)) == pytest.approx(
        2 * normal_min_detectable_effect(500, Noise())
    )


def test_seeds_help_only_with_what_varies_from_run_to_run() -> None:
    floor = normal_min_detectable_effect(198, Noise())
    for effect in (0.075, 0.09, 0.13):
        seeds = normal_seeds_needed(effect, 198, MILLER)
        assert seeds is not None and normal_min_detectable_effect(198, with_seeds(MILLER, seeds)) <= effect
        assert seeds == 1 or normal_min_detectable_effect(198, with_seeds(MILLER, seeds - 1)) > effect
    assert normal_seeds_needed(0.2, 198, MILLER) == 1
    assert normal_seeds_needed(floor - 1e-9, 198, MILLER) is None
    assert (
        normal_seeds_needed(floor + 1e-9, 198, Noise()) == 1 and normal_seeds_needed(floor - 1e-9, 198, Noise()) is None
    )
    assert normal_seeds_needed(0.13, 198, Noise(first=1 / 6, design_effect=4.0)) is None


@pytest.mark.parametrize(("effect", "discordant"), [(0.05, 0.2), (0.1, 0.3), (0.2, 0.21)])
def test_connor_agrees_with_statsmodels(effect: float, discordant: float) -> None:
    null, alternative = math.sqrt(discordant), math.sqrt(discordant - effect**2)
    items = theirs.normal_sample_size_one_tail(effect, 0.8, 0.025, std_null=null, std_alternative=alternative)
    assert mcnemar_items(effect, discordant) == math.ceil(items)
    want = theirs.normal_power_het(effect, 120, 0.05, std_null=null, std_alternative=alternative)
    assert mcnemar_power(effect, discordant, 120) == pytest.approx(want, rel=1e-9)


def test_exact_mcnemar_power_is_a_sum_over_all_outcomes() -> None:
    n, discordant, effect = 30, 0.4, 0.25
    ours, other = (discordant + effect) / 2, (discordant - effect) / 2
    want = 0.0
    for wins in range(n + 1):
        for losses in range(n + 1 - wins):
            tested = wins + losses > 0 and stats.binomtest(wins, wins + losses).pvalue <= 0.05
            if tested:
                want += stats.multinomial.pmf([wins, losses, n - wins - losses], n, [ours, other, 1 - discordant])
    assert exact_mcnemar_power(effect, discordant, n) == pytest.approx(want, rel=1e-9)
    # The normal approximation promises more than the exact test gives, less so the more items there are.
    assert mcnemar_power(effect, discordant, n) - want > 0.05
    assert 0 < mcnemar_power(0.05, 0.2, 1000) - exact_mcnemar_power(0.05, 0.2, 1000) < 0.02
    assert exact_mcnemar_power(0.3, 0.3, 10) == pytest.approx(stats.binom.sf(5, 10, 0.3))


def test_ways_that_differ_disagree_at_least_that_often() -> None:
    for call in (lambda: mcnemar_items(0.3, 0.2), lambda: mcnemar_power(0.0, 0.2, 9)):
        with pytest.raises(ValueError, match="disagree on that share"):
            call()


def test_resamples_for_a_stated_error() -> None:
    assert resamples_needed(0.05, 0.005) == 1900
    assert resamples_needed(0.5, 0.05) == 100
    rng = np.random.default_rng(3)
    ends = np.quantile(rng.standard_normal((2000, 2000)), 0.975, axis=1)
    assert ends.std() == pytest.approx(bootstrap_end_error(0.95, 2000), rel=0.05)
    shares = rng.binomial(1900, 0.05, 20_000) / 1900
    assert shares.std() == pytest.approx(0.005, rel=0.03)


def test_half_width_is_wilsons_at_one_half() -> None:
    for items, level in ((10, 0.95), (198, 0.9), (66.6, 0.99)):
        low, high = wilson(0.5, items, level=level)
        assert half_width(items, level=level) == pytest.approx((high - low) / 2, rel=1e-12)


def test_none_seen_is_the_exact_bound() -> None:
    assert zero_events_bound(30_000) < 1e-4 < zero_events_bound(29_000)
    assert zero_events_bound(300) == pytest.approx(3 / 300, rel=0.01)
    for items in (1, 7, 300):
        want = stats.binomtest(0, items).proportion_ci(0.9, method="exact").high
        assert zero_events_bound(items) == pytest.approx(want, rel=1e-9)
    assert items_to_exclude(1e-4) == 29_956 and zero_events_bound(29_956) <= 1e-4 < zero_events_bound(29_955)


def test_correction() -> None:
    assert bonferroni_level(0.95, 1) == 0.95 and bonferroni_level(0.95, 10) == pytest.approx(0.995)


@pytest.mark.parametrize(("items", "effect", "cluster"), [(300, 0.1, 1), (300, 0.0, 1), (400, 0.12, 4)])
def test_paired_differences_reject_as_often_as_computed(items: int, effect: float, cluster: int) -> None:
    """150 studies: a share is good to 8 points; `python -m tests.benchmarks.power` has the table."""
    found, computed, _ = rejected(items=items, effect=effect, seeds=1, cluster=cluster, studies=150)
    assert found == pytest.approx(computed, abs=0.09)


@pytest.mark.parametrize(("seeds", "effect"), [(2, 0.15), (3, 0.12), (10, 0.08)])
def test_with_several_seeds_the_interval_sees_what_is_computed_for_it(seeds: int, effect: float) -> None:
    found, miller, computed = rejected(items=150, effect=effect, seeds=seeds, cluster=1, studies=150)
    assert found == pytest.approx(computed, abs=0.1) and computed < miller


def test_few_seeds_see_less_than_the_formula_and_many_as_much() -> None:
    noise = [Noise(first=1 / 6, first_seeds=seeds) for seeds in (1, 2, 3, 5, 100)]
    seen, formula = (
        [effect(300, each) for each in noise] for effect in (min_detectable_effect, normal_min_detectable_effect)
    )
    assert seen[0] == formula[0] and seen[-1] == pytest.approx(formula[-1], rel=0.01)
    assert seen[1] > seen[0] > seen[2] > seen[3] > seen[4] and all(map(operator.gt, seen[1:], formula[1:]))
    for effect, each in zip(seen, noise, strict=True):
        assert interval_power(effect, 300, each) == pytest.approx(0.8, abs=1e-4)
    assert min_detectable_effect(5, noise[1]) == math.inf


def test_power_with_seeds_is_an_average_over_a_chi_square() -> None:
    """Drawn: the seeds' variance, what the interval takes of it, and the difference that is seen."""
    rng, items, seeds, effect = np.random.default_rng(5), 200, 4, 0.1
    noise = Noise(first=1 / 6, second=1 / 6, first_seeds=seeds)
    error, item_noise = standard_error_of(items, noise), 1 / 6 / items
    variance = item_noise * rng.chisquare(seeds - 1, 400_000) / (seeds - 1)
    taken = np.maximum(0, variance - ITEM_NOISE_REMOVED_FROM_DIFFERENCES * item_noise) / seeds
    half = np.sqrt((stats.norm.ppf(0.975) * error) ** 2 + stats.t.ppf(0.975, seeds - 1) ** 2 * taken)
    want = np.mean(np.abs(rng.normal(effect, error, len(half))) > half)
    assert interval_power(effect, items, noise) == pytest.approx(want, abs=0.004)
    # At 99% less is taken out, and nothing that was cut off before.
    share = 0.2**REMOVAL_EXPONENT
    taken = np.maximum(0, np.maximum(0, variance - 0.8 * item_noise) + (0.8 - 1.2 * share) * item_noise) / seeds
    half = np.sqrt((stats.norm.ppf(0.995) * error) ** 2 + stats.t.ppf(0.995, seeds - 1) ** 2 * taken)
    want = np.mean(np.abs(rng.normal(effect, error, len(half))) > half)
    assert interval_power(effect, items, noise, level=0.99) == pytest.approx(want, abs=0.004)


def test_seeds_for_the_interval_are_the_fewest_that_do() -> None:
    noise = Noise(first=1 / 6)
    for effect in (0.095, 0.1, 0.11, 0.2):
        seeds = seeds_needed(effect, 100, noise)
        assert seeds is not None and interval_power(effect, 100, replace(noise, first_seeds=seeds)) >= 0.8 - 1e-9
        assert seeds == 1 or interval_power(effect, 100, replace(noise, first_seeds=seeds - 1)) < 0.8
    assert seeds_needed(0.2, 100, noise) == 1 and seeds_needed(0.09, 100, noise) is None


@pytest.mark.parametrize("n", [12, 40, 300])
def test_the_least_difference_that_is_seen_is_where_the_interval_ends_at_0(n: int) -> None:
    """Right on half of the items more at first, and on one less every time until nothing is seen."""
    ends = []
    for lost in range(n // 2):
        ours = np.array([1.0] * (n // 2) + [0.0] * (n - n // 2))
        theirs = np.array([0.0] * (n // 2) + [1.0] * lost + [0.0] * (n - n // 2 - lost))
        gap = paired_difference(ours, theirs)
        ends.append((gap.low > 0, gap.difference > min_significant_difference(float(n), float(np.var(ours - theirs)))))
    assert all(seen == said for seen, said in ends) and len({seen for seen, _ in ends}) == 2
    assert min_significant_difference(1.0, 0.25) == math.inf


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 9, 30, 199, 200, 201, 5000])
def test_students_quantile(degrees: int) -> None:
    for level in (0.5, 0.95, 0.9999):
        want = stats.t.ppf(0.5 + level / 2, degrees)
        assert t_quantile(level, degrees) == pytest.approx(want, rel=1e-9 if degrees <= 200 else 1e-5)

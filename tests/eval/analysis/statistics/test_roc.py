"""ROC curves, their areas and thresholds: by hand, at the edges of few models, and in simulated studies."""

import numpy as np
import pytest
from scipy import stats

from educe.eval.analysis.statistics.resample import NUM_RESAMPLES
from educe.eval.analysis.statistics.roc import (
    MIN_CLUSTERS,
    Member,
    area_under_roc,
    found_above,
    found_by_others,
    needed,
    needed_to_choose,
    rate,
    roc_curve,
)
from tests.benchmarks.detectors import WORLDS, draw, held


def members(values: list[float], cluster: str = "one") -> list[Member]:
    return [Member(value=float(value), cluster=cluster) for value in values]


def test_the_area_counts_pairs_and_ties_as_half() -> None:
    assert area_under_roc(members([3, 1]), members([2, 0])).value == 0.75
    assert area_under_roc(members([1, 1]), members([1, 0])).value == 0.75
    assert area_under_roc(members([1]), members([1])).value == 0.5


def test_few_models_that_are_told_apart_have_the_exact_interval_of_the_smaller_group() -> None:
    found = area_under_roc(members([5, 6, 7, 8, 9]), members([1, 2, 3]))
    assert (found.value, found.high, found.clusters) == (1.0, 1.0, 1)
    assert found.low == pytest.approx(0.025 ** (1 / 3))
    assert found.kind == "exact 95%"
    worst = area_under_roc(members([1, 2, 3]), members([5, 6, 7, 8]))
    assert (worst.value, worst.low) == (0.0, 0.0)
    assert worst.high == pytest.approx(1 - 0.025 ** (1 / 3))


def test_clusters_that_differ_widen_the_interval() -> None:
    """Six bases, in half of which the statistic is reversed: an area of 0.5 that says little of a seventh base."""
    names = [f"base {place}" for place in range(6)]
    ours = [each for place, name in enumerate(names) for each in members([1.0 if place % 2 else -1.0] * 10, name)]
    theirs = [each for name in names for each in members([0.0] * 10, name)]
    apart, alone = area_under_roc(ours, theirs), area_under_roc(members([m.value for m in ours]), members([0.0] * 60))
    assert apart.value == alone.value == 0.5
    assert apart.high - apart.low > 2 * (alone.high - alone.low)
    assert apart.kind == "cluster bootstrap, exact at least, 95%"
    assert len(names) >= MIN_CLUSTERS and NUM_RESAMPLES >= 1000


def test_an_area_takes_both_kinds() -> None:
    with pytest.raises(ValueError, match="models of both kinds, got 1 and 0"):
        area_under_roc(members([1]), [])


def test_the_curve_ends_in_its_corners_and_has_the_area() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(0.7, 1, 30).round(1).tolist(), rng.normal(0, 1, 20).round(1).tolist()
    points = roc_curve(ours, theirs)
    assert points[0] == (0.0, 0.0) and points[-1] == (1.0, 1.0)
    x, y = zip(*points, strict=True)
    assert np.trapezoid(y, x) == pytest.approx(area_under_roc(members(ours), members(theirs)).value)


def test_how_many_models_it_takes_to_say_5_percent() -> None:
    """1 - 0.025^(1/n) is at most 5% from 72 on, and k / (n + 1) reaches it with n = 19."""
    assert needed() == 72
    assert rate(0, 71).high > 0.05 >= rate(0, 72).high
    assert needed(found=1) > needed()
    assert rate(1, needed(found=1)).high <= 0.05 < rate(1, needed(found=1) - 1).high
    assert needed_to_choose() == 19
    assert (rate(0, 0).low, rate(0, 0).high) == (0.0, 1.0)
    assert rate(4, 10).low == pytest.approx(stats.beta.ppf(0.025, 4, 7))


def test_a_stated_threshold_is_exceeded_and_not_met() -> None:
    found = found_above([2.0, 1.0, 3.0], [1.0, 0.0], 1.0, promised=0.05)
    assert (found.positives.found, found.positives.of) == (2, 3)
    assert (found.negatives.found, found.negatives.of, found.promised) == (0, 2, 0.05)


def test_a_threshold_is_never_chosen_on_the_model_that_it_is_for() -> None:
    """One base: a twin that is above all others is a false positive, though no threshold chosen on it says so."""
    negatives = members([0, 1, 2, 9])
    found = found_by_others(members([3, 10]), negatives)
    assert found is not None
    assert (found.negatives.found, found.negatives.of) == (1, 4)
    assert found.positives.found == 1
    assert found.promised == pytest.approx(1 / 4), "three others promise no less"


def test_a_threshold_is_chosen_on_other_bases_where_there_are_several() -> None:
    negatives = [*members([0, 1], "a"), *members([10, 11], "b")]
    found = found_by_others([*members([5], "a"), *members([5], "b")], negatives)
    assert found is not None
    # For base a the threshold is 11, for base b it is 1.
    assert (found.positives.found, found.negatives.found) == (1, 2)
    assert found.promised == pytest.approx(1 / 3)


def test_with_enough_others_5_percent_is_promised() -> None:
    rng = np.random.default_rng(1)
    many = [*members(rng.normal(size=40).tolist(), "a"), *members(rng.normal(size=40).tolist(), "b")]
    found = found_by_others(members([8.0], "a"), many)
    assert found is not None and found.promised == 0.05 and found.positives.found == 1


def test_one_negative_leaves_nothing_to_choose_on() -> None:
    assert found_by_others(members([1, 2]), members([0])) is None


@pytest.mark.parametrize("law", ["normal", "skewed", "jumps"])
def test_thresholds_of_others_keep_the_rate_that_they_promise(law: str) -> None:
    """Independent models of one base or of several, whatever the distribution of their statistic."""
    laws = {
        "normal": lambda rng, size: rng.normal(size=size),
        "skewed": lambda rng, size: rng.pareto(1.0, size=size),
        "jumps": lambda rng, size: np.where(rng.random(size) < 0.2, 5.0, 0.0) + rng.normal(0, 0.01, size=size),
    }
    rng, wrong, of, promised = np.random.default_rng(2), 0, 0, set()
    for _ in range(400):
        drawn = laws[law](rng, (4, 10)).tolist()
        negatives = [each for base, values in enumerate(drawn) for each in members(values, f"base {base}")]
        found = found_by_others(members([0.0]), negatives)
        assert found is not None
        promised.add(found.promised)
        wrong, of = wrong + found.negatives.found, of + found.negatives.of
    assert promised == {0.05}, "30 others are enough"
    assert wrong <= stats.binom.ppf(0.999, of, 0.05)
    assert wrong >= 0.4 * 0.05 * of, "thresholds that are never exceeded would keep any rate"


def test_the_simulated_noise_is_noise() -> None:
    """Both kinds of a world have the same law, so the true area is one half."""
    areas = []
    for seed in range(30):
        ours, theirs = draw(np.random.default_rng(seed), WORLDS[0])
        areas.append(area_under_roc(ours, theirs).value)
    assert abs(np.mean(areas) - 0.5) < 0.06


@pytest.mark.slow
@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_a_detector_that_is_noise_has_an_area_of_one_half(world: object) -> None:
    """From worlds that the interval does not assume: see tests/benchmarks/detectors.py."""
    studies = 150
    assert held(world, studies=studies) >= stats.binom.ppf(0.001, studies, 0.93)  # type: ignore[arg-type]

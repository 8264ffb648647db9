"""Levels over several looks: against the published table, another integration, and simulated studies that grow."""

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import multivariate_normal, ttest_1samp

from educe.eval.analysis.statistics.looks import adjusted_by_parts, adjusted_for_looks, level_at_look, spent
from educe.eval.analysis.statistics.paired import paired_difference
from educe.eval.analysis.statistics.variance import Side

FIFTHS = (0.2, 0.4, 0.6, 0.8, 1.0)
# Reboussin, DeMets, Kim & Lan (2000), Controlled Clinical Trials 21: five equal looks, O'Brien-Fleming type, 5%.
PUBLISHED = (4.877, 3.357, 2.680, 2.290, 2.031)
SEEDS = tuple(range(3, 9))  # one look at each number
SHARES = tuple(seeds / SEEDS[-1] for seeds in SEEDS)
LEVELS = [level_at_look(SHARES[:look], SHARES[look]) for look in range(len(SEEDS))]


def test_boundaries_are_the_published_ones() -> None:
    found = [-ndtri(level_at_look(FIFTHS[:look], FIFTHS[look]) / 2) for look in range(5)]
    assert found == pytest.approx(PUBLISHED, abs=5e-4)


@pytest.mark.parametrize(("fractions", "alpha"), [((0.3, 0.35, 1.0), 0.05), ((0.5, 0.9), 0.05), ((0.6, 1.0), 0.002)])
def test_unequal_looks_spend_what_a_multivariate_normal_says(fractions: tuple[float, ...], alpha: float) -> None:
    times = np.array(fractions)
    correlations = np.sqrt(np.minimum.outer(times, times) / np.maximum.outer(times, times))
    limits = np.array([-ndtri(level_at_look(fractions[:look], time, alpha) / 2) for look, time in enumerate(fractions)])
    within = multivariate_normal(cov=correlations, seed=0).cdf(limits, lower_limit=-limits)
    assert 1 - within == pytest.approx(spent(fractions[-1], alpha), abs=3e-5)


def test_one_look_at_everything_has_the_whole_level() -> None:
    assert level_at_look((), 1.0, 0.05) == 0.05
    assert spent(1.0, 0.05) == pytest.approx(0.05)
    assert adjusted_for_looks(0.031, (), 1.0) == 0.031


@pytest.mark.parametrize("alpha", [0.05, 0.001, 1e-7])
def test_an_adjusted_p_value_is_the_alpha_that_just_rejects(alpha: float) -> None:
    p = level_at_look((0.4, 0.7), 1.0, alpha)
    assert p < alpha
    assert adjusted_for_looks(p, (0.4, 0.7), 1.0) == pytest.approx(alpha, rel=1e-4)


def test_parts_of_looks_reject_as_often_as_they_spend() -> None:
    """Whatever the tests are: their levels are Bonferroni's."""
    for alpha in (0.05, 0.001, 1e-7):
        part = spent(0.7, alpha) - spent(0.4, alpha)
        assert adjusted_by_parts(part, 0.4, 0.7) == pytest.approx(alpha, rel=1e-4)
    assert adjusted_by_parts(0.03, 0.0, 1.0) == 0.03
    assert adjusted_by_parts(1e-9, 0.7, 0.7) == 1.0
    assert adjusted_by_parts(0.9, 0.4, 0.7) == 1.0


def test_an_early_look_needs_far_more() -> None:
    assert adjusted_for_looks(0.04, (), 0.4) > 0.15
    assert adjusted_for_looks(0.9, (0.2,), 0.4) == 1.0
    assert adjusted_for_looks(0.0, (), 0.4) < 1e-10


@pytest.mark.parametrize("fractions", [(0.5, 0.5), (0.7, 0.5), (1.0, 1.2), (0.0, 1.0)])
def test_information_that_does_not_grow_is_refused(fractions: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="must rise"):
        level_at_look(fractions[:1], fractions[1])


def test_six_looks_of_an_exact_test_reject_a_true_null_in_6_percent_at_most() -> None:
    """Looking until something is significant rejects in 14 to 15%. With few seeds, t tests are a little above 5%."""
    gains = np.random.default_rng(0).normal(size=(20_000, SEEDS[-1]))
    ps = np.transpose([ttest_1samp(gains[:, :seeds], 0, axis=1).pvalue for seeds in SEEDS])
    assert 0.14 < (ps < 0.05).any(axis=1).mean() < 0.15
    assert 0.05 < (ps < LEVELS).any(axis=1).mean() < 0.06


def test_the_power_that_is_lost_at_the_last_look_is_small() -> None:
    gains = np.random.default_rng(1).normal(loc=1.2, size=(20_000, SEEDS[-1]))
    p = ttest_1samp(gains, 0, axis=1).pvalue
    planned, looked = (p < 0.05).mean(), (p < LEVELS[-1]).mean()
    assert 0.8 < planned < 0.85
    assert planned - 0.05 < looked < planned


@pytest.mark.slow
@pytest.mark.parametrize(("seed_sd", "naive"), [(0.04, 0.09), (0.06, 0.12)])
def test_six_looks_at_a_study_that_gets_more_seeds(seed_sd: float, naive: float) -> None:
    """The suite's own test of two recipes: right-or-wrong answers, seeds that move a recipe by 4 or 6 points."""
    rng = np.random.default_rng(1)
    ps = np.array([_six_looks(rng, seed_sd) for _ in range(2_000)])
    noise = 2 * (0.05 * 0.95 / len(ps)) ** 0.5
    assert (ps < 0.05).any(axis=1).mean() > naive
    assert (ps < LEVELS).any(axis=1).mean() < 0.05 + noise


def _six_looks(rng: np.random.Generator, seed_sd: float) -> list[float]:
    """The p value at each number of seeds of one study without a difference."""
    rates = rng.uniform(0.3, 0.7, size=300) + rng.normal(0, seed_sd, size=(2, SEEDS[-1], 1))
    scores = (rng.random(rates.shape) < rates).astype(float)
    return [
        paired_difference(*(Side(scores=side[:seeds], seeds=tuple(range(seeds))) for side in scores)).p or 0.0
        for seeds in SEEDS
    ]

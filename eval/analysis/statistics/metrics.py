"""Accuracy, log-likelihood, Brier score and calibration of the same multiple-choice answers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from educe.eval.analysis.statistics.intervals import Estimate, score_interval
from educe.eval.analysis.statistics.resample import (
    SEED,
    Array,
    Clusters,
    cluster_codes,
    interval_kind,
    percentiles,
    resampled_means,
    small_sample_stretch,
)
from educe.eval.measurement import Ragged

MAX_BINS = 10
MIN_IN_BIN = 10
_NUM_DRAWS = 1_000


@dataclass(frozen=True, kw_only=True)
class Bin:
    """Items answered with about the same confidence: its mean, and the share that was right with its interval."""

    confidence: float
    accuracy: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, kw_only=True)
class LikelihoodScores:
    """Four scores of the same answers.

    `log_likelihood` is the right option's, in nats, among the options given. `brier` sums the squared error over all
    options: 0 is certain and right, 2 is certain and wrong. `calibration_error` is the mean gap between confidence and
    accuracy over `bins`; it is never 0 in a sample, and perfectly calibrated answers would have shown
    `error_if_calibrated` on average.
    """

    accuracy: Estimate
    log_likelihood: Estimate
    brier: Estimate
    calibration_error: Estimate
    error_if_calibrated: float
    bins: tuple[Bin, ...]


def likelihood_scores(
    loglikelihoods: Sequence[Sequence[float]],
    answers: Sequence[int],
    clusters: Clusters | None = None,
    *,
    level: float = 0.95,
) -> LikelihoodScores:
    """Scores of items whose options have these log-likelihoods in nats; `answers` are the places of the right ones.

    An option's probability is its share among the options (softmax), and the most probable one is picked. Items may
    have different numbers of options. ValueError for no items, a number that is not finite or a place that is none.
    """
    shares, right = _shares(loglikelihoods, answers)
    codes = cluster_codes(clusters, len(shares))
    of_right = shares[np.arange(len(shares)), right]
    # (1 - p)^2 of the right option and p^2 of every other one.
    brier = np.exp(2 * shares).sum(axis=1) + 1 - 2 * np.exp(of_right)
    picked = (shares.argmax(axis=1) == right).astype(float)
    confidence = np.exp(shares.max(axis=1))
    accuracy = score_interval(picked, clusters, level=level)
    likelihood, squares = _means([of_right, brier], codes, level, [(-np.inf, 0.0), (0.0, 2.0)])
    error, expected, bins = calibration(confidence, picked, clusters, level=level)
    return LikelihoodScores(
        accuracy=Estimate(
            value=float(picked.mean()), low=accuracy.low, high=accuracy.high, kind=accuracy.kind, n=len(picked)
        ),
        log_likelihood=likelihood,
        brier=squares,
        calibration_error=error,
        error_if_calibrated=expected,
        bins=bins,
    )


def calibration(
    confidence: Array, right: Array, clusters: Clusters | None = None, *, level: float = 0.95
) -> tuple[Estimate, float, tuple[Bin, ...]]:
    """Calibration error of right (1) and wrong (0) answers, the error if they were calibrated, and the bins.

    Bins hold equally many items, at least 10 of them, and there are at most 10 bins; equal confidences share one. The
    error is the mean over items of the bins' |confidence - accuracy| (Naeini, Cooper & Hauskrecht 2015), which noise
    biases upwards. So the low end is the error less a quantile of the summed absolute deviations in resamples, which is
    conservative by the triangle inequality; the high end is the percentile bootstrap's less the mean rise that
    resampling adds. Bins stay the same in every resample, whose deviations are stretched for few clusters
    (`small_sample_stretch`); a single cluster gives all of [0, 1]. The error if calibrated is the mean over draws in
    which each answer is right with its own confidence, times the factor of clusters on the bins' standard deviation.
    """
    place = _bins(confidence)
    members = place == np.arange(place.max() + 1)[:, None]
    codes, rng, n = cluster_codes(clusters, len(place)), np.random.default_rng(SEED), len(place)
    num_clusters = int(codes.max()) + 1
    gaps = members * (right - confidence)
    error, low, high = float(np.abs(gaps.mean(axis=1)).sum()), 0.0, 1.0
    if num_clusters > 1:
        together = resampled_means(gaps, codes, rng) - gaps.mean(axis=1)
        moved = together * small_sample_stretch(num_clusters, level)
        errors = np.abs(gaps.mean(axis=1) + moved).sum(axis=1)
        low = max(0.0, error - float(np.quantile(np.abs(moved).sum(axis=1), 0.5 + level / 2)))
        high = min(1.0, max(error, percentiles(errors, level)[1] - (float(errors.mean()) - error)))
    noise = (rng.random((_NUM_DRAWS, n)) < confidence) - confidence
    expected = float(np.abs(noise @ members.T / n).sum(axis=1).mean())
    if num_clusters > 1:
        # Answers of one cluster (the same item under other seeds) err together, which adds noise to the bins.
        independent = float(np.sum((gaps - gaps.mean(axis=1)[:, None]) ** 2)) / n**2
        expected *= max(1.0, float(together.var(axis=0).sum()) / independent) ** 0.5 if independent > 0 else 1.0
    estimate = Estimate(value=error, low=low, high=high, kind=interval_kind("bootstrap of bins", level), n=n)
    return estimate, expected, tuple(_bin(confidence, right, clusters, each, level) for each in members)


def _bins(confidence: Array) -> NDArray[np.int64]:
    """Every item's bin, 0 for the least confident."""
    n = len(confidence)
    count = max(1, min(MAX_BINS, n // MIN_IN_BIN))
    ranks = np.searchsorted(np.sort(confidence), confidence)  # the same for equals, whatever their order
    return np.unique(ranks * count // n, return_inverse=True)[1].astype(np.int64)


def _bin(confidence: Array, right: Array, clusters: Clusters | None, member: NDArray[np.bool_], level: float) -> Bin:
    theirs = None if clusters is None else [clusters[int(item)] for item in np.flatnonzero(member)]
    interval = score_interval(right[member], theirs, level=level)
    return Bin(
        confidence=float(confidence[member].mean()),
        accuracy=float(right[member].mean()),
        low=interval.low,
        high=interval.high,
        n=int(member.sum()),
    )


def _shares(loglikelihoods: Sequence[Sequence[float]], answers: Sequence[int]) -> tuple[Array, NDArray[np.int64]]:
    """Log of every option's share among its item's options, -inf beyond its options, and the right ones' places."""
    if not len(loglikelihoods):
        raise ValueError("no items were given")
    if len(answers) != len(loglikelihoods):
        raise ValueError(f"{len(loglikelihoods)} items have options and {len(answers)} have answers")
    options, right = Ragged.of(loglikelihoods), np.array(answers, dtype=np.int64)
    finite = np.isfinite(options.padded(0.0)).all(axis=1) & (options.sizes > 0)
    for item in np.flatnonzero(~finite)[:1]:
        raise ValueError(
            f"item {item} has the log-likelihoods {list(loglikelihoods[item])}; they must be finite numbers"
        )
    for item in np.flatnonzero((right < 0) | (right >= options.sizes))[:1]:
        raise ValueError(
            f"item {item} has {options.sizes[item]} options and the answer number {right[item]}, which is none of them"
        )
    return np.asarray(special.log_softmax(options.padded(-np.inf), axis=1)), right


def _means(
    rows: Sequence[Array], codes: NDArray[np.int64], level: float, ends: Sequence[tuple[float, float]]
) -> list[Estimate]:
    """Every row's mean and its bootstrap interval within `ends`, stretched for few clusters as in `score_interval`."""
    values, num_clusters = np.array(rows), int(codes.max()) + 1
    n, grand = values.shape[1], values.mean(axis=1)
    kind = interval_kind("bootstrap" if num_clusters == n else "cluster bootstrap", level)
    drawn = [(-np.inf, np.inf)] * len(values)
    if num_clusters > 1:
        stretch = small_sample_stretch(num_clusters, level)
        moved = grand + stretch * (resampled_means(values, codes, np.random.default_rng(SEED)) - grand)
        drawn = [percentiles(each, level) for each in moved.T]
    return [
        Estimate(value=float(mean), low=max(least, low), high=min(most, high), kind=kind, n=n)
        for mean, (low, high), (least, most) in zip(grand, drawn, ends, strict=True)
    ]

"""How good readings of a model's confidence are: squared error, calibration, and whether right answers rank higher."""

from dataclasses import dataclass

import numpy as np
from sklearn.isotonic import IsotonicRegression

from educe.eval.analysis.statistics.intervals import Estimate, score_interval
from educe.eval.analysis.statistics.metrics import calibration
from educe.eval.analysis.statistics.paired import Difference, paired_difference
from educe.eval.analysis.statistics.resample import (
    SEED,
    Array,
    Clusters,
    cluster_codes,
    interval_kind,
    percentiles,
    small_sample_stretch,
)
from educe.eval.analysis.statistics.roc import exact_share

_NUM_DRAWS = 1_000


@dataclass(frozen=True, kw_only=True)
class ReadingScores:
    """Scores of the probabilities that a reading gives to "this answer is right".

    `brier` is the mean squared error, 0 at best, and a quarter for one half throughout. `below` is the Brier score of
    the reading it is compared with less its own, so above 0 it is the better one. `area` is None where all answers are
    right or all are wrong.
    """

    brier: Estimate
    below: Difference
    calibration_error: Estimate
    error_if_calibrated: float
    area: Estimate | None
    mean: float


def reading_scores(confidence: Array, right: Array, other: Array, clusters: Clusters | None = None) -> ReadingScores:
    """Scores of one reading beside another one of the same answers; `right` is 1 or 0. ValueError outside of [0, 1]."""
    squares, others = (confidence - right) ** 2, (other - right) ** 2
    found = score_interval(squares, clusters)
    error, expected, _ = calibration(confidence, right, clusters)
    return ReadingScores(
        brier=Estimate(value=float(squares.mean()), low=found.low, high=found.high, kind=found.kind, n=len(right)),
        below=paired_difference(others, squares, clusters),
        calibration_error=error,
        error_if_calibrated=expected,
        area=area(confidence, right, clusters),
        mean=float(confidence.mean()),
    )


def area(confidence: Array, right: Array, clusters: Clusters | None = None, *, level: float = 0.95) -> Estimate | None:
    """How often a right answer is surer than a wrong one, ties counting half; None where all are right or all wrong.

    Bootstrap over clusters, stretched for few, and never narrower than the exact interval of a share of min(right,
    wrong) trials, as `area_under_roc` explains. The time is linear in the items.
    """
    truth = right == 1
    if truth.all() or not truth.any():
        return None
    ranks = np.unique(confidence, return_inverse=True)[1]
    codes = cluster_codes(clusters, len(right))
    num_clusters, trials = int(codes.max()) + 1, int(min(truth.sum(), (~truth).sum()))

    def weighted(weights: Array) -> float:
        below = np.bincount(ranks, weights * ~truth)
        beaten = np.cumsum(below) - below / 2
        total = float(weights @ truth) * float(below.sum())
        return float((weights * truth) @ beaten[ranks]) / total if total else float("nan")

    value = weighted(np.ones(len(right)))
    low, high = exact_share(value, trials, level)
    if num_clusters > 1:
        rng = np.random.default_rng(SEED)
        drawn = rng.multinomial(num_clusters, np.full(num_clusters, 1 / num_clusters), size=_NUM_DRAWS)
        areas = np.array([weighted(times[codes].astype(float)) for times in drawn])
        ends = percentiles(
            value + small_sample_stretch(num_clusters, level) * (areas[np.isfinite(areas)] - value), level
        )
        low, high = max(0.0, min(low, ends[0])), min(1.0, max(high, ends[1]))
    kind = interval_kind("cluster bootstrap, exact at least,", level)
    return Estimate(value=value, low=low, high=high, kind=kind, n=len(right))


def fitted(confidence: Array, right: Array, other: Array) -> Array:
    """`other` through the rising step function that fits right answers to confidence best (isotonic regression).

    Beyond the confidences that were seen the nearest step holds (Zadrozny & Elkan 2002).
    """
    steps = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(confidence, right)
    return np.asarray(steps.predict(other), dtype=float)

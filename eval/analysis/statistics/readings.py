"""How good readings of a model's confidence are: squared error, calibration, and whether right answers rank higher."""

from dataclasses import dataclass

import numpy as np
from sklearn.isotonic import IsotonicRegression

from educe.eval.analysis.statistics.intervals import Estimate, score_interval
from educe.eval.analysis.statistics.metrics import calibration
from educe.eval.analysis.statistics.paired import Difference, paired_difference
from educe.eval.analysis.statistics.resample import Array, Clusters
from educe.eval.analysis.statistics.roc import Area, Member, area_under_roc


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
    area: Area | None
    mean: float


def reading_scores(confidence: Array, right: Array, other: Array, clusters: Clusters | None = None) -> ReadingScores:
    """Scores of one reading beside another one of the same answers; `right` is 1 or 0. ValueError outside of [0, 1]."""
    squares, others = (confidence - right) ** 2, (other - right) ** 2
    found = score_interval(squares, clusters)
    error, expected, _ = calibration(confidence, right, clusters)
    names = (
        [str(place) for place in range(len(right))]
        if clusters is None
        else [str(place) if name is None else f"cluster {name}" for place, name in enumerate(clusters)]
    )
    sides = [
        [Member(value=float(confidence[place]), cluster=names[place]) for place in np.flatnonzero(right == truth)]
        for truth in (1, 0)
    ]
    return ReadingScores(
        brier=Estimate(value=float(squares.mean()), low=found.low, high=found.high, kind=found.kind, n=len(right)),
        below=paired_difference(others, squares, clusters),
        calibration_error=error,
        error_if_calibrated=expected,
        area=area_under_roc(*sides) if all(sides) else None,
        mean=float(confidence.mean()),
    )


def fitted(confidence: Array, right: Array, other: Array) -> Array:
    """`other` through the rising step function that fits right answers to confidence best (isotonic regression).

    Beyond the confidences that were seen the nearest step holds (Zadrozny & Elkan 2002).
    """
    steps = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(confidence, right)
    return np.asarray(steps.predict(other), dtype=float)

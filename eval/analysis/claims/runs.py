"""Each run alone: its score and its difference to another condition, with p values over test items."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special
from scipy.stats import binom

from educe.eval.analysis.conditions import Condition, item_scores
from educe.eval.analysis.statistics.intervals import effective_sample_size
from educe.eval.analysis.statistics.paired import Adjusted, adjusted
from educe.eval.analysis.statistics.resample import Array, Clusters, cluster_codes
from educe.eval.analysis.statistics.variance import Side, contrast_variance, mean_variance
from educe.eval.measurement import Measurement

MIN_P = 1e-6  # p values of approximate tests are not believed below this


@dataclass(frozen=True, kw_only=True)
class RunDifference:
    """The score of one run less that of another condition on the same items, as a difference over items alone."""

    difference: float
    found: Adjusted
    items: Array
    clusters: Clusters
    exact: bool  # right-or-wrong answers to independent items

    def p_above_zero(self) -> float:
        """One-sided p value of "it is not above the other": the exact sign test where it holds, else Student's t."""
        if self.exact:
            above, below = int((self.items > 0).sum()), int((self.items < 0).sum())
            return float(binom.sf(above - 1, above + below, 0.5)) if above else 1.0
        return max(MIN_P, self._t(self.found.center))

    def p_below(self, margin: float) -> float:
        """One-sided p value of "it is above the other by `margin` or more" (non-inferiority)."""
        return max(MIN_P, self._t(margin - self.found.center))

    def _t(self, distance: float) -> float:
        return float(special.stdtr(self.found.df, -distance / self.found.error)) if self.found.error else 1.0


def run_differences(condition: Condition, other: Condition) -> list[RunDifference]:
    """One for each run, against the run of the same seed, or the mean of the other's runs where there is none."""
    runs = {each.seed: each for each in other.measurements} if other.seeds else {}
    return [
        _difference(each, [runs[each.seed]] if each.seed in runs else other.measurements)
        for each in condition.measurements
    ]


def _difference(run: Measurement, others: Sequence[Measurement]) -> RunDifference:
    (ours, theirs), clusters = item_scores([run], others)
    sides = Side(scores=ours), Side(scores=theirs)
    items = sides[0].items - sides[1].items
    binary = bool(np.isin(items, (-1, 0, 1)).all())
    return RunDifference(
        difference=float(items.mean()),
        found=adjusted(items, contrast_variance(sides, (1.0, -1.0), clusters), clusters),
        items=items,
        clusters=tuple(clusters),
        exact=binary and _independent(clusters),
    )


def p_score_above(run: Measurement, threshold: float) -> float:
    """One-sided p value of "the run's score is at most the threshold".

    The exact binomial test for right-or-wrong answers to independent items. Else the larger p of that test at the
    effective sample size (Korn & Graubard 1998) and of a t test over clusters, and at least 1e-6.
    """
    return _p_above(run.outcomes.scores, tuple(run.outcomes.clusters), threshold)


def p_score_below(run: Measurement, threshold: float) -> float:
    """One-sided p value of "the run's score is at least the threshold": the same with wrong answers."""
    return _p_above(1 - run.outcomes.scores, tuple(run.outcomes.clusters), 1 - threshold)


def _p_above(scores: Array, clusters: Clusters, threshold: float) -> float:
    side, mean = Side.of(scores), float(scores.mean())
    units = effective_sample_size(scores, clusters)
    right = mean * units
    # The binomial tail as a beta distribution, which takes fractional numbers of items; scipy's binomtest does not.
    exact = float(special.betainc(right, units - right + 1, threshold)) if right > 0 else 1.0
    if _independent(clusters) and np.isin(scores, (0, 1)).all():
        return exact
    variance = mean_variance(side, clusters)
    t = float(special.stdtr(variance.df, (threshold - mean) / variance.total**0.5)) if variance.total else 0.0
    return max(exact, t, MIN_P)


def _independent(clusters: Clusters) -> bool:
    codes = cluster_codes(tuple(clusters), len(clusters))
    return int(codes.max()) + 1 == len(codes)

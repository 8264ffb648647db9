"""Ratios of scores on the same items, and their mean over tasks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from educe.eval.analysis.statistics.paired import check_sides, paired_difference, resample_sides
from educe.eval.analysis.statistics.random_effects import meta_analysis
from educe.eval.analysis.statistics.resample import Clusters, interval_kind, percentiles
from educe.eval.analysis.statistics.variance import Side


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """One score over another, with its interval; `log_error` is the standard error of its logarithm, if it has one."""

    ratio: float
    low: float
    high: float
    kind: str
    log_error: float | None = None


@dataclass(frozen=True, kw_only=True)
class RandomEffectsRatio:
    """The mean of `count` ratios on items of their own, and the p value of Cochran's test of homogeneity."""

    ratio: Ratio
    p: float
    count: int


def score_ratio(
    a: ArrayLike | Side,
    b: ArrayLike | Side,
    clusters: Clusters | None = None,
    *,
    level: float = 0.95,
) -> Ratio | None:
    """Mean of `a` over mean of `b` on the same items, each side as in `paired_difference`.

    Percentile bootstrap of the ratio (`resample_sides`), never narrower than the difference's interval over the mean of
    `b`. None where the mean of `b` is 0 in more than one resample of a hundred: the ratio is then not defined.
    """
    sides = check_sides(a, b)
    gained = paired_difference(a, b, clusters, level=level)
    ours, theirs = resample_sides(sides, clusters)
    if np.mean(theirs <= 0) > 0.01:
        return None
    ratios = ours[theirs > 0] / theirs[theirs > 0]
    low, high = percentiles(ratios, level)
    base = float(sides[1].scores.mean())
    low, high = min(low, 1 + gained.low / base), max(high, 1 + gained.high / base)
    known = ratios[ratios > 0]
    return Ratio(
        ratio=float(sides[0].scores.mean()) / base,
        low=max(0.0, low),
        high=high,
        kind=interval_kind("ratio bootstrap", level),
        # None for a ratio that may be 0, which has no logarithm; never 0, because agreement is not certainty.
        log_error=max(float(np.log(known).std()), 1 / gained.n) if len(known) > 0.99 * len(ratios) else None,
    )


def pool_ratios(ratios: Sequence[Ratio], *, level: float = 0.95) -> RandomEffectsRatio | None:
    """The mean of ratios on items of their own (`meta_analysis` on the log scale).

    Ratios that may be 0 have no logarithm and are left out, which `count` shows; None where fewer than three are left.
    """
    known = [(float(np.log(each.ratio)), each.log_error) for each in ratios if each.log_error is not None]
    pooled = meta_analysis([log for log, _ in known], [error for _, error in known], level=level)
    if pooled is None:
        return None
    low, high = float(np.exp(pooled.interval.low)), float(np.exp(pooled.interval.high))
    ratio = Ratio(ratio=float(np.exp(pooled.mean)), low=low, high=high, kind=pooled.interval.kind)
    return RandomEffectsRatio(ratio=ratio, p=pooled.homogeneity_p, count=pooled.count)

"""Ratios of scores on the same items, and their mean over tasks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from educe.eval.analysis.statistics.components import components, draw_seed_effects
from educe.eval.analysis.statistics.paired import SeedVariances, paired_difference
from educe.eval.analysis.statistics.resample import (
    SEED,
    Clusters,
    check_scores,
    cluster_codes,
    interval_kind,
    normal_quantile,
    percentiles,
    resampled_means,
)


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """One score over another, with its interval; `log_error` is the standard error of its logarithm, if it has one."""

    ratio: float
    low: float
    high: float
    kind: str
    log_error: float | None = None


@dataclass(frozen=True, kw_only=True)
class Pooled:
    """A mean of ratios over `count` comparisons on items of their own, and whether they agree: `p` is Cochran's."""

    ratio: Ratio
    p: float
    count: int


def score_ratio(
    a: ArrayLike,
    b: ArrayLike,
    clusters: Clusters | None = None,
    *,
    seed_variances: SeedVariances = (None, None),
    level: float = 0.95,
) -> Ratio | None:
    """Mean of `a` over mean of `b` on the same items, each side as in `paired_difference`.

    Percentiles of the ratio, both sides sharing the resampled item clusters and drawing what seeds add; never narrower
    than the difference's interval over the mean of `b`. None where more than one resample in a hundred leaves `b`
    nothing: a multiple of what may be nothing is no number.
    """
    sides = [check_scores(np.atleast_2d(np.asarray(side, dtype=float)), dimensions=2) for side in (a, b)]
    gained = paired_difference(a, b, clusters, seed_variances=seed_variances, level=level)
    rng = np.random.default_rng(SEED)
    means = resampled_means(np.vstack(sides), cluster_codes(clusters, gained.n), rng)
    ours, theirs = (
        part.mean(axis=1) + draw_seed_effects(components(side, clusters, spread), rng, len(means))
        for part, side, spread in zip(np.split(means, [len(sides[0])], axis=1), sides, seed_variances, strict=True)
    )
    if np.mean(theirs <= 0) > 0.01:
        return None
    ratios = ours[theirs > 0] / theirs[theirs > 0]
    low, high = percentiles(ratios, level)
    base = float(sides[1].mean())
    low, high = min(low, 1 + gained.low / base), max(high, 1 + gained.high / base)
    known = ratios[ratios > 0]
    return Ratio(
        ratio=float(sides[0].mean()) / base,
        low=max(0.0, low),
        high=high,
        kind=interval_kind("ratio bootstrap", level),
        # Not of ratios that may well be 0, which have no logarithm; nor is no disagreement certainty.
        log_error=max(float(np.log(known).std()), 1 / gained.n) if len(known) > 0.99 * len(ratios) else None,
    )


def pool_ratios(ratios: Sequence[Ratio], *, level: float = 0.95) -> Pooled | None:
    """The mean of ratios on items of their own (random effects on the log scale, DerSimonian & Laird 1986).

    Its interval is Hartung and Knapp's (2001), which holds for few ratios, and never narrower than the usual one. `p`
    is Cochran's test that all are one ratio. Ratios that may be 0 have no logarithm and are left out, which `count`
    shows; None where fewer than two are left.
    """
    errors = [each.log_error for each in ratios if each.log_error is not None]
    if len(errors) < 2:
        return None
    logs = np.log([each.ratio for each in ratios if each.log_error is not None])
    variances = np.array(errors) ** 2
    weights = 1 / variances
    spread = float(weights @ (logs - np.average(logs, weights=weights)) ** 2)
    freedom = len(errors) - 1
    between = max(0.0, (spread - freedom) / float(weights.sum() - (weights**2).sum() / weights.sum()))
    weights = 1 / (variances + between)
    mean = float(np.average(logs, weights=weights))
    observed = float(weights @ (logs - mean) ** 2) / freedom
    half_width = (
        max(normal_quantile(level), float(special.stdtrit(freedom, 0.5 + level / 2)) * observed**0.5)
        / float(weights.sum()) ** 0.5
    )
    low, high = float(np.exp(mean - half_width)), float(np.exp(mean + half_width))
    ratio = Ratio(ratio=float(np.exp(mean)), low=low, high=high, kind=interval_kind("random effects", level))
    return Pooled(ratio=ratio, p=float(special.chdtrc(freedom, spread)), count=len(errors))

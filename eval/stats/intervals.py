"""Intervals of scores. None has zero width because a sample happened to be all right or all wrong.

Items are the first random factor (drawn in clusters where they come in clusters), seeds are the second.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from eval.stats.resample import (
    SEED,
    Clusters,
    checked,
    codes_of,
    kind_of,
    normal_quantile,
    percentiles,
    resampled_means,
    seed_resampled,
    variances,
)


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Where a score may lie, and how that was worked out, for example "Wilson 95%"."""

    low: float
    high: float
    kind: str


def wilson(mean: float, n: int | float, *, level: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of a proportion `mean` seen in `n` trials; `n` may be an effective, fractional number.

    Wilson (1927). For scores between 0 and 1 that are not binary it is conservative, because no variable on [0, 1] has
    a larger variance at the same mean.
    """
    if n <= 0:
        return 0.0, 1.0
    z = normal_quantile(level)
    center = (mean + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(mean * (1 - mean) / n + z * z / (4 * n * n))
    # Exact ends: rounding must not leave 1e-17 where nobody was right.
    low = 0.0 if mean <= 0 else float(center - half)
    high = 1.0 if mean >= 1 else float(center + half)
    return low, high


def standard_error(scores: ArrayLike, clusters: Clusters | None = None) -> float:
    """Standard error of a mean, clustered where clusters are given; an item whose cluster is None stands alone.

    Miller (2024), "Adding Error Bars to Evals": sqrt(sum (s - mean)^2 / (n - 1) / n), and for clusters
    (1 / n^2) * sum over clusters of the products of different items' residuals is added inside the root.
    ValueError for fewer than two scores.
    """
    values = checked(scores)
    if len(values) < 2:
        raise ValueError(f"a standard error needs at least two scores, got {len(values)}")
    simple, clustered = variances(values, codes_of(clusters, len(values)))
    return float(np.sqrt(simple if clusters is None else clustered))


def effective_n(scores: ArrayLike, clusters: Clusters | None = None, *, level: float = 0.95) -> float:
    """How many independent items these clustered items are worth, for an interval at `level`; never above n.

    n / deff with deff = clustered variance / simple variance (Miller 2024), times (z / t)^2 with t at one degree of
    freedom less than there are clusters, because a variance from few clusters is itself uncertain (Korn & Graubard
    1998). Where all scores are equal deff cannot be seen and every cluster is taken to move as one: n^2 / sum of
    squared cluster sizes (Kish 1965). One cluster says nothing about others: 0.
    """
    values = checked(scores)
    n, codes = len(values), codes_of(clusters, len(values))
    num_clusters = int(codes.max()) + 1
    if num_clusters == n:
        return float(n)
    if num_clusters == 1:
        return 0.0
    simple, clustered = variances(values, codes)
    kish = float(np.sum(np.bincount(codes) ** 2)) / n
    deff = kish if simple == 0 else clustered / simple
    t = float(special.stdtrit(num_clusters - 1, 0.5 + level / 2))
    return min(float(n), n / max(deff, 1.0) * (normal_quantile(level) / t) ** 2)


def score_interval(scores: ArrayLike, clusters: Clusters | None = None, *, level: float = 0.95) -> Interval:
    """Interval of the mean of one score per item, each in [0, 1].

    Scores of 0 and 1: Wilson, at the effective number of items if they come in clusters. Other scores: percentile
    bootstrap over items or clusters, stretched about the mean for small samples by t / z * sqrt(C / (C - 1)) where C
    counts the clusters (Hesterberg 2015); where all scores are equal, Wilson at that mean, which is wider than needed
    and never empty. ValueError for no scores, a NaN or a score outside [0, 1].
    """
    values = checked(scores)
    codes = codes_of(clusters, len(values))
    num_clusters = int(codes.max()) + 1
    clustered = num_clusters < len(values)
    if np.all((values == 0) | (values == 1)) or np.ptp(values) == 0:
        low, high = wilson(float(values.mean()), effective_n(values, clusters, level=level), level=level)
        return Interval(low=low, high=high, kind=kind_of("clustered Wilson" if clustered else "Wilson", level))
    kind = kind_of("cluster bootstrap" if clustered else "bootstrap", level)
    if num_clusters == 1:
        return Interval(low=0.0, high=1.0, kind=kind)
    mean = float(values.mean())
    t = float(special.stdtrit(num_clusters - 1, 0.5 + level / 2))
    stretch = t / normal_quantile(level) * np.sqrt(num_clusters / (num_clusters - 1))
    means = resampled_means(values[None, :], codes, np.random.default_rng(SEED))[:, 0]
    low, high = percentiles(mean + stretch * (means - mean), level)
    return Interval(low=max(0.0, low), high=min(1.0, high), kind=kind)


def pooled_interval(matrix: ArrayLike, clusters: Clusters | None = None, *, level: float = 0.95) -> Interval:
    """Interval of the mean over seeds and items of a matrix of shape (seeds, items) with scores in [0, 1].

    Two-way bootstrap: seeds and item clusters are resampled together (Owen 2007, "The pigeonhole bootstrap", which is
    conservative), the seeds' deviations stretched by sqrt(S / (S - 1)) because S resampled seeds vary that much too
    little. Never narrower than Wilson on the items' means over seeds: more seeds do not make more items. One seed:
    `score_interval`. ValueError as there.
    """
    scores = checked(matrix, dimensions=2)
    if len(scores) == 1:
        return score_interval(scores[0], clusters, level=level)
    codes = codes_of(clusters, scores.shape[1])
    rng = np.random.default_rng(SEED)
    low, high = percentiles(seed_resampled(resampled_means(scores, codes, rng), rng), level)
    items = scores.mean(axis=0)
    least_low, least_high = wilson(float(items.mean()), effective_n(items, clusters, level=level), level=level)
    return Interval(
        low=max(0.0, min(low, least_low)),
        high=min(1.0, max(high, least_high)),
        kind=kind_of("two-way bootstrap", level),
    )

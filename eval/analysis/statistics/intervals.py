"""Intervals of scores. None has zero width because a sample happened to be all right or all wrong.

Items are the first random factor (drawn in clusters where they come in clusters), seeds are the second.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from educe.eval.analysis.statistics.resample import (
    SEED,
    Clusters,
    check_scores,
    cluster_codes,
    interval_kind,
    normal_quantile,
    percentiles,
    resampled_means,
    small_sample_stretch,
)
from educe.eval.analysis.statistics.variance import Side, mean_variance

_MIN_VARIATION = 0.25  # squared: half of what separates one right item from one wrong


@dataclass(frozen=True, kw_only=True)
class Interval:
    """The ends of an interval and its method and level, for example "Wilson 95%"."""

    low: float
    high: float
    kind: str


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number with its interval, and the number of items it is from."""

    value: float
    low: float
    high: float
    kind: str
    n: int | None = None


def wilson(mean: float, n: int | float, *, level: float = 0.95) -> tuple[float, float]:
    """Wilson score interval (1927) of a proportion `mean` in `n` trials; `n` may be an effective, fractional number.

    For scores between 0 and 1 that are not binary it is conservative, because no variable on [0, 1] has a larger
    variance at the same mean.
    """
    if n <= 0:
        return 0.0, 1.0
    # Not statsmodels' proportion_confint: it takes counts, and a share of n times n differs in the last bit, so stored
    # intervals would.
    z = normal_quantile(level)
    center = (mean + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(mean * (1 - mean) / n + z * z / (4 * n * n))
    # Exact ends: rounding must not leave 1e-17 where nobody was right.
    return (0.0 if mean <= 0 else float(center - half)), (1.0 if mean >= 1 else float(center + half))


def effective_sample_size(scores: ArrayLike | Side, clusters: Clusters | None = None, *, level: float = 0.95) -> float:
    """The number of independent items with the same uncertainty, for a Wilson interval at `level`.

    Scores are those of one run, one per item, or a side with its runs. mean (1 - mean) over the variance of the mean
    (see `mean_variance`), times (z / t)^2, because a variance from few clusters or seeds is itself uncertain (Korn &
    Graubard 1998); never above the number of scores. Independent items of one run: their number. Where all scores are
    equal no variance is seen, and the items of a cluster count as one: n^2 / sum of squared cluster sizes (Kish 1965).
    A single cluster gives 0.
    """
    side = Side.of(scores)
    check_scores(side.scores, dimensions=2)
    codes = cluster_codes(clusters, side.scores.shape[1])
    runs, n = side.scores.shape
    sizes = np.bincount(codes)
    if len(sizes) == 1 < n * runs:
        return 0.0
    if runs == 1 and len(sizes) == n:
        return float(n)
    variance, mean = mean_variance(side, clusters), float(side.scores.mean())
    squared = (normal_quantile(level) / variance.quantile(level)) ** 2
    # Clusters can differ in every item and have equal means: their variance is then not taken to be 0.
    if np.ptp(side.scores) == 0 or variance.total == 0:
        return float(n**2 / (sizes @ sizes)) * (squared if len(sizes) < n else 1.0)
    return min(float(n * runs), mean * (1 - mean) / variance.total * squared)


def score_interval(scores: ArrayLike, clusters: Clusters | None = None, *, level: float = 0.95) -> Interval:
    """Interval of the mean of one score per item, each in [0, 1].

    Scores of 0 and 1: Wilson, at the effective sample size if they come in clusters. Other scores:
    `bootstrap_interval`; where all are equal, Wilson at that mean, which is wider than needed and never empty.
    ValueError for no scores, a NaN or a score outside [0, 1].
    """
    values = check_scores(scores)
    if not np.all((values == 0) | (values == 1)) and np.ptp(values) > 0:
        return bootstrap_interval(values, clusters, level=level)
    low, high = wilson(float(values.mean()), effective_sample_size(values, clusters, level=level), level=level)
    clustered = int(cluster_codes(clusters, len(values)).max()) + 1 < len(values)
    return Interval(low=low, high=high, kind=interval_kind("clustered Wilson" if clustered else "Wilson", level))


def bootstrap_interval(scores: ArrayLike, clusters: Clusters | None = None, *, level: float = 0.95) -> Interval:
    """Percentile bootstrap of the mean over items or clusters of them, for scores in [0, 1] of any kind.

    Stretched about the mean for small samples (`small_sample_stretch`). Where all scores together vary less than half
    an item does between wrong and right, it is never narrower than Wilson at the effective sample size of equal scores.
    A single cluster gives all of [0, 1]. ValueError as in `score_interval`.
    """
    values = check_scores(scores)
    codes = cluster_codes(clusters, len(values))
    num_clusters = int(codes.max()) + 1
    kind = interval_kind("cluster bootstrap" if num_clusters < len(values) else "bootstrap", level)
    if num_clusters == 1:
        return Interval(low=0.0, high=1.0, kind=kind)
    mean = float(values.mean())
    means = resampled_means(values[None, :], codes, np.random.default_rng(SEED))[:, 0]
    low, high = percentiles(mean + small_sample_stretch(num_clusters, level) * (means - mean), level)
    n = effective_sample_size(np.full(len(values), mean), clusters, level=level)
    if n * float(values.var()) < _MIN_VARIATION:
        wilson_low, wilson_high = wilson(mean, n, level=level)
        low, high = min(low, wilson_low), max(high, wilson_high)
    return Interval(low=max(0.0, low), high=min(1.0, high), kind=kind)


def pooled_interval(side: Side, clusters: Clusters | None = None, *, level: float = 0.95) -> Interval:
    """Interval of the mean over runs and items, for scores in [0, 1].

    Items (clusters of them) and seeds are two random factors (`mean_variance`); Wilson at the effective sample size of
    both together. Fewer than three seeds: an interval of these runs alone. One run: `score_interval`.
    """
    if len(side.scores) == 1:
        return score_interval(side.scores[0], clusters, level=level)
    low, high = wilson(float(side.scores.mean()), effective_sample_size(side, clusters, level=level), level=level)
    kind = "two-way Wilson" if side.sampled_seeds else "Wilson of these runs"
    return Interval(low=low, high=high, kind=interval_kind(kind, level))

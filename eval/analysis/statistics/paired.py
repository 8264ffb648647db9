"""Two sides that answered the same items, compared item by item."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from educe.eval.analysis.statistics.resample import (
    SEED,
    Array,
    Clusters,
    check_scores,
    cluster_codes,
    interval_kind,
    percentiles,
    resampled_means,
    t_quantile,
)
from educe.eval.analysis.statistics.variance import Estimand, Side, Variance, contrast_variance, estimand_of, seed_draws


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A mean of item-by-item differences (the first minus the second) over `n` shared items, with its interval."""

    difference: float
    low: float
    high: float
    kind: str
    n: int
    p: float | None = None  # two-sided, of no difference; None for unpaired differences
    estimand: Estimand = "recipe"  # "runs": it says nothing about other seeds


@dataclass(frozen=True, kw_only=True)
class GapRecovered:
    """The share of a gap that was recovered (1 is all of it; below 0 and above 1 are possible), with its interval."""

    share: float
    low: float
    high: float
    kind: str


def paired_difference(
    a: ArrayLike | Side, b: ArrayLike | Side, clusters: Clusters | None = None, *, level: float = 0.95
) -> Difference:
    """Mean of `a` minus mean of `b` on the same items, with an interval and a p value that pair items and seeds.

    Each side is one score per item or a `Side` of several runs, the items in the same order. Agresti & Min (2005): half
    an item is added to each of the four outcomes of a pair, so that the interval has a width where the sides never
    disagree; the number of items is the effective one where they come in clusters. The half width is Student's t times
    the root of the variance over items and seeds (`contrast_variance`). `p` is the smallest 1 - level whose interval
    leaves out 0. ValueError for unequal numbers of items, a NaN or a score outside [0, 1].
    """
    sides = check_sides(a, b)
    items = sides[0].items - sides[1].items
    found = adjusted(items, contrast_variance(sides, (1.0, -1.0), clusters), clusters)
    mean = float(items.mean())
    half = found.quantile(level) * found.error if np.isfinite(found.error) else np.inf
    return Difference(
        difference=mean,
        low=max(-1.0, min(found.center - half, mean)),
        high=min(1.0, max(found.center + half, mean)),
        kind=interval_kind("paired Agresti-Min", level),
        n=len(items),
        p=found.p_value,
        estimand=estimand_of(sides),
    )


def difference_error(a: Side, b: Side, clusters: Clusters | None = None) -> float:
    """The standard error that the interval of `paired_difference` has; infinite for a single cluster."""
    return adjusted(a.items - b.items, contrast_variance((a, b), (1.0, -1.0), clusters), clusters).error


def check_sides(*sides: ArrayLike | Side) -> list[Side]:
    """Sides of the same items; ValueError where their numbers differ or a score is outside [0, 1]."""
    made = [Side.of(side) for side in sides]
    for side in made:
        check_scores(side.scores, dimensions=2)
    counts = [side.scores.shape[1] for side in made]
    if len(set(counts)) > 1:
        raise ValueError(f"paired scores need the same items: {' against '.join(map(str, counts))}")
    return made


@dataclass(frozen=True, kw_only=True)
class Adjusted:
    """An adjusted mean difference with its standard error and degrees of freedom."""

    center: float
    error: float
    df: float

    @property
    def p_value(self) -> float:
        """Two-sided, of no difference."""
        if self.center == 0 or not np.isfinite(self.error):
            return 1.0
        return float(2 * special.stdtr(self.df, -abs(self.center) / self.error))

    def quantile(self, level: float) -> float:
        return t_quantile(self.df, level)


def adjusted(differences: Array, variance: Variance, clusters: Clusters | None) -> Adjusted:
    """Agresti & Min's adjustment of differences in [-1, 1], at the effective number of items, plus other seeds."""
    if not np.isfinite(variance.items):
        return Adjusted(center=0.0, error=float("inf"), df=1.0)
    n = _effective_items(differences, variance, clusters)
    total, squares = n * float(differences.mean()), n * float(np.mean(differences**2))
    center = total / (n + 2)
    of_items = ((squares + 1) / (n + 2) - center**2) / (n + 2)
    with_seeds = Variance(items=of_items, items_df=variance.items_df, seeds=variance.seeds, seeds_df=variance.seeds_df)
    return Adjusted(center=center, error=with_seeds.total**0.5, df=with_seeds.df)


def gap_recovered(
    a: ArrayLike | Side,
    floor: ArrayLike | Side,
    ceiling: ArrayLike | Side,
    clusters: Clusters | None = None,
    *,
    level: float = 0.95,
) -> GapRecovered | None:
    """(mean of `a` - floor) / (ceiling - floor) on the same items, each side as in `paired_difference`.

    Percentile bootstrap of the ratio (`resample_sides`). Where `a` is the ceiling itself, both have the same draws. It
    is never narrower than the interval of the gain over the floor, divided by the gap. None where the interval of the
    gap contains 0: the ratio is then not defined. ValueError as in `paired_difference`.
    """
    if paired_difference(ceiling, floor, clusters, level=level).low <= 0:
        return None
    sides = check_sides(a, floor, ceiling)
    ours, floors, ceilings = resample_sides(sides, clusters)
    at_ceiling = np.array_equal(sides[0].scores, sides[2].scores)
    ours = ceilings if at_ceiling else ours
    gap = ceilings - floors
    ratios = (ours - floors)[gap > 0] / gap[gap > 0]  # the ratio is not defined where the resampled gap is 0
    low, high = percentiles(ratios, level)
    value, bottom, top = (float(side.scores.mean()) for side in sides)
    if not at_ceiling:
        gained = paired_difference(a, floor, clusters, level=level)
        low, high = min(low, gained.low / (top - bottom)), max(high, gained.high / (top - bottom))
    share = (value - bottom) / (top - bottom)
    return GapRecovered(share=share, low=low, high=high, kind=interval_kind("ratio bootstrap", level))


def resample_sides(sides: Sequence[Side], clusters: Clusters | None) -> list[Array]:
    """Means of each side: all share the resampled item clusters, and draw their seeds' effects together."""
    rng = np.random.default_rng(SEED)
    items = np.stack([side.items for side in sides])
    means = resampled_means(items, cluster_codes(clusters, items.shape[1]), rng)
    return list((means + seed_draws(sides, rng, len(means))).T)


def _effective_items(differences: Array, variance: Variance, clusters: Clusters | None) -> float:
    """The number of independent items with differences of this variance whose mean is equally uncertain."""
    n, seen = len(differences), float(differences.var())
    sizes = np.bincount(cluster_codes(clusters, n))
    if len(sizes) == n:
        return float(n)
    # Where no variance is seen, the items of a cluster count as one (Kish 1965).
    return min(float(n), seen / variance.items if seen > 0 and variance.items > 0 else n**2 / float(sizes @ sizes))

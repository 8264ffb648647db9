"""Two sides that answered the same items, compared item by item."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from educe.eval.analysis.statistics.components import (
    Components,
    SeedVariance,
    components,
    p_from_intervals,
    resample_sides,
)
from educe.eval.analysis.statistics.resample import (
    Array,
    Clusters,
    check_sides,
    interval_kind,
    normal_quantile,
    percentiles,
)

SeedVariances = tuple[SeedVariance | None, SeedVariance | None]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A mean of item-by-item differences (the first minus the second) over `n` shared items, with its interval."""

    difference: float
    low: float
    high: float
    kind: str
    n: int
    p: float | None = None  # two-sided, of no difference; None for unpaired differences


@dataclass(frozen=True, kw_only=True)
class GapRecovered:
    """The share of a gap that was recovered (1 is all of it; below 0 and above 1 are possible), with its interval."""

    share: float
    low: float
    high: float
    kind: str


def paired_difference(
    a: ArrayLike,
    b: ArrayLike,
    clusters: Clusters | None = None,
    *,
    seed_variances: SeedVariances = (None, None),
    level: float = 0.95,
) -> Difference:
    """Mean of `a` minus mean of `b` on the same items, with an interval and a p value that pair them item by item.

    Each side is one score per item or a matrix (seeds, items), the columns in the same order. The items' differences
    and both sides' seeds are random factors with their own t quantiles (`components`, `seeds_squared_half_width`).
    Agresti & Min (2005): half an item is added to each of the four outcomes of a pair, so that the interval has a width
    where the sides never disagree. `p` is the smallest 1 - level whose interval leaves out 0. `seed_variances` is what
    is known of either side's seed variance beyond these matrices. ValueError for unequal numbers of items, a NaN or a
    score outside [0, 1].
    """
    first, second = check_sides(a, b)
    items = first.mean(axis=0) - second.mean(axis=0)
    sides = [components(side, clusters, known) for side, known in zip((first, second), seed_variances, strict=True)]
    across = components(items[None, :], clusters)
    low, high = _agresti_min(items, across, sides, level)
    mean = float(items.mean())
    return Difference(
        difference=mean,
        low=max(-1.0, min(low, mean)),
        high=min(1.0, max(high, mean)),
        kind=interval_kind("paired Agresti-Min", level),
        n=len(items),
        p=_p_value(items, across, sides),
    )


def gap_recovered(
    a: ArrayLike,
    floor: ArrayLike,
    ceiling: ArrayLike,
    clusters: Clusters | None = None,
    *,
    seed_variances: tuple[SeedVariance | None, SeedVariance | None, SeedVariance | None] = (None, None, None),
    level: float = 0.95,
) -> GapRecovered | None:
    """(mean of `a` - floor) / (ceiling - floor) on the same items, each side a matrix as in `paired_difference`.

    Percentile bootstrap of the ratio (`resample_sides`). Where `a` is the ceiling itself, both have the same draws. It
    is never narrower than the interval of the gain over the floor, divided by the gap. None where the interval of the
    gap contains 0: the ratio is then not defined. ValueError as in `paired_difference`.
    """
    of_gap = seed_variances[2], seed_variances[1]
    if paired_difference(ceiling, floor, clusters, seed_variances=of_gap, level=level).low <= 0:
        return None
    sides = check_sides(a, floor, ceiling)
    ours, floors, ceilings = resample_sides(sides, clusters, seed_variances)
    at_ceiling = np.array_equal(sides[0], sides[2])
    ours = ceilings if at_ceiling else ours
    gap = ceilings - floors
    ratios = (ours - floors)[gap > 0] / gap[gap > 0]  # the ratio is not defined where the resampled gap is 0
    low, high = percentiles(ratios, level)
    value, bottom, top = (float(side.mean()) for side in sides)
    if not at_ceiling:
        gained = paired_difference(a, floor, clusters, seed_variances=seed_variances[:2], level=level)
        low, high = min(low, gained.low / (top - bottom)), max(high, gained.high / (top - bottom))
    share = (value - bottom) / (top - bottom)
    return GapRecovered(share=share, low=low, high=high, kind=interval_kind("ratio bootstrap", level))


def seeds_squared_half_width(sides: Sequence[Components], level: float) -> float:
    """The part of a difference's squared half width that comes from the seeds of both sides.

    The degrees of freedom of the summed variance are Welch's (1947), nearly unbiased where each side has two or more;
    with fewer, the smaller ones of Satterthwaite (1946). They are those at 95%, so that an interval never narrows as
    its level rises; where the variance is 0 at 95%, those of the whole variance between seeds.
    """
    variance = sum(side.seeds_at(level, of_difference=True) for side in sides)
    if variance == 0:
        return 0.0
    df = _degrees_of_freedom(sides, 0.95) or _degrees_of_freedom(sides, 1.0)
    return float(special.stdtrit(df, 0.5 + level / 2)) ** 2 * variance


def _degrees_of_freedom(sides: Sequence[Components], level: float) -> float:
    """Degrees of freedom of the summed variance over seeds at a level, 0 where that variance is 0."""
    parts = [(side.seeds_at(level, of_difference=True), side.seeds_df) for side in sides]
    known = [(variance, df) for variance, df in parts if variance > 0]
    if not known:
        return 0.0
    more = 2 if all(df > 1 for _, df in known) else 0
    total = sum(variance for variance, _ in known) ** 2
    return float(total / sum(variance**2 / (df + more) for variance, df in known) - more)


def _agresti_min(
    differences: Array, across: Components, sides: Sequence[Components], level: float
) -> tuple[float, float]:
    """Agresti & Min's adjusted Wald interval for differences in [-1, 1] at an effective number of items, plus seeds."""
    n = _effective_items(float(differences.var()), across, level)
    if n == 0:
        return -1.0, 1.0
    total, squares = n * float(differences.mean()), n * float(np.mean(differences**2))
    center = total / (n + 2)
    of_items = normal_quantile(level) ** 2 * ((squares + 1) / (n + 2) - center**2) / (n + 2)
    half = (of_items + seeds_squared_half_width(sides, level)) ** 0.5
    return float(center - half), float(center + half)


def _effective_items(variance: float, items: Components, level: float) -> float:
    """The number of independent items with differences of this variance whose mean is equally uncertain."""
    if items.num_clusters == items.num_items:
        return float(items.num_items)
    if items.num_clusters == 1:
        return 0.0
    t = items.items_quantile(level)
    of_one = variance if variance > 0 else 1.0
    # Where no variance is seen, the items of a cluster count as one (Kish 1965).
    seen = variance > 0 and items.items > 0
    of_mean = items.items if seen else of_one * items.mean_cluster_size / items.num_items
    return min(float(items.num_items), of_one / of_mean * (normal_quantile(level) / t) ** 2)


def _p_value(differences: Array, across: Components, sides: Sequence[Components]) -> float:
    """`p_from_intervals` of no difference."""
    mean, variance = float(differences.mean()), float(differences.var())
    square, squares = mean**2, float(np.mean(differences**2))

    def excludes_zero(level: float) -> bool:
        # `_agresti_min` for its sign alone: the squared center is above the squared half width.
        n = _effective_items(variance, across, level)
        center = n**2 * square / (n + 2) ** 2
        of_items = normal_quantile(level) ** 2 * ((n * squares + 1) / (n + 2) - center) / (n + 2)
        return center > of_items + seeds_squared_half_width(sides, level)

    return 1.0 if mean == 0 or _effective_items(variance, across, 0.95) == 0 else p_from_intervals(excludes_zero)

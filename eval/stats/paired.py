"""Two sides that answered the same items, compared item by item."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from eval.stats.components import Components, components
from eval.stats.resample import (
    SEED,
    Array,
    Clusters,
    checked,
    codes_of,
    kind_of,
    normal_quantile,
    percentiles,
    resampled_means,
    seed_resampled,
)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A mean of item-by-item differences (the first minus the second) over `n` shared items, with its interval."""

    difference: float
    low: float
    high: float
    kind: str
    n: int
    p: float | None = None  # two-sided, of no difference; None where it was not worked out


@dataclass(frozen=True, kw_only=True)
class Share:
    """What share of a gap was recovered (1 is all of it; below 0 and above 1 are possible), with its interval."""

    share: float
    low: float
    high: float
    kind: str


def paired_difference(
    a: ArrayLike, b: ArrayLike, clusters: Clusters | None = None, *, level: float = 0.95
) -> Difference:
    """Mean of `a` minus mean of `b` on the same items, with an interval and a p value that pair them item by item.

    Each side is one score per item or a matrix (seeds, items), the columns in the same order. The items' differences
    and either side's seeds are random factors with their own t quantiles (`components`). Agresti & Min (2005): half an
    item is added to each of the four outcomes of a pair, so that no disagreement at all is not taken for certainty.
    `p` is the smallest 1 - level whose interval leaves out 0. ValueError for unequal numbers of items, a NaN or a score
    outside [0, 1].
    """
    first, second = _sides(a, b)
    items = first.mean(axis=0) - second.mean(axis=0)
    parts = components(items[None, :], clusters), components(first, clusters), components(second, clusters)
    seen = _Moments.of(items)
    low, high = _agresti_min(seen, parts, level)
    return Difference(
        difference=float(items.mean()),
        low=max(-1.0, low),
        high=min(1.0, high),
        kind=kind_of("paired", level),
        n=len(items),
        p=_p_value(seen, parts),
    )


def bootstrap_difference(
    a: ArrayLike, b: ArrayLike, clusters: Clusters | None = None, *, level: float = 0.95
) -> Difference:
    """The same by percentile bootstrap of the items' differences, for who would rather not assume a shape.

    Items (clusters of them) are resampled, deviations stretched to the width that clusters and seeds call for
    (Hesterberg 2015; `components`). `p` is twice the share of stretched means beyond 0, with one added above and below
    (Davison & Hinkley 1997): never 0.
    """
    first, second = _sides(a, b)
    items = first.mean(axis=0) - second.mean(axis=0)
    codes = codes_of(clusters, len(items))
    parts = components(items[None, :], clusters), components(first, clusters), components(second, clusters)
    mean = float(items.mean())
    means = resampled_means(items[None, :], codes, np.random.default_rng(SEED))[:, 0]
    width, seen = _squared_half_width(parts, level), float(means.var())
    stretch = (width / seen) ** 0.5 / normal_quantile(level) if seen > 0 else 1.0
    low, high = percentiles(mean + stretch * (means - mean), level)
    beyond = np.count_nonzero(np.sign(mean) * (mean + stretch * (means - mean)) <= 0)
    return Difference(
        difference=mean,
        low=max(-1.0, low),
        high=min(1.0, high),
        kind=kind_of("paired bootstrap", level),
        n=len(items),
        p=min(1.0, 2 * (beyond + 1) / (len(means) + 1)),
    )


def gap_recovered(
    a: ArrayLike, floor: ArrayLike, ceiling: ArrayLike, clusters: Clusters | None = None, *, level: float = 0.95
) -> Share | None:
    """(mean of `a` - floor) / (ceiling - floor) on the same items, each side a matrix as in `paired_difference`.

    Percentile bootstrap of the ratio: all sides share the resampled item clusters, and each resamples its own seeds
    (where `a` is the ceiling itself, both at once). Never narrower than what is gained over the floor, divided by the
    gap, so that no disagreement at all is not taken for certainty. None where the interval of the gap holds 0: a share
    of what may be nothing is no number. ValueError as in `paired_difference`.
    """
    if paired_difference(ceiling, floor, clusters, level=level).low <= 0:
        return None
    sides = [checked(np.atleast_2d(np.asarray(side, dtype=float)), dimensions=2) for side in (a, floor, ceiling)]
    rng = np.random.default_rng(SEED)
    means = resampled_means(np.vstack(sides), codes_of(clusters, sides[0].shape[1]), rng)
    parts = np.split(means, np.cumsum([len(side) for side in sides])[:-1], axis=1)
    low_end, high_end = (seed_resampled(part, rng) for part in parts[1:])
    ours = high_end if np.array_equal(sides[0], sides[2]) else seed_resampled(parts[0], rng)
    gap = high_end - low_end
    ratios = (ours - low_end)[gap > 0] / gap[gap > 0]  # a resampled gap of nothing says nothing of shares
    low, high = percentiles(ratios, level)
    value, bottom, top = (float(side.mean()) for side in sides)
    if not np.array_equal(sides[0], sides[2]):
        gained = paired_difference(a, floor, clusters, level=level)
        low, high = min(low, gained.low / (top - bottom)), max(high, gained.high / (top - bottom))
    return Share(share=(value - bottom) / (top - bottom), low=low, high=high, kind=kind_of("ratio bootstrap", level))


_Parts = tuple[Components, Components, Components]  # the items' differences, and each side for its seeds


def _sides(a: ArrayLike, b: ArrayLike) -> tuple[Array, Array]:
    first, second = (checked(np.atleast_2d(np.asarray(side, dtype=float)), dimensions=2) for side in (a, b))
    if first.shape[1] != second.shape[1]:
        raise ValueError(f"paired scores need the same items: {first.shape[1]} against {second.shape[1]}")
    return first, second


def _squared_half_width(parts: _Parts, level: float) -> float:
    items, *sides = parts
    return items.squared_half_width(level) + sum(side.seeds_quantile(level) ** 2 * side.seeds for side in sides)


@dataclass(frozen=True)
class _Moments:
    """What the interval takes from the items' differences."""

    mean: float
    squares: float
    variance: float

    @classmethod
    def of(cls, differences: Array) -> "_Moments":
        return cls(float(differences.mean()), float(np.mean(differences**2)), float(differences.var()))


def _agresti_min(seen: _Moments, parts: _Parts, level: float) -> tuple[float, float]:
    """Agresti & Min's adjusted Wald interval, written for differences in [-1, 1] and an effective number of items."""
    n = _worth(seen.variance, parts, level)
    total, squares = n * seen.mean, n * seen.squares
    center = total / (n + 2)
    half = normal_quantile(level) * (((squares + 1) / (n + 2) - center**2) / (n + 2)) ** 0.5
    return float(center - half), float(center + half)


def _worth(spread: float, parts: _Parts, level: float) -> float:
    """How many independent items with differences of this variance leave the mean as uncertain as it is."""
    items, *sides = parts
    seeds = sum(side.seeds for side in sides)
    if items.num_clusters == items.num_items and seeds == 0:
        return float(items.num_items)
    if items.num_clusters == 1:
        return 0.0
    z = normal_quantile(level)
    if spread == 0 and seeds == 0:
        return items.num_items / items.kish * (z / items.items_quantile(level)) ** 2
    squared = _squared_half_width(parts, level)
    return min(float(items.num_items), spread * z**2 / squared) if squared > 0 else items.num_items / items.kish


def _p_value(seen: _Moments, parts: _Parts) -> float:
    """Bisection in the logarithm of p; what lies below 1e-15 is that."""
    lowest, highest = math.log(1e-15), 0.0

    def leaves_out_zero(log_p: float) -> bool:
        low, high = _agresti_min(seen, parts, 1 - math.exp(log_p))
        return low > 0 or high < 0

    if seen.mean == 0 or not leaves_out_zero(math.log(1 - 1e-12)):
        return 1.0
    for _ in range(40):
        middle = (lowest + highest) / 2
        lowest, highest = (lowest, middle) if leaves_out_zero(middle) else (middle, highest)
    return math.exp(highest)

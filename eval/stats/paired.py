"""Two sides that answered the same items, compared item by item."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from eval.stats.intervals import effective_n
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
    """Mean of `a` minus mean of `b` on the same items, with an interval that pairs them item by item.

    Each side is one score per item or a matrix (seeds, items), the columns in the same order. Bootstrap: both sides
    share the resampled item clusters and each resamples its own seeds. Never narrower than the interval of Agresti &
    Min (2005), which adds half an item to each of the four outcomes of a pair, so that no disagreement at all is not
    taken for certainty. ValueError for unequal numbers of items, a NaN or a score outside [0, 1].
    """
    first, second = (checked(np.atleast_2d(np.asarray(side, dtype=float)), dimensions=2) for side in (a, b))
    n = first.shape[1]
    if second.shape[1] != n:
        raise ValueError(f"paired scores need the same items: {n} against {second.shape[1]}")
    rng = np.random.default_rng(SEED)
    means = resampled_means(np.vstack([first, second]), codes_of(clusters, n), rng)
    gaps = seed_resampled(means[:, : len(first)], rng) - seed_resampled(means[:, len(first) :], rng)
    low, high = percentiles(gaps, level)
    items = first.mean(axis=0) - second.mean(axis=0)
    least_low, least_high = agresti_min(items, effective_n((items + 1) / 2, clusters, level=level), level)
    return Difference(
        difference=float(items.mean()),
        low=max(-1.0, min(low, least_low)),
        high=min(1.0, max(high, least_high)),
        kind=kind_of("paired bootstrap", level),
        n=n,
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


def agresti_min(differences: Array, n: float, level: float) -> tuple[float, float]:
    """Agresti & Min's adjusted Wald interval, written for differences in [-1, 1] and `n` effective items."""
    if n <= 0:
        return -1.0, 1.0
    total, squares = n * differences.mean(), n * np.mean(differences**2)
    center = total / (n + 2)
    half = normal_quantile(level) * np.sqrt(((squares + 1) / (n + 2) - center**2) / (n + 2))
    return float(center - half), float(center + half)

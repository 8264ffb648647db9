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
    draw_seed_effects,
    p_from_intervals,
)
from educe.eval.analysis.statistics.resample import (
    SEED,
    Array,
    Clusters,
    check_scores,
    cluster_codes,
    interval_kind,
    normal_quantile,
    percentiles,
    resampled_means,
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
    p: float | None = None  # two-sided, of no difference; None where it was not worked out


@dataclass(frozen=True, kw_only=True)
class Share:
    """What share of a gap was recovered (1 is all of it; below 0 and above 1 are possible), with its interval."""

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
    and both sides' seeds are random factors with their own t quantiles (`components`, `of_seeds`). Agresti & Min
    (2005): half an item is added to each of the four outcomes of a pair, so that no disagreement at all is not taken
    for certainty. `p` is the smallest 1 - level whose interval leaves out 0. `seed_variances` is what is known of either
    side's spread over seeds beyond these matrices. ValueError for unequal numbers of items, a NaN or a score outside
    [0, 1].
    """
    first, second = _sides(a, b)
    items = first.mean(axis=0) - second.mean(axis=0)
    parts = _parts(items, (first, second), clusters, seed_variances)
    low, high = _agresti_min(items, parts, level)
    mean = float(items.mean())
    return Difference(
        difference=mean,
        low=max(-1.0, min(low, mean)),
        high=min(1.0, max(high, mean)),
        kind=interval_kind("paired Agresti-Min", level),
        n=len(items),
        p=_p_value(items, parts),
    )


def bootstrap_difference(
    a: ArrayLike,
    b: ArrayLike,
    clusters: Clusters | None = None,
    *,
    seed_variances: SeedVariances = (None, None),
    level: float = 0.95,
) -> Difference:
    """The same by percentile bootstrap of the items' differences, for who would rather not assume a shape.

    Items (clusters of them) are resampled, deviations stretched to the width that clusters and seeds call for
    (Hesterberg 2015; `components`). `p` is twice the share of stretched means beyond 0, with one added above and below
    (Davison & Hinkley 1997): never 0. Neither is the interval narrower nor p smaller than in `paired_difference`,
    because items on which both sides agree by luck are in no resample.
    """
    first, second = _sides(a, b)
    items = first.mean(axis=0) - second.mean(axis=0)
    codes = cluster_codes(clusters, len(items))
    parts = _parts(items, (first, second), clusters, seed_variances)
    mean = float(items.mean())
    means = resampled_means(items[None, :], codes, np.random.default_rng(SEED))[:, 0]
    width = parts[0].squared_half_width(level) + seeds_squared_half_width(parts[1:], level)
    seen = float(means.var())
    stretch = (width / seen) ** 0.5 / normal_quantile(level) if seen > 0 else 1.0
    low, high = percentiles(mean + stretch * (means - mean), level)
    beyond = np.count_nonzero(np.sign(mean) * (mean + stretch * (means - mean)) <= 0)
    least_low, least_high = _agresti_min(items, parts, level)
    return Difference(
        difference=mean,
        low=max(-1.0, min(low, least_low)),
        high=min(1.0, max(high, least_high)),
        kind=interval_kind("paired bootstrap", level),
        n=len(items),
        p=min(1.0, max(_p_value(items, parts), 2 * (beyond + 1) / (len(means) + 1))),
    )


def gap_recovered(
    a: ArrayLike,
    floor: ArrayLike,
    ceiling: ArrayLike,
    clusters: Clusters | None = None,
    *,
    seed_variances: tuple[SeedVariance | None, SeedVariance | None, SeedVariance | None] = (None, None, None),
    level: float = 0.95,
) -> Share | None:
    """(mean of `a` - floor) / (ceiling - floor) on the same items, each side a matrix as in `paired_difference`.

    Percentiles of the ratio: all sides share the resampled item clusters, and each draws what its seeds add (where `a`
    is the ceiling itself, both at once). Never narrower than what is gained over the floor, divided by the
    gap, so that no disagreement at all is not taken for certainty. None where the interval of the gap holds 0: a share
    of what may be nothing is no number. ValueError as in `paired_difference`.
    """
    if (
        paired_difference(
            ceiling, floor, clusters, seed_variances=(seed_variances[2], seed_variances[1]), level=level
        ).low
        <= 0
    ):
        return None
    sides = [check_scores(np.atleast_2d(np.asarray(side, dtype=float)), dimensions=2) for side in (a, floor, ceiling)]
    rng = np.random.default_rng(SEED)
    means = resampled_means(np.vstack(sides), cluster_codes(clusters, sides[0].shape[1]), rng)
    split = np.split(means, np.cumsum([len(side) for side in sides])[:-1], axis=1)
    drawn = [
        part.mean(axis=1) + draw_seed_effects(components(side, clusters, spread), rng, len(means))
        for part, side, spread in zip(split, sides, seed_variances, strict=True)
    ]
    low_end, high_end = drawn[1:]
    ours = high_end if np.array_equal(sides[0], sides[2]) else drawn[0]
    gap = high_end - low_end
    ratios = (ours - low_end)[gap > 0] / gap[gap > 0]  # a resampled gap of nothing says nothing of shares
    low, high = percentiles(ratios, level)
    value, bottom, top = (float(side.mean()) for side in sides)
    if not np.array_equal(sides[0], sides[2]):
        gained = paired_difference(a, floor, clusters, seed_variances=seed_variances[:2], level=level)
        low, high = min(low, gained.low / (top - bottom)), max(high, gained.high / (top - bottom))
    return Share(
        share=(value - bottom) / (top - bottom), low=low, high=high, kind=interval_kind("ratio bootstrap", level)
    )


_Parts = tuple[Components, Components, Components]  # the items' differences, and each side for its seeds


def _parts(
    items: Array, sides: tuple[Array, Array], clusters: Clusters | None, seed_variances: SeedVariances
) -> _Parts:
    first, second = (components(side, clusters, spread) for side, spread in zip(sides, seed_variances, strict=True))
    return components(items[None, :], clusters), first, second


def _sides(a: ArrayLike, b: ArrayLike) -> tuple[Array, Array]:
    first, second = (check_scores(np.atleast_2d(np.asarray(side, dtype=float)), dimensions=2) for side in (a, b))
    if first.shape[1] != second.shape[1]:
        raise ValueError(f"paired scores need the same items: {first.shape[1]} against {second.shape[1]}")
    return first, second


def seeds_squared_half_width(sides: Sequence[Components], level: float) -> float:
    """What the seeds of two compared sides add to the squared half width of their difference.

    The sides' variances are added: two seed_variances, each known from few seeds, are known better together. The degrees of
    freedom of the sum are Welch's (1947), nearly unbiased where each side has two or more; with fewer, the smaller ones
    of Satterthwaite (1946). They are those at 95%, so that an interval never narrows as its level rises; where nothing
    is known of seeds there, those of the seed_variances as they were seen.
    """
    variance = sum(side.seeds_at(level, of_difference=True) for side in sides)
    if variance == 0:
        return 0.0
    freedom = _freedom(sides, 0.95) or _freedom(sides, 1.0)
    return float(special.stdtrit(freedom, 0.5 + level / 2)) ** 2 * variance


def _freedom(sides: Sequence[Components], level: float) -> float:
    """Degrees of freedom of the summed variance over seeds at a level, 0 where that is 0."""
    parts = [(side.seeds_at(level, of_difference=True), side.seeds_df) for side in sides]
    known = [(each, freedom) for each, freedom in parts if each > 0]
    if not known:
        return 0.0
    more = 2 if all(freedom > 1 for _, freedom in known) else 0
    return float(
        sum(each for each, _ in known) ** 2 / sum(each**2 / (freedom + more) for each, freedom in known) - more
    )


def _agresti_min(differences: Array, parts: _Parts, level: float) -> tuple[float, float]:
    """Agresti & Min's adjusted Wald interval, written for differences in [-1, 1] and an effective number of items, and
    widened by what seeds do.
    """
    n = _effective_items(float(differences.var()), parts[0], level)
    if n == 0:
        return -1.0, 1.0
    total, squares = n * float(differences.mean()), n * float(np.mean(differences**2))
    center = total / (n + 2)
    of_items = normal_quantile(level) ** 2 * ((squares + 1) / (n + 2) - center**2) / (n + 2)
    half = (of_items + seeds_squared_half_width(parts[1:], level)) ** 0.5
    return float(center - half), float(center + half)


def _effective_items(spread: float, items: Components, level: float) -> float:
    """How many independent items with differences of this variance leave the mean as uncertain as these items do."""
    if items.num_clusters == items.num_items:
        return float(items.num_items)
    if items.num_clusters == 1:
        return 0.0
    t = items.items_quantile(level)
    of_one = spread if spread > 0 else 1.0
    # Where no variance is seen every cluster is taken to move as one (Kish 1965).
    of_mean = items.items if spread > 0 and items.items > 0 else of_one * items.mean_cluster_size / items.num_items
    return min(float(items.num_items), of_one / of_mean * (normal_quantile(level) / t) ** 2)


def _p_value(differences: Array, parts: _Parts) -> float:
    """`p_from_intervals` of no difference."""
    mean, spread = float(differences.mean()), float(differences.var())
    square, squares = mean**2, float(np.mean(differences**2))

    def leaves_out_zero(level: float) -> bool:
        # `_agresti_min` asked for its sign alone: the center squared is above the half width squared.
        n = _effective_items(spread, parts[0], level)
        center = n**2 * square / (n + 2) ** 2
        of_items = normal_quantile(level) ** 2 * ((n * squares + 1) / (n + 2) - center) / (n + 2)
        return center > of_items + seeds_squared_half_width(parts[1:], level)

    return 1.0 if mean == 0 or _effective_items(spread, parts[0], 0.95) == 0 else p_from_intervals(leaves_out_zero)

"""Variance components of a mean score: items (clusters of them) and seeds."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from educe.eval.analysis.statistics.resample import (
    SEED,
    Array,
    Clusters,
    cluster_codes,
    normal_quantile,
    resampled_means,
)

# The noise at single items that is part of the variance between three seeds' means is known only roughly. Removing all
# of it leaves intervals of scores that cover too little where seeds matter, removing none makes them wide where seeds
# do not matter. The variance of a difference over items contains that noise already, and its remainder over seeds is
# cut off at 0, so too large on average: a fifth more than all is removed there. `tests.benchmarks.coverage` supports
# both shares at 95%.
ITEM_NOISE_REMOVED, ITEM_NOISE_REMOVED_FROM_DIFFERENCES = 0.8, 1.2
# Above 95% less is removed, by this power of 1 - level: three seeds seem to agree more often than small p values occur.
REMOVAL_EXPONENT = 0.3
# The variance of two seeds is estimated with the recipe's other budgets, which count as so many degrees of freedom.
BORROWED_DF = 2


@dataclass(frozen=True, kw_only=True)
class SeedVariance:
    """The variance component of seeds, and its degrees of freedom.

    `latent_variance` is on the normal (probit) scale of the score: the same variance moves scores in the middle more
    than those near 0 and 1. `item_noise` is the part of the variance between seeds that noise at single items adds,
    most of which is removed from `latent_variance`; of two seeds none is removed.
    """

    latent_variance: float
    df: int
    item_noise: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Components:
    """The variance components of a mean over seeds and items.

    `items` is the variance by sampling items (clusters of them), the interaction with seeds included; `seeds` the
    variance by seeds, for an interval at 95%; `item_noise` the part of the variance between seeds that noise at single
    items adds. `mean_cluster_size` is the mean size of an item's cluster (Kish 1965): 1 where items are independent.
    """

    mean: float
    items: float
    seeds: float
    num_items: int
    num_clusters: int
    num_seeds: int
    seeds_df: int
    mean_cluster_size: float
    item_noise: float = 0.0

    def seeds_at(self, level: float, *, of_difference: bool = False) -> float:
        """The variance by seeds for an interval at `level`: at 95% and below `seeds`.

        Above 95% less item noise is removed, and two seeds are not taken to agree by more than that noise.
        `of_difference`: where the mean is one side of a difference that is taken item by item.
        """
        share = item_noise_share(level)
        if self.num_seeds == 2:
            return max(self.seeds, (1 - share) * self.item_noise)
        removed = ITEM_NOISE_REMOVED_FROM_DIFFERENCES if of_difference else ITEM_NOISE_REMOVED
        return max(0.0, self.seeds + (ITEM_NOISE_REMOVED - removed * share) * self.item_noise)

    def squared_half_width(self, level: float) -> float:
        """The mean's squared half width: the sum of the components, each times its squared t quantile.

        Degrees of freedom: the number of clusters less one, where items come in clusters; those of the seed variance.
        Each factor alone is then right, whichever dominates (Graybill & Wang 1980 for sums of variances).
        """
        return self.items_quantile(level) ** 2 * self.items + self.seeds_quantile(level) ** 2 * self.seeds_at(level)

    def items_quantile(self, level: float) -> float:
        """The quantile by which the standard error over items is multiplied."""
        if self.num_clusters == self.num_items:
            return normal_quantile(level)
        return float(special.stdtrit(self.num_clusters - 1, 0.5 + level / 2))

    def seeds_quantile(self, level: float) -> float:
        """The quantile by which the standard error over seeds is multiplied; 0 for one seed, which has none."""
        return float(special.stdtrit(self.seeds_df, 0.5 + level / 2)) if self.num_seeds > 1 else 0.0


def item_noise_share(level: float) -> float:
    """The share of the item noise removed at 95% that is removed at `level`."""
    return min(1.0, (1 - level) / 0.05) ** REMOVAL_EXPONENT


def components(
    matrix: Array, clusters: Clusters | None = None, seed_variance: SeedVariance | None = None
) -> Components:
    """Variance components of the mean of `matrix` (seeds, items), whose columns may come in clusters.

    Items: the clustered variance of the items' means over seeds (Miller 2024), times C / (C - 1) for C clusters, and no
    less than if seeds were independent. It is infinite for a single cluster. Seeds: `seed_variance`, which other
    budgets may have helped to estimate, at this mean and over the number of seeds; without it, that of this matrix.
    """
    num_seeds, num_items = matrix.shape
    codes = cluster_codes(clusters, num_items)
    num_clusters = int(codes.max()) + 1
    sizes = np.bincount(codes)
    mean = float(matrix.mean())
    items, seeds, item_noise, df = float("inf"), 0.0, 0.0, 0
    if num_clusters > 1:
        items = _items_variance(matrix.mean(axis=0), codes)
        if num_seeds > 1:
            # Seeds that err on opposite items seem to leave no variance; they are taken to be independent at best.
            items = max(items, sum(_items_variance(row, codes) for row in matrix) / num_seeds**2)
            seed_variance = seed_variance or estimate_seed_variance([(matrix, clusters)])
            if seed_variance is not None:
                slope = _squared_slope(mean, num_items) / num_seeds
                seeds, item_noise = seed_variance.latent_variance * slope, seed_variance.item_noise * slope
                df = seed_variance.df
    return Components(
        mean=mean,
        items=items,
        seeds=seeds,
        num_items=num_items,
        num_clusters=num_clusters,
        num_seeds=num_seeds,
        seeds_df=df,
        mean_cluster_size=float(np.sum(sizes**2)) / num_items,
        item_noise=item_noise,
    )


def estimate_seed_variance(measured: Iterable[tuple[Array, Clusters | None]]) -> SeedVariance | None:
    """The seed variance pooled over budgets: matrices (seeds, items) and their clusters.

    Each budget's variance of the seeds' means, less most of the item noise in it, is weighted by its degrees of
    freedom. None without two seeds anywhere, and where all items are of one cluster.
    """
    variance = noise_variance = slopes = 0.0
    df = 0
    for matrix, clusters in measured:
        codes = cluster_codes(clusters, matrix.shape[1])
        if len(matrix) > 1 and int(codes.max()) > 0:
            of_one, item_noise = _one_seed_variance(matrix, codes)
            variance += (len(matrix) - 1) * of_one
            noise_variance += (len(matrix) - 1) * item_noise
            slopes += (len(matrix) - 1) * _squared_slope(float(matrix.mean()), matrix.shape[1])
            df += len(matrix) - 1
    return SeedVariance(latent_variance=variance / slopes, df=df, item_noise=noise_variance / slopes) if df else None


def draw_seed_effects(parts: Components, rng: np.random.Generator, num_draws: int) -> Array:
    """Draws of what other seeds would change in a mean: Student's t with the degrees of freedom of their variance."""
    if parts.seeds == 0:
        return np.zeros(num_draws)
    return np.asarray(parts.seeds**0.5 * rng.standard_t(parts.seeds_df, num_draws))


def resample_sides(
    sides: Sequence[Array], clusters: Clusters | None, seed_variances: Sequence[SeedVariance | None]
) -> list[Array]:
    """Means of each side (seeds, items): all share the resampled item clusters, and each draws its seeds' effects."""
    rng = np.random.default_rng(SEED)
    means = resampled_means(np.vstack(sides), cluster_codes(clusters, sides[0].shape[1]), rng)
    split = np.split(means, np.cumsum([len(side) for side in sides])[:-1], axis=1)
    return [
        part.mean(axis=1) + draw_seed_effects(components(side, clusters, seed_variance), rng, len(means))
        for part, side, seed_variance in zip(split, sides, seed_variances, strict=True)
    ]


def pooled_seed_variance(estimates: Iterable[SeedVariance | None]) -> SeedVariance | None:
    """The mean of seed variances weighted by their degrees of freedom; None where there are none."""
    known = [each for each in estimates if each is not None]
    return _weighted([(each, each.df) for each in known]) if known else None


def moderated_seed_variance(own: SeedVariance | None, others: SeedVariance | None) -> SeedVariance | None:
    """The variance of two seeds, averaged with that of seeds at other budgets of the same recipe.

    Smyth (2004): a variance with few degrees of freedom is averaged with a prior one that counts for some more.
    That of three seeds or more stays as it is, because budgets can differ: small ones often vary more.
    """
    if own is None or others is None or own.df > 1:
        return own
    return _weighted([(own, own.df), (others, min(BORROWED_DF, others.df))])


def p_from_intervals(excludes: Callable[[float], bool]) -> float:
    """The p value of a null value: the smallest 1 - level whose interval `excludes` it.

    Bisection in the logarithm of p, down to 1e-15. 1 where no interval excludes it.
    """
    lowest, highest = float(np.log(1e-15)), 0.0
    if not excludes(1e-12):
        return 1.0
    for _ in range(40):
        middle = (lowest + highest) / 2
        lowest, highest = (lowest, middle) if excludes(1 - float(np.exp(middle))) else (middle, highest)
    return float(np.exp(highest))


def _weighted(parts: Sequence[tuple[SeedVariance, int]]) -> SeedVariance:
    df = sum(weight for _, weight in parts)
    return SeedVariance(
        latent_variance=sum(weight * each.latent_variance for each, weight in parts) / df,
        df=df,
        item_noise=sum(weight * each.item_noise for each, weight in parts) / df,
    )


def _items_variance(scores: Array, codes: NDArray[np.int64]) -> float:
    """The clustered variance of a mean over items."""
    return _cluster_factor(codes) * float(np.sum(np.bincount(codes, weights=scores - scores.mean()) ** 2))


def _one_seed_variance(matrix: Array, codes: NDArray[np.int64]) -> tuple[float, float]:
    """The variance of one seed's mean by seeds alone, and the item noise in it."""
    per_seed = matrix.mean(axis=1)
    rest = matrix - per_seed[:, None] - (matrix.mean(axis=0) - matrix.mean())
    squares = sum(float(np.sum(np.bincount(codes, weights=row) ** 2)) for row in rest)
    item_noise = _cluster_factor(codes) * squares / (len(matrix) - 1)
    # Of two seeds nothing is removed: half of the time they would seem to agree exactly.
    removed = ITEM_NOISE_REMOVED if len(matrix) > 2 else 0.0
    return max(0.0, float(per_seed.var(ddof=1)) - removed * item_noise), item_noise


def _cluster_factor(codes: NDArray[np.int64]) -> float:
    """The factor from a sum of squared cluster sums to the variance of a mean."""
    num_clusters = int(codes.max()) + 1
    return num_clusters / (num_clusters - 1) / len(codes) ** 2


def _squared_slope(mean: float, num_items: int) -> float:
    """The squared derivative of a score by its latent value: the squared normal density (delta method).

    The score by Laplace's rule: a score of 0 or 1 does not prove that seeds have no effect.
    """
    quantile = special.ndtri((mean * num_items + 1) / (num_items + 2))
    return float(np.exp(-(quantile**2)) / (2 * np.pi))

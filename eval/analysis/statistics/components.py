"""Where a mean's uncertainty comes from: which items were asked, and which seeds were run."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from educe.eval.analysis.statistics.power import (
    BORROWED_DF,
    ITEM_NOISE_REMOVED,
    ITEM_NOISE_REMOVED_FROM_DIFFERENCES,
    item_noise_share,
)
from educe.eval.analysis.statistics.resample import Array, Clusters, cluster_codes, normal_quantile


@dataclass(frozen=True, kw_only=True)
class SeedVariance:
    """How much a run's latent_variance varies with its seed, and by how many degrees of freedom that is known.

    `latent_variance` is a variance on the normal scale under an answer: it moves scores in the middle more than those near 0
    and 1, as seeds do. `luck` is what luck at single items adds to the spread that is seen, most of which is not in
    `latent_variance` any more; of two seeds none is taken out.
    """

    latent_variance: float
    df: int
    item_noise: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Components:
    """The variance of a mean over seeds and items, by the factor that it comes from.

    `items` is what other items (clusters of them) would have changed, the interaction with seeds included; `seeds` what
    other seeds would have, for an interval at 95%, and `luck` what luck at single items adds to the spread over seeds.
    `kish` is the mean size of an item's cluster: 1 where every item stands alone.
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
        """What other seeds would have changed, for an interval at `level`: at 95% and below `seeds`.

        Above it less of the luck at items is taken out, and two seeds are not believed to agree by more than that luck.
        `of_difference`: where the mean is one side of a difference that is taken item by item.
        """
        share = item_noise_share(level)
        if self.num_seeds == 2:
            return max(self.seeds, (1 - share) * self.item_noise)
        taken_out = ITEM_NOISE_REMOVED_FROM_DIFFERENCES if of_difference else ITEM_NOISE_REMOVED
        return max(0.0, self.seeds + (ITEM_NOISE_REMOVED - taken_out * share) * self.item_noise)

    def squared_half_width(self, level: float) -> float:
        """Half the width of the mean's interval, squared: each part by its own t quantile, added.

        Degrees of freedom: one less than there are clusters, where items come in clusters; those by which the spread
        over seeds is known. Each factor alone is then right, whichever dominates (Graybill & Wang 1980 for sums of
        variances).
        """
        return self.items_quantile(level) ** 2 * self.items + self.seeds_quantile(level) ** 2 * self.seeds_at(level)

    def items_quantile(self, level: float) -> float:
        """Standard errors on each side of the mean for what items do."""
        if self.num_clusters == self.num_items:
            return normal_quantile(level)
        return float(special.stdtrit(self.num_clusters - 1, 0.5 + level / 2))

    def seeds_quantile(self, level: float) -> float:
        """Standard errors on each side of the mean for what seeds do; 0 for one seed, which says nothing of others."""
        return float(special.stdtrit(self.seeds_df, 0.5 + level / 2)) if self.num_seeds > 1 else 0.0


def components(matrix: Array, clusters: Clusters | None = None, spread: SeedVariance | None = None) -> Components:
    """Variance components of the mean of `matrix` (seeds, items), whose columns may come in clusters.

    Items: the clustered variance of the items' means over seeds (Miller 2024), times C / (C - 1) for C clusters, and no
    less than if seeds were independent. A single cluster says nothing of others: infinite. Seeds: `spread`, which other
    budgets may have helped to know, at this mean and over the number of seeds; without it, what this matrix says.
    """
    num_seeds, num_items = matrix.shape
    codes = cluster_codes(clusters, num_items)
    num_clusters = int(codes.max()) + 1
    sizes = np.bincount(codes)
    mean = float(matrix.mean())
    items, seeds, item_noise, freedom = float("inf"), 0.0, 0.0, 0
    if num_clusters > 1:
        items = _of_items(matrix.mean(axis=0), codes)
        if num_seeds > 1:
            # Seeds that err on opposite items seem to leave no variance; they are believed to be independent at best.
            items = max(items, sum(_of_items(row, codes) for row in matrix) / num_seeds**2)
        spread = (spread or estimate_seed_variance([(matrix, clusters)])) if num_seeds > 1 else None
        if spread is not None:
            moved = _moved(mean, num_items) / num_seeds
            seeds, item_noise, freedom = spread.latent_variance * moved, spread.item_noise * moved, spread.df
    return Components(
        mean=mean,
        items=items,
        seeds=seeds,
        num_items=num_items,
        num_clusters=num_clusters,
        num_seeds=num_seeds,
        seeds_df=freedom,
        mean_cluster_size=float(np.sum(sizes**2)) / num_items,
        item_noise=item_noise,
    )


def estimate_seed_variance(measured: Iterable[tuple[Array, Clusters | None]]) -> SeedVariance | None:
    """What runs at several budgets say together of the spread over seeds: matrices (seeds, items) and their clusters.

    Each budget's variance of the seeds' means, less most of what items alone add to it, weighs by its degrees of
    freedom: two seeds at one budget say next to nothing, two at each of four a good deal. None without two seeds
    anywhere, and where all items are of one cluster.
    """
    beyond = noise_variance = wanted = 0.0
    freedom = 0
    for matrix, clusters in measured:
        codes = cluster_codes(clusters, matrix.shape[1])
        if len(matrix) > 1 and int(codes.max()) > 0:
            of_one, item_noise = _of_one_seed(matrix, codes)
            beyond += (len(matrix) - 1) * of_one
            noise_variance += (len(matrix) - 1) * item_noise
            wanted += (len(matrix) - 1) * _moved(float(matrix.mean()), matrix.shape[1])
            freedom += len(matrix) - 1
    return (
        SeedVariance(latent_variance=beyond / wanted, df=freedom, item_noise=noise_variance / wanted)
        if freedom
        else None
    )


def draw_seed_effects(parts: Components, rng: np.random.Generator, num_draws: int) -> Array:
    """What other seeds might add to a mean: Student's t with the degrees of freedom by which their spread is known."""
    if parts.seeds == 0:
        return np.zeros(num_draws)
    return np.asarray(parts.seeds**0.5 * rng.standard_t(parts.seeds_df, num_draws))


def pooled_seed_variance(seed_variances: Iterable[SeedVariance | None]) -> SeedVariance | None:
    """SeedVariances over seeds as one, each weighing by its degrees of freedom; None where there are none."""
    known = [spread for spread in seed_variances if spread is not None]
    freedom = sum(spread.df for spread in known)
    return _weighed([(each, each.df) for each in known]) if freedom else None


def moderated_seed_variance(own: SeedVariance | None, others: SeedVariance | None) -> SeedVariance | None:
    """What two seeds say of their spread, with what seeds at other budgets of the same recipe say.

    Smyth (2004): a variance known from few degrees of freedom is averaged with a prior one that counts for some more.
    Three seeds or more speak for themselves, because budgets need not be alike: small ones often vary more.
    """
    if own is None or others is None or own.df > 1:
        return own
    return _weighed([(own, own.df), (others, min(BORROWED_DF, others.df))])


def p_from_intervals(leaves_out: Callable[[float], bool]) -> float:
    """The smallest 1 - level whose interval leaves a value out: `leaves_out` tells it of a level.

    Bisection in the logarithm of p; what lies below 1e-15 is that. 1 where no interval does.
    """
    lowest, highest = float(np.log(1e-15)), 0.0
    if not leaves_out(1e-12):
        return 1.0
    for _ in range(40):
        middle = (lowest + highest) / 2
        lowest, highest = (lowest, middle) if leaves_out(1 - float(np.exp(middle))) else (middle, highest)
    return float(np.exp(highest))


def _weighed(seed_variances: Iterable[tuple[SeedVariance, int]]) -> SeedVariance:
    """The mean of seed_variances that each count for so many degrees of freedom."""
    parts = list(seed_variances)
    freedom = sum(count for _, count in parts)
    ability, item_noise = (
        sum(count * getattr(each, name) for each, count in parts) / freedom
        for name in ("latent_variance", "item_noise")
    )
    return SeedVariance(latent_variance=ability, df=freedom, item_noise=item_noise)


def _of_items(scores: Array, codes: NDArray[np.int64]) -> float:
    """The clustered variance of a mean over items."""
    return _small(codes) * float(np.sum(np.bincount(codes, weights=scores - scores.mean()) ** 2))


def _of_one_seed(matrix: Array, codes: NDArray[np.int64]) -> tuple[float, float]:
    """The variance of one seed's mean that seeds alone make, and what luck at items adds to it."""
    per_seed = matrix.mean(axis=1)
    rest = matrix - per_seed[:, None] - (matrix.mean(axis=0) - matrix.mean())
    squares = sum(float(np.sum(np.bincount(codes, weights=row) ** 2)) for row in rest)
    item_noise = _small(codes) * squares / (len(matrix) - 1)
    # Of two seeds nothing is taken out: as often as not they would seem to agree exactly.
    taken_out = ITEM_NOISE_REMOVED if len(matrix) > 2 else 0.0
    return max(0.0, float(per_seed.var(ddof=1)) - taken_out * item_noise), item_noise


def _small(codes: NDArray[np.int64]) -> float:
    """What makes a sum of squared cluster sums the variance of a mean."""
    num_clusters = int(codes.max()) + 1
    return num_clusters / (num_clusters - 1) / len(codes) ** 2


def _moved(mean: float, num_items: int) -> float:
    """The squared change of a score with latent_variance: the normal density at the score's quantile (the delta method).

    The score by Laplace's rule: 0 or 1 is no proof that seeds do nothing.
    """
    quantile = special.ndtri((mean * num_items + 1) / (num_items + 2))
    return float(np.exp(-(quantile**2)) / (2 * np.pi))

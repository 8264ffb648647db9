"""Where a mean's uncertainty comes from: which items were asked, and which seeds were run."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from eval.stats.resample import Array, Clusters, codes_of, normal_quantile

# What items alone add to the spread of three seeds' means is known only roughly. Taking all of it out leaves intervals
# that cover too little where seeds matter, taking none out wide ones where they do not: `tests.benchmarks.coverage`.
_NOISE_TAKEN_OUT = 0.8


@dataclass(frozen=True, kw_only=True)
class Components:
    """The variance of a mean over seeds and items, by the factor that it comes from.

    `items` is what other items (clusters of them) would have changed, the interaction with seeds included; `seeds` what
    other seeds would have. `kish` is the mean size of an item's cluster: 1 where every item stands alone.
    """

    mean: float
    items: float
    seeds: float
    num_items: int
    num_clusters: int
    num_seeds: int
    kish: float

    def squared_half_width(self, level: float) -> float:
        """Half the width of the mean's interval, squared: each part by its own t quantile, added.

        Degrees of freedom: one less than there are clusters, where items come in clusters; one less than there are
        seeds. Each factor alone is then right whichever of them dominates (Graybill & Wang 1980 for sums of variances).
        """
        return self.items_quantile(level) ** 2 * self.items + self.seeds_quantile(level) ** 2 * self.seeds

    def items_quantile(self, level: float) -> float:
        """Standard errors on each side of the mean for what items do."""
        if self.num_clusters == self.num_items:
            return normal_quantile(level)
        return float(special.stdtrit(self.num_clusters - 1, 0.5 + level / 2))

    def seeds_quantile(self, level: float) -> float:
        """Standard errors on each side of the mean for what seeds do; 0 for one seed, which says nothing of others."""
        return float(special.stdtrit(self.num_seeds - 1, 0.5 + level / 2)) if self.num_seeds > 1 else 0.0


def components(matrix: Array, clusters: Clusters | None = None) -> Components:
    """Variance components of the mean of `matrix` (seeds, items), whose columns may come in clusters.

    Items: the clustered variance of the items' means over seeds (Miller 2024), times C / (C - 1) for C clusters. Seeds:
    the variance of the seeds' means less most of what items alone add to it, over the number of seeds. A single cluster
    says nothing of others: infinite.
    """
    num_seeds, num_items = matrix.shape
    codes = codes_of(clusters, num_items)
    num_clusters = int(codes.max()) + 1
    mean = float(matrix.mean())
    per_item = matrix.mean(axis=0) - mean
    sizes = np.bincount(codes)
    seeds = 0.0
    if num_clusters == 1:
        items = float("inf")
    else:
        small = num_clusters / (num_clusters - 1) / num_items**2
        items = small * float(np.sum(np.bincount(codes, weights=per_item) ** 2))
        if num_seeds > 1:
            seeds = _seeds_variance(matrix, per_item, codes, small)
    return Components(
        mean=mean,
        items=items,
        seeds=seeds,
        num_items=num_items,
        num_clusters=num_clusters,
        num_seeds=num_seeds,
        kish=float(np.sum(sizes**2)) / num_items,
    )


def _seeds_variance(matrix: Array, per_item: Array, codes: NDArray[np.int64], small: float) -> float:
    num_seeds = len(matrix)
    per_seed = matrix.mean(axis=1)
    rest = matrix - per_seed[:, None] - per_item
    noise = small * sum(float(np.sum(np.bincount(codes, weights=row) ** 2)) for row in rest) / (num_seeds - 1)
    return max(0.0, float(per_seed.var(ddof=1)) - _NOISE_TAKEN_OUT * noise) / num_seeds

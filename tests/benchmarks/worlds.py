"""Made-up studies whose truth is known: right or wrong by a threshold on a sum of normal effects.

An answer is right where item + cluster + seed + noise (normal, their variances adding to 1) lies below the quantile of
the wanted share, so that the share right over all items and seeds is that share exactly, however much items share.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]

ITEM = 0.5  # variance of the difficulty of items
CLUSTER = 0.2  # of what the items of a cluster share
SEED = 0.01  # of what all items of a seed share: a standard deviation of 4 points at 50%


def clusters_of(num_items: int, size: int) -> list[str] | None:
    """Names of clusters of `size` items each, or None where items are independent."""
    return None if size == 1 else [str(i // size) for i in range(num_items)]


def right(
    rng: np.random.Generator,
    shares: Sequence[float],
    *,
    num_items: int,
    cluster_size: int = 1,
    num_seeds: int = 1,
    seed_variance: float | Sequence[float] = SEED,
) -> Array:
    """Scores 0 and 1 of shape (conditions, seeds, items). Conditions share the items and differ in their accuracy.

    One seed has no effect of its own, because an interval from one seed is about that seed. Seeds can matter more in
    one condition than in another.
    """
    cluster = CLUSTER if cluster_size > 1 else 0.0
    conditions = len(shares)
    seed = np.broadcast_to(seed_variance if num_seeds > 1 else 0.0, conditions)[:, None, None]
    items = ITEM**0.5 * rng.standard_normal(num_items)
    if cluster:
        items = items + cluster**0.5 * rng.standard_normal(num_items)[np.arange(num_items) // cluster_size]
    seeds = seed**0.5 * rng.standard_normal((conditions, num_seeds, 1))
    noise = (1 - ITEM - cluster - seed) ** 0.5 * rng.standard_normal((conditions, num_seeds, num_items))
    return np.asarray(items + seeds + noise < special.ndtri(np.asarray(shares))[:, None, None], dtype=float)

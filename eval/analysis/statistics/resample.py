"""Checked scores, clusters as numbers, and resampling: the base of every interval."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Array = NDArray[np.float64]
Clusters = Sequence[str | None]

SEED = 20_240_607  # fixed: a report of the same results must be the same file
NUM_RESAMPLES = 2_000
_COST_OF_A_GROUP = 6  # the multinomial draw of one group costs as much as drawing so many clusters
_MAX_DRAWS_AT_ONCE = 200_000  # draws of this size stay in the processor's cache
_FEW_ROWS = 5  # with more rows than this, counting how often each cluster was drawn is faster than looking values up


def check_scores(scores: ArrayLike, *, dimensions: int = 1) -> Array:
    """Scores as floats, refused unless they are finite numbers in [0, 1]."""
    values = np.asarray(scores, dtype=float)
    if values.ndim != dimensions or values.size == 0:
        raise ValueError(f"expected a non-empty array of {dimensions} dimension(s), got shape {values.shape}")
    wrong = ~((values >= 0) & (values <= 1))
    if wrong.any():
        place = tuple(int(axis) for axis in np.argwhere(wrong)[0])
        raise ValueError(f"scores must be numbers in [0, 1], got {values[place]} at {place}; leave missing scores out")
    return values


def cluster_codes(clusters: Clusters | None, n: int) -> NDArray[np.int64]:
    """Every item's cluster as 0, 1, 2 ...; an item without a cluster gets one of its own."""
    if clusters is None:
        return np.arange(n)
    if len(clusters) != n:
        raise ValueError(f"{len(clusters)} clusters were given for {n} items")
    return _codes(tuple(clusters))


@lru_cache(maxsize=64)  # all conditions of a task have the same clusters, and coding them costs more than arithmetic
def _codes(clusters: tuple[str | None, ...]) -> NDArray[np.int64]:
    known: dict[Any, int] = {}
    codes = np.array([known.setdefault((i,) if name is None else name, len(known)) for i, name in enumerate(clusters)])
    codes.flags.writeable = False
    return codes


def independent_items(clusters: Sequence[str | None]) -> float:
    """How many independent items these are worth where the items of a cluster count as one (Kish 1965)."""
    sizes = np.bincount(cluster_codes(clusters, len(clusters)))
    return len(clusters) ** 2 / float(sizes @ sizes)


def in_one_cluster(clusters: Clusters | None, num_items: int) -> bool:
    """Whether all items are of one cluster, so that no variance between clusters can be estimated."""
    return int(cluster_codes(clusters, num_items).max()) == 0


def resampled_means(
    scores: Array, codes: NDArray[np.int64], rng: np.random.Generator, num_resamples: int = NUM_RESAMPLES
) -> Array:
    """Means of every row of `scores` (rows, items) under resampled clusters: shape (resamples, rows).

    Not scipy's bootstrap: clusters with the same size and sums are drawn as one group, which leaves the distribution
    exactly the same, makes binary scores cheap and the result independent of the items' order. Where nearly all
    differ, clusters are drawn one by one.
    """
    num_clusters = int(codes.max()) + 1
    sums = np.stack([np.bincount(codes, weights=row, minlength=num_clusters) for row in scores])
    columns = np.vstack([sums, np.bincount(codes, minlength=num_clusters)])
    groups, counts = np.unique(columns, axis=1, return_counts=True)
    if len(counts) * _COST_OF_A_GROUP > num_clusters:
        totals = _drawn_one_by_one(np.repeat(groups, counts, axis=1), rng, num_resamples)
    else:
        totals = _drawn_in_groups(groups, counts, rng, num_resamples)
    return totals[:, :-1] / totals[:, -1:]


def _drawn_in_groups(groups: Array, counts: NDArray[np.int64], rng: np.random.Generator, num_resamples: int) -> Array:
    """Sums of the columns of `groups`, each drawn as often as a multinomial says: (resamples, rows)."""
    num_clusters = int(counts.sum())
    chunk = max(1, _MAX_DRAWS_AT_ONCE // len(counts))
    sizes = [min(chunk, num_resamples - start) for start in range(0, num_resamples, chunk)]
    return np.concatenate(
        [rng.multinomial(num_clusters, counts / num_clusters, size=size).astype(float) @ groups.T for size in sizes]
    )


def _drawn_one_by_one(columns: Array, rng: np.random.Generator, num_resamples: int) -> Array:
    """Sums of as many random columns as there are: (resamples, rows).

    Chunks have seeds of their own, so that the number of threads changes nothing.
    """
    num_rows, num_clusters = columns.shape
    few = num_rows <= _FEW_ROWS
    chunk = max(1, _MAX_DRAWS_AT_ONCE // (num_clusters * (num_rows if few else 1)))
    sizes = [min(chunk, num_resamples - start) for start in range(0, num_resamples, chunk)]
    sums_of = _looked_up(columns) if few else _counted(columns)

    def one(job: tuple[np.random.Generator, int]) -> Array:
        own, size = job
        return sums_of(own.integers(num_clusters, size=(size, num_clusters), dtype=np.int32))

    with ThreadPoolExecutor() as threads:
        return np.concatenate(list(threads.map(one, zip(rng.spawn(len(sizes)), sizes, strict=True))))


def _looked_up(columns: Array) -> Callable[[NDArray[Any]], Array]:
    """From drawn clusters (resamples, clusters) to sums (resamples, rows), every drawn value looked up."""
    values = columns.astype(np.float32)
    constant = [bool(np.ptp(row) == 0) for row in columns]  # such as sizes where items are independent

    def sums_of(drawn: NDArray[Any]) -> Array:
        size, num_clusters = drawn.shape
        sums = [
            np.full(size, float(row[0]) * num_clusters) if same else np.take(row, drawn).sum(axis=1, dtype=np.float64)
            for row, same in zip(values, constant, strict=True)
        ]
        return np.stack(sums, axis=1)

    return sums_of


def _counted(columns: Array) -> Callable[[NDArray[Any]], Array]:
    """The same by counting how often each cluster was drawn."""

    def sums_of(drawn: NDArray[Any]) -> Array:
        size, num_clusters = drawn.shape
        own_places = drawn + np.arange(size)[:, None] * num_clusters
        counts = np.bincount(own_places.ravel(), minlength=size * num_clusters).reshape(size, num_clusters)
        return np.asarray(counts.astype(float) @ columns.T)

    return sums_of


def percentiles(values: Array, level: float) -> tuple[float, float]:
    """The two ends that leave out equal shares of the values."""
    low, high = np.quantile(values, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)


def small_sample_stretch(num_clusters: int, level: float) -> float:
    """The factor for resampled deviations, which are too small for few clusters: t / z * sqrt(C / (C - 1)).

    Hesterberg (2015), "What Teachers Should Know About the Bootstrap". For two clusters or more.
    """
    return t_quantile(num_clusters - 1, level) / normal_quantile(level) * (num_clusters / (num_clusters - 1)) ** 0.5


def normal_quantile(level: float) -> float:
    """Half the width of a two-sided normal interval in standard errors. ValueError for a level outside (0, 1)."""
    return float(special.ndtri(_upper_end(level)))


def error_of(low: float, high: float, level: float) -> float:
    """The standard error that the two-sided normal interval from `low` to `high` has."""
    return (high - low) / (2 * normal_quantile(level))


def t_quantile(df: float | int, level: float) -> float:
    """The same of Student's t."""
    return float(special.stdtrit(df, _upper_end(level)))


def _upper_end(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"an interval's level lies between 0 and 1, got {level}")
    return 0.5 + level / 2


def interval_kind(name: str, level: float) -> str:
    """The name of a method with its level, for example "Wilson 95%"."""
    return f"{name} {100 * level:.6g}%"

"""Several samples per item: the chance that at least one of k is right, and that all of k are."""

import numpy as np
from numpy.typing import ArrayLike

from educe.eval.analysis.statistics.intervals import score_interval
from educe.eval.analysis.statistics.metrics import Estimate
from educe.eval.analysis.statistics.resample import Array, Clusters, checked


def pass_at_k(
    right: ArrayLike, drawn: ArrayLike | int, k: int, clusters: Clusters | None = None, *, level: float = 0.95
) -> Estimate:
    """The chance that at least one of `k` samples is right: the mean over items of 1 - C(n - c, k) / C(n, k).

    Unbiased (Chen et al. 2021) from `right` = c of `drawn` = n samples per item (one number for all, or one each). The
    interval is of the mean over items or their clusters. ValueError for k over n, and counts that cannot be.
    """
    c, n = _counts(right, drawn, k)
    return _over_items(1 - _all_among(n - c, n, k), clusters, level)


def pass_hat_k(
    right: ArrayLike, drawn: ArrayLike | int, k: int, clusters: Clusters | None = None, *, level: float = 0.95
) -> Estimate:
    """The chance that all of `k` samples are right, pass^k: the mean over items of C(c, k) / C(n, k).

    Yao et al. (2024), "tau-bench". Everything else is as in `pass_at_k`.
    """
    c, n = _counts(right, drawn, k)
    return _over_items(_all_among(c, n, k), clusters, level)


def count_right(matrix: ArrayLike) -> tuple[Array, int]:
    """`right` and `drawn` of a matrix (samples, items) of 0 and 1. ValueError for other scores."""
    scores = checked(matrix, dimensions=2)
    if ((scores != 0) & (scores != 1)).any():
        raise ValueError("samples are right (1) or wrong (0); give graded ones a threshold first")
    return scores.sum(axis=0), len(scores)


def _counts(right: ArrayLike, drawn: ArrayLike | int, k: int) -> tuple[Array, Array]:
    c = np.asarray(right, dtype=float)
    if c.ndim != 1 or not c.size:
        raise ValueError(f"expected one count per item, got shape {c.shape}")
    n = np.broadcast_to(np.asarray(drawn, dtype=float), c.shape)
    wrong = ~((c >= 0) & (c <= n) & (c == np.floor(c)) & (n == np.floor(n)))
    if wrong.any():
        item = int(np.flatnonzero(wrong)[0])
        raise ValueError(f"item {item} has {c[item]:g} right of {n[item]:g} samples, which cannot be")
    if not 1 <= k <= n.min():
        raise ValueError(f"k counts from 1 to the fewest samples of an item, {n.min():g}; got {k}")
    return c, n


def _all_among(c: Array, n: Array, k: int) -> Array:
    """C(c, k) / C(n, k): the chance that k of n, drawn without replacement, are all among c of them."""
    steps = np.arange(k)
    # A factor of 0 is met before a negative one, where c is less than k.
    return np.asarray(np.prod(np.maximum(c[:, None] - steps, 0) / (n[:, None] - steps), axis=1))


def _over_items(values: Array, clusters: Clusters | None, level: float) -> Estimate:
    interval = score_interval(values, clusters, level=level)
    return Estimate(value=float(values.mean()), low=interval.low, high=interval.high, kind=interval.kind, n=len(values))

"""Made-up studies whose truth is known: right or wrong by a threshold on a sum of effects.

An answer is right where item + cluster + seed + noise (their variances adding to 1; all normal, but for seeds that are
said to be otherwise) lies below the quantile of the wanted share, so that the share right over all items and seeds is
that share exactly, however much items share. The paired interval assumes none of this.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from educe.eval.analysis.statistics.resample import cluster_codes
from educe.eval.analysis.statistics.variance import MIN_SEEDS, Side

Array = NDArray[np.float64]
Seeds = Literal["normal", "one in five fails"]

ITEM = 0.5  # variance of the difficulty of items
CLUSTER = 0.2  # of what the items of a cluster share
SEED = 0.01  # of what all items of a seed share: a standard deviation of 4 points at 50%
# One in five is 2 standard deviations worse than the average, the others half of one better: mean 0 and variance 1.
_FAILS = ((0.2, 2.0), (0.8, -0.5))


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """Conditions that answered the same items, and what their intervals estimate.

    `truth` is each condition's share over all items: with `MIN_SEEDS` seeds or more over all seeds too, with fewer over
    the seeds that were run.
    """

    sides: list[Side]
    truth: Array

    @property
    def scores(self) -> list[Array]:
        return [side.scores for side in self.sides]


def clusters_of(num_items: int, size: int) -> list[str] | None:
    """Names of clusters of `size` items each, or None where items are independent."""
    return None if size == 1 else [str(i // size) for i in range(num_items)]


def unequal_clusters(rng: np.random.Generator, num_items: int, count: int) -> list[str]:
    """Names of `count` clusters whose sizes are Pareto's (shape 1): a few hold most of the items."""
    shares = rng.pareto(1.0, count) + 1
    # An item each; the others fall as the shares say.
    return [str(each) for each in (*range(count), *rng.choice(count, num_items - count, p=shares / shares.sum()))]


def study(
    rng: np.random.Generator,
    shares: Sequence[float],
    *,
    num_items: int,
    clusters: Sequence[str] | None = None,
    num_seeds: int = 1,
    seed_variance: float | Sequence[float] = SEED,
    seed_correlation: float = 0.0,
    seeds: Seeds = "normal",
    item_correlation: float = 1.0,
) -> Study:
    """Conditions with scores of 0 and 1, whose accuracies over all items and normal seeds are `shares`.

    Equal seeds have effects with this correlation between conditions, items a difficulty with theirs: with 1 conditions
    differ at an item by noise alone. Seeds can matter more in one condition than in another.
    """
    cluster = 0.0 if clusters is None else CLUSTER
    conditions = len(shares)
    variance = np.broadcast_to(np.asarray(seed_variance, dtype=float), conditions)[:, None, None]
    items = ITEM**0.5 * item_correlation**0.5 * rng.standard_normal(num_items)
    if item_correlation < 1:
        own = (ITEM * (1 - item_correlation)) ** 0.5
        items = items + own * rng.standard_normal((conditions, 1, num_items))
    if clusters is not None:
        codes = cluster_codes(clusters, num_items)
        items = items + cluster**0.5 * rng.standard_normal(codes.max() + 1)[codes]
    effects = seed_correlation**0.5 * _effects(rng, (1, num_seeds, 1), seeds)
    effects = effects + (1 - seed_correlation) ** 0.5 * _effects(rng, (conditions, num_seeds, 1), seeds)
    noise = (1 - ITEM - cluster - variance) ** 0.5 * rng.standard_normal((conditions, num_seeds, num_items))
    quantiles = special.ndtri(np.asarray(shares))[:, None, None]
    right = np.asarray(items + variance**0.5 * effects + noise < quantiles, dtype=float)
    if num_seeds < MIN_SEEDS:
        truth = special.ndtr((quantiles - variance**0.5 * effects) / (1 - variance) ** 0.5).mean(axis=(1, 2))
    else:
        truth = np.asarray(shares) if seeds == "normal" else _skewed_truth(quantiles, variance, seed_correlation)
    return Study(sides=[Side(scores=each, seeds=tuple(range(num_seeds))) for each in right], truth=truth)


def right(rng: np.random.Generator, shares: Sequence[float], *, num_items: int, num_seeds: int = 1) -> list[Side]:
    """The sides of `study`; one seed without an effect, so that its curve is the one of `shares`."""
    variance = SEED if num_seeds > 1 else 0.0
    return study(rng, shares, num_items=num_items, num_seeds=num_seeds, seed_variance=variance).sides


def _effects(rng: np.random.Generator, shape: tuple[int, ...], seeds: Seeds) -> Array:
    """Effects of mean 0 and variance 1; a larger one is a worse seed."""
    if seeds == "normal":
        return rng.standard_normal(shape)
    (share, fails), (_, holds) = _FAILS
    return np.where(rng.random(shape) < share, fails, holds)


def _skewed_truth(quantiles: Array, variance: Array, correlation: float) -> Array:
    """The expected share over both parts of a seed's effect, each of them one of two."""
    shared, own = correlation**0.5, (1 - correlation) ** 0.5
    expected = sum(
        p * q * special.ndtr((quantiles - variance**0.5 * (shared * a + own * b)) / (1 - variance) ** 0.5)
        for p, a in _FAILS
        for q, b in _FAILS
    )
    return np.asarray(expected)[:, 0, 0]

"""Scores of conditions that were picked because they scored best, corrected for that."""

from collections.abc import Sequence

import numpy as np

from educe.eval.analysis.statistics.intervals import Estimate, effective_sample_size, wilson
from educe.eval.analysis.statistics.paired import paired_difference
from educe.eval.analysis.statistics.resample import SEED, Array, Clusters, in_one_cluster, interval_kind
from educe.eval.analysis.statistics.variance import Side, covariance

NUM_SPLITS = 10_000


def picked_scores(
    sides: Sequence[Side],
    rivals: Sequence[Sequence[int]],
    clusters: Clusters | None = None,
    *,
    level: float = 0.95,
) -> list[Estimate | None]:
    """For each set of rivals (places among the sides), what its best one scores on data that did not pick it.

    The best one is picked on one half of the data and scored on the other, averaged over random halves. Scores are
    means, so halves need not be drawn item by item: with noise W of the scores' own covariance over items and seeds,
    X + W and X - W are distributed as the means of two independent halves (the coupled bootstrap, Oliveira, Lei &
    Tibshirani 2021; data fission, Leiner, Duan, Wasserman & Ramdas 2023). A side of fewer than three seeds is corrected
    for the noise of its items alone. The interval is Wilson's around the corrected score, at the effective number of
    items of the one that scored best. None for items of one cluster, whose noise cannot be known.
    """
    if in_one_cluster(clusters, sides[0].scores.shape[1]):
        return [None] * len(rivals)
    means = np.array([side.scores.mean() for side in sides])
    noise = _noise(sides, clusters)
    return [_corrected(sides, means, noise, list(each), clusters, level) for each in rivals]


def picked_gain(
    sides: Sequence[Side],
    rivals: Sequence[int],
    others: Sequence[int | None],
    clusters: Clusters | None = None,
    *,
    level: float = 0.95,
) -> Estimate | None:
    """What the rival that scores best gains over the side in its place in `others`, on data that did not pick it.

    The halves are those of `picked_scores`: over one other side for all, it is the corrected score less the score of
    that side. The interval is the paired one of the rival that scored best, moved by as much as its gain is corrected.
    None where that rival has no other side, or for items of one cluster.
    """
    own = np.array([sides[place].scores.mean() for place in rivals])
    best = int(own.argmax())
    against = others[best]
    if against is None or in_one_cluster(clusters, sides[0].scores.shape[1]):
        return None
    means = np.array([side.scores.mean() for side in sides])
    noise = _noise(sides, clusters)
    picked = (own + noise[:, list(rivals)]).argmax(axis=1)
    halves = means - noise
    gains = [
        halves[picked == place, rival] - halves[picked == place, other]
        for place, (rival, other) in enumerate(zip(rivals, others, strict=True))
        if other is not None
    ]
    found = paired_difference(sides[rivals[best]], sides[against], clusters, level=level)
    moved = min(0.0, float(np.concatenate(gains).mean()) - found.difference)
    return Estimate(
        value=found.difference + moved,
        low=max(-1.0, found.low + moved),
        high=found.high + moved,
        kind=interval_kind("split-data paired", level),
        n=found.n,
    )


def _noise(sides: Sequence[Side], clusters: Clusters | None) -> Array:
    """Normal draws and their negatives, so that they have mean 0 exactly: shape (splits, sides)."""
    values, vectors = np.linalg.eigh(covariance(sides, clusters))
    drawn = np.random.default_rng(SEED).standard_normal((NUM_SPLITS // 2, len(sides)))
    half = drawn * np.maximum(values, 0.0) ** 0.5 @ vectors.T
    return np.asarray(np.concatenate([half, -half]))


def _corrected(
    sides: Sequence[Side],
    means: Array,
    noise: Array,
    rivals: list[int],
    clusters: Clusters | None,
    level: float,
) -> Estimate:
    own, mine = means[rivals], noise[:, rivals]
    picked = (own + mine).argmax(axis=1)
    score = float(np.clip(np.mean(own[picked] - mine[np.arange(len(mine)), picked]), 0.0, own.max()))
    best = sides[rivals[int(own.argmax())]]
    n = effective_sample_size(best, clusters, level=level)
    low, high = wilson(score, n, level=level)
    return Estimate(value=score, low=low, high=high, kind=interval_kind("split-data Wilson", level))

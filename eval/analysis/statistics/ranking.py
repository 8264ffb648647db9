"""Recipes ranked by how often each beats each other one on the same items (Bradley & Terry 1952).

Recipe i beats recipe j with log-odds strength_i - strength_j. The higher score wins an item; with several seeds, the
share of pairs of seeds that win counts, because comparing means over seeds would favour the recipe with fewer seeds. A
tie is half a win for both (Davidson 1970 would model ties instead), and an item on which all recipes tie is left out.
Every pair gets half a win each way on top: without it a recipe that never lost would have no finite strength. Resamples
split that extra game by a draw from Beta(1/2, 1/2), Jeffreys's prior, so that pairs that always end the same way keep
an interval.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from educe.eval.analysis.statistics.components import Components, components, draw_seed_effects
from educe.eval.analysis.statistics.multiple import holm
from educe.eval.analysis.statistics.resample import (
    SEED,
    Array,
    Clusters,
    check_sides,
    cluster_codes,
    resampled_means,
    small_sample_stretch,
)

_EXTRA = 0.5  # wins each way between every pair
_MAX_STEPS = 200


@dataclass(frozen=True, kw_only=True)
class Strength:
    """The log-odds of beating a recipe of mean strength, and the rank (1 is strongest), with their intervals."""

    strength: float
    low: float
    high: float
    rank: int
    best_rank: int
    worst_rank: int

    @property
    def beats_mean(self) -> float:
        """Probability of beating a recipe of mean strength on an item."""
        return float(special.expit(self.strength))


@dataclass(frozen=True, kw_only=True)
class Transitivity:
    """Goodness of fit of one strength per recipe to all pairs' win shares; a small `p` rejects it.

    `cycles` are triples (i, j, k) of recipes where i beats j, j beats k and k beats i, each significantly.
    """

    deviance: float
    p: float
    cycles: tuple[tuple[int, int, int], ...]


def rank_methods(
    sides: Sequence[ArrayLike],
    clusters: Clusters | None = None,
    *,
    seeds: Sequence[Sequence[Components]] | None = None,
    level: float = 0.95,
) -> tuple[Strength, ...]:
    """Strengths of the recipes with these scores on the same items, in that order; they sum to 0.

    Scores are one per item or a matrix (seeds, items), in [0, 1]. Percentile bootstrap over items or their clusters; a
    single cluster gives infinite intervals. Each resample adds what other seeds might change in the scores, and both
    are stretched for few clusters (`small_sample_stretch`): `seeds` are each recipe's components by part of the items
    (task), because seeds differ by task; without it those of the matrices. ValueError for fewer than two recipes,
    unequal numbers of items, a NaN or a score outside [0, 1].
    """
    wins = _wins(sides)
    codes = cluster_codes(clusters, len(wins))
    fitted = fit_strengths(wins.sum(axis=0))
    count, num_clusters = len(fitted), int(codes.max()) + 1
    ranks = _ranks(fitted[None])[0]
    if num_clusters == 1:
        low, high = np.full(count, -np.inf), np.full(count, np.inf)
        best, worst = np.ones(count, dtype=int), np.full(count, count)
    else:
        if seeds is None:
            matrices = (np.atleast_2d(np.asarray(side, dtype=float)) for side in sides)
            seeds = [[components(matrix, clusters)] for matrix in matrices]
        stretch = small_sample_stretch(num_clusters, level)
        totals = _with_other_seeds(_resampled(wins, codes), seeds)
        drawn = fitted + stretch * (fit_strengths(totals, start=fitted, tolerance=1e-6) - fitted)
        ends = [0.5 - level / 2, 0.5 + level / 2]
        low, high = np.quantile(drawn, ends, axis=0)
        best, worst = np.quantile(_ranks(drawn), ends, axis=0, method="inverted_cdf")
    return tuple(
        Strength(
            strength=float(fitted[place]),
            low=float(low[place]),
            high=float(high[place]),
            rank=int(ranks[place]),
            best_rank=int(best[place]),
            worst_rank=int(worst[place]),
        )
        for place in range(count)
    )


def transitivity(sides: Sequence[ArrayLike], clusters: Clusters | None = None, *, level: float = 0.95) -> Transitivity:
    """Goodness of fit of the ranking, and the cycles in it; input and errors as in `rank_methods`.

    The deviance is of all pairs' win shares against the fitted ones. All pairs share the items, so it follows no
    chi-square: `p` is its rank among resamples over items or clusters that are moved so that the null hypothesis holds
    (Efron & Tibshirani 1993, section 16.4). A pair differs significantly where the wins of one less those of the other,
    summed over items, are large against their root sum of squares over items or clusters (McNemar's test of 1947 where
    both have one seed), at 1 - level after Holm's adjustment over all pairs. Seeds are taken as fixed.
    """
    wins = _wins(sides)
    codes = cluster_codes(clusters, len(wins))
    total = wins.sum(axis=0)
    seen, fit = _shares(total), _expected(fit_strengths(total))
    trials = total[0, 1] + total[1, 0] + 2 * _EXTRA
    deviance = float(_deviance(seen, fit, trials))
    moved = np.clip(fit + _shares(_resampled(wins, codes)) - seen, 0, 1)
    refitted = _expected(fit_strengths(moved * trials - _EXTRA, tolerance=1e-6))
    drawn = _deviance(moved, refitted, trials)
    p = float((1 + np.sum(drawn >= deviance - 1e-9)) / (1 + len(drawn)))
    return Transitivity(deviance=deviance, p=p, cycles=tuple(_cycles(_beats(wins, codes, 1 - level))))


def fit_strengths(wins: Array, *, start: Array | None = None, tolerance: float = 1e-12) -> Array:
    """Strengths (..., recipes) that fit `wins` (..., recipes, recipes), row over column, by Newton's steps.

    Half a win is added each way between every pair. Stops where no log-odds moves by more than `tolerance`; none moves
    by more than 1 at once.
    """
    count = wins.shape[-1]
    extra = _EXTRA * (1 - np.eye(count))
    won = (wins + extra).sum(axis=-1)
    met = wins + np.swapaxes(wins, -1, -2) + 2 * extra
    strengths = np.broadcast_to(np.zeros(count) if start is None else start, won.shape)
    for _ in range(_MAX_STEPS):
        expected = _expected(strengths)
        slope = won - (met * expected).sum(axis=-1)
        weight = met * expected * (1 - expected)
        # Strengths are known up to a constant; the added one keeps their sum at 0.
        curvature = weight.sum(axis=-1)[..., None] * np.eye(count) - weight + 1 / count
        step = np.linalg.solve(curvature, slope[..., None])[..., 0]
        step /= np.maximum(1.0, np.abs(step).max(axis=-1, keepdims=True))
        strengths = strengths + step - step.mean(axis=-1, keepdims=True)
        if float(np.abs(step).max()) <= tolerance:
            break
    return np.asarray(strengths)


def _wins(sides: Sequence[ArrayLike]) -> Array:
    """Every item's wins (items, recipes, recipes), row over column; nothing where all seeds of all recipes tie."""
    if len(sides) < 2:
        raise ValueError("a ranking needs at least two recipes")
    matrices = check_sides(*sides)
    wins = np.zeros((matrices[0].shape[1], len(matrices), len(matrices)))
    for i, j in combinations(range(len(matrices)), 2):
        wins[:, i, j] = 0.5 + 0.5 * np.sign(matrices[i][:, None] - matrices[j]).mean(axis=(0, 1))
        wins[:, j, i] = 1 - wins[:, i, j]
    return np.asarray(wins * (np.ptp(np.concatenate(matrices), axis=0) > 0)[:, None, None])


def _resampled(wins: Array, codes: NDArray[np.int64]) -> Array:
    """Total wins in resampled clusters and drawn splits of the extra games: (resamples, recipes, recipes)."""
    items, count, _ = wins.shape
    rng = np.random.default_rng(SEED)
    totals = resampled_means(wins.reshape(items, -1).T, codes, rng).reshape(-1, count, count) * items
    # Not quite 0: a recipe without any win would have no finite strength.
    split = np.triu(rng.beta(_EXTRA, _EXTRA, totals.shape).clip(1e-6, 1 - 1e-6) - _EXTRA, 1)
    return np.asarray(totals + split - split.swapaxes(1, 2))


def _with_other_seeds(totals: Array, seeds: Sequence[Sequence[Components]]) -> Array:
    """Resampled total wins, moved by what other seeds might add to the scores.

    A recipe that scores d more at each of n items wins n d / 2 more against every other, exactly so where answers are
    right or wrong; wins stay within the number of games.
    """
    rng = np.random.default_rng(SEED + 1)
    won = np.stack(
        [sum(part.num_items / 2 * draw_seed_effects(part, rng, len(totals)) for part in parts) for parts in seeds],
        axis=1,
    )
    games = totals + totals.swapaxes(1, 2)
    moved = totals + won[:, :, None] - won[:, None, :]
    return np.asarray(np.clip(moved, np.minimum(totals, 1e-6), np.maximum(totals, games - 1e-6)))


def _ranks(strengths: Array) -> NDArray[np.int64]:
    return np.asarray(1 + (strengths[:, None, :] > strengths[:, :, None]).sum(axis=-1))


def _shares(wins: Array) -> Array:
    """Every pair's share of wins, with the half win each way."""
    return np.asarray((wins + _EXTRA) / (wins + np.swapaxes(wins, -1, -2) + 2 * _EXTRA))


def _expected(strengths: Array) -> Array:
    return np.asarray(special.expit(strengths[..., :, None] - strengths[..., None, :]))


def _deviance(shares: Array, expected: Array, trials: float) -> Array:
    return np.asarray(2 * trials * special.rel_entr(shares, expected).sum(axis=(-1, -2)))  # i != j alone: rest is 0


def _beats(wins: Array, codes: NDArray[np.int64], alpha: float) -> NDArray[np.bool_]:
    """Which recipe (row) significantly beats which (column)."""
    net = wins - wins.transpose(0, 2, 1)
    pairs = list(combinations(range(wins.shape[1]), 2))
    sums = [np.bincount(codes, weights=net[:, i, j]) for i, j in pairs]
    # At least half a win avoids a division by 0 for pairs that never differ, whose z is 0.
    z = [float(each.sum()) / max(0.5, float(each @ each) ** 0.5) for each in sums]
    adjusted = holm([2 * float(special.ndtr(-abs(each))) for each in z])
    beats = np.zeros(wins.shape[1:], dtype=bool)
    for (i, j), each, p in zip(pairs, z, adjusted, strict=True):
        beats[i, j], beats[j, i] = (p <= alpha and each > 0), (p <= alpha and each < 0)
    return beats


def _cycles(beats: NDArray[np.bool_]) -> Iterator[tuple[int, int, int]]:
    for i, j, k in combinations(range(len(beats)), 3):
        if beats[i, j] and beats[j, k] and beats[k, i]:
            yield i, j, k
        elif beats[i, k] and beats[k, j] and beats[j, i]:
            yield i, k, j

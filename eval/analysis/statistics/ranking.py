"""Conditions ranked by their mean score over tasks, with intervals of rank that hold for all of them at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from educe.eval.analysis.statistics.multiple import holm
from educe.eval.analysis.statistics.paired import Adjusted, adjusted, check_sides
from educe.eval.analysis.statistics.resample import Clusters
from educe.eval.analysis.statistics.variance import Side, contrast_variance, satterthwaite


@dataclass(frozen=True, kw_only=True)
class TaskScores:
    """The sides of all conditions on one task, over the same items, and the items' clusters."""

    sides: Sequence[Side]
    clusters: Clusters | None = None


@dataclass(frozen=True, kw_only=True)
class Rank:
    """A condition's mean score over tasks and its rank (1 is best) with its simultaneous interval."""

    score: float
    rank: int
    best_rank: int
    worst_rank: int


def _unchanged(p: float, _first: int, _second: int) -> float:
    return p


def rank_conditions(
    tasks: Sequence[TaskScores], *, level: float = 0.95, adjust: Callable[[float, int, int], float] = _unchanged
) -> tuple[Rank, ...]:
    """The ranks of the conditions, in their order; every task counts the same.

    Mogstad, Romano, Shaikh & Wilhelm (2024): a condition's best rank follows the number of others that are
    significantly better, its worst rank the number that are significantly worse. Here by paired differences, with
    Holm's correction (1979) over all pairs, so that all intervals hold together with probability `level`. A pair in
    which a side has too few seeds for a test counts with p = 1. `adjust` changes the p value of two conditions, given
    by their places, before the correction. ValueError for fewer than two conditions, and as in `paired_difference`.
    """
    count = len(tasks[0].sides)
    if count < 2:
        raise ValueError("a ranking needs at least two conditions")
    for task in tasks:
        check_sides(*task.sides)
    scores = np.mean([[side.scores.mean() for side in task.sides] for task in tasks], axis=0)
    pairs = list(combinations(range(count), 2))
    found = [_over_tasks(tasks, i, j) for i, j in pairs]
    tested = [all(task.sides[place].testable for task in tasks) for place in range(count)]
    ps = [
        adjust(each.p_value, i, j) if tested[i] and tested[j] else 1.0
        for (i, j), each in zip(pairs, found, strict=True)
    ]
    beats = np.zeros((count, count), dtype=bool)
    for (i, j), each, p in zip(pairs, found, holm(ps), strict=True):
        if p < 1 - level:
            better, worse = (i, j) if each.center > 0 else (j, i)
            beats[better, worse] = True
    return tuple(
        Rank(
            score=float(scores[place]),
            rank=1 + int(np.sum(scores > scores[place])),
            best_rank=1 + int(beats[:, place].sum()),
            worst_rank=count - int(beats[place].sum()),
        )
        for place in range(count)
    )


def _over_tasks(tasks: Sequence[TaskScores], i: int, j: int) -> Adjusted:
    """The mean over tasks of one pair's adjusted difference; tasks have items of their own and count as independent."""
    parts = []
    for task in tasks:
        sides = task.sides[i], task.sides[j]
        variance = contrast_variance(sides, (1.0, -1.0), task.clusters)
        parts.append(adjusted(sides[0].items - sides[1].items, variance, task.clusters))
    squares = [(each.error / len(parts)) ** 2 for each in parts]
    return Adjusted(
        center=float(np.mean([each.center for each in parts])),
        error=float(np.sum(squares)) ** 0.5,
        df=satterthwaite([(square, each.df) for square, each in zip(squares, parts, strict=True)]),
    )

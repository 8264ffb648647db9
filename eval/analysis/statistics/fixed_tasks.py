"""The mean over a fixed list of tasks: these tasks and no others, whose items and seeds were drawn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from educe.eval.analysis.statistics.intervals import Estimate, pooled_interval
from educe.eval.analysis.statistics.paired import paired_difference
from educe.eval.analysis.statistics.resample import Clusters, interval_kind, normal_quantile, t_quantile
from educe.eval.analysis.statistics.variance import Side, satterthwaite, seed_variance

MIN_TASKS = 2
_LEVEL = 0.95


@dataclass(frozen=True, kw_only=True)
class TaskValue:
    """One task's score or difference of scores: the sum of its sides' means times `weights`, plus a constant.

    `low` and `high` are its 95% interval over items alone, for the runs that were measured. `bounds` are the least and
    the greatest value that there can be.
    """

    value: float
    low: float
    high: float
    n: int
    sides: tuple[Side, ...]
    weights: tuple[float, ...]
    bounds: tuple[float, float]


def task_score(side: Side, clusters: Clusters | None = None) -> TaskValue:
    """The mean score of one condition on one task."""
    found = pooled_interval(_of_runs(side), clusters, level=_LEVEL)
    return TaskValue(
        value=float(side.scores.mean()),
        low=found.low,
        high=found.high,
        n=side.scores.shape[1],
        sides=(side,),
        weights=(1.0,),
        bounds=(0.0, 1.0),
    )


def task_difference(side: Side, other: Side, clusters: Clusters | None = None) -> TaskValue:
    """The mean score of one condition less that of another one, on the same items of one task."""
    found = paired_difference(_of_runs(side), _of_runs(other), clusters, level=_LEVEL)
    return TaskValue(
        value=found.difference,
        low=found.low,
        high=found.high,
        n=found.n,
        sides=(side, other),
        weights=(1.0, -1.0),
        bounds=(-1.0, 1.0),
    )


def chance_adjusted(score: TaskValue, chance: float) -> TaskValue:
    """A score as a share of the way from chance (0) to 1. ValueError for a chance of 1, which leaves no way."""
    if not 0 <= chance < 1:
        raise ValueError(f"a share of the way from chance to 1 needs a chance in [0, 1), got {chance}")

    def share(value: float) -> float:
        return (value - chance) / (1 - chance)

    return TaskValue(
        value=share(score.value),
        low=share(score.low),
        high=share(score.high),
        n=score.n,
        sides=score.sides,
        weights=tuple(weight / (1 - chance) for weight in score.weights),
        bounds=(share(score.bounds[0]), share(score.bounds[1])),
    )


def mean_over_tasks(values: Sequence[TaskValue]) -> Estimate:
    """The mean over exactly these tasks, each counting the same, with a 95% interval over their items and seeds.

    Tasks have items of their own, so the errors of items are independent: variances are recovered from each task's
    interval, one for either end (MOVER, Zou & Donner 2008), which keeps a task on which everything is right from
    counting as certain. An end counts as no nearer than half the width of its interval, or the mean of many tasks near
    1 would end too low. A seed may act on all tasks at once, so the variance over seeds is that of the seeds' means
    over tasks (CR2), whatever tasks have in common. Degrees of freedom: Satterthwaite's, where only the variance over
    seeds is uncertain, because the intervals of the tasks allow for their own. Where a task has fewer than three seeds,
    its runs are taken as they are. A task whose items are of one cluster may have any value, so it widens the interval
    by all that it could change. ValueError for fewer than two tasks.
    """
    count = len(values)
    if count < MIN_TASKS:
        raise ValueError(f"a mean over tasks needs at least {MIN_TASKS}, got {count}")
    sides = [side for each in values for side in each.sides]
    weights = [weight / count for each in values for weight in each.weights]
    seeds, seeds_df = seed_variance(sides, weights)
    known = [each for each in values if (each.low, each.high) != each.bounds]
    unknown = [each for each in values if (each.low, each.high) == each.bounds]

    def half(distance: Callable[[TaskValue], float]) -> float:
        squares = sum(max(distance(each), (each.high - each.low) / 2) ** 2 for each in known)
        items = squares / (count * normal_quantile(_LEVEL)) ** 2
        df = satterthwaite([(items, float("inf")), (seeds, seeds_df)]) if seeds > 0 else float("inf")
        # Bounds are no samples of anything, so they do not average out.
        return t_quantile(df, _LEVEL) * float((items + seeds) ** 0.5) + sum(map(distance, unknown)) / count

    mean = float(np.mean([each.value for each in values]))
    least, greatest = np.mean([each.bounds for each in values], axis=0)
    return Estimate(
        value=mean,
        low=max(float(least), mean - half(lambda each: each.value - each.low)),
        high=min(float(greatest), mean + half(lambda each: each.high - each.value)),
        kind=interval_kind("MOVER with shared seeds", _LEVEL),
        n=sum(each.n for each in values),
    )


def _of_runs(side: Side) -> Side:
    """The same runs, of which nothing is said about other seeds."""
    return Side(scores=side.scores)

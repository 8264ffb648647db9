"""Forecasts: fit the small budgets, predict the larger ones, and say how well that went beside naive predictions."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from educe.eval.analysis.conditions import Condition, item_scores
from educe.eval.analysis.curves import Curve, Point, point_of
from educe.eval.analysis.fit import MIN_BUDGET_RATIO, MIN_BUDGETS, by_budget, choose, count_distinct_budgets, positive
from educe.eval.analysis.resampled import Resampled, resampled
from educe.eval.analysis.statistics.resample import SEED, Array, Clusters, in_one_cluster, percentiles

LEVEL = 0.9
NUM_RESAMPLES = 1_000


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a score at a budget not yet measured will be, on the same items: the median of `draws` and an interval."""

    method: str
    budget: float
    score: float
    low: float
    high: float
    draws: Array

    def crps(self, seen: float) -> float:
        """Continuous ranked probability score of what was then seen: 0 is a sure and right forecast.

        Gneiting & Raftery (2007): E|X - seen| - E|X - X'| / 2, over the draws; in the units of the score.
        """
        ordered = np.sort(self.draws)
        n = len(ordered)
        apart = 2 * float(ordered @ (2 * np.arange(1, n + 1) - n - 1)) / n**2
        return float(np.abs(ordered - seen).mean()) - apart / 2


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A budget that was held out of a curve, what was seen there, and every method's forecast of it."""

    curve: str
    fitted_to: int
    budget: float
    seen: float
    forecasts: Mapping[str, Forecast]


@dataclass(frozen=True, kw_only=True)
class Record:
    """How one method's forecasts went, over all trials: errors and CRPS in the units of the score."""

    method: str
    num_trials: int
    mean_error: float
    covered: float
    crps: float


Method = Callable[[Resampled, Array, float], Array]


def _fitted(sample: Resampled, logs: Array, at: float) -> Array:
    """The curve that AIC chooses, extended; the first value is that of the points, the others of their resamples."""
    chosen = choose(sample, logs, np.array([at]), monotone=True)
    return np.concatenate([chosen.scores, chosen.draws[:, 0]])


def _last_point(sample: Resampled, logs: Array, at: float) -> Array:
    """No change after the largest budget measured."""
    return np.concatenate([sample.scores[-1:], sample.draws[:, -1]])


def _log_linear(sample: Resampled, logs: Array, at: float) -> Array:
    """A straight line in the logarithm of the budget, by least squares."""
    design = np.stack([np.ones(len(logs)), logs], axis=1)
    line = np.vstack([sample.scores, sample.draws]) @ np.linalg.pinv(design).T
    return np.asarray(line @ np.array([1.0, at]))


METHODS: dict[str, Method] = {"fitted curve": _fitted, "last point": _last_point, "log-linear": _log_linear}


def forecast_scores(
    budgets: Sequence[int | float],
    matrices: Sequence[Array],
    clusters: Clusters | None = None,
    *,
    at: int | float,
    level: float = LEVEL,
) -> dict[str, Forecast]:
    """Every method's forecast of the score at a larger budget, from one matrix (seeds, items) per budget above 0.

    Forecast is the score that the same items and as many seeds will give: what chance does to a point is in it, less
    what the points before share with it. ValueError for fewer than three budgets or none larger (`count_distinct_budgets`), a budget
    not above 0, unequal numbers, items of one cluster and a level that is no share.
    """
    budgets, matrices = by_budget(budgets, matrices)
    if not 0 < level < 1:
        raise ValueError(f"level = {level:g} is no share; give one between 0 and 1, as 0.9 for 90%")
    if count_distinct_budgets(budgets) < MIN_BUDGETS or at < MIN_BUDGET_RATIO * max(budgets):
        raise ValueError(f"a forecast goes from {MIN_BUDGETS} budgets to a larger one, not from {budgets} to {at}")
    if in_one_cluster(clusters, matrices[0].shape[1]):
        raise ValueError("all items are of one cluster, which says nothing of others")
    sample = resampled(matrices, clusters, num_resamples=NUM_RESAMPLES)
    logs, place = np.log(budgets), float(np.log(at))
    return {
        name: _as_forecast(name, float(at), sample, method(sample, logs, place), level)
        for name, method in METHODS.items()
    }


def _as_forecast(name: str, budget: float, sample: Resampled, curves: Array, level: float) -> Forecast:
    """The curve's draws and what chance adds at one more point, given what it did to the points before."""
    rng = np.random.default_rng(SEED)
    center = float(np.clip(curves[0], 0, 1))
    share = (center * sample.n + 1) / (sample.n + 2)
    variance = sample.relative_variance * share * (1 - share)
    num, alike = len(sample.scores), sample.correlation
    known = num * alike / (1 + (num - 1) * alike)  # of the points' mean deviation, how much the next point shares
    sizes = sample.relative_variance * sample.scores * (1 - sample.scores)
    scale = (variance / max(float(sizes.mean()), 1e-12)) ** 0.5
    shared = -known * scale * (sample.draws - sample.scores).mean(axis=1)
    own = (variance * (1 - alike * known)) ** 0.5 * rng.standard_normal(len(sample.draws))
    draws = np.clip(curves[1:] + shared + own, 0, 1)
    low, high = percentiles(draws, level)
    return Forecast(
        method=name, budget=budget, score=float(np.median(draws)), low=low, high=high, draws=draws
    )  # fmt: skip


def across_models(conditions: Iterable[Condition]) -> list[Curve]:
    """Curves over models instead of budgets: one way of eliciting, by how large a model is.

    Size is the FLOPs of one plainly prompted answer, which any two models have in common. Only ways measured on
    four models of different size or more: the larger can then be held out.
    """
    groups: dict[tuple[str, ...], list[Condition]] = {}
    sizes: dict[tuple[str, str], float] = {}
    for condition in conditions:
        groups.setdefault((condition.task, condition.method, condition.settings, str(condition.examples)), []).append(
            condition
        )
        if condition.role == "zero_shot":
            sizes.setdefault((condition.task, condition.model), condition.flops_per_answer)
    made = []
    for (task, *_), members in groups.items():
        sized = [(sizes[task, condition.model], condition) for condition in members if (task, condition.model) in sizes]
        if count_distinct_budgets(size for size, _ in sized) > MIN_BUDGETS:
            first = members[0]
            points = tuple(point_of(condition, size) for size, condition in sorted(sized, key=lambda each: each[0]))
            label = f"{first.recipe}, {first.examples} examples"
            made.append(
                Curve(
                    label=label,
                    model="all models",
                    task=task,
                    method=first.method,
                    role=first.role,
                    recipe=first.recipe,
                    axis="size",
                    points=points,
                )
            )
    return made


def trials(curves: Iterable[Curve]) -> list[Trial]:
    """Every measured budget that three smaller ones can be used to predict, curve by curve."""
    made: list[Trial] = []
    for curve in curves:
        points = positive(curve.points)
        for point in points:
            before = [each for each in points if each.budget * MIN_BUDGET_RATIO <= point.budget]
            if count_distinct_budgets(each.budget for each in before) >= MIN_BUDGETS:
                made += _trial(curve, before, point)
    return made


def _trial(curve: Curve, before: Sequence[Point], point: Point) -> Iterator[Trial]:
    """One, or none where all items are of one cluster."""
    matrices, clusters = item_scores(*(each.condition.measurements for each in [*before, point]))
    if in_one_cluster(clusters, matrices[0].shape[1]):
        return
    yield Trial(
        curve=f"{curve.model}, {curve.task}, {curve.label}",
        fitted_to=len(before),
        budget=point.budget,
        seen=float(matrices[-1].mean()),
        forecasts=forecast_scores([each.budget for each in before], matrices[:-1], clusters, at=point.budget),
    )


def records(made: Sequence[Trial]) -> list[Record]:
    """How each method did: mean absolute error, share of intervals that held what was seen, mean CRPS."""
    found = []
    for method in METHODS if made else ():
        forecasts = [(each.forecasts[method], each.seen) for each in made]
        found.append(
            Record(
                method=method,
                num_trials=len(made),
                mean_error=float(np.mean([abs(each.score - seen) for each, seen in forecasts])),
                covered=float(np.mean([each.low <= seen <= each.high for each, seen in forecasts])),
                crps=float(np.mean([each.crps(seen) for each, seen in forecasts])),
            )
        )
    return found

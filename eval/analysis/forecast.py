"""Forecasts: larger budgets predicted from smaller ones, and the errors on held-out budgets."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from educe.eval.analysis.conditions import Condition, sides_of
from educe.eval.analysis.curves import Curve, Point, curve_of
from educe.eval.analysis.fit import MIN_BUDGET_RATIO, MIN_BUDGETS, by_budget, choose, count_distinct_budgets, positive
from educe.eval.analysis.resampled import Resampled, resampled
from educe.eval.analysis.statistics.resample import SEED, Array, Clusters, in_one_cluster, percentiles
from educe.eval.analysis.statistics.variance import Side

LEVEL = 0.9
NUM_RESAMPLES = 1_000


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """The predicted score at a larger budget, on the same items: the median of `draws` and an interval."""

    method: str
    budget: float
    score: float
    low: float
    high: float
    draws: Array

    def crps(self, seen: float) -> float:
        """Continuous ranked probability score of the observed score: 0 is a certain and right forecast.

        Gneiting & Raftery (2007): E|X - seen| - E|X - X'| / 2, over the draws; in the units of the score.
        """
        ordered = np.sort(self.draws)
        n = len(ordered)
        spread = 2 * float(ordered @ (2 * np.arange(1, n + 1) - n - 1)) / n**2
        return float(np.abs(ordered - seen).mean()) - spread / 2


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A budget that was held out of a curve, its score, and every method's forecast of it."""

    curve: str
    fitted_to: int
    budget: float
    seen: float
    forecasts: Mapping[str, Forecast]


@dataclass(frozen=True, kw_only=True)
class Record:
    """One method's mean absolute error, coverage and mean CRPS over all trials, in the units of the score."""

    method: str
    num_trials: int
    mean_error: float
    covered: float
    crps: float


Method = Callable[[Resampled, Array, float], Array]


def _fitted(sample: Resampled, logs: Array, at: float) -> Array:
    """The curve that AIC chooses, extrapolated; the first value is of the points, the others of their resamples."""
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
    sides: Sequence[Side],
    clusters: Clusters | None = None,
    *,
    at: int | float,
    level: float = LEVEL,
) -> dict[str, Forecast]:
    """Every method's forecast of the score at a larger budget, from one side per budget above 0.

    The forecast is of the score with the same items and as many seeds: it includes the sampling error of one more
    point, less the part that the earlier points share with it. ValueError for fewer than three distinct budgets or none
    larger, a budget not above 0, unequal numbers, items of one cluster and a level outside (0, 1).
    """
    budgets, sides = by_budget(budgets, sides)
    if not 0 < level < 1:
        raise ValueError(f"level = {level:g} is not between 0 and 1; give a share, as 0.9 for 90%")
    if count_distinct_budgets(budgets) < MIN_BUDGETS or at < MIN_BUDGET_RATIO * max(budgets):
        raise ValueError(f"a forecast to {at} needs {MIN_BUDGETS} smaller distinct budgets, got {budgets}")
    if in_one_cluster(clusters, sides[0].scores.shape[1]):
        raise ValueError(
            "all items are of one cluster, so their sampling error is not known; use items of several clusters"
        )
    sample = resampled(sides, clusters, num_resamples=NUM_RESAMPLES)
    logs, place = np.log(budgets), float(np.log(at))
    return {
        name: _as_forecast(name, float(at), sample, method(sample, logs, place), level)
        for name, method in METHODS.items()
    }


def _as_forecast(name: str, budget: float, sample: Resampled, curves: Array, level: float) -> Forecast:
    """The curve's draws plus the sampling error of one more point, given the errors of the earlier points."""
    rng = np.random.default_rng(SEED)
    center = float(np.clip(curves[0], 0, 1))
    share = (center * sample.n + 1) / (sample.n + 2)
    variance = sample.relative_variance * share * (1 - share)
    num, correlation = len(sample.scores), sample.correlation
    known = num * correlation / (1 + (num - 1) * correlation)  # regression of a new point on the points' mean
    sizes = sample.relative_variance * sample.scores * (1 - sample.scores)
    scale = (variance / max(float(sizes.mean()), 1e-12)) ** 0.5
    shared = -known * scale * (sample.draws - sample.scores).mean(axis=1)
    own = (variance * (1 - correlation * known)) ** 0.5 * rng.standard_normal(len(sample.draws))
    draws = np.clip(curves[1:] + shared + own, 0, 1)
    low, high = percentiles(draws, level)
    return Forecast(method=name, budget=budget, score=float(np.median(draws)), low=low, high=high, draws=draws)


def across_models(conditions: Iterable[Condition]) -> list[Curve]:
    """Curves over models instead of budgets: one condition by the size of the model.

    Size is the FLOPs of one zero-shot answer, which any two models have in common. Only conditions measured on four
    models of different size or more, so that the largest can be held out.
    """
    conditions = list(conditions)
    sizes = {(each.task, each.model): each.flops_per_answer for each in conditions[::-1] if each.role == "zero_shot"}
    groups: dict[tuple[str, ...], list[Condition]] = {}
    for each in conditions:
        if (each.task, each.model) in sizes:
            groups.setdefault((each.task, each.method, each.settings, str(each.examples)), []).append(each)

    def size(condition: Condition) -> float:
        return sizes[condition.task, condition.model]

    return [
        curve_of(group, "size", size, label=f"{group[0].recipe}, {group[0].examples} examples", model="all models")
        for group in groups.values()
        if count_distinct_budgets(map(size, group)) > MIN_BUDGETS
    ]


def trials(curves: Iterable[Curve]) -> list[Trial]:
    """Every measured budget that at least three smaller ones predict, curve by curve."""
    made: list[Trial] = []
    for curve in curves:
        points = positive(curve.points)
        for point in points:
            before = [each for each in points if each.budget * MIN_BUDGET_RATIO <= point.budget]
            if count_distinct_budgets(each.budget for each in before) >= MIN_BUDGETS:
                made += _trial(curve, before, point)
    return made


def _trial(curve: Curve, before: Sequence[Point], point: Point) -> Iterator[Trial]:
    sides, clusters = sides_of(*(each.condition.measurements for each in [*before, point]))
    if in_one_cluster(clusters, sides[0].scores.shape[1]):
        return
    yield Trial(
        curve=f"{curve.model}, {curve.task}, {curve.label}",
        fitted_to=len(before),
        budget=point.budget,
        seen=float(sides[-1].scores.mean()),
        forecasts=forecast_scores([each.budget for each in before], sides[:-1], clusters, at=point.budget),
    )


def records(made: Sequence[Trial]) -> list[Record]:
    """Each method over all trials."""
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

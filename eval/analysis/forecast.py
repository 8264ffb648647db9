"""Forecasts of larger budgets, by the predictor that did best on the study's own held-out budgets.

An interval is as wide as the errors seen there. Nothing measured can foretell a jump of a curve that has not risen, so
such a curve is not forecast.
"""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from educe.eval.analysis.conditions import Condition, sides_of
from educe.eval.analysis.curves import MIN_BUDGET_RATIO, Curve, count_distinct_budgets, curve_of, positive
from educe.eval.analysis.fit import MIN_BUDGETS, by_budget, choose
from educe.eval.analysis.resampled import resampled
from educe.eval.analysis.statistics.paired import paired_difference
from educe.eval.analysis.statistics.resample import Clusters, in_one_cluster
from educe.eval.analysis.statistics.variance import Side

LEVEL = 0.9


@dataclass(frozen=True, kw_only=True, eq=False)
class Series:
    """A curve's budgets above 0 in rising order, with one side each on the same items."""

    name: str
    budgets: Sequence[int | float]
    sides: Sequence[Side] = field(repr=False)
    clusters: Clusters | None = field(default=None, repr=False)

    def first(self, number: int) -> "Series":
        """The smallest budgets of it."""
        return Series(name=self.name, budgets=self.budgets[:number], sides=self.sides[:number], clusters=self.clusters)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A budget that was held out of a curve: its score, and what each predictor said from smaller budgets."""

    name: str
    budget: float
    seen: float
    predicted: Mapping[str, float]

    def error(self, predictor: str) -> float:
        return abs(self.seen - self.predicted[predictor])


@dataclass(frozen=True, kw_only=True)
class Record:
    """How the predictors did at one distance, over all trials of a study: mean absolute errors, and who is best.

    `chosen` is the last point where no other predictor has a smaller error, or nothing was held out.
    """

    times_as_far: int | float
    trials: tuple[Trial, ...]

    @property
    def mean_errors(self) -> dict[str, float]:
        """By predictor, in the units of the score; none without trials."""
        return _mean_errors(self.trials)

    @property
    def chosen(self) -> str:
        return _best(self.trials)

    def half_width(self, *, level: float = LEVEL) -> tuple[float, float] | None:
        """Half the width of an interval for a new curve, and the level that it holds with; None without trials.

        Split conformal prediction (Lei et al. 2018): of n absolute errors the one of rank (n + 1) * level, rounded up.
        Too few trials for the level give their largest error, which holds with n / (n + 1). That is for trials and
        forecast in any order equally likely. Each trial has the error of the predictor that the trials of the other
        curves choose, so that its own error has no part in the choice.
        """
        names = {each.name for each in self.trials}
        chosen = {name: _best([each for each in self.trials if each.name != name]) for name in names}
        errors = sorted(each.error(chosen[each.name]) for each in self.trials)
        if not errors:
            return None
        rank = math.ceil((len(errors) + 1) * level - 1e-9)
        return (errors[rank - 1], level) if rank <= len(errors) else (errors[-1], len(errors) / (len(errors) + 1))


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """The score expected at a larger budget, on the same items; no interval where nothing was held out."""

    predictor: str
    budget: float
    score: float
    low: float | None
    high: float | None
    level: float


@dataclass(frozen=True, kw_only=True)
class NoForecast:
    """Why a curve is not forecast."""

    reason: str


def _fitted(series: Series, at: float) -> float:
    """The curve that AIC chooses, extrapolated."""
    sample = resampled(series.sides, series.clusters, num_resamples=1)
    return float(choose(sample, np.log(series.budgets), np.log([at]), monotone=True).scores[0])


def _last_point(series: Series, at: float) -> float:
    """No change after the largest budget measured."""
    return float(series.sides[-1].scores.mean())


def _log_linear(series: Series, at: float) -> float:
    """A straight line in the logarithm of the budget, by least squares."""
    slope, first = np.polyfit(np.log(series.budgets), [side.scores.mean() for side in series.sides], 1)
    return float(first + slope * np.log(at))


LAST_POINT = "last point"
# The assumption of each, which no measured point can confirm.
ASSUMPTIONS = {
    LAST_POINT: "if the score stays as it is",
    "fitted curve": "if the fitted curve goes on",
    "log-linear": "if the score goes on along a straight line in the logarithm of the budget",
}
# The last point first: it is chosen unless another is strictly better.
PREDICTORS: dict[str, Callable[[Series, float], float]] = {
    LAST_POINT: _last_point,
    "fitted curve": _fitted,
    "log-linear": _log_linear,
}


def series_of(curve: Curve) -> Series:
    """The points of a curve at budgets above 0, over the items that all share. UserError where there is none."""
    points = positive(curve.points)
    sides, clusters = sides_of(*(point.condition.measurements for point in points))
    name = f"{curve.model}, {curve.task}, {curve.label}"
    return Series(name=name, budgets=[point.budget for point in points], sides=sides, clusters=clusters)


def refuse(series: Series) -> NoForecast | None:
    """Why this series cannot be extrapolated, or None.

    It needs three distinct budgets and a rise that slows down: the largest budget scores above the smallest (paired,
    95%), and the last step is not steeper than the mean step before it. Until then nothing shows how high it rises.
    """
    budgets, sides = by_budget(series.budgets, series.sides)
    if count_distinct_budgets(budgets) < MIN_BUDGETS:
        return NoForecast(reason=f"it has fewer than {MIN_BUDGETS} budgets")
    if count_distinct_budgets(budgets) < len(budgets):
        return NoForecast(reason=f"two of its budgets differ by less than a factor of {MIN_BUDGET_RATIO}")
    if in_one_cluster(series.clusters, sides[0].scores.shape[1]):
        return NoForecast(reason="all items are in one cluster, so the variance between clusters is unknown")
    gained = paired_difference(sides[-1], sides[0], series.clusters)
    if gained.high < 0:
        return NoForecast(reason="the curve falls")
    if gained.low <= 0:
        return NoForecast(reason="the curve has not risen yet")
    if _steepening(series):
        return NoForecast(reason="the curve still rises faster and faster, and does not show how high it will go")
    return None


def _steepening(series: Series) -> bool:
    """Whether the slope of the last step lies above the mean slope before it."""
    logs, scores = np.log(series.budgets), [float(side.scores.mean()) for side in series.sides]
    last, before = scores[-1] - scores[-2], scores[-2] - scores[0]
    return bool(last / (logs[-1] - logs[-2]) > before / (logs[-2] - logs[0]))


def record_of(all_series: Iterable[Series], *, times_as_far: int | float) -> Record:
    """Every measured budget at least so many times as far as smaller ones that could be forecast from.

    Of several the nearest. What would be refused is no trial, as it will be no forecast.
    """
    trials = tuple(trial for series in all_series for trial in _trials(series, times_as_far))
    return Record(times_as_far=times_as_far, trials=trials)


def _trials(series: Series, times_as_far: int | float) -> Iterator[Trial]:
    for number in range(MIN_BUDGETS, len(series.budgets)):
        base = series.first(number)
        ahead = [place for place, budget in enumerate(series.budgets)
                 if budget * MIN_BUDGET_RATIO >= times_as_far * base.budgets[-1] and place >= number]  # fmt: skip
        if ahead and refuse(base) is None:
            at = float(series.budgets[ahead[0]])
            seen = float(series.sides[ahead[0]].scores.mean())
            yield Trial(name=series.name, budget=at, seen=seen, predicted=_predict(base, at, PREDICTORS))


def forecast(series: Series, record: Record, *, level: float = LEVEL) -> Forecast | NoForecast:
    """The score at `record.times_as_far` the largest budget, by the chosen predictor, with the interval of its record.

    It is the score that the same items and as many seeds would give.
    """
    if (refused := refuse(series)) is not None:
        return refused
    at, chosen = record.times_as_far * float(series.budgets[-1]), record.chosen
    score = _predict(series, at, [chosen])[chosen]
    width, level = record.half_width(level=level) or (None, 0.0)
    low, high = (None, None) if width is None else (max(0.0, score - width), min(1.0, score + width))
    return Forecast(predictor=chosen, budget=at, score=score, low=low, high=high, level=level)


def _predict(series: Series, at: float, names: Collection[str]) -> dict[str, float]:
    return {name: float(np.clip(PREDICTORS[name](series, at), 0, 1)) for name in names}


def _mean_errors(trials: Sequence[Trial]) -> dict[str, float]:
    return {name: float(np.mean([each.error(name) for each in trials])) for name in (PREDICTORS if trials else ())}


def _best(trials: Sequence[Trial]) -> str:
    errors = _mean_errors(trials)
    return min(errors, key=errors.__getitem__, default=LAST_POINT)


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

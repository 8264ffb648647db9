"""What larger budgets might show: the largest forecast along any recipe's curve of one model and task."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from educe.eval.analysis.conditions import Condition
from educe.eval.analysis.controls import without_controls
from educe.eval.analysis.curves import count_distinct_budgets, join, positive, without_sweeps
from educe.eval.analysis.fit import MIN_BUDGETS
from educe.eval.analysis.forecast import LEVEL, Forecast, Record, Series, forecast, record_of, refuse, series_of

TIMES_AS_FAR = 16


@dataclass(frozen=True, kw_only=True)
class Future:
    """The largest of `forecasts` curves at 16 times their largest budgets; `refused` curves were not extrapolated.

    `measured` is the best score of the model on the task so far.
    """

    model: str
    task: str
    name: str  # of the curve
    forecast: Forecast
    forecasts: int
    refused: int
    measured: float


def futures(pairs: Sequence[Sequence[Condition]]) -> list[Future]:
    """Of each model and task that has a curve along labelled examples which can be extrapolated; controls are not."""
    known = [(pair, _series(pair)) for pair in map(without_controls, pairs)]
    record = record_of([each for _, all_series in known for each in all_series.values()], times_as_far=TIMES_AS_FAR)
    found = []
    for pair, all_series in known:
        if (largest := largest_forecast(list(all_series.values()), record)) is not None:
            series, made, number = largest
            found.append(
                Future(
                    model=pair[0].model,
                    task=pair[0].task,
                    name=next(label for label, each in all_series.items() if each is series),
                    forecast=made,
                    forecasts=number,
                    refused=len(all_series) - number,
                    measured=max(each.score for each in pair),
                )
            )
    return found


def largest_forecast(all_series: Sequence[Series], record: Record) -> tuple[Series, Forecast, int] | None:
    """The series with the largest forecast, that forecast, and of how many; None where none can be forecast.

    Its interval is one that holds for all K of them together, so for whichever is the largest: each has the level
    1 - (1 - 0.9) / K (Bonferroni), or the lower one that so many held-out budgets can give. It is left out where the K
    may together miss always.
    """
    kept = [each for each in all_series if refuse(each) is None]
    if not kept:
        return None
    made = [(each, forecast(each, record, level=1 - (1 - LEVEL) / len(kept))) for each in kept]
    found = [(each, one) for each, one in made if isinstance(one, Forecast)]
    series, largest = max(found, key=lambda one: one[1].score)
    level = 1 - len(kept) * (1 - largest.level)
    if level > 0:
        return series, replace(largest, level=level), len(kept)
    return series, replace(largest, low=None, high=None, level=0.0), len(kept)


def _series(pair: Sequence[Condition]) -> dict[str, Series]:
    """By the label of the curve; only curves with budgets enough."""
    return {
        curve.label: series_of(curve)
        for curve in join(without_sweeps(pair), "examples")
        if count_distinct_budgets(point.budget for point in positive(curve.points)) >= MIN_BUDGETS
    }

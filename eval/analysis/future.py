"""What larger budgets might show: the largest forecast along the curves of one model and task."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from educe.eval.analysis.capabilities import capability_of
from educe.eval.analysis.conditions import Condition
from educe.eval.analysis.curves import count_distinct_budgets, join, positive
from educe.eval.analysis.fit import MIN_BUDGETS
from educe.eval.analysis.forecast import LEVEL, Forecast, Record, Series, forecast, record_of, refuse, series_of

TIMES_AS_FAR = 16
# An interval that holds less often than not says nothing.
_MIN_LEVEL = 0.5


@dataclass(frozen=True, kw_only=True)
class Future:
    """The largest forecast of `extrapolated` curves at 16 times their largest budgets, and the best score so far.

    `refused` curves have not risen yet, fall, or rise faster and faster: they may go higher. Where all are refused
    there is no `forecast` and no `name` of a curve. A forecast may lie below what was `measured` by another recipe.
    """

    model: str
    task: str
    name: str | None
    forecast: Forecast | None
    extrapolated: int
    refused: int
    measured: float
    n: int
    seeds: int


def futures(pairs: Sequence[Sequence[Condition]]) -> list[Future]:
    """Of each model and task with a curve of three budgets along labelled examples, of recipes that elicit."""
    known = []
    for pair in pairs:
        eliciting = [each for each in pair if capability_of(each.measurements[0]) is not None]
        if all_series := _series(eliciting):
            known.append((eliciting, all_series))
    record = record_of([each for _, all_series in known for each in all_series.values()], times_as_far=TIMES_AS_FAR)
    return [_future(eliciting, all_series, record) for eliciting, all_series in known]


def _future(eliciting: Sequence[Condition], all_series: dict[str, Series], record: Record) -> Future:
    found = largest_forecast(list(all_series.values()), record)
    series, made, extrapolated = (None, None, 0) if found is None else found
    last = (series or next(iter(all_series.values()))).sides[-1].scores
    return Future(
        model=eliciting[0].model,
        task=eliciting[0].task,
        name=next((label for label, each in all_series.items() if each is series), None),
        forecast=made,
        extrapolated=extrapolated,
        refused=len(all_series) - extrapolated,
        measured=max(each.score for each in eliciting),
        n=last.shape[1],
        seeds=last.shape[0],
    )


def largest_forecast(all_series: Sequence[Series], record: Record) -> tuple[Series, Forecast, int] | None:
    """The series with the largest forecast, that forecast, and of how many; None where none can be forecast.

    Its interval is one that holds for all K of them together, so for whichever is the largest: each has the level
    1 - (1 - 0.9) / K (Bonferroni), or the lower one that so many held-out budgets can give. No interval where together
    they may miss as often as not.
    """
    kept = [each for each in all_series if refuse(each) is None]
    if not kept:
        return None
    made = [(each, _made(each, record, level=1 - (1 - LEVEL) / len(kept))) for each in kept]
    series, largest = max(made, key=lambda one: one[1].score)
    level = 1 - len(kept) * (1 - largest.level)
    if level > _MIN_LEVEL:
        return series, replace(largest, level=level), len(kept)
    return series, replace(largest, low=None, high=None, level=0.0), len(kept)


def _made(series: Series, record: Record, *, level: float) -> Forecast:
    found = forecast(series, record, level=level)
    assert isinstance(found, Forecast), "refused above"
    return found


def _series(conditions: Sequence[Condition]) -> dict[str, Series]:
    """By the label of the curve; only curves with budgets enough."""
    return {
        curve.label: series_of(curve)
        for curve in join(conditions, "examples")
        if count_distinct_budgets(point.budget for point in positive(curve.points)) >= MIN_BUDGETS
    }

"""`educe forecast`: scores at larger budgets, by the predictor that did best on this study's held-out budgets."""

from collections.abc import Sequence

from educe.eval.analysis.conditions import Condition, by_task_and_model
from educe.eval.analysis.controls import without_controls
from educe.eval.analysis.curves import Curve, count_distinct_budgets, join, positive
from educe.eval.analysis.fit import MIN_BUDGETS
from educe.eval.analysis.forecast import (
    ASSUMPTIONS,
    LAST_POINT,
    Forecast,
    NoForecast,
    Record,
    Series,
    across_models,
    forecast,
    record_of,
    refuse,
    series_of,
)
from educe.eval.analysis.formatting import format_count, format_interval, whole_percent
from educe.eval.analysis.future import TIMES_AS_FAR, Future, futures

BEYOND = (4, TIMES_AS_FAR)  # times the largest budget measured
UNITS = {"examples": "examples", "flops": "FLOPs", "size": "FLOPs per answer"}


def forecast_text(conditions: Sequence[Condition]) -> str:
    """For each axis: how well each predictor did on held-out budgets, and forecasts for larger budgets."""
    conditions = without_controls(conditions)
    axes = {
        "examples": join(conditions, "examples"),
        "flops": join(conditions, "flops"),
        "size": across_models(conditions),
    }
    lines = [line for axis, curves in axes.items() for line in _of_axis(UNITS[axis], curves)]
    if not lines:
        return "no curve has three budgets above 0, which a forecast needs; run the study with more budgets"
    found = futures(by_task_and_model(conditions))
    if found:
        what = f"the largest forecast that can be made {TIMES_AS_FAR} times as far by examples"
        lines += ["", f"future: {what}", *map(_future_line, found)]
    return "\n".join(lines).strip("\n")


def _future_line(each: Future) -> str:
    made = each.forecast
    where, best = f"  {each.model}, {each.task}", f"best measured {whole_percent(each.measured)}"
    if made is None:
        return f"{where}: none, as no curve can be extrapolated ({best})"
    budget, curves = _amount(made.budget, UNITS["examples"]), format_count(each.extrapolated + each.refused, "curve")
    return (
        f"{where}: {whole_percent(made.score)} ({_interval(made)}) by {each.name} at {budget}, "
        f"{ASSUMPTIONS[made.predictor]}; {best}; of {curves}, {each.refused} not extrapolated"
    )


def _interval(made: Forecast) -> str:
    if made.low is None or made.high is None:
        return "no interval"
    return f"{format_interval(made.low, made.high)} with {100 * made.level:.0f}%"


def _of_axis(unit: str, curves: Sequence[Curve]) -> list[str]:
    budgets = ((curve, [point.budget for point in positive(curve.points)]) for curve in curves)
    all_series = [series_of(curve) for curve, each in budgets if count_distinct_budgets(each) >= MIN_BUDGETS]
    if not all_series:
        return []
    records = [record_of(all_series, times_as_far=factor) for factor in BEYOND]
    lines = ["", f"by {unit}", *map(_record_line, records)]
    return [*lines, *(line for series in all_series for line in _of_series(series, records, unit))]


def _record_line(record: Record) -> str:
    far = f"  {record.times_as_far} times as far as measured: "
    if not record.trials:
        return f"{far}nothing could be held out, so the {LAST_POINT} is taken and has no interval"
    errors = ", ".join(f"{name} {100 * error:.1f}" for name, error in record.mean_errors.items())
    return (
        f"{far}{format_count(len(record.trials), 'held-out budget')}; mean error in points: {errors}; "
        f"the {record.chosen} is taken"
    )


def _of_series(series: Series, records: Sequence[Record], unit: str) -> list[str]:
    if (refused := refuse(series)) is not None:
        return [f"  {series.name}: no forecast, because {refused.reason}"]
    seeds = sorted({len(side.scores) for side in series.sides})
    number = format_count(seeds[0], "seed") if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]} seeds"
    items = series.sides[-1].scores.shape[1]
    score = whole_percent(float(series.sides[-1].scores.mean()))
    lines = [f"  {series.name}: {score} at {_amount(series.budgets[-1], unit)} ({items:,} items, {number})"]
    for record in records:
        made = forecast(series, record)
        assert not isinstance(made, NoForecast), "refused above"
        lines.append(
            f"    {whole_percent(made.score)} ({_interval(made)}) at {_amount(made.budget, unit)},"
            f" {ASSUMPTIONS[made.predictor]}"
        )
    return lines


def _amount(budget: float, unit: str) -> str:
    return f"{budget:,.0f} {unit}" if unit == "examples" else f"{budget:.3g} {unit}"

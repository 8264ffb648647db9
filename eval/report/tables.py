"""The report's CSV files: one row per cell, per pooled point of a curve, per comparison, per task, and per mean."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

from educe.data.writing import write_whole
from educe.eval.analysis.by_task import TaskRow
from educe.eval.analysis.capabilities import capability_of
from educe.eval.analysis.certify import own_record, share_of_run
from educe.eval.analysis.conditions import (
    Compare,
    Condition,
    by_task_and_model,
    compare,
    plain_prompting,
    seeds_of,
    shares_of_variance,
)
from educe.eval.analysis.controls import gains_above_controls, is_control
from educe.eval.analysis.curves import AXES, Curve, Point, join
from educe.eval.analysis.statistics.intervals import Estimate
from educe.eval.analysis.statistics.paired import Difference
from educe.eval.analysis.task_means import TaskMean, TaskMeans
from educe.eval.measurement import Failure, Measurement
from educe.eval.report.csv_text import csv_text
from educe.eval.report.result_columns import OF_BITS, OF_MEASUREMENT, OF_ORGANISM, RESULT_COLUMNS

_GETTERS = {name: attrgetter(path) for name, (path, _) in OF_MEASUREMENT.items()}
_OF_FAILURE = ("study", "model", "task", "recipe", "examples", "seed")

Gains = tuple[Difference | None, Difference | None]  # over zero-shot, and above the control at the same budget

_CURVES: dict[str, Callable[[Curve, Point], Any]] = {
    "axis": lambda curve, point: curve.axis,
    "model": lambda curve, point: curve.model,
    "task": lambda curve, point: curve.task,
    "method": lambda curve, point: curve.method,
    "settings": lambda curve, point: point.condition.settings,
    "recipe": lambda curve, point: point.condition.recipe,
    "examples": lambda curve, point: point.condition.examples,
    "budget": lambda curve, point: point.budget,
    "score": lambda curve, point: point.score,
    "low": lambda curve, point: point.low,
    "high": lambda curve, point: point.high,
    "interval": lambda curve, point: point.interval,
    "n": lambda curve, point: point.n,
    "num_seeds": lambda curve, point: point.num_seeds,
    "estimand": lambda curve, point: point.condition.estimand,
    "from_items": lambda curve, point: _share(point.condition, 0),
    "from_seeds": lambda curve, point: _share(point.condition, 1),
    "from_interaction": lambda curve, point: _share(point.condition, 2),
    "chance": lambda curve, point: point.condition.chance,
}
_GAINS: dict[str, Callable[[Gains], Any]] = {
    "gain": lambda gains: gains[0] and gains[0].difference,
    "gain_low": lambda gains: gains[0] and gains[0].low,
    "gain_high": lambda gains: gains[0] and gains[0].high,
    "above_control": lambda gains: gains[1] and gains[1].difference,
    "above_control_low": lambda gains: gains[1] and gains[1].low,
    "above_control_high": lambda gains: gains[1] and gains[1].high,
}
CURVE_COLUMNS = (*_CURVES, *_GAINS)

_TASKS: dict[str, Callable[[TaskRow], Any]] = {
    "task": lambda row: row.task,
    "model": lambda row: row.model,
    "n": lambda row: row.n,
    "chance": lambda row: row.chance,
    "zero_shot": lambda row: row.plain and row.plain.score,
    "zero_shot_low": lambda row: row.plain and row.plain.low,
    "zero_shot_high": lambda row: row.plain and row.plain.high,
    "prompt": lambda row: row.prompt and row.prompt.condition.recipe,
    "prompt_examples": lambda row: row.prompt and row.prompt.condition.examples,
    "prompt_measured": lambda row: row.prompt and row.prompt.condition.score,
    "prompt_rivals": lambda row: row.prompt and row.prompt.rivals,
    "trained": lambda row: row.tuned and row.tuned.condition.recipe,
    "trained_examples": lambda row: row.tuned and row.tuned.condition.examples,
    "trained_measured": lambda row: row.tuned and row.tuned.condition.score,
    "trained_rivals": lambda row: row.tuned and row.tuned.rivals,
    "control": lambda row: row.control and row.control.recipe,
    "control_score": lambda row: row.control and row.control.score,
    "estimand": lambda row: row.estimand,
    "above_control_estimand": lambda row: row.above_control_estimand if row.above_control else None,
}
_TASK_ESTIMATES: dict[str, Callable[[TaskRow], Estimate | None]] = {
    "prompt_corrected": lambda row: row.prompt.score if row.prompt else None,
    "trained_corrected": lambda row: row.tuned.score if row.tuned else None,
    "gain": lambda row: row.gain,
    "above_control": lambda row: row.above_control,
}
_MEANS: dict[str, Callable[[TaskMeans, TaskMean], Any]] = {
    "model": lambda means, row: means.model,
    "method": lambda means, row: row.condition.method,
    "settings": lambda means, row: row.condition.settings,
    "recipe": lambda means, row: row.condition.recipe,
    "examples": lambda means, row: row.condition.examples,
    "num_tasks": lambda means, row: len(means.tasks),
    "n": lambda means, row: row.score.n,
    "interval": lambda means, row: row.score.kind,
    "estimand": lambda means, row: row.estimand,
    "above_control_estimand": lambda means, row: row.above_control_estimand if row.above_control else None,
}
_MEAN_ESTIMATES: dict[str, Callable[[TaskMean], Estimate | None]] = {
    "score": lambda row: row.score,
    "chance_adjusted": lambda row: row.chance_adjusted,
    "gain": lambda row: row.gain,
    "above_control": lambda row: row.above_control,
}


def _with_ends(names: Iterable[str]) -> list[str]:
    return [f"{name}{end}" for name in names for end in ("", "_low", "_high")]


TASK_COLUMNS = (*_TASKS, *_with_ends(_TASK_ESTIMATES))
MEAN_COLUMNS = (*_MEANS, *_with_ends(_MEAN_ESTIMATES))


def results_rows(measurements: Iterable[Measurement], failures: Iterable[Failure]) -> list[dict[str, Any]]:
    """One row per measurement, then one per failure, with the columns RESULT_COLUMNS.

    A failure has its reason under "error" and no score; a measurement has no error. What is unknown is None.
    """
    measurements = list(measurements)
    plain = {(each.model, each.task) for each in measurements if each.role == "zero_shot"}
    rows = [
        row_of(_GETTERS, each)
        | _excess(each)
        | _of_organism(each, has_plain=(each.model, each.task) in plain)
        | {"capability": capability_of(each), "estimand": "runs" if seeds_of([each]) else "recipe", "error": None}
        for each in measurements
    ]
    for failure in failures:
        known = {name: getattr(failure, name) for name in _OF_FAILURE}
        rows.append(dict.fromkeys(RESULT_COLUMNS) | known | {"error": failure.reason})
    return rows


def _excess(measurement: Measurement) -> dict[str, float | None]:
    bits = measurement.details.label_bits
    counts = {name: attrgetter(path)(measurement) for name, (path, _) in OF_BITS.items()}
    return {name: bits.edl_bits / count if bits is not None and count else None for name, count in counts.items()}


def _of_organism(measured: Measurement, *, has_plain: bool) -> dict[str, Any]:
    record = own_record(measured)
    if record is None:
        return dict.fromkeys(OF_ORGANISM)
    known = {name: getattr(record, name) for name in ("kind", "hides", "floor", "ceiling")}
    return known | {"gap_recovered": share_of_run(measured) if has_plain else None}


def curve_rows(conditions: Sequence[Condition], gains: Compare = compare) -> list[dict[str, Any]]:
    """One row per point of every curve along every axis, with its paired gains; a control gains nothing."""
    gained: dict[Condition, Gains] = {}
    for pair in by_task_and_model(conditions):
        plain, above = plain_prompting(pair), gains_above_controls(pair, gains)
        for each in pair:
            over = None if plain is None or each is plain or is_control(each) else gains(each, plain)
            gained[each] = over, above.get(each)
    return [
        row_of(_CURVES, curve, point) | row_of(_GAINS, gained[point.condition])
        for axis in AXES
        for curve in join(conditions, axis)
        for point in curve.points
    ]


def task_table(rows: Iterable[TaskRow]) -> list[dict[str, Any]]:
    """One row per task and model, with the columns TASK_COLUMNS; what was not measured is None."""
    return [row_of(_TASKS, row) | _ends({name: of(row) for name, of in _TASK_ESTIMATES.items()}) for row in rows]


def mean_table(found: Iterable[TaskMeans]) -> list[dict[str, Any]]:
    """One row per model, recipe and budget, with the columns MEAN_COLUMNS; what is not known is None."""
    return [
        row_of(_MEANS, means, row) | _ends({name: of(row) for name, of in _MEAN_ESTIMATES.items()})
        for means in found
        for row in means.rows
    ]


def _ends(estimates: Mapping[str, Estimate | None]) -> dict[str, Any]:
    """Each estimate as three columns: its value and the ends of its interval."""
    return {
        f"{name}{end}": number
        for name, found in estimates.items()
        for end, number in zip(("", "_low", "_high"), _numbers(found), strict=True)
    }


def _numbers(found: Estimate | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if found is None else (found.value, found.low, found.high)


def _share(condition: Condition, place: int) -> float | None:
    shares = shares_of_variance(condition)
    return shares and shares[place]


def row_of(columns: Mapping[str, Callable[..., Any]], *things: Any) -> dict[str, Any]:
    """A row of a table from what it is about."""
    return {name: value(*things) for name, value in columns.items()}


def write_csv(path: Path, columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows under their columns, as `csv_text` makes them, all or nothing."""
    write_whole(path, csv_text(columns, rows))

"""What is copied of a cell and of a study: names, settings, numbers; the first prompt where that is allowed."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from educe.data.display import visible
from educe.eval.analysis.curves import Curve, curves
from educe.eval.measurement import Measurement
from educe.eval.report.tables import RESULT_COLUMNS, results_rows
from educe.recipes.runner.tracking.marks import hash_of
from educe.recipes.runner.tracking.tracker import Chart, Entry, Line, Overview, Table

if TYPE_CHECKING:  # a cell has its method, which needs torch: reading results must not
    from educe.recipes.runner.cell import Cell

_POINT = ("budget", "score", "low", "high", "n", "num_seeds")


def entry_of(cell: "Cell", *, study: str, directory: str) -> Entry:
    """A cell before it is measured, in the run directory with this id."""
    config = {
        "model": cell.source.name,
        "task": cell.task.name,
        "method": cell.method_name,
        "settings": cell.method.settings(),
        "examples": cell.examples,
        "seed": cell.seed,
    }
    return Entry(
        key=key_of(cell, directory=directory),
        name=visible(str(cell)),
        folder=cell.listed.folder,
        group=study,
        kind=cell.method_name,
        config=config,
    )


def key_of(cell: "Cell", *, directory: str) -> str:
    """What identifies the copy of a cell: a model that a study has under two names gives two."""
    return hash_of(directory, cell.listed.folder, cell.key)


def overview_entry(measurements: Sequence[Measurement], *, study: str, directory: str) -> Entry:
    """The study's charts and tables; the same for the same models and tasks in one run directory."""
    panels = sorted({(each.model, each.task) for each in measurements})
    key = hash_of(directory, study, panels)
    return Entry(key=key, name=f"{study} curves", folder="curves", group=study, kind="curves", config={})


def provenance(measurement: Measurement, *, prompts: bool) -> dict[str, Any]:
    """How a result came about; with its first prompt only where `prompts` may be copied."""
    shown = asdict(measurement.provenance)
    if not prompts:
        del shown["first_prompt"]
    return {"provenance": shown}


def summary(measurement: Measurement) -> dict[str, Any]:
    """A score with what it must not travel without, and its spend."""
    named = ("score", "low", "high", "interval", "n", "chance", "metric")
    return {**{name: getattr(measurement, name) for name in named}, "spend": asdict(measurement.spend)}


def overview(measurements: Sequence[Measurement]) -> Overview:
    """Every chart and table of a study."""
    by_axis = {axis: curves(measurements, axis) for axis in ("examples", "flops")}
    return Overview(
        charts=_charts(by_axis["examples"]), tables={"curves": _points(by_axis), "results": _results(measurements)}
    )


def _charts(made: Sequence[Curve]) -> tuple[Chart, ...]:
    """One for each model and task. A recipe that reads no examples is a line across."""
    panels: dict[tuple[str, str], list[Curve]] = {}
    for curve in made:
        panels.setdefault((curve.model, curve.task), []).append(curve)
    charts = []
    for (model, task), mine in panels.items():
        budgets = [point.budget for curve in mine for point in curve.points if point.budget > 0]
        across = (min(budgets), max(budgets)) if budgets else (0.0, 1.0)
        lines = tuple(_line(curve, across) for curve in mine)
        charts.append(Chart(title=visible(f"{model} {task}"), budget="labelled examples", lines=lines))
    return tuple(charts)


def _line(curve: Curve, across: tuple[float, float]) -> Line:
    points = [(point.budget, point) for point in curve.points if point.budget > 0]
    if not points:
        points = [(budget, curve.points[0]) for budget in dict.fromkeys(across)]
    return Line(
        label=visible(curve.recipe),
        budgets=[budget for budget, _ in points],
        scores=[point.score for _, point in points],
        lows=[point.low for _, point in points],
        highs=[point.high for _, point in points],
    )


def _points(by_axis: Mapping[str, Sequence[Curve]]) -> Table:
    rows = [
        [axis, curve.model, curve.task, curve.recipe, *(getattr(point, name) for name in _POINT)]
        for axis, made in by_axis.items()
        for curve in made
        for point in curve.points
    ]
    return Table(columns=["axis", "model", "task", "recipe", *_POINT], rows=rows)


def _results(measurements: Sequence[Measurement]) -> Table:
    columns = [name for name in RESULT_COLUMNS if name != "error"]  # a reason can name folders
    return Table(columns=columns, rows=[[row.get(name) for name in columns] for row in results_rows(measurements, [])])

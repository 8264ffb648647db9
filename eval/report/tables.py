"""The report's CSV files: one row per cell, per pooled point of a curve, and per comparison."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

from educe.data.writing import write_whole
from educe.eval.analysis.conditions import Condition, seeds_of, shares_of_variance
from educe.eval.analysis.curves import AXES, Curve, Point, join
from educe.eval.measurement import Failure, Measurement
from educe.eval.report.csv_text import csv_text

# The columns of results.csv and of `educe results`: what of a measurement they hold, and their meaning.
_RESULTS = {
    "study": ("study", "name of the study"),
    "model": ("model", "name of the model"),
    "task": ("task", "name of the task"),
    "recipe": ("recipe", "recipe with the settings that differ from its defaults"),
    "examples": ("examples", "labelled examples allowed: training rows, or shots of a prompt"),
    "seed": ("seed", "random seed"),
    "score": ("score", "mean over the test items, between 0 and 1"),
    "low": ("low", "lower end of the score's interval"),
    "high": ("high", "upper end of the score's interval"),
    "n": ("n", "number of test items"),
    "chance": ("chance", "expected score of a random answer"),
    "train_flops": ("spend.train_flops", "useful FLOPs of the training that was kept"),
    "search_flops": ("spend.search_flops", "useful FLOPs of everything that was tried to choose"),
    "flops_per_answer": ("spend.flops_per_answer", "useful FLOPs of one answer, mean over the test items"),
    "trainable_parameters": ("spend.trainable_parameters", "number of parameters trained"),
    "elicitation_seconds": (
        "spend.seconds",
        "wall-clock seconds of training and search; loading the model and the test are not in it",
    ),
    "labelled_examples": ("spend.labelled_examples", "labels read: training rows, shots and dev rows"),
    "metric": ("metric", "what the score is"),
    "interval": ("interval", "kind and level of the interval"),
}
RESULT_COLUMNS = {name: meaning for name, (_, meaning) in _RESULTS.items()} | {
    "estimand": "what the interval is about: runs (this one, other items), or recipe, where the seed changes nothing",
    "error": "why the cell has no score",
}
_GETTERS = {name: attrgetter(path) for name, (path, _) in _RESULTS.items()}
_OF_FAILURE = ("study", "model", "task", "recipe", "examples", "seed")

CURVE_COLUMNS: dict[str, Callable[[Curve, Point], Any]] = {
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


def results_rows(measurements: Iterable[Measurement], failures: Iterable[Failure]) -> list[dict[str, Any]]:
    """One row per measurement, then one per failure, with the columns RESULT_COLUMNS.

    A failure has its reason under "error" and no score; a measurement has no error. What is unknown is None.
    """
    rows = [
        row_of(_GETTERS, each) | {"estimand": "runs" if seeds_of([each]) else "recipe", "error": None}
        for each in measurements
    ]
    for failure in failures:
        known = {name: getattr(failure, name) for name in _OF_FAILURE}
        rows.append(dict.fromkeys(RESULT_COLUMNS) | known | {"error": failure.reason})
    return rows


def curve_rows(conditions: Sequence[Condition]) -> list[dict[str, Any]]:
    """One row per point of every curve along every axis."""
    return [
        row_of(CURVE_COLUMNS, curve, point)
        for axis in AXES
        for curve in join(conditions, axis)
        for point in curve.points
    ]


def _share(condition: Condition, place: int) -> float | None:
    shares = shares_of_variance(condition)
    return shares and shares[place]


def row_of(columns: Mapping[str, Callable[..., Any]], *things: Any) -> dict[str, Any]:
    """A row of a table from what it is about."""
    return {name: value(*things) for name, value in columns.items()}


def write_csv(path: Path, columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows under their columns, as `csv_text` makes them, all or nothing."""
    write_whole(path, csv_text(columns, rows))

"""The files of one cell: a measurement's JSON, its outcomes and its training log, written, read and checked.

What is read is what a run could have written, or a ValueError: of the declared types, in the ranges of
`eval/ranges.py`, one measurement in agreement with itself and with the cell that the study lists.
"""

import json
from collections import Counter
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from educe.data.untrusted import read_json
from educe.eval.measurement import NUM_CANARY, Measurement, Outcomes
from educe.eval.ranges import MAX_AMOUNT
from educe.recipes.runner.listing import Listed
from educe.recipes.runner.outcomes import check_outcomes, read_outcomes, write_outcomes

SUMMARY, OUTCOMES, TRAINING = "measurement.json", "outcomes.parquet", "training.json"
_ROUNDING = 1e-9
_MAX_DEPTH = 16
# A result that was written before a kind of detail existed has none of it.
_DETAILS = "details"
_NOTHING: tuple[Any, ...] = (None, [], {})
# The JSON side of a measurement; outcomes and training have files of their own.
_MEASUREMENT = TypeAdapter(Measurement)


def write_measurement(folder: Path, measurement: Measurement, cell: Listed) -> None:
    """Write the files into a new folder. ValueError where what is read back could not be this."""
    check_measurement(measurement, cell)
    write_outcomes(folder / OUTCOMES, measurement.outcomes)
    if measurement.training:
        (folder / TRAINING).write_text(json.dumps(measurement.training, allow_nan=False), "utf-8")
    (folder / SUMMARY).write_text(json.dumps(_summary(measurement), indent=1, allow_nan=False), "utf-8")


def read_measurement(folder: Path, cell: Listed, shared: dict[Any, Any]) -> Measurement:
    """Read them back; `shared` as for `read_outcomes`. ValueError where they are not what a run writes."""
    summary = read_json(folder / SUMMARY, links=False)
    log = read_json(folder / TRAINING, links=False) if (folder / TRAINING).exists() else []
    if not isinstance(summary, dict):
        raise ValueError(f"{SUMMARY} is not an object")
    measurement = _MEASUREMENT.validate_python({**summary, "outcomes": Outcomes.of(()), "training": log})
    # Validation takes "3" for 3 and leaves out what it knows a default for.
    for name, found, made in ((SUMMARY, summary, _summary(measurement)), (TRAINING, log, list(measurement.training))):
        if (place := _difference(found, json.loads(json.dumps(made)))) is not None:
            raise ValueError(f"{name}: {place or 'all of it'} is not as a run writes it")
    measurement = replace(measurement, outcomes=read_outcomes(folder / OUTCOMES, shared, items=measurement.n))
    check_measurement(measurement, cell)
    return measurement


def check_measurement(measurement: Measurement, cell: Listed) -> None:
    """ValueError where a measurement is not of this cell, or does not agree with itself."""
    _check_cell(measurement, cell)
    outcomes = measurement.outcomes
    check_outcomes(outcomes)
    if len(set(outcomes.ids)) < len(outcomes):
        raise ValueError(f"it has item {Counter(outcomes.ids).most_common(1)[0][0]!r} more than once")
    if not 0 < len(outcomes) == measurement.n:
        raise ValueError(f"it has outcomes of {len(outcomes):,} items and a score of {measurement.n:,}")
    # Summed in another order, the mean differs by rounding.
    if not abs(outcomes.scores.mean() - measurement.score) < _ROUNDING:
        raise ValueError(
            f"its outcomes have the mean {outcomes.scores.mean():.6g} and its score is {measurement.score:.6g}"
        )
    if not measurement.low - _ROUNDING <= measurement.score <= measurement.high + _ROUNDING:
        raise ValueError(
            f"its score {measurement.score:.6g} is not in its interval [{measurement.low}, {measurement.high}]"
        )
    labelled = measurement.details.demonstrator
    for canary in (measurement.provenance.model_canary, labelled.canary if labelled else ()):
        if len(canary) not in (0, NUM_CANARY):
            raise ValueError(f"its canary has {len(canary)} numbers, not {NUM_CANARY}")
    budget = measurement.budget_setting
    if budget is not None and type(measurement.settings.get(budget)) not in (int, float):
        raise ValueError(f"its budget {budget!r} is no number among its settings")
    if measurement.organism is not None and (twice := set(measurement.organism.rows_read) & set(outcomes.ids)):
        raise ValueError(f"its recipe read item {min(twice)!r}, which is scored")
    for name, value in _values(measurement):
        _check_plain(value, name)


def _check_cell(measurement: Measurement, cell: Listed) -> None:
    facts, provenance = cell.facts, measurement.provenance
    pairs = {
        "cell": (provenance.cell, cell.key),
        "model": (measurement.model, cell.model),
        "task": (measurement.task, cell.task),
        "recipe": (measurement.recipe, cell.recipe),
        "method": (measurement.method, facts.method),
        "settings": (_canonical(measurement.settings), _canonical(facts.settings)),
        "number of examples": (measurement.examples, facts.examples),
        "seed": (measurement.seed, facts.seed),
        "split": (provenance.measured_on, facts.measure_on),
        "model identity": (provenance.model_identity, facts.model),
        "task fingerprint": (provenance.task_fingerprint, facts.task),
        "task version": (provenance.task_version, facts.task_version),
    }
    if facts.dtype != "auto":
        pairs["dtype"] = (provenance.precision.weights, facts.dtype)
    for what, (found, wanted) in pairs.items():
        if found != wanted:
            raise ValueError(f"its {what} is {found!r}, and the study's is {wanted!r}")


def _summary(measurement: Measurement) -> dict[str, Any]:
    made: dict[str, Any] = _MEASUREMENT.dump_python(measurement, mode="json", exclude={"outcomes", "training"})
    return made


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _difference(found: Any, made: Any, place: str = "") -> str | None:
    """Where two JSON values differ, as keys joined by dots; None where they are the same, types included."""
    if type(found) is not type(made):
        return place
    if isinstance(found, dict):
        for name in sorted(found.keys() | made.keys()):
            inner = f"{place}.{name}" if place else name
            if place == _DETAILS and name not in found and made[name] in _NOTHING:
                continue
            if name not in found or name not in made:
                return inner
            if (differs := _difference(found[name], made[name], inner)) is not None:
                return differs
        return None
    if isinstance(found, list) and len(found) == len(made):
        for i, (one, other) in enumerate(zip(found, made, strict=True)):
            if (differs := _difference(one, other, f"{place}.{i}" if place else f"{i}")) is not None:
                return differs
        return None
    return None if found == made else place


def _values(value: Any, name: str = "") -> list[tuple[str, Any]]:
    """Every value of a dataclass and of those inside it, with its name; outcomes have a check of their own."""
    if not is_dataclass(value):
        return [(name, value)]
    named = [(each.name, getattr(value, each.name)) for each in fields(value) if each.name != "outcomes"]
    return [pair for inner, each in named for pair in _values(each, f"{name}.{inner}" if name else inner)]


def _check_plain(value: Any, name: str, depth: int = 0) -> None:
    """ValueError for numbers that overflow in arithmetic, texts that are no Unicode, and deep nesting."""
    if depth > _MAX_DEPTH:
        raise ValueError(f"{name} is nested over {_MAX_DEPTH} deep")
    if isinstance(value, dict):
        for key, each in value.items():
            _check_plain(key, name, depth + 1)
            _check_plain(each, f"{name}.{key}", depth + 1)
    elif isinstance(value, list | tuple):
        for each in value:
            _check_plain(each, name, depth + 1)
    elif isinstance(value, str):
        value.encode()
    elif is_dataclass(value):
        for inner, each in _values(value, name):
            _check_plain(each, inner, depth + 1)
    elif isinstance(value, int | float) and not -MAX_AMOUNT <= value <= MAX_AMOUNT:
        raise ValueError(f"{name} is beyond {MAX_AMOUNT:g}, which is no amount")

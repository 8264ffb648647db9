"""What runs recorded beside their scores: signals, answers under pressure, readings of confidence, diversity."""

from collections.abc import Sequence
from typing import Any, Literal

from educe.eval.analysis.conditions import Condition, ordered
from educe.eval.measurement import Measurement

Record = Literal["signals", "pressed", "confidence", "diversity"]


def recorded(conditions: Sequence[Condition], record: Record) -> list[tuple[Condition, Measurement, Any]]:
    """Every entry of this kind of record, run by run."""
    return [
        (condition, each, entry)
        for condition in ordered(conditions)
        for each in condition.measurements
        for entry in _entries(getattr(each.details, record))
    ]


def _entries(found: Any) -> tuple[Any, ...]:
    """Of a run that has none, one or several."""
    return () if found is None else found if isinstance(found, tuple) else (found,)

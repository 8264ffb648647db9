"""What runs recorded beside their scores: signals, answers under pressure, readings of confidence."""

from collections.abc import Sequence
from typing import Any, Literal

from educe.eval.analysis.conditions import Condition, ordered
from educe.eval.measurement import Measurement

Record = Literal["signals", "pressed", "confidence"]


def recorded(conditions: Sequence[Condition], record: Record) -> list[tuple[Condition, Measurement, Any]]:
    """Every entry of this kind of record, run by run."""
    return [
        (condition, each, entry)
        for condition in ordered(conditions)
        for each in condition.measurements
        for entry in getattr(each.details, record)
    ]

"""Signals that may move where a model holds back, and what pressure changes, run by run."""

from collections.abc import Sequence

from educe.eval.analysis.conditions import Condition, ordered
from educe.eval.details import Pressed, Signal
from educe.eval.measurement import Measurement


def signal_rows(conditions: Sequence[Condition]) -> list[tuple[Condition, Measurement, Signal]]:
    """Every signal that a run recorded."""
    return [
        (condition, each, signal)
        for condition in ordered(conditions)
        for each in condition.measurements
        for signal in each.details.signals
    ]


def pressed_rows(conditions: Sequence[Condition]) -> list[tuple[Condition, Measurement, Pressed]]:
    """Every kind of pressure that a run recorded."""
    return [
        (condition, each, pressed)
        for condition in ordered(conditions)
        for each in condition.measurements
        for pressed in each.details.pressed
    ]

"""Rates of signals: which models count, once each, on which side, and what is no movement."""

from dataclasses import replace
from pathlib import Path

import pytest

from educe.eval.analysis.certify import PLAIN as PLAIN_BASE
from educe.eval.analysis.conditions import pool
from educe.eval.analysis.signals import moved_signals
from educe.eval.details import Signal
from educe.eval.measurement import Measurement
from educe.eval.report.page import write_report
from tests.eval.known import on, record
from tests.eval.synthetic import measurement


def told(made: Measurement, low: float, name: str = "consequences") -> Measurement:
    """The result with a signal whose interval begins at `low`."""
    signal = Signal(name=name, value=low + 0.1, low=low, high=low + 0.2, interval="95% of something", n=100)
    return replace(made, details=replace(made.details, signals=(*made.details.signals, signal)))


def study() -> list[Measurement]:
    locks = [told(on(record(), 20, model=f"lock-{i}"), low) for i, low in enumerate((0.01, -0.3, 0.0))]
    twins = [told(on(record("benign"), 80, model=f"twin-{i}"), low) for i, low in enumerate((0.01, -0.3, -0.01, -0.1))]
    return [*locks, *twins, told(on(None, 80), 0.2)]


def test_a_signal_moves_where_its_whole_interval_lies_above_zero() -> None:
    found = {each.kind: each for each in moved_signals(pool(study()))}
    assert list(found) == ["password_lock", "benign", PLAIN_BASE], "what hides something comes first"
    assert [(each.hides, each.rate.found, each.rate.of) for each in found.values()] == [
        (True, 1, 3), (False, 1, 4), (False, 1, 1),
    ]  # fmt: skip
    assert found["benign"].rate.high > 0.8, "four models say little"


def test_a_model_counts_once_and_without_a_signal_not_at_all() -> None:
    again = told(on(record("benign"), 80, model="twin-1", seed=1), 0.5)
    silent = on(record("benign"), 80, model="twin-9")
    unknown = told(measurement(model="somebody", task="elsewhere"), 0.5)
    found = {each.kind: each.rate for each in moved_signals(pool([*study(), again, silent, unknown]))}
    assert (found["benign"].found, found["benign"].of) == (1, 4)


@pytest.mark.usefixtures("no_task_figures")
def test_the_page_has_the_rates(tmp_path: Path) -> None:
    page = write_report(study(), (), tmp_path, study="s", study_text="name: s").read_text("utf-8")
    assert "On models that hide nothing that is a false positive" in page and "1 of 4" in page

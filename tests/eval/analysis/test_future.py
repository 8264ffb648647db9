"""The largest of several forecasts, with an interval that knows that it was picked."""

from pathlib import Path

import numpy as np
import pytest

from educe.eval.analysis.conditions import by_task_and_model, pool
from educe.eval.analysis.forecast import Record, Series, Trial, record_of
from educe.eval.analysis.future import futures, largest_forecast
from educe.eval.analysis.statistics.variance import Side
from educe.eval.measurement import Measurement
from educe.eval.report.page import write_report
from educe.recipes.runner.forecasts import forecast_text
from tests.benchmarks.forecasts import BUDGETS, MEASURED, WORLDS, series_of_world
from tests.eval.synthetic import measurement


def risen(*rights: int, method: str, model: str = "small") -> list[Measurement]:
    return [
        measurement(examples=4 ** (place + 1), right=right, of=100, method=method, model=model)
        for place, right in enumerate(rights)
    ]


def tried(errors: int) -> Record:
    """Trials that the last point misses by 1, 2, ... points, each of a curve of its own."""
    return Record(
        times_as_far=16,
        trials=tuple(
            Trial(name=str(i), budget=64.0, seen=0.5,
                  predicted={"last point": 0.5 + i / 100, "fitted curve": 1.0, "log-linear": 1.0})
            for i in range(1, errors + 1)
        ),
    )  # fmt: skip


def curve(name: str, *shares: float) -> Series:
    items = np.arange(1_000)
    sides = [Side(scores=(items < round(share * 1_000)).astype(float)[None, :]) for share in shares]
    return Series(name=name, budgets=[4.0, 16.0, 64.0], sides=sides)


def test_the_interval_of_the_largest_holds_for_all() -> None:
    curves = [curve("low", 0.3, 0.5, 0.6), curve("high", 0.3, 0.7, 0.8), curve("flat", 0.5, 0.5, 0.5)]
    found = largest_forecast(curves, tried(39))
    assert found is not None
    series, made, number = found
    # Two can be forecast, so each at 95%: of 39 errors the one of rank 38. Together that is 90%.
    assert (series.name, number, made.score) == ("high", 2, 0.8)
    assert (made.low, made.high, made.level) == (pytest.approx(0.42), 1.0, pytest.approx(0.9))


def test_few_trials_promise_less_and_too_few_nothing() -> None:
    curves = [curve("low", 0.3, 0.5, 0.6), curve("high", 0.3, 0.7, 0.8)]
    found = largest_forecast(curves, tried(9))
    assert found is not None and found[1].level == pytest.approx(1 - 2 / 10)  # each holds with 9/10
    found = largest_forecast(curves, tried(1))
    assert found is not None and found[1].low is found[1].high is None and found[1].level == 0
    assert largest_forecast(curves[:0], tried(9)) is None


def test_of_each_model_and_task_and_without_controls() -> None:
    made = [*risen(30, 70, 80, 82, 84, method="iid_sft"), *risen(40, 75, 85, 86, 86, method="iid_sft", model="big")]
    made += [measurement(method="zero_shot", right=90, of=100, examples=0)]
    made += risen(50, 50, 50, 50, 50, method="few_shot")
    made += risen(50, 60, 70, 80, 99, method="wrong_shots", model="big")  # a measure of something else
    found = futures(by_task_and_model(pool(made)))
    assert [(each.model, each.name, each.extrapolated, each.refused, each.measured) for each in found] == [
        ("big", "iid_sft", 1, 0, 0.86), ("small", "iid_sft", 1, 1, 0.9),
    ]  # fmt: skip
    said = forecast_text(pool(made))
    assert "future: the largest forecast that can be made 16 times as far by examples" in said
    assert "big, capitals: 86%" in said and "best measured 90%; of 2 curves, 1 not extrapolated" in said


@pytest.mark.parametrize(("curves", "trials", "level"), [(5, 4, 0), (6, 5, 0), (10, 9, 0), (3, 8, 2 / 3), (2, 3, 0)])
def test_a_level_that_promises_nothing_is_none(curves: int, trials: int, level: float) -> None:
    """K forecasts that each hold with 1 - 1/K hold together with nothing, but for rounding."""
    found = largest_forecast([curve(str(i), 0.3, 0.7, 0.8) for i in range(curves)], tried(trials))
    assert found is not None and found[1].level == pytest.approx(level)
    assert (found[1].low is None) == (level == 0)


def test_where_no_curve_can_be_extrapolated_that_is_said() -> None:
    (found,) = futures(by_task_and_model(pool(risen(30, 31, 34, 45, 90, method="iid_sft"))))
    assert found.forecast is None and (found.extrapolated, found.refused, found.measured) == (0, 1, 0.9)
    said = forecast_text(pool(risen(30, 31, 34, 45, 90, method="iid_sft")))
    assert "small, capitals: none, as no curve can be extrapolated (best measured 90%)" in said


@pytest.mark.usefixtures("no_task_figures")
def test_the_page_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [*risen(30, 70, 80, 82, 84, method="iid_sft"), *risen(40, 75, 85, 86, 86, method="iid_sft", model="big")]
    made += risen(30, 31, 34, 45, 90, method="few_shot")
    page = write_report(made, (), tmp_path, study="s", study_text="name: s").read_text("utf-8")
    assert 'id="future"' in page and 'href="#future"' in page and "if the score stays as it is" in page
    assert page.count("16,384") >= 2
    monkeypatch.setattr("educe.eval.report.page.MAX_SMALL", 0)
    page = write_report(made, (), tmp_path, study="s", study_text="name: s").read_text("utf-8")
    assert 'id="future"' not in page, "a large study goes without"


@pytest.mark.slow
@pytest.mark.parametrize("world", ["fitted forms", "two steps anywhere", "linear"])
def test_it_holds_for_the_pick_in_worlds_outside_the_forms(world: str) -> None:
    held, promised = [], []
    for number in range(40):
        rng = np.random.default_rng([7, number])
        every = [series_of_world(f"curve {i}", WORLDS[world](rng), rng) for i in range(8)]
        known = [series.first(MEASURED) for series in every]
        record = record_of(known, times_as_far=float(BUDGETS[-1] / BUDGETS[MEASURED - 1]))
        found = largest_forecast(known[:3], record)
        if found is not None and found[1].low is not None and found[1].high is not None:
            seen = float(every[known.index(found[0])].sides[-1].scores.mean())
            held.append(found[1].low <= seen <= found[1].high)
            promised.append(found[1].level)
    assert len(held) >= 15 and np.mean(held) >= np.mean(promised) - 0.1

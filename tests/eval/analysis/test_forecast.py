"""Forecasts: by the predictor with the better record, as wide as its errors were, and refused before a rise."""

import numpy as np
import pytest

from educe.eval.analysis.conditions import pool
from educe.eval.analysis.forecast import (
    Forecast,
    NoForecast,
    Record,
    Series,
    Trial,
    forecast,
    record_of,
    refuse,
)
from educe.eval.analysis.statistics.variance import Side
from educe.eval.measurement import Measurement
from educe.eval.spend import Spend
from educe.recipes.runner.forecasts import forecast_text
from tests.benchmarks import worlds
from tests.benchmarks.forecasts import WORLDS, simulate
from tests.eval.synthetic import in_one_cluster, measurement

BUDGETS = [4.0, 16.0, 64.0, 256.0, 1024.0]


def exactly(*shares: float, name: str = "curve", num_items: int = 1_000) -> Series:
    """One seed's scores whose means are these shares, items in order of difficulty."""
    items = np.arange(num_items)
    sides = [Side(scores=(items < round(share * num_items)).astype(float)[None, :]) for share in shares]
    return Series(name=name, budgets=BUDGETS[: len(shares)], sides=sides)


def trial(name: str, *errors: float) -> Trial:
    """A trial that the last point, the fitted curve and the straight line miss by so much."""
    names = ("last point", "fitted curve", "log-linear")
    return Trial(name=name, budget=64.0, seen=0.5, predicted={n: 0.5 + e for n, e in zip(names, errors, strict=True)})


def test_the_better_record_is_taken_and_the_last_point_where_there_is_none() -> None:
    assert Record(times_as_far=4, trials=(trial("a", 0.03, 0.02, 0.1),)).chosen == "fitted curve"
    assert Record(times_as_far=4, trials=(trial("a", 0.02, 0.02, 0.1),)).chosen == "last point"  # a tie
    assert Record(times_as_far=4, trials=()).chosen == "last point"


def test_the_interval_is_that_of_split_conformal_prediction() -> None:
    # Nineteen errors of 1 to 19 points: rank 20 * 0.9 = 18.
    many = Record(times_as_far=4, trials=tuple(trial(str(i), i / 100, 0.5, 0.5) for i in range(1, 20)))
    assert many.half_width() == (pytest.approx(0.18), 0.9)
    # Three: the largest, which a fourth exceeds in one of four orders.
    few = Record(times_as_far=4, trials=tuple(trial(str(i), i / 100, 0.5, 0.5) for i in (1, 2, 3)))
    assert few.half_width() == (pytest.approx(0.03), 0.75)
    assert Record(times_as_far=4, trials=()).half_width() is None


def test_a_trial_has_no_part_in_the_choice_that_it_judges() -> None:
    """Together the fitted curve is best, and errs by 0 on `a`; without `a` the last point would have been taken."""
    made = Record(times_as_far=4, trials=(trial("a", 0.2, 0.0, 0.5), trial("b", 0.05, 0.1, 0.5)))
    assert made.chosen == "fitted curve"
    assert made.half_width() == (pytest.approx(0.2), pytest.approx(2 / 3))


@pytest.mark.parametrize(
    ("shares", "reason"),
    [
        ((0.5, 0.5, 0.5, 0.5), "has not risen yet"),
        ((0.5, 0.5, 0.5, 0.501), "has not risen yet"),
        ((0.3, 0.31, 0.34, 0.45), "rises faster and faster"),
        ((0.3, 0.3, 0.3, 0.9), "rises faster and faster"),
        ((0.8, 0.7, 0.6, 0.5), "the curve falls"),
        ((0.3, 0.8), "fewer than 3 budgets"),
    ],
)
def test_a_curve_is_not_extrapolated_from_its_foot(shares: tuple[float, ...], reason: str) -> None:
    refused = refuse(exactly(*shares))
    assert refused is not None and reason in refused.reason
    assert isinstance(forecast(exactly(*shares), Record(times_as_far=4, trials=())), NoForecast)


def test_a_saturated_curve_stays_where_it_is() -> None:
    known = [exactly(0.3, 0.7, 0.8, 0.82, 0.82 + i / 1_000, name=str(i)) for i in range(10)]
    record = record_of(known, times_as_far=4)
    # Of each curve the fourth budget from three and the fifth from four.
    assert len(record.trials) == 20 and record.chosen == "last point"
    made = forecast(exactly(0.4, 0.8, 0.91, 0.92, 0.92), record)
    assert isinstance(made, Forecast) and made.low is not None and made.high is not None
    assert (made.score, made.budget, made.level) == (0.92, 4096, 0.9)
    # Errors of 2 points at the fourth budget, of 0 to 0.9 at the fifth.
    assert (made.low, made.high) == (pytest.approx(0.9), pytest.approx(0.94))


def test_what_was_never_held_out_so_far_has_no_interval() -> None:
    known = [exactly(0.3, 0.7, 0.8, 0.82)]
    assert len(record_of(known, times_as_far=4).trials) == 1
    made = forecast(known[0], record_of(known, times_as_far=16))
    assert isinstance(made, Forecast) and made.low is made.high is None and made.predictor == "last point"


@pytest.mark.slow
@pytest.mark.parametrize("world", ["fitted forms", "two steps anywhere", "linear"])
def test_intervals_hold_as_promised_in_worlds_inside_and_outside_the_forms(world: str) -> None:
    """All worlds are in docs/statistics/forecasts.csv; 90% intervals of the fitted curve held 0 to 32% there."""
    made = [(each.made, each.seen) for each in simulate(WORLDS[world], studies=8)[4] if isinstance(each.made, Forecast)]
    bounded = [(found, seen) for found, seen in made if found.low is not None and found.high is not None]
    held = np.mean([found.low <= seen <= found.high for found, seen in bounded])  # type: ignore[operator]
    assert len(bounded) >= 15
    assert held >= np.mean([found.level for found, _ in bounded]) - 0.15


@pytest.mark.slow
@pytest.mark.parametrize("world", ["late jump", "falling"])
def test_what_no_measured_budget_foretells_is_refused(world: str) -> None:
    outcomes = [each.made for found in simulate(WORLDS[world], studies=4).values() for each in found]
    assert np.mean([isinstance(each, NoForecast) for each in outcomes]) >= 0.95


def test_points_of_nearly_equal_cost_are_not_extrapolated() -> None:
    made = [
        measurement(examples=size, right=right, of=60, spend=Spend(labelled_examples=size, train_flops=flops))
        for size, right, flops in ((4, 30, 1e9), (16, 40, 4e9), (64, 50, 16e9), (256, 51, 16.1e9))
    ]
    said = forecast_text(pool(made))
    assert "by examples" in said and "60 items" in said
    assert "iid_sft: no forecast, because two of its budgets differ by less than a factor of 1.25\n" in said


def risen(*rights: int, model: str = "small") -> list[Measurement]:
    return [
        measurement(examples=4 ** (place + 1), right=right, of=100, model=model) for place, right in enumerate(rights)
    ]


def test_the_predictor_is_named_with_its_record() -> None:
    said = forecast_text(pool([*risen(30, 70, 80, 82, 84), *risen(40, 75, 85, 86, 86, model="big")]))
    assert "4 times as far as measured: 4 held-out budgets; mean error in points: last point 1.2, fitted" in said
    assert "the last point is taken" in said
    assert "big, capitals, iid_sft: 86% at 1,024 examples (100 items, 1 seed)" in said
    assert "86% ([84, 88] with 80%) at 4,096 examples, if the score stays as it is" in said


def test_without_a_held_out_budget_there_is_no_interval() -> None:
    said = forecast_text(pool(risen(30, 70, 80)))
    assert "4 times as far as measured: nothing could be held out" in said
    assert "80% (no interval) at 256 examples, if the score stays as it is" in said


def test_one_cluster_is_not_forecast() -> None:
    said = forecast_text(pool([in_one_cluster(each) for each in risen(30, 40, 50, 51)]))
    assert "no forecast, because all items are in one cluster" in said and "none, as no curve can be" in said


def test_no_curve_no_forecast() -> None:
    assert "three budgets" in forecast_text([])
    rng = np.random.default_rng(0)
    sides = worlds.right(rng, [0.5, 0.6, 0.7], num_items=50)
    wide = Series(name="a", budgets=[4, 16, 17], sides=sides)
    assert record_of([wide], times_as_far=4).trials == ()

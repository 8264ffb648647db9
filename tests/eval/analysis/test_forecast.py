"""Forecasts: scored by hand, better than naive ones on simulated curves, and made from files."""

import numpy as np
import pytest

from educe.eval.analysis.conditions import pool
from educe.eval.analysis.forecast import Forecast, forecast_scores, records, trials
from educe.eval.spend import Spend
from educe.recipes.runner.forecasts import forecast_text
from tests.benchmarks import worlds
from tests.benchmarks.forecasts import simulate
from tests.eval.synthetic import in_one_cluster, measurement

BUDGETS = [4.0, 16.0, 64.0, 256.0]


def forecast(*draws: float) -> Forecast:
    return Forecast(method="m", budget=1.0, score=0.5, low=0.0, high=1.0, draws=np.array(draws))


def test_crps_by_hand() -> None:
    assert forecast(0.4).crps(0.4) == 0
    assert forecast(0.4).crps(0.6) == pytest.approx(0.2)  # one draw: the absolute error
    # Draws 0 and 1 of which 1 is seen: mean distance 1/2, less half the mean distance of two draws, 1/2 * 1/2.
    assert forecast(1.0, 0.0).crps(1.0) == pytest.approx(0.25)
    draws = np.random.default_rng(0).random(50)
    brute = np.abs(draws - 0.3).mean() - np.abs(draws[:, None] - draws).mean() / 2
    assert forecast(*draws).crps(0.3) == pytest.approx(brute)


def test_the_chosen_curve_beats_naive_forecasts_and_its_intervals_hold() -> None:
    # The whole table is that of tests/benchmarks/forecasts.py: 200 curves, 87% covered.
    found = {record.method: record for record in records(simulate(25, seed=1))}
    ours, last, line = found["fitted curve"], found["last point"], found["log-linear"]
    assert ours.mean_error < last.mean_error and ours.mean_error < line.mean_error
    assert ours.crps < last.crps and ours.crps < line.crps
    assert 0.78 <= ours.covered <= 0.98
    assert last.covered < 0.7


def test_a_saturated_curve_stays_where_it_is() -> None:
    rng = np.random.default_rng(3)
    conditions = worlds.right(rng, [0.5, 0.9, 0.92, 0.92], num_items=500, num_seeds=3)
    made = forecast_scores(BUDGETS, conditions, at=1024)
    assert made["fitted curve"].score == pytest.approx(0.92, abs=0.03)
    assert made["log-linear"].score > 0.97
    for each in made.values():
        assert each.low <= each.score <= each.high


def test_a_forecast_takes_three_budgets_and_a_larger_one() -> None:
    conditions = worlds.right(np.random.default_rng(0), [0.5, 0.6, 0.7], num_items=50)
    for budgets, at in (([4.0, 16.0, 17.0], 64.0), ([4.0, 16.0, 64.0], 64.0)):
        with pytest.raises(ValueError, match="needs 3 smaller distinct budgets"):
            forecast_scores(budgets, conditions, at=at)


def test_budgets_in_any_order_give_the_same_and_what_does_not_fit_is_refused() -> None:
    conditions = worlds.right(np.random.default_rng(0), [0.5, 0.6, 0.7], num_items=50)
    made, mixed = (
        forecast_scores([budgets[place] for place in order], [conditions[place] for place in order], at=256)
        for budgets, order in (([4, 16, 64], (0, 1, 2)), ([4, 16, 64], (2, 0, 1)))
    )
    assert {name: each.score for name, each in made.items()} == {name: each.score for name, each in mixed.items()}
    for budgets, level, says in (
        ([0, 4, 16], 0.9, "budget 0 has no place on a logarithmic axis"),
        ([4, 16, 64], 90.0, "level = 90 is not between 0 and 1"),
        ([4, 16], 0.9, "2 budgets have 3 sides"),
    ):
        with pytest.raises(ValueError, match=says):
            forecast_scores(budgets, conditions, at=256, level=level)
    with pytest.raises(ValueError, match="one cluster"):
        forecast_scores([4, 16, 64], conditions, ["a"] * 50, at=256)


def test_points_of_nearly_equal_cost_are_not_extrapolated() -> None:
    made = [
        measurement(examples=size, right=right, of=60, spend=Spend(labelled_examples=size, train_flops=flops))
        for size, right, flops in ((4, 30, 1e9), (16, 40, 4e9), (64, 50, 16e9), (256, 51, 16.1e9))
    ]
    said = forecast_text(pool(made))
    assert "by examples" in said and "60 items" in said
    assert said.endswith("iid_sft: no forecast, because two of its budgets differ by less than a factor of 1.25")


def test_one_cluster_is_not_forecast() -> None:
    apart = [measurement(examples=size, right=right, of=60) for size, right in ((4, 30), (16, 40), (64, 50), (256, 51))]
    said = forecast_text(pool([in_one_cluster(each) for each in apart]))
    assert "no forecast, because all items are in one cluster" in said and "%" not in said


def test_no_curve_no_trial() -> None:
    assert trials([]) == []
    assert records([]) == []
    assert "three budgets" in forecast_text([])

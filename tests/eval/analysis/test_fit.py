"""Fitted curves: the form that made them is found, and what is read off them is right."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize, special

from educe.eval.analysis.curves import curves
from educe.eval.analysis.fit import (
    MISFIT,
    Fit,
    compute_equivalent_gain,
    count_distinct_budgets,
    fit,
    fit_scores,
)
from educe.eval.analysis.forms import FORMS, fit_form
from educe.eval.analysis.statistics.intervals import Estimate
from educe.eval.analysis.statistics.variance import Side
from tests.benchmarks import worlds
from tests.benchmarks.worlds import Array
from tests.eval.synthetic import measurement

BUDGETS = 4.0 ** np.arange(1, 6)


def exactly(shares: Array, num_items: int = 1_000) -> list[Side]:
    """One seed's scores whose means are these shares, items in order of difficulty."""
    return [Side.of((np.arange(num_items) < round(share * num_items)).astype(float)) for share in shares]


def fitted(shares: Array, budgets: Array = BUDGETS) -> Fit:
    found = fit_scores(list(budgets), exactly(shares))
    assert found is not None
    return found


def test_a_power_law_is_found_and_solved() -> None:
    found = fitted(0.9 - 0.5 * (BUDGETS / 4) ** -0.5)
    assert found.form == "power law"
    assert found.runners_up["power law"] == 0
    assert list(found.runners_up.values()) == sorted(found.runners_up.values())
    assert found.floor.value == pytest.approx(0.4, abs=0.01)
    assert found.ceiling.value == pytest.approx(0.9, abs=0.01)
    # 0.9 - 0.5 (b / 4)^-0.5 = 0.65 at b = 16.
    reached = found.budget_to_reach(0.65)
    assert reached.budget == pytest.approx(16, rel=0.06)
    assert reached.low is not None and reached.high is not None
    assert reached.low <= 16 <= reached.high
    # Mean height over the logarithm: 0.9 less 0.5 times the mean of e^-u/2 for u from 0 to ln 256.
    mean = (1 - 256**-0.5) / (0.5 * np.log(256))
    assert found.area.value == pytest.approx(0.9 - 0.5 * mean, abs=0.005)


def test_a_logistic_curve_is_found_and_solved() -> None:
    found = fitted(0.3 + 0.6 * special.expit((np.log(BUDGETS) - np.log(64)) / 0.5))
    assert found.form == "logistic"
    assert found.budget_to_reach(0.6).budget == pytest.approx(64, rel=0.08)
    assert found.ceiling.value == pytest.approx(0.9, abs=0.01)


def test_a_flat_curve_is_flat() -> None:
    rng = np.random.default_rng(0)
    found = fit_scores(list(BUDGETS), worlds.right(rng, [0.6] * 5, num_items=300, num_seeds=3))
    assert found is not None
    assert found.form == "flat"
    assert np.ptp(found.scores) == 0
    assert found.budget_to_reach(0.9).low is None
    assert found.budget_to_reach(0.2).high == BUDGETS[0]


def test_a_curve_that_surely_falls_is_not_called_flat() -> None:
    falling = fitted(0.5 + 0.4 * (BUDGETS / 4) ** -0.5)
    assert falling.form == "power law"
    assert falling.scores[0] > falling.scores[-1] + 0.3
    rng = np.random.default_rng(4)
    wobbly = fit_scores(list(BUDGETS), worlds.right(rng, [0.62, 0.6, 0.61, 0.6, 0.6], num_items=200, num_seeds=2))
    assert wobbly is not None and wobbly.form == "flat"


def test_points_that_no_form_describes_say_so() -> None:
    jagged = fitted(np.array([0.2, 0.8, 0.3, 0.9, 0.2]))
    assert jagged.misfit is not None and jagged.misfit < MISFIT
    smooth = fitted(0.9 - 0.5 * (BUDGETS / 4) ** -0.5)
    assert smooth.misfit is not None and smooth.misfit > 0.5


def test_one_cluster_and_one_item_are_no_curve() -> None:
    sides = exactly(np.array([0.2, 0.4, 0.8]), 40)
    assert fit_scores([4, 16, 64], sides, ["one"] * 40) is None
    assert fit_scores([4, 16, 64], [Side.of(side.scores[0, :1]) for side in sides]) is None


def test_the_grid_finds_what_an_optimizer_finds() -> None:
    rng = np.random.default_rng(1)
    logs, truth = np.log(BUDGETS), 0.85 - 0.4 * (BUDGETS / 4) ** -0.6
    sizes = np.array([0.03, 0.03, 0.02, 0.02, 0.01])
    for _ in range(5):
        seen = truth + sizes * rng.standard_normal(5)
        ours = fit_form(FORMS["power law"], logs, seen[None, :], np.diag(1 / sizes), monotone=True)

        def residuals(theta: Array, seen: Array = seen) -> Array:
            ceiling, first, exponent = theta
            return (ceiling + (first - ceiling) * (BUDGETS / 4) ** -exponent - seen) / sizes

        best = optimize.least_squares(residuals, [0.85, 0.45, 0.6], bounds=([0, 0, 0.04], [1, 1, 3]))
        assert 2 * best.cost - 1e-6 <= float(ours.deviance[0]) <= 2 * best.cost + 0.1  # AIC counts 2 for a number


def test_bands_hold_one_another_and_the_order_of_budgets_does_not_matter() -> None:
    rng = np.random.default_rng(2)
    conditions = worlds.right(rng, [0.3, 0.5, 0.6, 0.7, 0.75], num_items=200, num_seeds=3)
    found, turned = fit_scores(list(BUDGETS), conditions), fit_scores(list(BUDGETS[::-1]), conditions[::-1])
    assert found is not None and turned is not None
    for each in (found, turned):
        assert (each.band_low <= each.low).all() and (each.low <= each.scores).all()
        assert (each.scores <= each.high).all() and (each.high <= each.band_high).all()
        assert (each.band_low < each.low - 1e-6).any()
    assert found.scores == pytest.approx(turned.scores)
    assert found.budget_to_reach(0.6) == turned.budget_to_reach(0.6)
    assert found.kind == "bootstrap of items and seeds 95%"
    assert found.n == 200


def test_simultaneous_bands_hold_whole_curves() -> None:
    truth = 0.9 - 0.4 * (BUDGETS / 4) ** -0.4
    whole = alone = 0
    for study in range(40):
        conditions = worlds.right(np.random.default_rng(study), list(truth), num_items=200, num_seeds=3)
        found = fit_scores(list(BUDGETS), conditions)
        assert found is not None
        true = 0.9 - 0.4 * (found.budgets / 4) ** -0.4
        whole += bool(((found.band_low <= true) & (true <= found.band_high)).all())
        alone += bool(((found.low <= true) & (true <= found.high)).all())
    assert whole >= 35
    assert alone < whole


@pytest.mark.parametrize(
    ("budgets", "number"),
    [([4, 16, 64], 3), ([64, 4, 16], 3), ([4, 4, 16], 2), ([100.0, 101.0, 200.0], 2), ([5], 1), ([], 0)],
)
def test_budgets_that_lie_together_are_one(budgets: list[int | float], number: int) -> None:
    assert count_distinct_budgets(budgets) == number


def test_too_few_budgets_are_no_curve() -> None:
    assert fit_scores([4, 16], exactly(np.array([0.4, 0.5]))) is None
    (curve,) = curves([measurement()], "examples")
    assert fit(curve) is None


def test_three_budgets_carry_no_logistic() -> None:
    found = fit_scores([4, 16, 64], exactly(np.array([0.4, 0.5, 0.8])))
    assert found is not None
    assert set(found.runners_up) == {"flat", "power law"}


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_all_wrong_and_all_right_are_flat_and_not_certain(share: float) -> None:
    found = fitted(np.full(5, share))
    assert found.form == "flat"
    assert found.scores == pytest.approx(np.full(len(found.scores), share))
    assert found.ceiling.high - found.ceiling.low > 0.0005  # a thousand items are not all items


def test_a_measured_curve_is_fitted_within_its_budgets() -> None:
    cells = [
        measurement(right=right, of=40, examples=examples, seed=seed)
        for examples, right in ((4, 10), (16, 20), (64, 30))
        for seed in (0, 1)
    ]
    (curve,) = curves(cells, "examples")
    found = fit(curve)
    assert found is not None
    assert found.at(4).value == pytest.approx(float(found.scores[0]))
    assert found.at(16).value == pytest.approx(0.5, abs=0.06)
    with pytest.raises(ValueError, match="use a forecast"):
        found.at(1e9)


def test_the_budget_near_a_ceiling_is_each_resamples_own() -> None:
    found = fitted(0.9 - 0.5 * (BUDGETS / 4) ** -0.9)
    # 0.5 (b / 4)^-0.9 = 0.02 at b = 4 * 25^(1 / 0.9).
    near = found.budget_within(0.02)
    truth = 4 * 25 ** (1 / 0.9)
    assert near.budget == pytest.approx(truth, rel=0.15)
    assert near.low is not None and near.high is not None and near.low <= truth <= near.high
    # Compared with the one ceiling of the fit, the noise of the ceiling would count twice.
    fixed = found.budget_to_reach(found.ceiling.value - 0.02)
    assert fixed.low is not None
    assert near.low > fixed.low


def test_compute_equivalent_gain_by_hand() -> None:
    reference = fitted(0.9 - 0.5 * (BUDGETS / 4) ** -0.5)
    (curve,) = curves([measurement()], "examples")
    enhanced = curve.points[0]
    point = replace(enhanced, score=0.65, low=0.6, high=0.7, budget=4.0)
    gain = compute_equivalent_gain(reference, point)
    assert isinstance(gain, Estimate)
    assert gain.value == pytest.approx(4, rel=0.06)  # 16 examples do for the reference what 4 do here
    ends = reference.budget_to_reach(0.6).low, reference.budget_to_reach(0.7).high
    assert ends[0] is not None and ends[1] is not None
    assert (gain.low, gain.high) == (ends[0] / 4, ends[1] / 4) and gain.low < gain.value < gain.high
    unsure = compute_equivalent_gain(reference, replace(point, high=0.95))
    assert unsure is not None and unsure.high == math.inf
    assert compute_equivalent_gain(reference, replace(point, score=0.95, high=0.96)) is None

"""Fitted curves: the form that made them is found, and what is read off them is right."""

from collections.abc import Sequence

import numpy as np
import pytest
from scipy import optimize, special

from educe.eval.analysis.curves import count_distinct_budgets, curves
from educe.eval.analysis.fit import MISFIT, Fit, fit, fit_scores
from educe.eval.analysis.forms import FORMS, fit_form
from educe.eval.analysis.statistics.variance import Side
from tests.benchmarks import worlds
from tests.benchmarks.worlds import Array
from tests.eval.synthetic import measurement

BUDGETS = 4.0 ** np.arange(1, 6)


def exactly(shares: Array, num_items: int = 1_000) -> list[Side]:
    """One seed's scores whose means are these shares, items in order of difficulty."""
    return [Side.of((np.arange(num_items) < round(share * num_items)).astype(float)) for share in shares]


def simulated(seed: int, shares: Sequence[float], num_items: int = 200) -> list[Side]:
    """Three seeds of a simulated study."""
    return worlds.right(np.random.default_rng(seed), shares, num_items=num_items, num_seeds=3)


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
    assert found.ceiling is not None and found.ceiling.value == pytest.approx(0.9, abs=0.01)
    # Mean height over the logarithm: 0.9 less 0.5 times the mean of e^-u/2 for u from 0 to ln 256.
    mean = (1 - 256**-0.5) / (0.5 * np.log(256))
    assert found.area.value == pytest.approx(0.9 - 0.5 * mean, abs=0.005)


def test_a_logistic_curve_is_found_and_solved() -> None:
    found = fitted(0.3 + 0.6 * special.expit((np.log(BUDGETS) - np.log(64)) / 0.5))
    assert found.form == "logistic"
    assert found.ceiling is not None and found.ceiling.value == pytest.approx(0.9, abs=0.01)


def test_a_flat_curve_is_flat() -> None:
    found = fit_scores(list(BUDGETS), simulated(0, [0.6] * 5, num_items=300))
    assert found is not None
    assert found.form == "flat"
    assert np.ptp(found.scores) == 0


def test_a_curve_that_surely_falls_is_not_called_flat() -> None:
    falling = fitted(0.5 + 0.4 * (BUDGETS / 4) ** -0.5)
    assert falling.form == "power law"
    assert falling.scores[0] > falling.scores[-1] + 0.3
    wobbly = fit_scores(list(BUDGETS), simulated(4, [0.62, 0.6, 0.61, 0.6, 0.6]))
    assert wobbly is not None and wobbly.form == "flat"


def test_points_that_no_form_describes_say_so() -> None:
    jagged = fitted(np.array([0.2, 0.8, 0.3, 0.9, 0.2]))
    assert jagged.misfit < MISFIT
    assert jagged.contradicted is not None and "no form fits its points" in jagged.contradicted
    smooth = fitted(0.9 - 0.5 * (BUDGETS / 4) ** -0.5)
    assert smooth.misfit > 0.5 and smooth.contradicted is None


def test_a_measured_point_contradicts_a_fit_that_leaves_its_interval() -> None:
    """37, 95, 89, 82%: a logistic through four points had a ceiling of 88.5% beside a measured 95%."""
    found = fit_scores([4, 16, 64, 256], exactly(np.array([0.37, 0.95, 0.89, 0.82]), 300))
    assert found is not None
    assert "logistic" not in found.runners_up
    assert found.contradicted is not None
    # Flat fits all five together, and yet not the third: 40 of 100, others 30.
    rng = np.random.default_rng(0)
    shares = (0.3, 0.3, 0.44, 0.3, 0.3)
    stray = fit_scores(list(BUDGETS), [Side.of((rng.permutation(100) < 100 * each).astype(float)) for each in shares])
    assert stray is not None and stray.misfit > MISFIT and stray.form == "flat"
    assert stray.contradicted == "it leaves the interval of the score measured at 64"


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
    sides = simulated(2, [0.3, 0.5, 0.6, 0.7, 0.75])
    found, turned = fit_scores(list(BUDGETS), sides), fit_scores(list(BUDGETS[::-1]), sides[::-1])
    assert found is not None and turned is not None
    for each in (found, turned):
        assert (each.band_low <= each.low).all() and (each.low <= each.scores).all()
        assert (each.scores <= each.high).all() and (each.high <= each.band_high).all()
        assert (each.band_low < each.low - 1e-6).any()
    assert found.scores == pytest.approx(turned.scores)
    assert found.kind == "bootstrap of items and seeds 95%"
    assert found.n == 200


def test_simultaneous_bands_hold_whole_curves() -> None:
    truth = 0.9 - 0.4 * (BUDGETS / 4) ** -0.4
    whole = alone = 0
    for study in range(40):
        found = fit_scores(list(BUDGETS), simulated(study, list(truth)))
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


@pytest.mark.parametrize(
    ("budgets", "forms"),
    [
        ([4, 16, 64], {"flat", "straight line"}),
        ([4, 16, 64, 256], {"flat", "straight line", "power law"}),
        ([4, 16, 64, 256, 260], {"flat", "straight line", "power law"}),
        ([4, 16, 64, 256, 1024], {"flat", "straight line", "power law", "logistic"}),
    ],
)
def test_points_can_contradict_every_form_that_is_tried(budgets: list[int], forms: set[str]) -> None:
    """Through as many points as it has parameters a form fits whatever was measured."""
    found = fit_scores(budgets, exactly(np.linspace(0.4, 0.7, len(budgets))))
    assert found is not None
    assert set(found.runners_up) == forms


def test_a_straight_line_has_no_ceiling() -> None:
    found = fit_scores([4, 16, 64], exactly(np.array([0.4, 0.5, 0.6])))
    assert found is not None and found.form == "straight line"
    assert found.ceiling is None and found.contradicted is None
    assert found.scores[[0, -1]] == pytest.approx([0.4, 0.6], abs=1e-3)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_all_wrong_and_all_right_are_flat_and_not_certain(share: float) -> None:
    found = fitted(np.full(5, share))
    assert found.form == "flat"
    assert found.scores == pytest.approx(np.full(len(found.scores), share))
    # A thousand items are not all items.
    assert found.ceiling is not None and found.ceiling.high - found.ceiling.low > 0.0005


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

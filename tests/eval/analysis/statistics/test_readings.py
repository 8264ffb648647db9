"""Readings of confidence whose quality is known: calibrated, overconfident, uninformative, and fitted."""

import numpy as np
import pytest

from educe.eval.analysis.statistics.readings import fitted, reading_scores

RNG = np.random.default_rng(0)
TRUTH = RNG.uniform(0.05, 0.95, 2_000)
RIGHT = (RNG.uniform(size=2_000) < TRUTH).astype(float)


def test_a_calibrated_reading_is_better_than_an_overconfident_one_and_than_none() -> None:
    over = np.where(TRUTH > 0.5, 0.99, 0.01)
    good = reading_scores(TRUTH, RIGHT, over)
    assert good.below.low > 0 and good.calibration_error.value < 2 * good.error_if_calibrated
    bad = reading_scores(over, RIGHT, TRUTH)
    assert bad.below.high < 0 and bad.calibration_error.value > 4 * bad.error_if_calibrated
    none = reading_scores(np.full(2_000, RIGHT.mean()), RIGHT, TRUTH)
    assert none.area is not None and none.area.value == 0.5 and none.brier.value == pytest.approx(RIGHT.var())


def test_by_hand() -> None:
    found = reading_scores(np.array([1.0, 0.5, 0.0, 0.2]), np.array([1.0, 1.0, 0.0, 1.0]), np.full(4, 0.5))
    assert found.brier.value == pytest.approx((0 + 0.25 + 0 + 0.64) / 4) and found.mean == pytest.approx(0.425)
    assert found.below.difference == pytest.approx(0.25 - found.brier.value)
    assert found.area is not None and found.area.value == 1.0


def test_the_area_is_unknown_where_all_answers_are_right() -> None:
    assert reading_scores(np.array([0.4, 0.6]), np.ones(2), np.full(2, 0.5)).area is None
    with pytest.raises(ValueError):
        reading_scores(np.array([1.4, 2.6]), np.ones(2), np.full(2, 0.5))


def test_answers_of_a_cluster_are_no_independent_draws() -> None:
    """The same answers five times over say no more than once."""
    once = reading_scores(TRUTH[:80], RIGHT[:80], np.full(80, 0.5))
    names = [f"item {place}" for place in range(80)] * 5
    often = reading_scores(np.tile(TRUTH[:80], 5), np.tile(RIGHT[:80], 5), np.full(400, 0.5), names)
    assert often.brier.high - often.brier.low > 0.8 * (once.brier.high - once.brier.low)
    assert once.area is not None and often.area is not None
    assert often.area.high - often.area.low > 0.6 * (once.area.high - once.area.low)


def test_a_fit_calibrates_what_is_monotone_and_cannot_rank_better() -> None:
    odd = TRUTH**3  # ranks as the truth does, and is far too small
    better = fitted(odd[:1_000], RIGHT[:1_000], odd[1_000:])
    found = reading_scores(better, RIGHT[1_000:], odd[1_000:])
    assert found.below.low > 0 and found.calibration_error.value < 0.1
    plain = reading_scores(odd[1_000:], RIGHT[1_000:], odd[1_000:])
    assert found.area is not None and plain.area is not None and found.area.value <= plain.area.value + 0.01
    assert fitted(np.array([0.2, 0.8]), np.array([0.0, 1.0]), np.array([0.0, 0.5, 1.0])) == pytest.approx(
        [0.0, 0.5, 1.0]
    )

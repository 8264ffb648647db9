"""Scores side by side against hand-worked values, scikit-learn and simulation."""

import math
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss

from educe.eval.analysis.statistics.metrics import calibration, likelihood_scores


def drawn(n: int, *, sharpened: float = 1.0, options: int = 4, seed: int = 0) -> tuple[Any, list[int]]:
    """Log-likelihoods that are `sharpened` times those that the right options were drawn from."""
    rng = np.random.default_rng(seed)
    logits = 1.5 * rng.standard_normal((n, options))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    answers = (shares.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return (sharpened * logits - 7).tolist(), [int(answer) for answer in answers]


def test_by_hand() -> None:
    # Shares 3/4 and 1/4, the second right; shares 1/5, 1/5, 3/5, the last right. Shifts of all options change nothing.
    found = likelihood_scores([[math.log(0.3), math.log(0.1)], [-9.0, -9.0, -9.0 + math.log(3)]], [1, 2])
    assert found.accuracy.value == 0.5
    assert found.log_likelihood.value == pytest.approx((math.log(1 / 4) + math.log(3 / 5)) / 2)
    assert found.brier.value == pytest.approx((2 * 0.75**2 + 2 * 0.2**2 + 0.4**2) / 2)
    # One bin of two items: mean confidence (3/4 + 3/5) / 2 against accuracy 1/2.
    assert found.calibration_error.value == pytest.approx(0.675 - 0.5)
    assert [(each.n, each.accuracy) for each in found.bins] == [(2, 0.5)]


def test_brier_goes_from_0_to_2() -> None:
    assert likelihood_scores([[0.0, -800.0]], [0]).brier.value == 0
    assert likelihood_scores([[0.0, -800.0]], [1]).brier.value == pytest.approx(2)


def test_agrees_with_scikit_learn() -> None:
    loglikelihoods, answers = drawn(300)
    values = np.exp(np.array(loglikelihoods))
    shares = values / values.sum(axis=1, keepdims=True)
    found = likelihood_scores(loglikelihoods, answers)
    assert found.log_likelihood.value == pytest.approx(-log_loss(answers, shares), abs=1e-12)
    theirs = brier_score_loss(answers, shares, labels=[0, 1, 2, 3], scale_by_half=False)
    assert found.brier.value == pytest.approx(theirs, abs=1e-12)


def test_bins_hold_equally_many_and_at_least_ten() -> None:
    for n, count in ((9, 1), (25, 2), (100, 10), (640, 10)):
        bins = likelihood_scores(*drawn(n)).bins
        assert len(bins) == count and sum(each.n for each in bins) == n
        assert max(each.n for each in bins) - min(each.n for each in bins) <= 1
        assert [each.confidence for each in bins] == sorted(each.confidence for each in bins)
        assert all(each.low <= each.accuracy <= each.high and each.high - each.low > 0.05 for each in bins)


def test_overconfidence_shows_in_calibration_and_not_in_accuracy() -> None:
    honest, loud = (likelihood_scores(*drawn(500, sharpened=factor)) for factor in (1.0, 5.0))
    assert honest.accuracy == loud.accuracy
    assert honest.calibration_error.low == 0.0
    assert honest.calibration_error.value == pytest.approx(honest.error_if_calibrated, rel=0.5)
    assert loud.calibration_error.low > 0.1 > 2 * loud.error_if_calibrated
    assert loud.brier.low > honest.brier.high and loud.log_likelihood.high < honest.log_likelihood.low


def test_neither_the_order_of_items_nor_of_equals_matters() -> None:
    loglikelihoods, answers = drawn(60)
    pairs = list(zip(loglikelihoods * 3, answers[::-1] + answers * 2, strict=True))
    turned = likelihood_scores(*zip(*reversed(pairs), strict=True))
    one = likelihood_scores(*zip(*pairs, strict=True))
    assert turned.brier.value == pytest.approx(one.brier.value)
    assert turned.calibration_error.value == pytest.approx(one.calibration_error.value, abs=1e-12)


def test_clusters_widen_every_interval() -> None:
    loglikelihoods, answers = drawn(80)
    five = ([each for each in loglikelihoods for _ in range(5)], [each for each in answers for _ in range(5)])
    alone, together = likelihood_scores(*five), likelihood_scores(*five, [str(item // 5) for item in range(400)])
    for name in ("accuracy", "log_likelihood", "brier", "calibration_error"):
        narrow, wide = getattr(alone, name), getattr(together, name)
        assert wide.value == narrow.value and wide.high - wide.low > 1.3 * (narrow.high - narrow.low), name
    assert together.brier.kind == "cluster bootstrap 95%"
    assert likelihood_scores(*five, ["one"] * 400).log_likelihood.low == -math.inf


def test_few_clusters_say_little_of_calibration_and_one_says_nothing() -> None:
    loglikelihoods, answers = drawn(30)
    for found in (likelihood_scores([[0.0, 1.0]], [1]), likelihood_scores(loglikelihoods, answers, ["one"] * 30)):
        assert (found.calibration_error.low, found.calibration_error.high) == (0.0, 1.0)
    # Three clusters of gaps -0.9, 0.1 and 0.1 in one bin: unstretched resamples end at 0.9, and t stretches by 2.7.
    few, _, _ = calibration(np.full(3, 0.9), np.array([0.0, 1.0, 1.0]))
    assert few.high == 1.0


@pytest.mark.slow
def test_the_calibration_error_s_interval_covers() -> None:
    """Of what the same bins would show in endless data; never so high that calibrated answers seem otherwise."""
    rng = np.random.default_rng(5)
    for shift in (0.0, 0.05, 0.15):
        covered = 0
        for _ in range(150):
            confidence = np.sort(rng.uniform(0.3, 1, 100))
            chance = np.clip(confidence - shift, 0, 1)
            error, _, _ = calibration(confidence, (rng.random(100) < chance).astype(float))
            truth = np.abs((chance - confidence).reshape(10, 10).mean(axis=1)).mean()
            covered += error.low <= truth <= error.high
        assert covered >= 0.93 * 150, shift


def test_what_chance_alone_shows_is_what_calibrated_answers_show() -> None:
    rng = np.random.default_rng(6)
    confidence = rng.uniform(0.3, 1, 100)
    found = [calibration(confidence, (rng.random(100) < confidence).astype(float)) for _ in range(40)]
    assert np.mean([error.value for error, _, _ in found]) == pytest.approx(found[0][1], rel=0.12)


def test_seeds_that_answer_alike_are_no_more_answers() -> None:
    rng = np.random.default_rng(7)
    confidence = rng.uniform(0.3, 1, 60)
    right = (rng.random(60) < confidence).astype(float)
    names = [str(item) for item in range(60)]
    alone = calibration(confidence, right, names)[1]
    threefold = calibration(np.tile(confidence, 3), np.tile(right, 3), names * 3)[1]
    independent = calibration(np.tile(confidence, 3), np.tile(right, 3))[1]
    assert independent < 0.75 * alone  # more bins, of three times as many answers
    # More bins than those of 60 answers show more of chance, and no fewer answers than 60 are behind them.
    assert threefold == pytest.approx(independent * 3**0.5, rel=0.05) and threefold > 0.9 * alone


@pytest.mark.parametrize(
    ("loglikelihoods", "answers", "says"),
    [
        ([], [], "no items"),
        ([[0.0, math.nan]], [0], "finite"),
        ([[0.0, -math.inf]], [0], "finite"),
        ([[]], [0], "finite"),
        ([[0.0, 1.0]], [2], "2 options and the answer number 2"),
        ([[0.0, 1.0]], [-1], "number -1"),
        ([[0.0, 1.0]], [0, 1], "1 items have options and 2 have answers"),
    ],
)
def test_what_is_no_answer_is_refused(loglikelihoods: list[list[float]], answers: list[int], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        likelihood_scores(loglikelihoods, answers)

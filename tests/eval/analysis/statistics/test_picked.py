"""The corrected score of the best of several conditions, in worlds where its true score is known."""

import numpy as np
import pytest

from educe.eval.analysis.statistics.paired import paired_difference
from educe.eval.analysis.statistics.picked import picked_gain, picked_scores
from educe.eval.analysis.statistics.variance import Side, covariance, mean_variance

STUDIES = 150


def _sides(rng: np.random.Generator, *, recipes: int, seeds: int, seed_sd: float, shared: float) -> list[Side]:
    """Equal recipes, right on half of all items; seeds have effects of this sd, which recipes share in this part."""
    easy = rng.normal(size=200)
    common = rng.normal(size=seeds)
    sides = []
    for _ in range(recipes):
        ability = seed_sd * (shared**0.5 * common + (1 - shared) ** 0.5 * rng.normal(size=seeds))
        right = easy + ability[:, None] + rng.normal(size=(seeds, 200)) > 0
        sides.append(Side(scores=right.astype(float), seeds=tuple(range(seeds))))
    return sides


@pytest.mark.slow
@pytest.mark.parametrize(("recipes", "shared"), [(2, 0.0), (20, 0.0), (20, 0.8)])
def test_the_best_of_equal_recipes(recipes: int, shared: float) -> None:
    """Five seeds: without the correction the best of twenty reads 5 points high and is covered in under 90%."""
    rng = np.random.default_rng(recipes)
    errors, covered = [], 0
    for _ in range(STUDIES):
        sides = _sides(rng, recipes=recipes, seeds=5, seed_sd=0.3, shared=shared)
        (found,) = picked_scores(sides, [range(recipes)])
        assert found is not None
        errors.append((max(side.scores.mean() for side in sides) - 0.5, found.value - 0.5))
        covered += found.low <= 0.5 <= found.high
    measured, corrected = np.mean(errors, axis=0)
    assert measured > 0.01
    assert abs(corrected) < 0.01
    assert covered >= 0.91 * STUDIES


def test_a_clear_winner_keeps_its_score() -> None:
    """A recipe that is 40 points better would win on any half."""
    rng = np.random.default_rng(0)
    good, bad = (Side.of(rng.random(300) < share) for share in (0.9, 0.5))
    (found,) = picked_scores([bad, good], [[0, 1]])
    assert found is not None and found.value == pytest.approx(float(good.scores.mean()), abs=1e-4)


def test_a_gain_over_one_side_is_the_corrected_score_less_that_of_the_side() -> None:
    sides = _sides(np.random.default_rng(1), recipes=8, seeds=3, seed_sd=0.2, shared=0.5)
    baseline = Side(scores=sides.pop().scores[:1])
    (score,) = picked_scores([*sides, baseline], [range(7)])
    gain = picked_gain([*sides, baseline], range(7), [7] * 7)
    assert score is not None and gain is not None
    assert gain.value == pytest.approx(score.value - baseline.scores.mean())
    best = max(sides, key=lambda side: float(side.scores.mean()))
    raw = paired_difference(best, baseline)
    assert gain.value < raw.difference
    assert (gain.low, gain.high) == pytest.approx(
        (raw.low - raw.difference + gain.value, raw.high - raw.difference + gain.value)
    )


def test_a_gain_takes_another_side_of_the_one_that_scored_best() -> None:
    rng = np.random.default_rng(0)
    good, bad, other = (Side.of(rng.random(300) < share) for share in (0.9, 0.5, 0.4))
    assert picked_gain([good, bad, other], [0, 1], [None, 2]) is None
    found = picked_gain([good, bad, other], [0, 1], [2, None])
    assert found is not None and found.value == pytest.approx(paired_difference(good, other).difference, abs=1e-4)
    assert picked_gain([good, bad, other], [0, 1], [2, 2], ["all"] * 300) is None


def test_covariance_holds_the_variance_of_each_mean() -> None:
    rng = np.random.default_rng(0)
    clusters = [f"c{i // 3}" for i in range(60)]
    sides = [
        Side(scores=rng.integers(0, 2, (3, 60)).astype(float), seeds=(0, 1, 2)),
        Side.of(rng.integers(0, 2, 60)),
    ]
    found = covariance(sides, clusters)
    assert np.diag(found) == pytest.approx([mean_variance(side, clusters).total for side in sides])
    with pytest.raises(ValueError, match="one cluster"):
        covariance(sides, ["all"] * 60)

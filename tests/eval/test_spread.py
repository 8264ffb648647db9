"""The spread over formats on worlds whose spread is known."""

import numpy as np
import pytest
from scipy import special

from eval.prompt_eval import balanced_sample
from eval.spread import format_sd

FORMATS, ITEMS, SHARE = 24, 100, 0.4


def outcomes(seed, sd):
    """Pairs and outcomes of a world whose formats differ by `sd` in logits."""
    rng = np.random.default_rng(seed)
    ability = sd * rng.standard_normal(FORMATS)
    logits = 0.5 + ability[:, None] + 1.2 * rng.standard_normal(ITEMS) + 0.6 * rng.standard_normal((FORMATS, ITEMS))
    grid = (rng.random(logits.shape) < special.expit(3 * logits)) * 1.0
    pairs = balanced_sample(FORMATS, ITEMS, round(SHARE * grid.size), seed=seed)
    return pairs, grid[pairs[:, 0], pairs[:, 1]]


def true_sd(sd):
    rng = np.random.default_rng(9)
    noise = 1.2 * rng.standard_normal(20000) + 0.6 * rng.standard_normal(20000)
    return float(np.std([special.expit(3 * (0.5 + sd * rng.standard_normal() + noise)).mean() for _ in range(400)]))


@pytest.mark.parametrize("sd", [0.0, 0.3, 0.8])
def test_the_interval_covers_the_truth(sd):
    truth = true_sd(sd) if sd else 0.0
    found = [format_sd(*outcomes(seed, sd), num_formats=FORMATS, num_items=ITEMS) for seed in range(200)]
    covered = np.mean([each.low <= truth <= each.high for each in found])
    assert covered >= 0.91  # nominal 95%, less two standard errors of 200 draws and the cost of few items
    assert np.mean([each.sd for each in found]) == pytest.approx(truth, abs=0.012)


def test_formats_have_to_be_met_twice():
    with pytest.raises(ValueError, match="give two or more of both"):
        format_sd(np.array([[0, 0], [1, 0]]), [1.0, 0.0], num_formats=2, num_items=1)

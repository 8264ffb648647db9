"""The spread over formats on worlds whose spread is known."""

import numpy as np
import pytest
from scipy import special

from educe.eval.prompting.prompt_eval import balanced_sample
from educe.eval.prompting.spread import format_sd

GRIDS = {"dense": (24, 100, 0.4), "as by default": (100, 100, 0.05), "sparse": (24, 100, 0.1), "whole": (12, 60, 1.0)}


def outcomes(seed, sd, grid):
    """Pairs and outcomes of a world whose formats differ by `sd` in logits."""
    formats, items, share = grid
    rng = np.random.default_rng(seed)
    ability = sd * rng.standard_normal(formats)
    logits = 1.5 + ability[:, None] + 3.6 * rng.standard_normal(items) + 1.8 * rng.standard_normal((formats, items))
    right = (rng.random(logits.shape) < special.expit(logits)) * 1.0
    pairs = balanced_sample(formats, items, round(share * right.size), seed=seed)
    return pairs, right[pairs[:, 0], pairs[:, 1]]


def true_sd(sd):
    rng = np.random.default_rng(9)
    noise = 3.6 * rng.standard_normal(5000) + 1.8 * rng.standard_normal(5000)
    return float(np.std([special.expit(1.5 + sd * rng.standard_normal() + noise).mean() for _ in range(4000)]))


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize("sd", [0.0, 0.9, 2.4])
def test_the_interval_covers_the_truth(sd, grid):
    truth = true_sd(sd) if sd else 0.0
    size = {"num_formats": grid[0], "num_items": grid[1]}
    found = [format_sd(*outcomes(seed, sd, grid), **size) for seed in range(100)]
    assert np.mean([each.low <= truth <= each.high for each in found]) >= 0.88  # 95% less three standard errors
    # Variances are unbiased, but for those below 0, which count as 0: in a sparse grid a spread of nothing shows some.
    if grid[2] >= 0.4:
        assert np.mean([each.sd**2 for each in found]) == pytest.approx(truth**2, rel=0.12, abs=0.0006)


def test_formats_without_a_difference_still_have_an_interval():
    """Equal scores on twenty items do not prove equal accuracies."""
    pairs = np.argwhere(np.ones((6, 20)))
    found = format_sd(pairs, np.tile([1.0, 0.0], 60), num_formats=6, num_items=20)
    assert found.sd == found.low == 0 and 0.02 < found.high < 0.1


def test_formats_without_common_items_are_refused():
    with pytest.raises(ValueError, match="too few items in common"):
        format_sd(np.array([[0, 0], [0, 1], [1, 2], [1, 3]]), [1.0, 0.0, 1.0, 1.0], num_formats=2, num_items=4)

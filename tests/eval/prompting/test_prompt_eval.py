"""Quantiles over formats from a sparse sample, against truths that are known because they were drawn."""

import numpy as np
import pytest
from scipy import special

from educe.eval.prompting.prompt_eval import balanced_sample, estimate_accuracies

LEVELS = [0.05, 0.5, 0.95]


def world(seed, *, num_formats=240, num_items=1000, format_sd=0.4, feature_sd=0.0):
    """A full grid of outcomes and its features."""
    rng = np.random.default_rng(seed)
    features = np.eye(6)[rng.integers(0, 6, num_formats)]
    ability = format_sd * rng.standard_normal(num_formats) + features @ (feature_sd * rng.standard_normal(6))
    logits = 0.5 + ability[:, None] + 1.2 * rng.standard_normal(num_items)
    return (rng.random(logits.shape) < special.expit(logits)) * 1.0, features


@pytest.mark.parametrize(("formats", "items", "budget"), [(7, 5, 20), (5, 7, 35), (100, 40, 333), (3, 50, 0)])
def test_the_sample_is_balanced_and_asks_no_pair_twice(formats, items, budget):
    pairs = balanced_sample(formats, items, budget, seed=1)
    assert len({tuple(pair) for pair in pairs.tolist()}) == len(pairs) == budget
    for side, size in enumerate((formats, items)):
        times = np.bincount(pairs[:, side], minlength=size)
        assert times.max() - times.min() <= (1 if side == 0 else 1 + formats // items + 1)
    with pytest.raises(ValueError, match="does not fit"):
        balanced_sample(3, 4, 13, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("feature_sd", [0.0, 0.4])
def test_quantiles_are_within_two_points_at_a_twentieth_of_the_grid(feature_sd):
    errors = []
    for seed in range(5):
        grid, features = world(seed, feature_sd=feature_sd, format_sd=0.4 if feature_sd == 0 else 0.15)
        pairs = balanced_sample(*grid.shape, grid.size // 20, seed=seed)
        accuracies = estimate_accuracies(
            pairs, grid[pairs[:, 0], pairs[:, 1]], num_formats=len(grid), num_items=grid.shape[1], features=features
        )
        errors.append(np.abs(np.quantile(accuracies, LEVELS) - np.quantile(grid.mean(axis=1), LEVELS)))
    print(np.mean(errors, axis=0), np.max(errors))
    assert np.mean(errors, axis=0).max() < 0.02


def test_formats_that_do_not_matter_have_no_spread():
    grid, _ = world(3, format_sd=0.0)
    pairs = balanced_sample(*grid.shape, grid.size // 20, seed=0)
    accuracies = estimate_accuracies(
        pairs, grid[pairs[:, 0], pairs[:, 1]], num_formats=len(grid), num_items=grid.shape[1]
    )
    low, high = np.quantile(accuracies, [0.05, 0.95])
    assert high - low < 0.04


def test_the_whole_grid_gives_its_own_accuracies():
    grid, _ = world(4, num_formats=30, num_items=200)
    pairs = balanced_sample(*grid.shape, grid.size, seed=0)
    accuracies = estimate_accuracies(pairs, grid[pairs[:, 0], pairs[:, 1]], num_formats=30, num_items=200)
    assert np.abs(accuracies - grid.mean(axis=1)).max() < 0.02

"""Resampled means move as much as theory says, however many rows are resampled together."""

import numpy as np
import pytest

from educe.eval.analysis.statistics.resample import SEED, resampled_means


@pytest.mark.parametrize("rows", [1, 12])
@pytest.mark.parametrize("together", [1, 3])
def test_means_move_as_much_as_theory_says(rows: int, together: int) -> None:
    scores, codes = np.random.default_rng(1).random(300), np.arange(300) // together
    means = resampled_means(np.tile(scores, (rows, 1)), codes, np.random.default_rng(SEED))
    assert means.shape == (2_000, rows)
    np.testing.assert_allclose(means, np.repeat(means[:, :1], rows, axis=1), atol=1e-12)
    by_cluster = scores.reshape(-1, together).mean(axis=1)
    assert means.mean() == pytest.approx(scores.mean(), abs=0.003)
    assert means[:, 0].std() == pytest.approx(by_cluster.std() / np.sqrt(len(by_cluster)), rel=0.06)

"""Equivalence against statsmodels, and how often it is claimed of sides that differ by the margin."""

import numpy as np
import pytest
from statsmodels.stats.weightstats import ttost_paired

from educe.eval.analysis.statistics.equivalence import equivalent
from educe.eval.analysis.statistics.paired import paired_difference


def pair(n: int, gap: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two sides of 0 and 1 that often agree, the first better by `gap` on average."""
    shared, alone = rng.random(n), rng.random(n)
    base = (shared < 0.6).astype(float)
    changed = rng.random(n) < 0.3
    chance = 0.6 + gap / 0.3
    return np.where(changed, (alone < chance).astype(float), base), base


@pytest.mark.parametrize("gap", [0.0, 0.02, 0.05])
def test_agrees_with_statsmodels(gap: float) -> None:
    a, b = pair(2_000, gap, np.random.default_rng(8))
    for margin in (0.01, 0.03, 0.06, 0.1):
        p, *_ = ttost_paired(a, b, -margin, margin)
        assert equivalent(a, b, margin) == bool(p < 0.05)


def test_its_interval_is_at_twice_the_type_i_error_and_keeps_clusters() -> None:
    a, b = pair(200, 0.0, np.random.default_rng(10))
    names = [str(item // 10) for item in range(200)]
    for level in (0.95, 0.975):
        inner = paired_difference(a, b, names, level=2 * level - 1)
        smallest = max(-inner.low, inner.high)
        assert equivalent(a, b, smallest + 1e-9, names, level=level)
        assert not equivalent(a, b, smallest, names, level=level)
        assert not equivalent(b, a, smallest - 0.001, names, level=level)


def test_no_disagreement_on_few_items_is_not_equivalence() -> None:
    assert not equivalent([1, 0, 1, 1, 0], [1, 0, 1, 1, 0], 0.1)
    same = [1, 0] * 1_000
    assert equivalent(same, same, 0.01)


def test_sides_that_differ_by_the_margin_are_rarely_called_equivalent() -> None:
    rng = np.random.default_rng(11)
    runs = 300
    called = sum(equivalent(*pair(400, 0.1, rng), 0.1) for _ in range(runs))
    assert called / runs <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / runs)
    assert sum(equivalent(*pair(400, 0.0, rng), 0.1) for _ in range(50)) >= 40


@pytest.mark.parametrize("margin", [0.0, -0.1, 1.5, float("nan")])
def test_what_is_no_margin_is_refused(margin: float) -> None:
    with pytest.raises(ValueError, match="a margin is"):
        equivalent([1, 0], [1, 0], margin)
    with pytest.raises(ValueError, match="level"):
        equivalent([1, 0], [1, 0], 0.1, level=0.5)

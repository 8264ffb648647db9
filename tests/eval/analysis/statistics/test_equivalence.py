"""Equivalence against statsmodels, and how often it is claimed of sides that differ by the margin."""

import numpy as np
import pytest
from statsmodels.stats.weightstats import ttost_paired

from educe.eval.analysis.statistics.equivalence import equivalence_p
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
        found = equivalence_p(a, b, margin)
        assert found == pytest.approx(p, rel=0.2, abs=2e-3) if p < 0.5 else found == 1
        assert (found < 0.05) == bool(p < 0.05)


def test_its_interval_is_at_twice_the_type_i_error_and_keeps_clusters() -> None:
    a, b = pair(200, 0.0, np.random.default_rng(10))
    names = [str(item // 10) for item in range(200)]
    for level in (0.95, 0.975):
        inner = paired_difference(a, b, names, level=2 * level - 1)
        smallest = max(-inner.low, inner.high)
        assert equivalence_p(a, b, smallest, names) == pytest.approx(1 - level, rel=1e-6)
        assert equivalence_p(b, a, smallest, names) == pytest.approx(1 - level, rel=1e-6)
        assert equivalence_p(b, a, smallest - 0.001, names) > 1 - level


def test_no_disagreement_on_few_items_is_not_equivalence() -> None:
    assert equivalence_p([1, 0, 1, 1, 0], [1, 0, 1, 1, 0], 0.1) > 0.05
    same = [1, 0] * 1_000
    assert equivalence_p(same, same, 0.01) < 0.05
    assert equivalence_p([1, 1, 1, 0], [0, 0, 0, 0], 0.7) == 1.0
    assert equivalence_p(same, same, 0.5, ["one"] * 2_000) == 1.0


def test_sides_that_differ_by_the_margin_are_rarely_called_equivalent() -> None:
    rng = np.random.default_rng(11)
    runs = 300
    called = sum(equivalence_p(*pair(400, 0.1, rng), 0.1) < 0.05 for _ in range(runs))
    assert called / runs <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / runs)
    assert sum(equivalence_p(*pair(400, 0.0, rng), 0.1) < 0.05 for _ in range(50)) >= 40


@pytest.mark.parametrize("margin", [0.0, -0.1, 1.5, float("nan")])
def test_what_is_no_margin_is_refused(margin: float) -> None:
    with pytest.raises(ValueError, match="a margin is"):
        equivalence_p([1, 0], [1, 0], margin)

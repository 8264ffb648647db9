"""Random effects against a published example, and in worlds where the truth is known."""

import numpy as np
import pytest

from educe.eval.analysis.statistics.random_effects import meta_analysis

# Thirteen trials of BCG against tuberculosis (Colditz et al. 1994), as in metafor's dat.bcg: cases and others, treated
# and control.
BCG = np.array(
    [(4, 119, 11, 128), (6, 300, 29, 274), (3, 228, 11, 209), (62, 13536, 248, 12619), (33, 5036, 47, 5761),
     (180, 1361, 372, 1079), (8, 2537, 10, 619), (505, 87886, 499, 87892), (29, 7470, 45, 7232), (17, 1699, 65, 1600),
     (186, 50448, 141, 27197), (5, 2493, 3, 2338), (27, 16886, 29, 17825)], dtype=float
).T  # fmt: skip


def test_the_bcg_trials() -> None:
    """Viechtbauer (2010), "Conducting meta-analyses in R with the metafor package", and metafor's documentation."""
    a, b, c, d = BCG
    log_ratios = np.log(a / (a + b)) - np.log(c / (c + d))
    found = meta_analysis(log_ratios, (1 / a - 1 / (a + b) + 1 / c - 1 / (c + d)) ** 0.5)
    assert found is not None
    assert found.mean == pytest.approx(-0.715, abs=5e-4)
    assert found.between**2 == pytest.approx(0.318, abs=5e-4)  # Paule-Mandel
    profile = found.between_interval
    assert (profile.low**2, profile.high**2) == pytest.approx((0.1197, 1.1115), abs=5e-5)
    assert (found.inconsistency_interval.low, found.inconsistency_interval.high) == pytest.approx(
        (0.8192, 0.9768), abs=5e-5
    )
    assert found.homogeneity_p < 1e-25
    assert (found.interval.low, found.interval.high) == pytest.approx((-1.109, -0.321), abs=1e-3)
    # t with 11 degrees of freedom times the root of 0.3181 + 0.1809^2.
    assert found.prediction.high - found.mean == pytest.approx(2.201 * (0.3181 + 0.1809**2) ** 0.5, abs=1e-3)


def test_equal_effects_are_shrunken_to_their_mean() -> None:
    found = meta_analysis([0.1, 0.1, 0.1], [0.02, 0.02, 0.02])
    assert found is not None and found.between == 0 and found.inconsistency == 0
    # Never narrower than if they agreed by nature: t with 2 degrees of freedom times 0.02 / sqrt 3.
    assert found.interval.high - 0.1 == pytest.approx(4.3027 * 0.02 / 3**0.5, rel=1e-4)
    assert [value for value, _, _ in found.shrunken] == pytest.approx([0.1] * 3)


@pytest.mark.parametrize("effect", [0.0, 0.1, 0.5])
def test_effects_that_are_equal_to_the_last_digit_are_pooled(effect: float) -> None:
    """Cochran's Q is exactly 0: "divide by zero" of statsmodels."""
    found = meta_analysis([effect] * 3, [0.1, 0.2, 0.3])
    assert found is not None
    assert (found.mean, found.between, found.homogeneity_p) == (pytest.approx(effect), 0.0, pytest.approx(1))


def test_fewer_than_three_are_refused() -> None:
    assert meta_analysis([0.1, 0.2], [0.02, 0.02]) is None
    with pytest.raises(ValueError, match="above 0"):
        meta_analysis([0.1, 0.2, 0.3], [0.02, 0.02, 0.0])


@pytest.mark.slow
@pytest.mark.parametrize(("count", "between"), [(3, 0.15), (5, 0.05), (12, 0.15)])
def test_intervals_and_predictions_hold(count: int, between: float) -> None:
    """Heavy-tailed true effects (Student's t, 3 degrees of freedom), errors that are themselves estimated."""
    rng = np.random.default_rng(count)
    held = []
    for _ in range(300):
        effects = 0.2 + between * rng.standard_t(3, size=count + 1) / 3**0.5
        sd = rng.uniform(0.02, 0.06, count)
        seen, errors = effects[1:] + sd * rng.standard_normal(count), sd * (rng.chisquare(8, count) / 8) ** 0.5
        found = meta_analysis(seen, errors)
        assert found is not None
        held.append(
            [
                found.interval.low <= 0.2 <= found.interval.high,
                found.prediction.low <= effects[0] <= found.prediction.high,
            ]
        )
    mean, prediction = np.mean(held, axis=0)
    assert mean >= 0.92
    assert prediction >= 0.88

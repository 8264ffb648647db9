"""McNemar's test against published and hand-worked values, statsmodels and scipy."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from statsmodels.stats.contingency_tables import mcnemar as theirs_of

from educe.eval.analysis.statistics.mcnemar import mcnemar


def sides(only_a: int, only_b: int, both: int = 3, neither: int = 2) -> tuple[list[int], list[int]]:
    """Scores with so many items on which only one side is right."""
    a = [1] * only_a + [0] * only_b + [1] * both + [0] * neither
    b = [0] * only_a + [1] * only_b + [1] * both + [0] * neither
    return a, b


def test_one_against_seven_as_published() -> None:
    # Fagerland, Lydersen & Laake (2013), airway hyper-responsiveness: 1, 1, 7, 12. 2 (1 + 8) / 256 and 8 / 256 less.
    test = mcnemar(*sides(1, 7, both=1, neither=12))
    assert (test.only_a, test.only_b) == (1, 7)
    assert (test.p, test.mid_p) == pytest.approx((18 / 256, 10 / 256), rel=1e-12)
    assert test.odds_ratio == pytest.approx(1 / 7)


def test_mid_p_by_hand() -> None:
    assert mcnemar(*sides(3, 0)).mid_p == pytest.approx(2 / 8 - 1 / 8)
    assert mcnemar(*sides(4, 2)).mid_p == pytest.approx((2 * (1 + 6 + 15) - 15) / 64)
    assert mcnemar(*sides(5, 5)).mid_p == pytest.approx(1.0)


def test_sides_that_never_disagree_say_nothing() -> None:
    test = mcnemar([1, 0, 1], [1, 0, 1])
    assert (test.p, test.mid_p, test.odds_ratio, test.low, test.high) == (1.0, 1.0, None, 0.0, math.inf)


def test_only_one_side_alone_right() -> None:
    test = mcnemar(*sides(6, 0))
    assert (test.odds_ratio, test.high) == (math.inf, math.inf)
    share = 0.025 ** (1 / 6)  # the share at which six of six has probability 0.025
    assert test.low == pytest.approx(share / (1 - share))
    swapped = mcnemar(*reversed(sides(6, 0)))
    assert (swapped.odds_ratio, swapped.low, swapped.high) == (0.0, 0.0, pytest.approx(1 / test.low))


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 400), st.integers(0, 400))
def test_agrees_with_statsmodels_and_scipy(only_a: int, only_b: int) -> None:
    ours = mcnemar(*sides(only_a, only_b), level=0.9)
    assert ours.p == pytest.approx(theirs_of([[3, only_a], [only_b, 2]], exact=True).pvalue, abs=1e-9)
    assert ours.mid_p <= ours.p
    if only_a + only_b:
        theirs = binomtest(only_a, only_a + only_b).proportion_ci(confidence_level=0.9, method="exact")
        assert ours.low / (1 + ours.low) == pytest.approx(theirs.low, abs=1e-9)


def test_mid_p_keeps_its_level_where_the_exact_test_is_conservative() -> None:
    # The sizes themselves, summed over every split of 30 to 60 disagreements, not simulated.
    exact, mid = [], []
    for n in range(30, 61):
        tests = [mcnemar(*sides(k, n - k)) for k in range(n + 1)]
        chance = [math.comb(n, k) / 2.0**n for k in range(n + 1)]
        exact.append(sum(weight for weight, test in zip(chance, tests, strict=True) if test.p <= 0.05))
        mid.append(sum(weight for weight, test in zip(chance, tests, strict=True) if test.mid_p <= 0.05))
    assert max(exact) <= 0.05
    assert 0.06 < max(mid) < 0.07
    assert np.mean(exact) < 0.04 < np.mean(mid) < 0.055


@pytest.mark.parametrize(
    ("a", "b", "says"),
    [
        ([1, 0.5], [1, 0], "scores of 0 or 1, got 0.5"),
        ([1, 0], [1, math.nan], "got nan"),
        ([1, 2], [1, 0], "got 2"),
        ([1, 0, 1], [1, 0], "3 against 2"),
        ([], [], "non-empty"),
    ],
)
def test_what_is_no_pair_of_marks_is_refused(a: list[float], b: list[float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        mcnemar(a, b)

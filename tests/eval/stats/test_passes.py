"""pass@k and pass^k against hand-worked values and every subset there is."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from educe.eval.analysis.statistics.passes import count_right, pass_at_k, pass_hat_k


def test_by_hand() -> None:
    # Two of four right, two drawn: one of six pairs is all wrong, one is all right.
    assert pass_at_k([2], 4, 2).value == pytest.approx(5 / 6)
    assert pass_hat_k([2], 4, 2).value == pytest.approx(1 / 6)
    assert pass_at_k([2, 0, 5], [4, 4, 5], 2).value == pytest.approx((5 / 6 + 0 + 1) / 3)
    assert pass_at_k([1], 200, 100).value == pytest.approx(0.5)
    assert pass_at_k([3], 100_000, 1).value == pytest.approx(3e-5)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 8).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_agrees_with_every_subset(case: tuple[int, int, int]) -> None:
    n, c, k = case
    subsets = list(itertools.combinations([1] * c + [0] * (n - c), k))
    assert pass_at_k([c], n, k).value == pytest.approx(np.mean([any(each) for each in subsets]), abs=1e-12)
    assert pass_hat_k([c], n, k).value == pytest.approx(np.mean([all(each) for each in subsets]), abs=1e-12)


def test_is_unbiased() -> None:
    rng = np.random.default_rng(3)
    right = rng.binomial(8, 0.3, size=40_000)
    assert pass_at_k(right, 8, 3).value == pytest.approx(1 - 0.7**3, abs=0.005)
    assert pass_hat_k(right, 8, 3).value == pytest.approx(0.3**3, abs=0.003)


def test_intervals_hold_items_and_their_clusters() -> None:
    rng = np.random.default_rng(4)
    right = np.repeat(rng.binomial(6, rng.beta(1, 1, size=50)), 4)
    alone = pass_at_k(right, 6, 2)
    clustered = pass_at_k(right, 6, 2, [str(item // 4) for item in range(200)])
    assert alone.low < alone.value < alone.high and alone.n == 200
    assert clustered.high - clustered.low > 1.7 * (alone.high - alone.low)
    assert pass_at_k([6] * 20, 6, 3).low < 1  # all right is not certain


def test_counts_of_a_matrix() -> None:
    right, drawn = count_right([[1, 0, 1], [0, 0, 1]])
    assert (right.tolist(), drawn) == ([1, 0, 2], 2)
    with pytest.raises(ValueError, match="right \\(1\\) or wrong"):
        count_right([[0.5]])


@pytest.mark.parametrize(
    ("right", "drawn", "k"),
    [
        ([1], 4, 5),
        ([1, 1], [4, 2], 3),
        ([1], 4, 0),
        ([5], 4, 1),
        ([-1], 4, 1),
        ([0.5], 4, 1),
        ([math.nan], 4, 1),
        ([], 4, 1),
    ],
)
def test_what_cannot_be_is_refused(right: list[float], drawn: int | list[int], k: int) -> None:
    for estimate in (pass_at_k, pass_hat_k):
        with pytest.raises(ValueError, match=r"k counts|cannot be|one count per item"):
            estimate(right, drawn, k)

"""Adjusted p values against hand-worked ones, statsmodels, and their promise."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from educe.eval.analysis.statistics.multiple import benjamini_hochberg, bonferroni_level, holm


def test_by_hand_and_in_the_order_given() -> None:
    ps = [0.04, 0.01, 0.03]
    assert holm(ps) == pytest.approx([0.06, 0.03, 0.06])  # 3 x .01, 2 x .03, and .04 is raised to what precedes it
    assert benjamini_hochberg(ps) == pytest.approx([0.04, 0.03, 0.04])  # 3 x .01, 3/2 x .03 lowered to .04
    assert holm([0.9, 0.8]).tolist() == [1.0, 1.0]
    assert (len(holm([])), len(benjamini_hochberg([]))) == (0, 0)


@settings(deadline=None, max_examples=10)
@given(st.lists(st.floats(0, 1) | st.sampled_from([0.0, 0.01, 0.05, 1.0]), min_size=1, max_size=20))
def test_agrees_with_statsmodels(ps: list[float]) -> None:
    assert holm(ps) == pytest.approx(multipletests(ps, method="holm")[1], abs=1e-9)
    assert benjamini_hochberg(ps) == pytest.approx(multipletests(ps, method="fdr_bh")[1], abs=1e-9)


def test_bonferroni() -> None:
    assert bonferroni_level(0.95, 1) == 0.95 and bonferroni_level(0.95, 10) == pytest.approx(0.995)


def test_holm_keeps_the_chance_of_any_false_finding() -> None:
    rng = np.random.default_rng(7)
    # Twenty true nulls beside five effects, dependent through what they share.
    shared = rng.standard_normal((4_000, 1))
    values = np.sqrt(0.5) * (shared + rng.standard_normal((4_000, 25))) + np.array([4.0] * 5 + [0.0] * 20)
    ps = np.array([[math.erfc(abs(value) / math.sqrt(2)) for value in row] for row in values])
    wrong = np.mean([(holm(row)[5:] <= 0.05).any() for row in ps])
    assert wrong <= 0.05
    assert np.mean((ps[:, 5:] <= 0.05).any(axis=1)) > 0.2  # what it protects from

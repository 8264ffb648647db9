"""The two-way variance: against textbook matrices of CR2 and Bell & McCaffrey, known designs, and a mixed model."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import linalg

from educe.eval.analysis.statistics.intervals import effective_sample_size, pooled_interval
from educe.eval.analysis.statistics.paired import paired_difference
from educe.eval.analysis.statistics.variance import (
    Side,
    Variance,
    contrast_variance,
    mean_variance,
    satterthwaite,
    seed_covariance,
    seed_draws,
    variance_shares,
)

Matrix = NDArray[np.float64]


def textbook_cr2(values: Matrix, design: Matrix, groups: Matrix, weights: Matrix) -> tuple[float, float]:
    """Variance and degrees of freedom of a linear combination of regression coefficients, by whole matrices.

    Pustejovsky & Tipton (2018), equations 4 and 10 with an identity working model: nothing of our shortcuts is used.
    """
    bread = np.linalg.inv(design.T @ design)
    annihilator = np.eye(len(values)) - design @ bread @ design.T
    residuals = annihilator @ values
    scores, directions = [], []
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        inverse_root = linalg.pinvh(linalg.sqrtm(annihilator[np.ix_(rows, rows)]).real)
        lever = inverse_root @ design[rows] @ bread @ weights
        scores.append(lever @ residuals[rows])
        directions.append(annihilator[:, rows] @ lever)
    products = np.array(directions) @ np.array(directions).T
    return float(np.sum(np.square(scores))), float(np.trace(products) ** 2 / np.sum(products**2))


@pytest.mark.parametrize("sizes", [[1] * 12, [3] * 6, [1, 2, 9, 4, 1], [20, 1, 1]])
def test_items_in_clusters_are_textbook_cr2(sizes: list[int]) -> None:
    rng = np.random.default_rng(len(sizes))
    groups = np.repeat(np.arange(len(sizes)), sizes)
    values = rng.random(len(groups))
    variance, df = textbook_cr2(values, np.ones((len(values), 1)), groups, np.ones(1))
    found = mean_variance(Side.of(values), [f"c{each}" for each in groups])
    assert (found.items, found.items_df) == (pytest.approx(variance), pytest.approx(df))
    assert found.seeds == 0


@pytest.mark.parametrize("seeds", [((0, 1, 2), (0, 1, 2)), ((0, 1, 2, 3), (2, 3, 4, 5, 6)), ((0, 1, 2), (7, 8, 9, 10))])
def test_seeds_of_a_difference_are_textbook_cr2(seeds: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    rng = np.random.default_rng(3)
    sides = [Side(scores=rng.random((len(each), 7)), seeds=each) for each in seeds]
    means = np.concatenate([side.scores.mean(axis=1) for side in sides])
    design = np.repeat(np.eye(2), [len(each) for each in seeds], axis=0)
    variance, df = textbook_cr2(means, design, np.concatenate(seeds), np.array([1.0, -1.0]))
    found = contrast_variance(sides, (1.0, -1.0))
    assert (found.seeds, found.seeds_df) == (pytest.approx(variance), pytest.approx(df))


def test_pairing_and_independence_are_the_two_t_tests() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.random((2, 5, 40))
    means = a.mean(axis=1), b.mean(axis=1)
    paired = contrast_variance(
        [Side(scores=a, seeds=tuple(range(5))), Side(scores=b, seeds=tuple(range(5)))], (1.0, -1.0)
    )
    assert paired.seeds == pytest.approx((means[0] - means[1]).var(ddof=1) / 5) and paired.seeds_df == pytest.approx(4)
    apart = contrast_variance(
        [Side(scores=a, seeds=tuple(range(5))), Side(scores=b, seeds=tuple(range(5, 10)))], (1.0, -1.0)
    )
    assert apart.seeds == pytest.approx(means[0].var(ddof=1) / 5 + means[1].var(ddof=1) / 5)
    assert apart.seeds_df == pytest.approx(8)


def test_the_sum_has_satterthwaites_degrees_of_freedom() -> None:
    both = Variance(items=0.03, items_df=99.0, seeds=0.01, seeds_df=2.0)
    assert both.df == pytest.approx(0.04**2 / (0.03**2 / 99 + 0.01**2 / 2))
    assert satterthwaite([(0.0, 99.0), (0.0, 2.0)]) == 99


def test_fewer_than_three_seeds_speak_of_their_runs() -> None:
    rng = np.random.default_rng(5)
    for runs, estimand in ((1, "runs"), (2, "runs"), (3, "recipe")):
        side = Side(scores=(rng.random((runs, 50)) < 0.5) * 1.0, seeds=tuple(range(runs)))
        assert side.estimand == estimand
        assert (mean_variance(side).seeds > 0) == (estimand == "recipe")
        assert paired_difference(side, np.zeros(50)).estimand == estimand
    assert Side.of(np.zeros(50)).estimand == "recipe"  # no seeds: nothing depends on them


def test_seeds_are_named_once_each() -> None:
    with pytest.raises(ValueError, match="need a seed each"):
        Side(scores=np.zeros((3, 2)), seeds=(0, 1))
    with pytest.raises(ValueError, match="need a seed each"):
        Side(scores=np.zeros((3, 2)), seeds=(0, 1, 1))


def test_draws_have_the_covariance_over_seeds() -> None:
    rng = np.random.default_rng(6)
    shared = rng.standard_normal((30, 1)) * 0.05
    runs = [np.clip(0.5 + shared + rng.standard_normal((30, 1)) * 0.02 + np.zeros((30, 20)), 0, 1) for _ in range(2)]
    sides = [Side(scores=each, seeds=tuple(range(30))) for each in runs]
    drawn = np.cov(seed_draws(sides, np.random.default_rng(0), 40_000).T)
    # Student's t with 29 degrees of freedom has a variance of 29 / 27.
    assert drawn == pytest.approx(29 / 27 * seed_covariance(sides), rel=0.05)
    assert drawn[0, 1] > 0.5 * drawn[0, 0]
    assert not seed_draws([Side.of(np.zeros(5))], rng, 3).any()


def test_shares_of_variance_find_what_was_put_in() -> None:
    rng = np.random.default_rng(7)
    answers = (
        0.4 * rng.standard_normal(400) + 0.2 * rng.standard_normal((200, 1)) + 0.4 * rng.standard_normal((200, 400))
    )
    side = Side(scores=answers, seeds=tuple(range(200)))
    assert variance_shares(side) == pytest.approx((0.16 / 0.36, 0.04 / 0.36, 0.16 / 0.36), abs=0.05)
    assert variance_shares(Side.of(np.ones((2, 4)))) == (0, 0, 0)
    with pytest.raises(ValueError, match="two runs and two items"):
        variance_shares(Side.of(np.ones(4)))


def test_the_sum_is_close_to_a_crossed_mixed_models_variance() -> None:
    """statsmodels fits items and seeds as crossed random effects; where noise at items is small both must agree."""
    import pandas as pd
    import statsmodels.formula.api as smf

    rng = np.random.default_rng(8)
    answers = (
        0.5 + 0.1 * rng.standard_normal(25) + 0.08 * rng.standard_normal((12, 1)) + 0.02 * rng.standard_normal((12, 25))
    )
    table = pd.DataFrame({"score": answers.ravel(), "seed": np.repeat(range(12), 25), "item": np.tile(range(25), 12)})
    effects = {"seed": "0 + C(seed)", "item": "0 + C(item)"}
    model = smf.mixedlm("score ~ 1", table.assign(one=1), groups="one", vc_formula=effects).fit(reml=True)
    ours = mean_variance(Side(scores=answers, seeds=tuple(range(12))))
    assert ours.total**0.5 == pytest.approx(float(model.bse["Intercept"]), rel=0.05)


def test_one_item_and_one_cluster_say_nothing_of_others() -> None:
    assert effective_sample_size(Side(scores=np.array([[1.0], [0.0]]), seeds=(0, 1))) == 0
    assert pooled_interval(Side(scores=np.array([[1.0], [0.0]]), seeds=(0, 1))).high == 1
    for level in (0.9, 0.95):
        found = paired_difference([1.0] * 5, [0.0] * 5, ["a"] * 5, level=level)
        assert (found.low, found.difference, found.high, found.p) == (-1, 1, 1, 1)


def test_an_interval_holds_its_own_estimate() -> None:
    found = paired_difference([1.0] * 6, [0.0] * 6, ["a", "a", "a", "b", "b", "b"], level=0.9)
    assert found.low <= found.difference <= found.high


@pytest.mark.parametrize("ability", [0.0, 0.2])
def test_three_seeds_cover_whether_or_not_seeds_decide(ability: float) -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        latent = (
            ability * rng.standard_normal((3, 1)) + 0.7 * rng.standard_normal((3, 300)) + 0.7 * rng.standard_normal(300)
        )
        interval = pooled_interval(Side(scores=(latent < 0) * 1.0, seeds=(0, 1, 2)))
        covered += interval.low <= 0.5 <= interval.high
    assert 0.91 < covered / 400 <= 0.99


def test_p_is_where_the_interval_meets_no_difference() -> None:
    rng = np.random.default_rng(9)
    a = Side(scores=(rng.random((5, 80)) < 0.6) * 1.0, seeds=tuple(range(5)))
    b = Side(scores=(rng.random((5, 80)) < 0.5) * 1.0, seeds=tuple(range(5)))
    p = paired_difference(a, b).p
    assert p is not None and 0 < p < 1
    at = paired_difference(a, b, level=1 - p)
    assert min(abs(at.low), abs(at.high)) == pytest.approx(0, abs=1e-9)

"""Variance of a mean split into items and seeds: by hand, at the edges, and what two seeds borrow."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from educe.eval.analysis.statistics.components import (
    SeedVariance,
    components,
    estimate_seed_variance,
    moderated_seed_variance,
    pooled_seed_variance,
)
from educe.eval.analysis.statistics.intervals import effective_sample_size, pooled_interval
from educe.eval.analysis.statistics.paired import paired_difference, seeds_squared_half_width


def test_items_and_seeds_by_hand() -> None:
    # Three seeds that get 2, 3 and 4 of 4 items right.
    matrix = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]], dtype=float)
    parts = components(matrix)
    per_item = matrix.mean(axis=0) - 0.75
    assert parts.items == pytest.approx(max(4 / 3 / 16 * (per_item**2).sum(), (1 + 0.75) * 4 / 3 / 16 / 9))
    rest = matrix - matrix.mean(axis=1)[:, None] - per_item
    noise = 4 / 3 / 16 * (rest**2).sum() / 2
    spread = estimate_seed_variance([(matrix, None)])
    assert spread is not None and spread.df == 2
    # In scores: the variance of the seeds' means, 1/16, less four fifths of the noise.
    quantile = 0.4307272992954576  # of Laplace's (3 + 1) / (4 + 2)
    moved = np.exp(-(quantile**2)) / (2 * np.pi)
    assert spread.latent_variance * moved == pytest.approx(1 / 16 - 0.8 * noise)
    assert parts.seeds == pytest.approx((1 / 16 - 0.8 * noise) / 3)
    assert parts.item_noise == pytest.approx(noise / 3)
    # As one side of a difference: less a fifth more than all of the noise.
    assert parts.seeds_at(0.95, of_difference=True) == pytest.approx((1 / 16 - 1.2 * noise) / 3)
    # Above 95% less and less is taken out.
    assert parts.seeds_at(0.9) == parts.seeds_at(0.95) == parts.seeds
    assert parts.seeds_at(0.9984) == pytest.approx((1 / 16 - 0.8 * (0.0016 / 0.05) ** 0.3 * noise) / 3)
    assert parts.seeds_at(1 - 1e-15, of_difference=True) == pytest.approx(1 / 16 / 3, rel=1e-3)


def test_seeds_of_two_sides_are_known_better_together() -> None:
    one = replace(components(np.array([[1, 0, 1, 0], [1, 1, 1, 0], [1, 1, 1, 1]], dtype=float)), item_noise=0.0)
    sides = [replace(one, seeds=0.04, seeds_df=2), replace(one, seeds=0.01, seeds_df=3)]
    welch = 0.05**2 / (0.04**2 / 4 + 0.01**2 / 5) - 2
    assert seeds_squared_half_width(sides, 0.95) == pytest.approx(stats.t.ppf(0.975, welch) ** 2 * 0.05)
    assert seeds_squared_half_width(sides[:1], 0.95) == pytest.approx(stats.t.ppf(0.975, 2) ** 2 * 0.04)
    few = [replace(one, seeds=0.04, seeds_df=1), sides[1]]
    satterthwaite = 0.05**2 / (0.04**2 / 1 + 0.01**2 / 3)
    assert seeds_squared_half_width(few, 0.95) == pytest.approx(stats.t.ppf(0.975, satterthwaite) ** 2 * 0.05)
    assert seeds_squared_half_width([replace(one, seeds=0.0)], 0.95) == 0.0


def test_an_interval_never_narrows_as_its_level_rises() -> None:
    rng = np.random.default_rng(0)
    base = components((rng.random((3, 50)) < 0.5) * 1.0)
    levels = [0.5, 0.9, 0.95, *(1 - 10.0 ** -np.arange(1.4, 14, 0.4))]
    for _ in range(200):
        sides = [
            replace(base, seeds=seeds, item_noise=item_noise, num_seeds=num, seeds_df=num - 1)
            for seeds, item_noise, num in zip(
                rng.choice([0, 1e-6, 1e-3, 0.1], 2).tolist(), (10.0 ** rng.uniform(-6, -2, 2)).tolist(),
                rng.integers(2, 6, 2).tolist(), strict=True,
            )
        ]  # fmt: skip
        assert (np.diff([seeds_squared_half_width(sides, level) for level in levels]) >= 0).all()
        assert (np.diff([sides[0].squared_half_width(level) for level in levels]) >= 0).all()


def test_two_seeds_borrow_and_three_do_not() -> None:
    one, two, others = (SeedVariance(latent_variance=a, df=f) for a, f in ((0.3, 1), (0.3, 2), (0.06, 4)))
    helped = moderated_seed_variance(one, others)
    assert helped is not None and (helped.latent_variance, helped.df) == (pytest.approx((0.3 + 2 * 0.06) / 3), 3)
    assert moderated_seed_variance(two, others) == two
    assert moderated_seed_variance(one, None) == one
    assert moderated_seed_variance(None, others) is None
    together = pooled_seed_variance([one, None, others])
    assert together is not None and (together.latent_variance, together.df) == (pytest.approx((0.3 + 4 * 0.06) / 5), 5)
    assert pooled_seed_variance([None]) is None


def test_seeds_that_err_on_opposite_items_leave_their_own_variance() -> None:
    matrix = np.stack([np.arange(40) < 20, np.arange(40) >= 20]).astype(float)
    assert components(matrix).items == pytest.approx(2 * 0.25 / 39 / 4)


def test_one_item_and_one_cluster_say_nothing_of_others() -> None:
    assert effective_sample_size([[1.0], [0.0]]) == 0
    assert pooled_interval([[1.0], [0.0]]).high == 1
    for level in (0.9, 0.95):
        found = paired_difference([1.0] * 5, [0.0] * 5, ["a"] * 5, level=level)
        assert (found.low, found.difference, found.high, found.p) == (-1, 1, 1, 1)


def test_an_interval_holds_its_own_estimate() -> None:
    found = paired_difference([1.0] * 6, [0.0] * 6, ["a", "a", "a", "b", "b", "b"], level=0.9)
    assert found.low <= found.difference <= found.high


def test_all_right_is_less_sure_where_seeds_are_known_to_differ() -> None:
    sure, unsure = (
        pooled_interval(np.ones((2, 20)), seed_variance=SeedVariance(latent_variance=ability, df=6))
        for ability in (0.0, 0.5)
    )
    assert unsure.low < sure.low - 0.1


def test_three_seeds_cover_where_seeds_decide() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        ability = 0.2 * rng.standard_normal((3, 1)) + 0.7 * rng.standard_normal((3, 500))
        matrix = (ability + 0.7 * rng.standard_normal(500) < 0).astype(float)
        interval = pooled_interval(matrix)
        covered += interval.low <= 0.5 <= interval.high
    assert 0.91 < covered / 400 < 0.985

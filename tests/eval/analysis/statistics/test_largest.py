"""The largest of several gains: on studies without any gain, on a planted one, and by hand."""

import numpy as np
import pytest
from scipy.stats import binom

from educe.eval.analysis.statistics.largest import largest_gain

LEVEL = 0.05


def fresh(rng, n, p, nets):
    """No net has anything in common with the baseline."""
    return rng.random(n) < p, rng.random((nets, n)) < p, None


def changed(rng, n, p, nets):
    """Items differ in difficulty; each net answers some anew, with the same chances."""
    difficulty = rng.beta(2 * p, 2 * (1 - p), n)
    base = rng.random(n) < difficulty
    anew = rng.random((nets, n)) < difficulty
    asked = rng.random((nets, n)) < np.linspace(0.05, 0.8, nets)[:, None]
    return base, np.where(asked, anew, base), None


def destroyed(rng, n, p, nets):
    """As above, but more noise destroys more: all true differences but the first are below 0."""
    base, made, _ = changed(rng, n, p, nets)
    kept = rng.random((nets, n)) < np.linspace(1.0, 0.3, nets)[:, None]
    return base, made & kept, None


def lost_together(rng, n, p, nets):
    """What is right without noise is lost by all nets at once, and what is wrong is repaired by each alone."""
    difficulty = rng.beta(2 * p, 2 * (1 - p), n)
    base = rng.random(n) < difficulty
    return base, np.where(base, rng.random(n) < difficulty, rng.random((nets, n)) < difficulty), None


def repaired_together(rng, n, p, nets):
    """The other way round."""
    difficulty = rng.beta(2 * p, 2 * (1 - p), n)
    base = rng.random(n) < difficulty
    return base, np.where(base, rng.random((nets, n)) < difficulty, rng.random(n) < difficulty), None


def clustered(rng, n, p, nets):
    """Items of a cluster of four are mostly answered alike."""
    codes = np.arange(n) // 4
    of_cluster = rng.random((nets + 1, codes.max() + 1)) < p
    own = rng.random((nets + 1, n)) < p
    made = np.where(rng.random((nets + 1, n)) < 0.7, of_cluster[:, codes], own)
    return made[0], made[1:], [str(code) for code in codes]


WORLDS = (fresh, changed, destroyed, lost_together, repaired_together, clustered)


def rejected(world, n, p, nets, studies, *, best_alone=False):
    """Studies in which p is at most the level; `best_alone` tests the best net as if it were the only one."""
    rng, count = np.random.default_rng(1), 0
    for _ in range(studies):
        base, made, clusters = world(rng, n, p, nets)
        made = made[[made.mean(axis=1).argmax()]] if best_alone else made
        count += largest_gain(made.astype(float), base.astype(float), clusters).p <= LEVEL
    return count


def too_many(studies):
    """Beyond this many, a test that rejects 5% of true nulls is itself rejected at 0.1%."""
    return int(binom.ppf(0.999, studies, LEVEL))


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize(("n", "p", "nets"), [(24, 0.5, 4)])
def test_without_a_gain_p_is_small_no_more_often_than_it_says(world, n, p, nets):
    assert rejected(world, n, p, nets, 150) <= too_many(150)


@pytest.mark.slow
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize(("n", "p", "nets"), [(16, 0.5, 4), (24, 0.5, 4), (64, 0.85, 8), (64, 0.2, 12), (200, 0.1, 4)])
def test_without_a_gain_in_many_studies(world, n, p, nets):
    assert rejected(world, n, p, nets, 1_000) <= too_many(1_000)


def test_taking_the_largest_without_correction_would_be_wrong():
    """The worlds above can tell: the largest of eight, tested as if it were the only one, is false far too often."""
    assert rejected(fresh, 64, 0.5, 8, 150, best_alone=True) > too_many(150)


def test_a_gain_is_found_at_its_net_and_the_interval_holds_it():
    rng, found, held = np.random.default_rng(2), 0, 0
    for _ in range(200):
        base = rng.random(100) < 0.4
        made = rng.random((4, 100)) < np.array([0.4, 0.4, 0.7, 0.1])[:, None]
        gain = largest_gain(made.astype(float), base.astype(float))
        found += gain.p <= LEVEL and gain.place == 2
        held += gain.low <= 0.3 <= gain.high
    assert found >= 190
    assert held >= 190 - 9  # 95% promised, and three errors of the simulation


def test_nothing_changed_is_no_gain_and_has_a_width():
    scores = [1.0, 0.0] * 16
    gain = largest_gain([scores, scores], scores)
    assert (gain.value, gain.p) == (0.0, 1.0)
    assert gain.low < 0 < gain.high


def test_one_cluster_tells_nothing():
    gain = largest_gain([[1.0, 1.0]], [0.0, 0.0], ["one", "one"])
    assert (gain.value, gain.low, gain.high, gain.p) == (1.0, -1.0, 1.0, 1.0)

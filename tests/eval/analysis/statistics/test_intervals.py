"""Intervals against hand-worked values, scipy and simulation."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.stats import binomtest

from educe.eval.analysis.statistics.intervals import (
    bootstrap_interval,
    effective_sample_size,
    pooled_interval,
    score_interval,
    wilson,
)
from educe.eval.analysis.statistics.paired import gap_recovered, paired_difference
from educe.eval.analysis.statistics.ratios import Ratio, pool_ratios, score_ratio
from educe.eval.analysis.statistics.variance import Side


def test_wilson_by_hand() -> None:
    interval = score_interval([1] * 8 + [0] * 2)
    assert (interval.low, interval.high) == pytest.approx((0.4902, 0.9433), abs=5e-5)
    assert interval.kind == "Wilson 95%"


@pytest.mark.parametrize(("right", "n"), [(0, 1), (1, 1), (0, 30), (30, 30), (7, 30), (199, 300)])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_wilson_agrees_with_scipy(right: int, n: int, level: float) -> None:
    theirs = binomtest(right, n).proportion_ci(confidence_level=level, method="wilson")
    ours = score_interval([1] * right + [0] * (n - right), level=level)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_effective_n_by_hand() -> None:
    # Two clusters, one all right, one all wrong: the variance of their mean is 2 / 1 / 4^2 * (1 + 1) = p (1 - p), so
    # they are worth one item; two clusters leave one degree of freedom: (z / t)^2 = (1.95996 / 12.7062)^2.
    assert effective_sample_size([1, 1, 0, 0], list("aabb")) == pytest.approx((1.959964 / 12.706205) ** 2, rel=1e-6)
    assert effective_sample_size([1, 0, 1, 0] * 100, [str(i // 2) for i in range(400)]) <= 400
    assert effective_sample_size([1, 0, 1], ["a", "b", None]) == 3


def test_copies_of_an_item_add_nothing() -> None:
    scores = [1.0] * 20 + [0.0] * 20
    doubled = score_interval(scores * 2, [str(i) for i in range(40)] * 2)
    single = score_interval(scores)
    assert doubled.high - doubled.low == pytest.approx(single.high - single.low, rel=0.05)
    assert doubled.kind == "clustered Wilson 95%"


def test_all_right_in_clusters_counts_clusters() -> None:
    clustered = score_interval([1.0] * 40, [str(i // 10) for i in range(40)])
    assert clustered.high == 1.0
    assert clustered.low < score_interval([1.0] * 4).low + 1e-9
    assert (score_interval([1.0] * 9, ["one"] * 9).low, score_interval([0.5] * 9, ["one"] * 9).high) == (0.0, 1.0)


def test_graded_scores_are_bootstrapped() -> None:
    scores = np.linspace(0, 1, 101)
    interval = score_interval(scores)
    assert interval.kind == "bootstrap 95%"
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * float(np.std(scores, ddof=1)) / 101**0.5, rel=0.1)
    # Nothing varies, and still nothing is certain.
    assert score_interval([0.5] * 10).high - score_interval([0.5] * 10).low > 0.4
    assert score_interval(scores) == interval
    assert score_interval(scores[::-1]) == interval


def test_scores_that_hardly_vary_are_no_more_certain_than_equal_ones() -> None:
    low, high = wilson(1.0, 50)
    assert (bootstrap_interval([1.0] * 50).low, bootstrap_interval([1.0] * 50).high) == (low, high)
    nearly = score_interval([1.0] * 49 + [0.99])
    assert (nearly.low, nearly.high) == pytest.approx((low, high), abs=0.002)
    assert score_interval([0.0] * 49 + [0.01]).high == pytest.approx(wilson(0.0, 50)[1], abs=0.002)
    # Four clusters are four items' worth however many items they have.
    clusters = [str(i // 100) for i in range(400)]
    clustered = score_interval([1.0] * 300 + [0.9] * 100, clusters)
    assert clustered.low < 0.45 and clustered.low == wilson(0.975, effective_sample_size([1.0] * 400, clusters))[0]
    # Half an item's worth of variation is enough: nothing changes there.
    assert score_interval([1.0] * 49 + [0.4]).low > 0.95


@pytest.mark.parametrize("scores", [[], [1.0, math.nan], [0.5, 1.5], [-0.1], [math.inf]])
def test_what_is_no_score_is_refused(scores: list[float]) -> None:
    with pytest.raises(ValueError, match=r"scores must be numbers|non-empty"):
        score_interval(scores)


def test_nan_is_refused_in_matrices_and_pairs() -> None:
    bad = np.array([[1.0, 0.0], [math.nan, 0.0]])
    for call in (lambda: pooled_interval(Side.of(bad)), lambda: paired_difference(Side.of(bad), Side.of(bad[:1]))):
        with pytest.raises(ValueError, match=r"got nan at \(1, 0\)"):
            call()
    with pytest.raises(ValueError, match="2 against 3"):
        paired_difference([1, 0], [1, 0, 1])
    with pytest.raises(ValueError, match="1 clusters were given for 2"):
        score_interval([1, 0], ["a"])


def test_pooled_of_one_seed_is_the_score_interval() -> None:
    assert pooled_interval(Side.of([1, 1, 0, 1])) == score_interval([1, 1, 0, 1])


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_pooled_is_never_narrower_than_wilson_on_items(share: float) -> None:
    matrix = np.tile(np.arange(50) < share * 50, (5, 1)).astype(float)
    side = Side(scores=matrix, seeds=(0, 1, 2, 3, 4))
    pooled = pooled_interval(side)
    low, high = wilson(share, 50)
    assert pooled.low <= low
    assert pooled.high >= high
    assert pooled == pooled_interval(side)


def test_pooled_sees_that_seeds_disagree() -> None:
    rng = np.random.default_rng(0)
    alike = (rng.random((3, 200)) < 0.6).astype(float)
    apart = (rng.random((3, 200)) < np.array([[0.3], [0.6], [0.9]])).astype(float)

    def width(scores: np.ndarray, seeds: tuple[int, ...]) -> float:
        found = pooled_interval(Side(scores=scores, seeds=seeds))
        return found.high - found.low

    assert width(apart, (0, 1, 2)) > 2 * width(alike, (0, 1, 2))
    # Two seeds: an interval of their runs, in which it does not matter how far apart the runs are.
    assert width(apart[::2], (0, 2)) < 1.2 * width(alike[::2], (0, 2))


def test_paired_difference_by_hand() -> None:
    first, second = [1.0] * 60 + [0.0] * 40, [1.0] * 40 + [0.0] * 60
    found = paired_difference(first, second)
    # 20 of 100 items differ, all one way: standard error of the mean sqrt(.2 * .8 / 100) = .04.
    assert found.difference == pytest.approx(0.2)
    assert found.low == pytest.approx(0.2 - 1.96 * 0.04, abs=0.015)
    assert found.high == pytest.approx(0.2 + 1.96 * 0.04, abs=0.015)
    assert found.n == 100
    swapped = paired_difference(second, first)
    assert (swapped.difference, swapped.high) == pytest.approx((-0.2, -found.low), abs=0.011)


def test_paired_difference_uses_the_pairing() -> None:
    easy = np.arange(200) % 2
    better = easy.copy()
    better[1] = 0
    paired = paired_difference(easy, better)
    shuffled = paired_difference(easy, np.roll(better, 1))
    assert paired.high - paired.low < 0.2 * (shuffled.high - shuffled.low)


def test_no_disagreement_is_not_certainty() -> None:
    # Agresti & Min with no discordant pair of 98: t * sqrt(1 / 100 / 100), of 97 degrees of freedom.
    found = paired_difference([1.0] * 98, [1.0] * 98)
    half = float(stats.t.ppf(0.975, 97)) / 100
    assert (found.low, found.high) == pytest.approx((-half, half))


def test_paired_difference_carries_both_sides_seeds() -> None:
    """Means 30, 50 and 70% against 50% always: a variance of 0.04 / 3 over seeds, with two degrees of freedom."""
    alike, apart = (
        Side(scores=np.stack([np.arange(100) < right for right in rights]).astype(float), seeds=(0, 1, 2))
        for rights in ((50, 50, 50), (30, 50, 70))
    )
    for found in (paired_difference(alike, apart), paired_difference(apart, alike)):
        assert found.difference == pytest.approx(0)
        assert found.high > 3.5 * (0.04 / 3) ** 0.5
        assert found.high < 4.303 * (0.04 / 3 + 0.01) ** 0.5


def test_coverage_of_binary_scores() -> None:
    rng = np.random.default_rng(1)
    for p in (0.1, 0.5, 0.9):
        intervals = [score_interval(rng.random(100) < p) for _ in range(600)]
        assert 0.92 < np.mean([each.low <= p <= each.high for each in intervals]) < 0.985


def test_coverage_of_clustered_scores() -> None:
    rng = np.random.default_rng(2)
    clusters = [str(i // 10) for i in range(300)]
    covered, blind = [], []
    for _ in range(500):
        scores = rng.random(300) < np.repeat(rng.beta(1, 1, 30), 10)
        for interval, kept in ((score_interval(scores, clusters), covered), (score_interval(scores), blind)):
            kept.append(interval.low <= 0.5 <= interval.high)
    assert 0.92 < np.mean(covered) < 0.985
    assert np.mean(blind) < 0.8  # so this test can fail


def test_gap_recovered_by_hand() -> None:
    floor, condition, ceiling = [1.0] * 20 + [0.0] * 80, [1.0] * 50 + [0.0] * 50, [1.0] * 80 + [0.0] * 20
    share = gap_recovered(condition, floor, ceiling)
    assert share is not None and share.share == pytest.approx(0.5) and 0.3 < share.low < 0.5 < share.high < 0.7
    whole = gap_recovered(ceiling, floor, ceiling)
    assert whole is not None and (whole.share, whole.low, whole.high) == pytest.approx((1, 1, 1))
    nothing = gap_recovered(floor, floor, ceiling)
    assert nothing is not None and nothing.share == 0 and -0.1 < nothing.low < 0 < nothing.high < 0.1
    lost = gap_recovered([0.0] * 100, floor, ceiling)
    assert lost is not None and lost.share == pytest.approx(-1 / 3) and lost.high < 0


def test_no_share_of_a_gap_that_may_be_nothing() -> None:
    floor, ceiling = [1.0] * 20 + [0.0] * 20, [1.0] * 22 + [0.0] * 18
    assert gap_recovered(ceiling, floor, ceiling) is None
    assert gap_recovered(floor, ceiling, floor) is None  # and none of a gap the wrong way round


def test_gap_recovered_covers_the_truth_and_more_seeds_narrow_it() -> None:
    """300 items of which the floor knows a fifth, the ceiling four fifths and the way what is between."""
    rng = np.random.default_rng(0)
    covered, widths = {1: 0, 4: 0}, {1: 0.0, 4: 0.0}
    for _ in range(60):
        for num_seeds in widths:
            ease = rng.random((1, 300))
            ours, floor, ceiling = (
                (ease < level + 0.1 * rng.standard_normal((num_seeds, 300))) * 1.0 for level in (0.5, 0.2, 0.8)
            )
            share = gap_recovered(ours, floor, ceiling)
            assert share is not None
            widths[num_seeds] += share.high - share.low
            covered[num_seeds] += share.low <= 0.5 <= share.high
    assert min(covered.values()) >= 52
    assert widths[4] < widths[1]


def test_ratio_by_hand() -> None:
    ratio = score_ratio([1, 1, 1, 0] * 25, [1, 0, 0, 0] * 25)
    assert ratio is not None and ratio.ratio == pytest.approx(3.0)
    assert 1.5 < ratio.low < 3 < ratio.high
    same = score_ratio([1, 0] * 50, [1, 0] * 50)
    assert same is not None and same.low < 1 < same.high  # no disagreement is not certainty
    assert score_ratio([1, 0, 1, 1], [0, 0, 0, 0]) is None
    # By the delta method, sqrt((1 - p) / (n p) + (1 - q) / (n q) - 2 cov / (n p q)); three quarters hold the quarter.
    assert ratio.log_error == pytest.approx((1 / 300 + 3 / 100 - 2 * (1 / 4 - 3 / 16) / (100 * 3 / 16)) ** 0.5, rel=0.1)


def test_ratio_covers_the_truth() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        easy = rng.random(100)
        ratio = score_ratio(easy < 0.6, (easy < 0.45) ^ (rng.random(100) < 0.05))
        assert ratio is not None
        covered += ratio.low <= 0.6 / (0.45 + 0.05 * 0.1) <= ratio.high
    assert covered >= 182  # 95% less two and a half standard errors


def test_pooled_ratios_agree_or_do_not() -> None:
    def ratio(value: float, width: float) -> Ratio:
        low, high = value / width, value * width
        return Ratio(ratio=value, low=low, high=high, kind="", log_error=float(np.log(width)) / 1.959964)

    alike = pool_ratios([ratio(1.5, 1.2)] * 3)
    assert alike is not None and alike.ratio.ratio == pytest.approx(1.5) and alike.p == pytest.approx(1.0)
    assert alike.ratio.high > 1.5 * 1.2 ** (1 / 3**0.5)  # never narrower than if all agree by nature
    apart = pool_ratios([ratio(1.0, 1.1), ratio(1.5, 1.1), ratio(3.0, 1.1)])
    assert apart is not None and apart.p < 1e-6 and apart.ratio.low < 1 < apart.ratio.high
    assert pool_ratios([ratio(1.5, 1.2)] * 2) is None

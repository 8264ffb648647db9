"""Bradley-Terry strengths against an independent fit and simulation; cycles that are planted, and none that are not."""

import math
from typing import Any

import numpy as np
import pytest
from scipy.special import expit
from statsmodels.api import GLM, families

from educe.eval.analysis.statistics import ranking
from educe.eval.analysis.statistics.components import components
from educe.eval.analysis.statistics.ranking import Strength, Transitivity, fit_strengths


def rank_methods(scores: Any, clusters: list[str] | None = None) -> tuple[Strength, ...]:
    """Of scores (items, methods)."""
    return ranking.rank_methods(list(np.asarray(scores).T), clusters)


def transitivity(scores: Any, clusters: list[str] | None = None) -> Transitivity:
    """Of scores (items, methods)."""
    return ranking.transitivity(list(np.asarray(scores).T), clusters)


TRUE = np.array([0.8, 0.3, 0.0, -0.3, -0.8])


def play(n: int, strengths: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Scores whose order on an item is Plackett-Luce's, so that every pair follows Bradley and Terry exactly."""
    noisy = strengths + rng.gumbel(size=(n, len(strengths)))
    return expit(noisy)


# Each of the first three beats the next on two of three items; the fourth loses to all.
CYCLE = np.array([[0.9, 0.5, 0.2, 0.1], [0.2, 0.9, 0.5, 0.1], [0.5, 0.2, 0.9, 0.1]])


def test_two_methods_by_hand() -> None:
    # 6 wins, 2 losses, 2 ties that carry nothing, half a win each way: log-odds 6.5 / 2.5, split evenly.
    scores = [[1.0, 0.0]] * 6 + [[0.0, 1.0]] * 2 + [[0.5, 0.5]] * 2
    first, second = rank_methods(scores)
    assert first.strength == pytest.approx(math.log(6.5 / 2.5) / 2) == -second.strength
    assert (first.rank, second.rank) == (1, 2)
    assert first.beats_mean == pytest.approx(1 / (1 + (2.5 / 6.5) ** 0.5))


def test_ties_are_half_wins_where_others_differ() -> None:
    # Three methods on one item: the first two tie and beat the third. Wins with the extra: 1, 1.5 and 0.5 a pair.
    first, second, third = rank_methods([[1.0, 1.0, 0.0]] * 4)
    assert first.strength == pytest.approx(second.strength)
    assert first.strength - third.strength == pytest.approx(math.log(4.5 / 0.5))


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_logistic_regression(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = np.round(play(60, TRUE[:4] * 2, rng), 1)  # rounded: some tie
    rows, won, lost = [], [], []
    for i in range(4):
        for j in range(i + 1, 4):
            differ = scores[np.ptp(scores, axis=1) > 0]
            wins = np.sum(differ[:, i] > differ[:, j]) + 0.5 * np.sum(differ[:, i] == differ[:, j])
            rows.append([(c == i) - (c == j) for c in range(1, 4)])
            won.append(wins + 0.5)
            lost.append(len(differ) - wins + 0.5)
    fit = GLM(np.column_stack([won, lost]), np.array(rows, dtype=float), family=families.Binomial()).fit(tol=1e-14)
    theirs = np.array([0.0, *fit.params])
    ours = np.array([each.strength for each in rank_methods(scores)])
    assert ours == pytest.approx(theirs - theirs.mean(), abs=1e-6)
    assert transitivity(scores).deviance == pytest.approx(fit.deviance, abs=1e-6)


def test_an_unbeaten_method_is_finite_and_its_interval_not_empty() -> None:
    first, *_ = rank_methods([[1.0, 0.0, 0.5]] * 30)
    assert 3 < first.strength < 6
    scores = play(200, TRUE, np.random.default_rng(1))
    scores[:, 0] = 1.0
    best = rank_methods(scores)[0]
    assert (best.rank, best.best_rank, best.worst_rank) == (1, 1, 1)
    assert math.isfinite(best.strength) and best.low < best.strength < best.high


def test_batches_fit_like_one_by_one() -> None:
    wins = np.random.default_rng(2).integers(0, 30, size=(6, 4, 4)) * (1 - np.eye(4))
    alone = np.stack([fit_strengths(each) for each in wins])
    assert fit_strengths(wins) == pytest.approx(alone, abs=1e-9)
    assert alone.sum(axis=1) == pytest.approx(np.zeros(6), abs=1e-9)


@pytest.mark.slow
def test_intervals_cover_true_strengths() -> None:
    rng = np.random.default_rng(3)
    covered, ranked = [], []
    for _ in range(100):
        found = rank_methods(play(80, TRUE, rng))
        covered += [each.low <= true <= each.high for each, true in zip(found, TRUE, strict=True)]
        ranked += [each.best_rank <= rank <= each.worst_rank for rank, each in enumerate(found, start=1)]
    assert 0.92 <= np.mean(covered) <= 0.98
    assert np.mean(ranked) >= 0.93


def test_copies_in_clusters_add_nothing() -> None:
    scores = play(40, TRUE, np.random.default_rng(4))
    single = rank_methods(scores)[0]
    copied = rank_methods(np.repeat(scores, 5, axis=0), [str(item // 5) for item in range(200)])[0]
    assert copied.high - copied.low == pytest.approx(single.high - single.low, rel=0.2)
    one = rank_methods(scores, ["one"] * 40)[0]
    assert (one.low, one.high, one.best_rank, one.worst_rank) == (-math.inf, math.inf, 1, 5)


def test_a_planted_cycle_is_found() -> None:
    scores = CYCLE[np.random.default_rng(5).integers(3, size=120)]
    found = transitivity(scores)
    assert found.cycles == ((0, 1, 2),)
    assert found.p < 0.01
    assert transitivity(scores[:, [1, 0, 2, 3]]).cycles == ((0, 2, 1),)
    # Ten copies of 12 items are 12 clusters' worth, too few to tell.
    few = np.repeat(np.tile(CYCLE, (4, 1)), 10, axis=0)
    assert transitivity(few).cycles and not transitivity(few, [str(item // 10) for item in range(120)]).cycles


def test_transitive_methods_rarely_seem_otherwise() -> None:
    rng = np.random.default_rng(7)
    found = [transitivity(play(100, TRUE, rng)) for _ in range(40)]
    assert sum(bool(each.cycles) for each in found) <= 2
    assert 2 <= sum(each.p <= 0.2 for each in found) <= 14


def test_where_all_tie_there_is_no_order() -> None:
    tied = [[0.5, 0.5, 0.5]] * 20
    assert [each.strength for each in rank_methods(tied)] == [0.0] * 3
    assert [each.rank for each in rank_methods(tied)] == [1, 1, 1]
    assert transitivity(tied).p == 1.0 and transitivity(tied).cycles == ()


def test_nothing_is_certain_where_no_resample_differs() -> None:
    first, second = rank_methods([[1.0, 0.0]] * 2)
    assert first.low < first.strength < first.high and second.low < second.strength < second.high
    assert (first.best_rank, first.worst_rank) == (second.best_rank, second.worst_rank) == (1, 2)
    for tied in rank_methods([[0.5, 0.5, 0.5]] * 10):
        assert tied.low < 0 < tied.high and (tied.best_rank, tied.worst_rank) == (1, 3)


def test_more_seeds_win_no_less() -> None:
    # The first, right on 9 of 10 with every seed but on other items, beats a single run that is right on 85 of 100.
    rng = np.random.default_rng(8)
    several, single = (rng.random((3, 100)) < 0.9) * 1.0, (np.arange(100) < 85) * 1.0
    assert several.mean() > 0.85
    found = ranking.rank_methods([several, single])
    assert [each.rank for each in found] == [1, 2]
    # Scores of 0 and 1: the share of wins less that of losses is the difference of the means.
    wins = ranking._wins([several, single]).sum(axis=0)
    assert wins[0, 1] - wins[1, 0] == pytest.approx(100 * (several.mean() - 0.85))
    # Nor does the test that looks for circles see the single run ahead.
    nets = ranking._beats(ranking._wins([several, single]), np.arange(100), 0.5)
    assert not nets[1, 0]


@pytest.mark.parametrize("scores", [[[0.5]], [[math.nan, 0.5]], [[1.5, 0.5]]])
def test_what_cannot_be_ranked_is_refused(scores: list[list[float]]) -> None:
    for call in (rank_methods, transitivity):
        with pytest.raises(ValueError, match=r"two recipes|scores must be|dimension"):
            call(scores)


def test_seeds_that_disagree_leave_ranks_open() -> None:
    items = np.arange(200)
    single = (items < 100) * 1.0

    def ranked(*rights: int) -> Strength:
        """Right on so many of 200, seed by seed; all gain over the single run on average."""
        return ranking.rank_methods([np.stack([(items < right) * 1.0 for right in rights]), single])[0]

    sure, unsure = ranked(130, 130, 130), ranked(80, 130, 180)
    assert (sure.rank, sure.worst_rank) == (1, 1) and sure.low > 0
    assert (unsure.rank, unsure.worst_rank) == (1, 2) and unsure.low < 0


def test_other_seeds_move_wins_by_half_of_what_they_move_scores() -> None:
    rng = np.random.default_rng(2)
    ability = 0.5 + 0.1 * rng.standard_normal((9, 1))
    one, other = (rng.random((9, 400)) < ability) * 1.0, (rng.random((1, 400)) < 0.5) * 1.0
    parts = [[components(each)] for each in (one, other)]
    assert parts[0][0].seeds > 0
    totals = np.broadcast_to(ranking._wins([one, other]).sum(axis=0), (20_000, 2, 2))
    moved = ranking._with_other_seeds(totals, parts)
    assert np.allclose(moved + moved.swapaxes(1, 2), totals + totals.swapaxes(1, 2))
    # Student's t with 8 degrees of freedom has the variance 8 / 6.
    expected = 400 / 2 * (parts[0][0].seeds * 8 / 6) ** 0.5
    assert moved[:, 0, 1].std() == pytest.approx(expected, rel=0.05)

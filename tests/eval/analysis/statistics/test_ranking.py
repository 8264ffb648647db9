"""Simultaneous ranks: by hand, against other libraries, and how often they are wrong."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from educe.eval.analysis.statistics.paired import paired_difference
from educe.eval.analysis.statistics.ranking import Rank, TaskScores, rank_conditions
from educe.eval.analysis.statistics.variance import Side
from tests.benchmarks import worlds


def first(right: int, of: int = 100) -> Side:
    """One run that knows the first so many items."""
    return Side.of((np.arange(of) < right).astype(float))


def test_by_hand() -> None:
    # 20 items of 100 between the first and the second are far from noise, and none between the second and third.
    found = rank_conditions([TaskScores(sides=[first(80), first(60), first(60)])])
    assert found == (
        Rank(score=0.8, rank=1, best_rank=1, worst_rank=1),
        Rank(score=0.6, rank=2, best_rank=2, worst_rank=3),
        Rank(score=0.6, rank=2, best_rank=2, worst_rank=3),
    )


@pytest.mark.slow
def test_agrees_with_holm_of_statsmodels_over_all_pairs() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        sides = worlds.study(rng, [0.5, 0.55, 0.65, 0.8], num_items=80, num_seeds=5, seed_correlation=0.5).sides
        pairs = list(combinations(range(4), 2))
        found = [paired_difference(sides[i], sides[j]) for i, j in pairs]
        rejected, *_ = multipletests([each.p for each in found], alpha=0.05, method="holm")
        better, worse = [0] * 4, [0] * 4
        for (i, j), each, surely in zip(pairs, found, rejected, strict=True):
            if surely:
                winner, loser = (i, j) if each.difference > 0 else (j, i)
                better[loser] += 1
                worse[winner] += 1
        ranks = rank_conditions([TaskScores(sides=sides)])
        assert [each.best_rank for each in ranks] == [1 + count for count in better]
        assert [each.worst_rank for each in ranks] == [4 - count for count in worse]
        means = np.array([side.scores.mean() for side in sides])
        assert [each.rank for each in ranks] == stats.rankdata(-means, method="min").tolist()


def test_tasks_count_the_same_and_their_errors_are_added_in_squares() -> None:
    """Two tasks of one kind are one task with twice as many items."""
    one, other = first(60, of=400), first(50, of=400)
    whole = [Side.of(np.tile(side.scores, 2)) for side in (one, other)]
    for right, surely in ((50, False), (60, True)):
        sides = [first(right), first(50)]
        twice = rank_conditions([TaskScores(sides=sides)] * 2)
        assert (twice[0].worst_rank == 1) == surely
    assert rank_conditions([TaskScores(sides=[one, other])] * 2) == rank_conditions([TaskScores(sides=whole)])
    # A task that the second wins outweighs one of ten times as many items that the first wins by less.
    small, large = [first(2, of=10), first(9, of=10)], [first(60), first(50)]
    assert [each.rank for each in rank_conditions([TaskScores(sides=small), TaskScores(sides=large)])] == [2, 1]


def test_seeds_that_disagree_leave_ranks_open() -> None:
    def ranked(*rights: int) -> Rank:
        """Right on so many of 200, seed by seed; all gain over the single run on average."""
        runs = np.stack([(np.arange(200) < right).astype(float) for right in rights])
        several = Side(scores=runs, seeds=tuple(range(len(rights))))
        return rank_conditions([TaskScores(sides=[several, first(100, of=200)])])[0]

    assert ranked(130, 130, 130, 130, 130).worst_rank == 1
    assert ranked(80, 130, 180, 105, 155).worst_rank == 2
    # Four seeds are too few for a test, however well they agree.
    assert ranked(130, 130, 130, 130).worst_rank == 2


def test_p_values_are_adjusted_before_they_are_corrected() -> None:
    sides = [first(80), first(60), first(30)]
    seen: list[tuple[int, int]] = []

    def adjust(p: float, i: int, j: int) -> float:
        seen.append((i, j))
        return 1.0 if 0 in (i, j) else p

    found = rank_conditions([TaskScores(sides=sides)], adjust=adjust)
    assert seen == [(0, 1), (0, 2), (1, 2)]
    assert [(each.best_rank, each.worst_rank) for each in found] == [(1, 3), (1, 2), (2, 3)]


@pytest.mark.parametrize(("seeds", "variance"), [(1, 0.01), (2, 0.05), (3, 0.05)])
def test_recipes_with_few_seeds_are_not_ranked_apart(seeds: int, variance: float) -> None:
    """Eight equal recipes, 300 items, seeds of their own with an sd of 4 or 9 points.

    A false interval in 74, 100 and 42% of 300 such studies (1 seed and 4 points; 2 and 3 seeds and 9 points) when a few
    seeds were taken for the recipe.
    """
    rng = np.random.default_rng(0)
    for _ in range(12):
        sides = worlds.study(rng, [0.5] * 8, num_items=300, num_seeds=seeds, seed_variance=variance).sides
        found = rank_conditions([TaskScores(sides=sides)])
        assert {(each.best_rank, each.worst_rank) for each in found} == {(1, 8)}


def test_copies_in_clusters_add_nothing() -> None:
    sides = [Side.of(np.repeat(first(right, of=20).scores, 10)) for right in (14, 8)]
    clusters = [str(item // 10) for item in range(200)]
    assert rank_conditions([TaskScores(sides=sides)])[0].worst_rank == 1
    assert rank_conditions([TaskScores(sides=sides, clusters=["one"] * 200)])[0].worst_rank == 2
    few = [Side.of(side.scores[0, ::10]) for side in sides]
    copied, single = (
        rank_conditions([task])[0] for task in (TaskScores(sides=sides, clusters=clusters), TaskScores(sides=few))
    )
    assert copied == single


@pytest.mark.slow
def test_the_best_of_six_equals_is_rarely_first_alone() -> None:
    """It was in 85% of studies: the rank with the best chance is not the rank that is known."""
    rng = np.random.default_rng(1)
    studies, shares = 400, np.linspace(0.6, 0.61, 6).tolist()
    alone = wrong = 0
    for _ in range(studies):
        # One run on which seeds have no influence.
        sides = [Side.of(each) for each in worlds.study(rng, shares, num_items=100, seed_variance=0.0).scores]
        found = rank_conditions([TaskScores(sides=sides)])
        alone += any(each.worst_rank == 1 for each in found)
        # The true order is that of the list, the last the best.
        wrong += any(
            not each.best_rank <= rank <= each.worst_rank for each, rank in zip(found, range(6, 0, -1), strict=True)
        )
    most = stats.binom.ppf(0.999, studies, 0.05)
    assert alone <= most and wrong <= most


def test_what_differs_is_ranked() -> None:
    rng = np.random.default_rng(2)
    found = [
        rank_conditions([TaskScores(sides=worlds.study(rng, [0.5, 0.6, 0.8], num_items=300, num_seeds=5).sides)])
        for _ in range(60)
    ]
    assert np.mean([ranks[2].worst_rank == 1 for ranks in found]) > 0.9


@pytest.mark.parametrize("sides", [[first(3)], [first(3), first(3, of=50)]])
def test_what_cannot_be_ranked_is_refused(sides: list[Side]) -> None:
    with pytest.raises(ValueError, match=r"two conditions|same items"):
        rank_conditions([TaskScores(sides=sides)])

"""The Pareto frontier: conditions that no other one beats on score and cost at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from educe.eval.analysis.conditions import Condition, sides_of
from educe.eval.analysis.statistics.intervals import Estimate
from educe.eval.analysis.statistics.picked import picked_scores
from educe.eval.analysis.statistics.resample import SEED, Array, cluster_codes
from educe.eval.analysis.statistics.variance import seed_draws

QUESTIONS = 1_000
NUM_RESAMPLES = 1_000
Cost = Literal["flops", "labels"]


@dataclass(frozen=True, kw_only=True)
class FrontierPoint:
    """A condition with its cost, and the share of resamples in which it is on the frontier.

    It is on the frontier because it scored best within its cost. `corrected` is what that rule scores on data that did
    not pick the condition, for conditions on the frontier; None too where all items are of one cluster.
    """

    condition: Condition
    cost: float
    on_frontier: bool
    frontier_share: float
    corrected: Estimate | None = None

    @property
    def optimism(self) -> float | None:
        """How much the measured score owes to having been picked."""
        return None if self.corrected is None else self.condition.score - self.corrected.value


def frontier(conditions: Sequence[Condition], cost: Cost, *, questions: int = QUESTIONS) -> list[FrontierPoint]:
    """The conditions of one model and task by rising cost: total FLOPs for so many questions answered, or labels read.

    A condition is on the frontier unless another one has at least its score at no more than its cost, and is better in
    one of the two. Scores are means over the items that all conditions share. Items (clusters of them) are resampled
    for all conditions at once, and each condition draws its seed effects; costs stay fixed. UserError where the
    conditions share no item.
    """
    sides, clusters = sides_of(*(condition.measurements for condition in conditions))
    items = np.stack([side.items for side in sides])
    costs = np.array([cost_of(condition, cost, questions=questions) for condition in conditions])
    drawn = _resampled(items, cluster_codes(clusters, items.shape[1]))
    drawn = np.clip(drawn + seed_draws(sides, np.random.default_rng(SEED + 1), len(drawn)), 0, 1)
    shares = undominated(drawn, costs).mean(axis=0)
    on = undominated(items.mean(axis=1)[None, :], costs)[0]
    best: list[int] = np.flatnonzero(on).tolist()
    within = [np.flatnonzero(costs <= costs[place]).tolist() for place in best]
    corrected = dict(zip(best, picked_scores(sides, within, clusters), strict=True))
    places = [
        FrontierPoint(
            condition=condition,
            cost=float(costs[place]),
            on_frontier=bool(on[place]),
            frontier_share=float(shares[place]),
            corrected=corrected.get(place),
        )
        for place, condition in enumerate(conditions)
    ]
    return sorted(
        places, key=lambda place: (place.cost, -place.condition.score, place.condition.name, place.condition.settings)
    )


def cost_of(condition: Condition, cost: Cost, *, questions: int = QUESTIONS) -> float:
    """FLOPs to elicit and to answer so many questions, or labelled examples read."""
    if cost == "labels":
        return float(condition.labelled_examples)
    return condition.elicitation_flops + questions * condition.flops_per_answer


def undominated(scores: Array, costs: Array) -> NDArray[np.bool_]:
    """Which conditions are on the frontier in each row of `scores` (rows, conditions); equal ones both are."""
    order = np.lexsort((np.zeros(len(costs)), costs))
    found = np.empty(scores.shape, dtype=bool)
    best_before = np.full(len(scores), -np.inf)
    start = 0
    while start < len(order):
        same = order[start : start + int(np.sum(costs[order[start:]] == costs[order[start]]))]
        best = scores[:, same].max(axis=1)
        found[:, same] = (scores[:, same] >= best[:, None]) & (best > best_before)[:, None]
        best_before = np.maximum(best_before, best)
        start += len(same)
    return found


def questions_to_break_even(train_flops: float, *, prompt_flops: float, tuned_flops: float) -> float | None:
    """The number of questions from which a fine-tune costs less than a longer prompt; None where there is none."""
    saved = prompt_flops - tuned_flops
    return train_flops / saved if saved > 0 else None


def break_even(condition: Condition, other: Condition) -> float | None:
    """The number of questions at which both conditions cost the same in all; None where there is none."""
    first, second = sorted((condition, other), key=lambda each: each.elicitation_flops)
    return questions_to_break_even(
        second.elicitation_flops - first.elicitation_flops,
        prompt_flops=first.flops_per_answer,
        tuned_flops=second.flops_per_answer,
    )


def _resampled(items: Array, codes: NDArray[np.int64]) -> Array:
    """Means of every row of `items` (conditions, items) under resampled clusters: (resamples, conditions)."""
    count = int(codes.max()) + 1
    sums = np.stack([np.bincount(codes, weights=row, minlength=count) for row in items])
    times = _times_drawn(count)
    # Rounded, so that conditions with equal answers are equal in every resample, whatever the order of a sum.
    return np.asarray(np.round((times @ sums.T) / (times @ np.bincount(codes))[:, None], 12))


@lru_cache(maxsize=2)  # the same for both costs, and for every model and task of this size
def _times_drawn(count: int) -> Array:
    """How often each of so many clusters is drawn: (resamples, clusters)."""
    rng = np.random.default_rng(SEED)
    return rng.multinomial(count, np.full(count, 1 / count), size=NUM_RESAMPLES).astype(float)

"""The order of options: asked in several, and what order and letter do to the answer."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from educe.data.example import Example
from educe.data.formats.render import PromptFunction
from educe.data.task import Task, check_options
from educe.eval.measure import Solver, SolverOutput, measure
from educe.eval.measurement import Outcome
from educe.eval.model.model import Model
from educe.eval.spend import Spend


def reordered(item: Example, turn: int, *, seed: int = 0) -> Example:
    """The item with its options in another order; turn 0 leaves them.

    In as many turns as it has options, each stands once at every place: turns are rotations, in steps that the seed
    and the item's id shuffle.
    """
    count = len(item.choices)
    steps = [0, *(1 + np.random.default_rng([seed, *item.id.encode()]).permutation(count - 1))]
    by = int(steps[turn % count])
    return replace(item, choices=item.choices[by:] + item.choices[:by])


@dataclass(frozen=True, kw_only=True)
class OrderVoteSolver:
    """Each item is asked in several orders of its options, at most as many as it has, and the majority answers.

    Between equals, the option that is likelier over all orders wins: two orders of two options tie wherever a model
    goes by place or letter alone. `Answers.about` holds each order's accuracy, how often each place was picked and was
    right, and the share of items whose answer depends on the order.
    """

    orders: int = 4
    seed: int = 0
    solver: Solver = measure

    def __call__(self, model: Model, task: Task, prompt_fn: PromptFunction, items: Sequence[Example]) -> SolverOutput:
        """Ask all items in one order after the other. UserError for items without options."""
        check_options(task, to="put into another order")
        ballots: dict[str, list[Outcome]] = {item.id: [] for item in items}
        rounds, spend = [], Spend()
        for turn in range(self.orders):
            asked = [item for item in items if turn < len(item.choices)]
            if not asked:
                break
            turned = [reordered(item, turn, seed=self.seed) for item in asked]
            answers = self.solver(model, task, prompt_fn, turned)
            spend += answers.search
            rounds.append(_Round(answers=answers, asked=turned))
            for item, outcome, each in zip(asked, answers.outcomes, turned, strict=True):
                ballots[item.id].append(_restored(outcome, each, item))
        return SolverOutput(
            outcomes=tuple(elect(item, ballots[item.id]) for item in items),
            metric=f"{rounds[0].answers.metric}, majority of {len(rounds)} orders",
            flops_per_answer=spend.search_flops / len(items),
            executed_flops_per_answer=spend.executed_search_flops / len(items),
            metadata={**rounds[0].answers.metadata, **_seen(rounds, list(ballots.values()))},
        )


@dataclass(frozen=True, kw_only=True)
class _Round:
    """One order's answers to the items that have so many options."""

    answers: SolverOutput
    asked: Sequence[Example]


def elect(item: Example, cast: Sequence[Outcome]) -> Outcome:
    """The outcome that most orders gave; between equals the option with the larger share over all orders."""
    votes = Counter(outcome.picked for outcome in cast)
    shares = dict(zip(item.choices, _shares(cast, len(item.choices)), strict=True))
    best = max(votes, key=lambda picked: (votes[picked], shares.get(picked or "", 0.0)))
    return replace(next(outcome for outcome in cast if outcome.picked == best), margin=None)


def _shares(cast: Sequence[Outcome], count: int) -> list[float]:
    """Every option's log-likelihood against the others, mean over the orders that recorded it."""
    known = np.array([outcome.loglikelihoods for outcome in cast if outcome.loglikelihoods])
    if not len(known):
        return [0.0] * count
    return list(map(float, (known - np.logaddexp.reduce(known, axis=1, keepdims=True)).mean(axis=0)))


def _restored(outcome: Outcome, turned: Example, item: Example) -> Outcome:
    """The outcome with its likelihoods in the order that the item itself has."""
    if not outcome.loglikelihoods:
        return outcome
    places = [turned.choices.index(choice) for choice in item.choices]
    return replace(
        outcome,
        loglikelihoods=tuple(outcome.loglikelihoods[place] for place in places),
        option_tokens=tuple(outcome.option_tokens[place] for place in places),
        answer_index=item.answer_index,
    )


def _seen(rounds: Sequence[_Round], ballots: Sequence[Sequence[Outcome]]) -> Mapping[str, Any]:
    """What the orders show, as plain values; places count from 1."""
    picked: Counter[int] = Counter()
    right: Counter[int] = Counter()
    for each in rounds:
        for outcome, item in zip(each.answers.outcomes, each.asked, strict=True):
            right[item.answer_index] += 1
            if outcome.picked is not None:
                picked[item.choices.index(outcome.picked)] += 1
    total = sum(right.values())
    changed = [len({outcome.picked for outcome in cast}) > 1 for cast in ballots]
    return {
        "accuracies": {f"order {turn}": each.answers.score for turn, each in enumerate(rounds, start=1)},
        "picked_places": {str(place + 1): picked[place] / total for place in sorted(picked | right)},
        "right_places": {str(place + 1): right[place] / total for place in sorted(picked | right)},
        "changed_by_order": sum(changed) / len(changed),
    }

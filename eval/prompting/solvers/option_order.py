"""Options in several orders: a vote over the orders, and how the place of an option changes the answer."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from educe.data.example import Example
from educe.data.formats.render import PromptFunction
from educe.data.task import Task, check_options
from educe.eval.details import Details, OptionOrders
from educe.eval.measure import Solver, SolverOutput, measure
from educe.eval.measurement import Outcome
from educe.eval.model.model import Model
from educe.eval.spend import Spend


def rotate_options(item: Example, turn: int, *, seed: int = 0) -> Example:
    """The item with its options in another order; turn 0 leaves them.

    Over as many turns as it has options, each option is at every place once: turns are rotations, by steps that the
    seed and the item's id shuffle.
    """
    count = len(item.choices)
    steps = [0, *(1 + np.random.default_rng([seed, *item.id.encode()]).permutation(count - 1))]
    by = int(steps[turn % count])
    return replace(item, choices=item.choices[by:] + item.choices[:by])


@dataclass(frozen=True, kw_only=True)
class OrderVoteSolver:
    """Each item is asked in several orders of its options, at most as many as it has options, and the majority answers.

    In a tie the option with the highest probability over all orders wins: two orders of two options tie wherever a
    model picks by place or letter alone. Recorded are each order's accuracy, how often each place was picked and was
    correct, and the share of items whose answer depends on the order. UserError for a task without options.
    """

    orders: int = 4
    seed: int = 0
    solver: Solver = measure

    def __call__(self, model: Model, task: Task, prompt_fn: PromptFunction, items: Sequence[Example]) -> SolverOutput:
        check_options(task, to="put into another order")
        votes: dict[str, list[Outcome]] = {item.id: [] for item in items}
        rounds: list[tuple[list[Example], SolverOutput]] = []
        spend = Spend()
        for turn in range(self.orders):
            asked = [item for item in items if turn < len(item.choices)]
            if not asked:
                break
            rotated = [rotate_options(item, turn, seed=self.seed) for item in asked]
            output = self.solver(model, task, prompt_fn, rotated)
            spend += output.search
            rounds.append((rotated, output))
            for item, outcome, each in zip(asked, output.outcomes, rotated, strict=True):
                votes[item.id].append(_in_original_order(outcome, each, item))
        _, first = rounds[0]
        return SolverOutput(
            outcomes=tuple(_winner(item, votes[item.id]) for item in items),
            metric=f"{first.metric}, majority of {len(rounds)} orders",
            flops_per_answer=spend.search_flops / len(items),
            executed_flops_per_answer=spend.executed_search_flops / len(items),
            details=first.details | Details(option_orders=_option_orders(rounds, list(votes.values()))),
        )


def _winner(item: Example, outcomes: Sequence[Outcome]) -> Outcome:
    """The outcome of most orders; in a tie the option with the highest probability over all orders."""
    votes = Counter(outcome.picked for outcome in outcomes)
    probabilities = dict(zip(item.choices, _mean_log_probabilities(outcomes, len(item.choices)), strict=True))
    best = max(votes, key=lambda picked: (votes[picked], probabilities.get(picked or "", 0.0)))
    return replace(next(outcome for outcome in outcomes if outcome.picked == best), margin=None)


def _mean_log_probabilities(outcomes: Sequence[Outcome], count: int) -> list[float]:
    """Each option's log-probability among all options, mean over the orders that recorded it."""
    known = np.array([outcome.loglikelihoods for outcome in outcomes if outcome.loglikelihoods])
    if not len(known):
        return [0.0] * count
    return list(map(float, (known - np.logaddexp.reduce(known, axis=1, keepdims=True)).mean(axis=0)))


def _in_original_order(outcome: Outcome, rotated: Example, item: Example) -> Outcome:
    """The outcome with its log-likelihoods in the item's own order of options."""
    if not outcome.loglikelihoods:
        return outcome
    places = [rotated.choices.index(choice) for choice in item.choices]
    return replace(
        outcome,
        loglikelihoods=tuple(outcome.loglikelihoods[place] for place in places),
        option_tokens=tuple(outcome.option_tokens[place] for place in places),
        answer_index=item.sole_answer_index,
    )


def _option_orders(
    rounds: Sequence[tuple[Sequence[Example], SolverOutput]], votes: Sequence[Sequence[Outcome]]
) -> OptionOrders:
    """The record of all orders; places count from 1."""
    picked: Counter[int] = Counter()
    correct: Counter[int] = Counter()
    for items, output in rounds:
        for outcome, item in zip(output.outcomes, items, strict=True):
            correct[item.answer_index] += 1
            if outcome.picked is not None:
                picked[item.choices.index(outcome.picked)] += 1
    total = sum(correct.values())
    changed = [len({outcome.picked for outcome in outcomes}) > 1 for outcomes in votes]
    return OptionOrders(
        accuracies={f"order {turn}": output.score for turn, (_, output) in enumerate(rounds, start=1)},
        picked_places={str(place + 1): picked[place] / total for place in sorted(picked | correct)},
        right_places={str(place + 1): correct[place] / total for place in sorted(picked | correct)},
        changed_share=sum(changed) / len(changed),
    )

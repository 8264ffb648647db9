"""The order of options: asked in several, and what order and letter do to the answer."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from data.errors import UserError
from data.example import Example
from data.task import Task
from eval.ask import Prompter
from eval.measure import Answerer, Answers, measure
from eval.measurement import Outcome
from eval.subject import Subject
from eval.voting import voted


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
class OrderVote:
    """Each item is asked in several orders of its options, and the majority answers.

    `Answers.about` holds each order's accuracy, how often each place was picked and was right, and the share of items
    whose answer depends on the order.
    """

    orders: int = 4
    seed: int = 0
    answer: Answerer = measure

    def __call__(self, subject: Subject, task: Task, ask: Prompter, items: Sequence[Example]) -> Answers:
        """Ask all items in one order after the other. UserError for items without options."""
        if task.kind != "choice":
            raise UserError(f"task {task.name!r} has no options to put into another order; use another recipe")
        asked = [[reordered(item, turn, seed=self.seed) for item in items] for turn in range(self.orders)]
        rounds = [self.answer(subject, task, ask, turned) for turned in asked]
        restored = [
            replace(answers, outcomes=tuple(map(_restored, answers.outcomes, turned, items)))
            for answers, turned in zip(rounds, asked, strict=True)
        ]
        return replace(voted(restored), about=_seen(rounds, asked))


def _restored(outcome: Outcome, turned: Example, item: Example) -> Outcome:
    """The outcome with its likelihoods in the order that the item itself has."""
    if not outcome.loglikelihoods:
        return outcome
    places = [turned.choices.index(choice) for choice in item.choices]
    return replace(
        outcome,
        loglikelihoods=tuple(outcome.loglikelihoods[place] for place in places),
        option_tokens=tuple(outcome.option_tokens[place] for place in places),
    )


def _seen(rounds: Sequence[Answers], asked: Sequence[Sequence[Example]]) -> Mapping[str, Any]:
    """What the orders show, as plain values; places count from 1."""
    picked: Counter[int] = Counter()
    right: Counter[int] = Counter()
    for answers, turned in zip(rounds, asked, strict=True):
        for outcome, item in zip(answers.outcomes, turned, strict=True):
            right[item.answer_index] += 1
            if outcome.picked is not None:
                picked[item.choices.index(outcome.picked)] += 1
    total = sum(right.values())
    picks = zip(*([outcome.picked for outcome in answers.outcomes] for answers in rounds), strict=True)
    changed = [len(set(of_item)) > 1 for of_item in picks]
    return {
        "accuracies": {f"order {turn}": answers.score for turn, answers in enumerate(rounds, start=1)},
        "picked_places": {str(place + 1): picked[place] / total for place in sorted(picked | right)},
        "right_places": {str(place + 1): right[place] / total for place in sorted(picked | right)},
        "changed_by_order": sum(changed) / len(changed),
    }

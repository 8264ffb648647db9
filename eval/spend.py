"""Spend: what an elicitation used, measured after the fact."""

import dataclasses
from dataclasses import dataclass

from educe.eval.ranges import Amount, Count, Difference


@dataclass(frozen=True, kw_only=True)
class Spend:
    """What eliciting cost in every unit; the final test is never in it.

    `labelled_examples` counts every label of a task that was read: training rows, shots, dev rows, and rows of another
    task that show the form of an answer. `instructions` counts examples of no task. FLOPs are useful (real tokens)
    unless named executed (with padding, recomputation and reuse). `flops_per_answer` is the useful cost of one question
    afterwards, with this prompt or this adapter. `bits` is the description length of the labels read, where it was
    measured.
    """

    labelled_examples: Count = 0
    instructions: Count = 0
    training_tokens: Count = 0
    train_flops: Amount = 0.0
    executed_train_flops: Amount = 0.0
    search_flops: Amount = 0.0
    executed_search_flops: Amount = 0.0
    flops_per_answer: Amount = 0.0
    executed_flops_per_answer: Amount = 0.0
    trainable_parameters: Count = 0
    bits: Difference | None = None
    seconds: Amount = 0.0

    @property
    def elicitation_flops(self) -> float:
        """Training and search: the FLOPs spent before the first question is answered."""
        return self.train_flops + self.search_flops

    def __add__(self, other: "Spend") -> "Spend":
        """The sum, but the larger one of trainable parameters and of the cost of an answer."""
        larger = {"trainable_parameters", "flops_per_answer", "executed_flops_per_answer"}
        total = {}
        for each in dataclasses.fields(self):
            mine, theirs = getattr(self, each.name), getattr(other, each.name)
            if None in (mine, theirs):
                total[each.name] = theirs if mine is None else mine
            else:
                total[each.name] = max(mine, theirs) if each.name in larger else mine + theirs
        return Spend(**total)


def as_search(spend: Spend) -> Spend:
    """The spend of training that is not kept: its FLOPs are search.

    Its labels are left out, because they are charged with the training that is kept.
    """
    return Spend(
        search_flops=spend.search_flops + spend.train_flops,
        executed_search_flops=spend.executed_search_flops + spend.executed_train_flops,
        seconds=spend.seconds,
    )

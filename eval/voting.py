"""Votes: several answers to each item, and the one that most of them agree on."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from data.example import Example
from data.grade import normal_answer
from data.task import Task
from eval.ask import Prompter
from eval.measure import Answerer, Answers, measure
from eval.measurement import Outcome
from eval.subject import Subject


def majority(task: Task, items: Sequence[Example], ballots: Sequence[Sequence[Outcome]]) -> list[tuple[Outcome, float]]:
    """Every item's winning outcome and the share of the ballots that agree with it; of equals the first cast wins.

    Options are told apart as such, texts by what is compared when they are graded. The winner carries no margin.
    """
    return [_winner([ballot[place] for ballot in ballots]) for place in range(len(items))]


def _winner(cast: Sequence[Outcome]) -> tuple[Outcome, float]:
    said = [outcome.picked if outcome.picked is not None else normal_answer(outcome.text or "") for outcome in cast]
    (most, votes), *_ = Counter(said).most_common(1)  # equal counts stay in the order of their first vote
    winner = cast[said.index(most)]
    return replace(winner, margin=None), votes / len(cast)


@dataclass(frozen=True, kw_only=True)
class FormatVote:
    """Each item is asked by several prompters, and the majority answers."""

    prompters: tuple[Prompter, ...]
    answer: Answerer = measure

    def __call__(self, subject: Subject, task: Task, ask: Prompter, items: Sequence[Example]) -> Answers:
        """`ask` is not used: the prompters are asked one after the other."""
        rounds = [self.answer(subject, task, each, items) for each in self.prompters]
        return Answers(
            outcomes=tuple(winner for winner, _ in majority(task, items, [each.outcomes for each in rounds])),
            metric=f"{rounds[0].metric}, majority of {len(rounds)}",
            flops_per_answer=sum(each.flops_per_answer for each in rounds),
            executed_flops_per_answer=sum(each.executed_flops_per_answer for each in rounds),
        )

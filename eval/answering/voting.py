"""Votes: several answers to each item, and the one that most of them agree on."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from data.example import Example
from data.grade import normal_answer
from data.task import Task
from eval.answering.format_grid import AskedFormat
from eval.ask import Prompter
from eval.measure import Answerer, Answers, measure
from eval.measurement import Outcome
from eval.subject import Subject


def answer_of(outcome: Outcome) -> str:
    """What an outcome says, as votes are told apart: an option as such, a text as it is compared when it is graded."""
    return outcome.picked if outcome.picked is not None else normal_answer(outcome.text or "")


def majority(
    ballots: Sequence[Sequence[Outcome]], *, said: Callable[[Outcome], str] = answer_of
) -> list[tuple[Outcome, float]]:
    """Every item's winning outcome and the share of the ballots that agree with it; of equals the first cast wins.

    The winner carries no margin.
    """
    return [_winner(cast, [said(outcome) for outcome in cast]) for cast in zip(*ballots, strict=True)]


def _winner(cast: Sequence[Outcome], said: Sequence[str]) -> tuple[Outcome, float]:
    (most, votes), *_ = Counter(said).most_common(1)  # equal counts stay in the order of their first vote
    return replace(cast[said.index(most)], margin=None), votes / len(cast)


def as_one(rounds: Sequence[Answers], outcomes: Sequence[Outcome], *, metric: str, about: Mapping[str, Any]) -> Answers:
    """What several rounds of answers to the same items come to, at the price of all."""
    return Answers(
        outcomes=tuple(outcomes),
        metric=metric,
        flops_per_answer=sum(each.flops_per_answer for each in rounds),
        executed_flops_per_answer=sum(each.executed_flops_per_answer for each in rounds),
        about=about,
    )


@dataclass(frozen=True, kw_only=True)
class FormatVote:
    """Each item is asked in several formats, and the majority answers.

    `Answers.about` holds every format's own accuracy, so that one sees what the vote makes of them.
    """

    formats: tuple[AskedFormat, ...]
    answer: Answerer = measure

    def __call__(self, subject: Subject, task: Task, ask: Prompter, items: Sequence[Example]) -> Answers:
        """`ask` is not used: the formats are asked one after the other."""
        rounds = [self.answer(subject, task, each.ask, items) for each in self.formats]
        alone = {asked.name: each.score for asked, each in zip(self.formats, rounds, strict=True)}
        winners = [winner for winner, _ in majority([each.outcomes for each in rounds])]
        metric = f"{rounds[0].metric}, majority of {len(rounds)}"
        return as_one(rounds, winners, metric=metric, about={"accuracies": alone})

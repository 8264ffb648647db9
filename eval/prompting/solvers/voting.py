"""Votes: several answers to each item, and the one that most of them agree on."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from educe.data.example import Example
from educe.data.formats.render import PromptFunction
from educe.data.grade import normalize_answer
from educe.data.task import Task
from educe.eval.measure import Solver, SolverOutput, measure
from educe.eval.measurement import Outcome
from educe.eval.model.model import Model
from educe.eval.prompting.solvers.format_grid import AskedFormat


def answer_of(outcome: Outcome) -> str:
    """What an outcome says, as votes are told apart: an option as such, a text as it is compared when it is graded."""
    return outcome.picked if outcome.picked is not None else normalize_answer(outcome.text or "")


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


def as_one(
    rounds: Sequence[SolverOutput], outcomes: Sequence[Outcome], *, metric: str, metadata: Mapping[str, Any]
) -> SolverOutput:
    """What several rounds of answers to the same items come to, at the price of all."""
    return SolverOutput(
        outcomes=tuple(outcomes),
        metric=metric,
        flops_per_answer=sum(each.flops_per_answer for each in rounds),
        executed_flops_per_answer=sum(each.executed_flops_per_answer for each in rounds),
        metadata=metadata,
    )


@dataclass(frozen=True, kw_only=True)
class FormatVoteSolver:
    """Each item is asked in several formats, and the majority answers.

    `Answers.about` holds every format's own accuracy, so that one sees what the vote makes of them.
    """

    formats: tuple[AskedFormat, ...]
    solver: Solver = measure

    def __call__(self, model: Model, task: Task, prompt_fn: PromptFunction, items: Sequence[Example]) -> SolverOutput:
        """`ask` is not used: the formats are asked one after the other."""
        rounds = [self.solver(model, task, each.prompt_fn, items) for each in self.formats]
        alone = {asked.name: each.score for asked, each in zip(self.formats, rounds, strict=True)}
        winners = [winner for winner, _ in majority([each.outcomes for each in rounds])]
        metric = f"{rounds[0].metric}, majority of {len(rounds)}"
        return as_one(rounds, winners, metric=metric, metadata={"accuracies": alone})

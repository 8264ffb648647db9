"""Votes: each item is answered several times, and the answer that most of them agree on counts."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from educe.data.example import Example
from educe.data.formats.render import PromptFunction
from educe.data.grade import normalize_answer
from educe.data.task import Task
from educe.eval.details import Details, FormatAccuracies
from educe.eval.measure import Solver, SolverOutput, measure
from educe.eval.measurement import Outcome
from educe.eval.model.model import Model
from educe.eval.prompting.formats import DrawnFormat


def comparable_answer(outcome: Outcome) -> str:
    """The answer as votes compare it: the option picked, or the text as it is normalised for grading."""
    return outcome.picked if outcome.picked is not None else normalize_answer(outcome.text or "")


def majority_vote(
    rounds: Sequence[Sequence[Outcome]], *, answer: Callable[[Outcome], str] = comparable_answer
) -> list[tuple[Outcome, float]]:
    """Every item's winning outcome, without a margin, and the share of rounds that agree with it.

    Each round has one outcome for every item. In a tie the answer that came first wins.
    """
    return [_winner(outcomes, [answer(outcome) for outcome in outcomes]) for outcomes in zip(*rounds, strict=True)]


def _winner(outcomes: Sequence[Outcome], answers: Sequence[str]) -> tuple[Outcome, float]:
    (winning, votes), *_ = Counter(answers).most_common(1)  # equal counts stay in the order of their first vote
    return replace(outcomes[answers.index(winning)], margin=None), votes / len(outcomes)


def combine_rounds(
    rounds: Sequence[SolverOutput], outcomes: Sequence[Outcome], *, metric: str, details: Details
) -> SolverOutput:
    """One output for several rounds over the same items, at the cost of all rounds."""
    return SolverOutput(
        outcomes=tuple(outcomes),
        metric=metric,
        flops_per_answer=sum(each.flops_per_answer for each in rounds),
        executed_flops_per_answer=sum(each.executed_flops_per_answer for each in rounds),
        details=details,
    )


@dataclass(frozen=True, kw_only=True)
class FormatVoteSolver:
    """Each item is asked in several formats, and the majority answers; each format's own accuracy is recorded.

    The prompt function that is passed in is not used: each format has its own.
    """

    formats: tuple[DrawnFormat, ...]
    solver: Solver = measure

    def __call__(self, model: Model, task: Task, prompt_fn: PromptFunction, items: Sequence[Example]) -> SolverOutput:
        rounds = [self.solver(model, task, each.prompt_fn, items) for each in self.formats]
        accuracies = {form.name: each.score for form, each in zip(self.formats, rounds, strict=True)}
        winners = [winner for winner, _ in majority_vote([each.outcomes for each in rounds])]
        seen = FormatAccuracies(accuracies=accuracies, pairs_asked=len(rounds) * len(items))
        metric = f"{rounds[0].metric}, majority of {len(rounds)}"
        return combine_rounds(rounds, winners, metric=metric, details=Details(formats=seen))

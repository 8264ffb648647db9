"""Choosing one of several candidates by their scores on dev rows, with everything that the choice costs."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from educe.eval.details import Selection
from educe.eval.spend import Spend

Candidate = TypeVar("Candidate")


@dataclass(kw_only=True)
class Choice(Generic[Candidate]):
    """The best candidate so far; the first of equals wins. `search` adds up what the choice costs."""

    best: Candidate | None = None
    scores: list[float] = field(default_factory=list)
    search: Spend = field(default_factory=Spend)

    def offer(self, candidate: Candidate, score: float) -> Candidate | None:
        """Compare a candidate with the best so far; returns the one that is not kept."""
        discarded: Candidate | None = candidate
        if not self.scores or score > max(self.scores):
            self.best, discarded = candidate, self.best
        self.scores.append(score)
        return discarded

    def selection(self, chosen: Mapping[str, str | int | float], *, dev_examples: int) -> Selection:
        """The record of the choice; `chosen` describes the best candidate."""
        return Selection(
            chosen=chosen,
            dev_score=max(self.scores),
            mean_dev_score=sum(self.scores) / len(self.scores),
            dev_examples=dev_examples,
            candidates=len(self.scores),
        )


def choose(
    candidates: Iterable[Candidate], try_on_dev: Callable[[Candidate], tuple[float, Spend]]
) -> tuple[Candidate, Choice[Candidate]]:
    """Try every candidate, in their order: `try_on_dev` gives its score and what trying it cost."""
    choice = Choice[Candidate]()
    for candidate in candidates:
        score, cost = try_on_dev(candidate)
        choice.search += cost
        choice.offer(candidate, score)
    assert choice.best is not None, "nothing to choose from"
    return choice.best, choice

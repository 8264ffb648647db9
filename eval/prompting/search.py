"""Successive halving over ways of asking (Jamieson and Talwalkar 2016): ever fewer candidates on ever more dev rows."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.formats.render import PromptFunction
from educe.data.task import Task
from educe.eval.progress import report_progress
from educe.eval.spend import Spend

if TYPE_CHECKING:  # how long a search would take is planned without torch
    from educe.eval.measure import Solver
    from educe.eval.model.model import Model

LEAST_ROWS = 4  # that a candidate answers before it can be dropped


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A way of asking that is ready to be tried, and what making it ready cost."""

    name: str
    prompt_fn: PromptFunction
    solver: "Solver"
    spend: Spend


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A candidate's place in the list and its mean score on the dev rows that it was asked."""

    place: int
    score: float
    rows: int


@dataclass(frozen=True, kw_only=True)
class Searched:
    """The winner with its dev score, everything that was tried, and what the search cost, its dev rows included.

    `first_score` is the mean of all that were tried on the rows that all answered, before any was dropped: what
    choosing at random would get. `left_out` are the reasons why candidates could not be asked at all, such as shots
    that do not fit the context.
    """

    candidate: Candidate
    winner: Tried
    tried: tuple[Tried, ...]
    first_score: float
    left_out: tuple[str, ...]
    spend: Spend


def rungs(num_candidates: int, num_rows: int) -> list[int]:
    """Dev rows that are left candidates have answered after each round: doubling up to all, while half go on."""
    rounds = max(1, math.ceil(math.log2(num_candidates)))
    return sorted({max(min(LEAST_ROWS, num_rows), math.ceil(num_rows / 2**left)) for left in range(rounds)})


def search(
    model: "Model",
    task: Task,
    make: Sequence[Callable[[], Candidate]],
    dev: Sequence[Example],
    *,
    flops: float = math.inf,
) -> Searched:
    """Try all candidates on a few dev rows, the better half on twice as many, and so on; the first of equals wins.

    With a budget of `flops` (useful, search alone), nothing more is begun once it is spent: it is overrun by one look
    at most. The best of those that answered the most rows wins. Candidates are taken to read the beginnings of the same
    rows, so the labels of the one that reads the most are those of all. UserError where no candidate can be asked.
    """
    race = _Race(model, task, make, dev, flops)
    left = list(range(len(make)))
    rounds = rungs(len(make), len(dev))
    for done, rows in enumerate(rounds, start=1):
        left = race.run(left, rows)
        report_progress("rounds of search", done, len(rounds))
        if race.is_spent:
            break
        left = left[: math.ceil(len(left) / 2)]
    best = race.best()
    return Searched(
        candidate=race.candidates[best.place],
        winner=best,
        tried=tuple(race.tried()),
        first_score=race.first_score(rounds[0]),
        left_out=tuple(race.left_out),
        spend=race.spend + Spend(labelled_examples=best.rows),
    )


@dataclass
class _Race:
    """What every candidate has scored so far."""

    model: "Model"
    task: Task
    make: Sequence[Callable[[], Candidate]]
    dev: Sequence[Example]
    flops: float
    candidates: dict[int, Candidate] = field(default_factory=dict)
    scores: dict[int, list[float]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    spend: Spend = field(default_factory=Spend)

    @property
    def is_spent(self) -> bool:
        return self.spend.search_flops >= self.flops

    def run(self, left: Sequence[int], rows: int) -> list[int]:
        """Bring each candidate to so many rows while the budget lasts; best first, those that got less rows last."""
        for place in left:
            if self.is_spent:
                break
            try:
                self._look(place, rows)
            except UserError as error:  # the others may well be asked
                self.scores.pop(place, None)
                self.left_out.append(str(error))
        if not self.scores:
            raise UserError(f"no way of asking could be tried: {self.left_out[0]}")
        return sorted((place for place in left if place in self.scores), key=self._rank)

    def best(self) -> Tried:
        """Of those that answered the most rows, the one with the highest score."""
        return self._tried(min(self.scores, key=self._rank))

    def tried(self) -> list[Tried]:
        """Every candidate that was asked anything, in the order of the list."""
        return [self._tried(place) for place in sorted(self.scores)]

    def first_score(self, rows: int) -> float:
        """The mean over everything that was tried, on the first rows."""
        firsts = [scores[:rows] for scores in self.scores.values()]
        return sum(sum(scores) / len(scores) for scores in firsts) / len(firsts)

    def _look(self, place: int, rows: int) -> None:
        """The candidate answers the rows that it has not answered yet; answers do not depend on one another."""
        if place not in self.candidates:
            self.candidates[place] = self.make[place]()
            self._charge(self.candidates[place].spend)
        candidate, scores = self.candidates[place], self.scores.get(place, [])
        if len(scores) == rows:
            return
        answers = candidate.solver(self.model, self.task, candidate.prompt_fn, self.dev[len(scores) : rows])
        self.scores[place] = [*scores, *(outcome.score for outcome in answers.outcomes)]
        self.spend += answers.search

    def _charge(self, spend: Spend) -> None:
        """What making a candidate ready cost; rows and instructions that an earlier one read are not read anew."""
        once = {
            name: max(getattr(self.spend, name), getattr(spend, name)) for name in ("labelled_examples", "instructions")
        }
        self.spend = replace(self.spend + spend, **once)

    def _rank(self, place: int) -> tuple[int, float, int]:
        tried = self._tried(place)
        return -tried.rows, -tried.score, place

    def _tried(self, place: int) -> Tried:
        scores = self.scores[place]
        return Tried(place=place, score=sum(scores) / len(scores), rows=len(scores))

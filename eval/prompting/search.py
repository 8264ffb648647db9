"""Successive halving over prompts (Jamieson and Talwalkar 2016): ever fewer candidates on ever more dev rows."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.formats.render import PromptFunction
from educe.data.task import Task
from educe.eval.measure import Solver
from educe.eval.model.model import Model
from educe.eval.progress import report_progress
from educe.eval.spend import Spend

MIN_ROWS = 4  # that a candidate answers before it can be dropped


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A prompt that is ready to be tried, its solver, and the cost of preparing it."""

    name: str
    prompt_fn: PromptFunction
    solver: Solver
    spend: Spend


@dataclass(frozen=True, kw_only=True)
class CandidateScore:
    """A candidate's place in the list and its mean score on the dev rows that it answered."""

    place: int
    score: float
    rows: int


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """The winner with its dev score, all candidates that were tried, and the cost of the search with its dev rows.

    `mean_score` is the mean of all candidates that were tried, on the rows that all of them answered before any was
    dropped: the expected score of a random choice. `failures` are the reasons why candidates could not be tried at all,
    such as shots that do not fit the context.
    """

    candidate: Candidate
    winner: CandidateScore
    tried: tuple[CandidateScore, ...]
    mean_score: float
    failures: tuple[str, ...]
    spend: Spend


def rows_by_round(num_candidates: int, num_rows: int) -> list[int]:
    """Dev rows that a remaining candidate has answered after each round: they double while half the candidates stay."""
    rounds = max(1, math.ceil(math.log2(num_candidates)))
    return sorted({max(min(MIN_ROWS, num_rows), math.ceil(num_rows / 2**left)) for left in range(rounds)})


def search(
    model: Model,
    task: Task,
    prepare: Sequence[Callable[[], Candidate]],
    dev: Sequence[Example],
    *,
    flops: float = math.inf,
) -> SearchResult:
    """Try all candidates on a few dev rows, the better half on twice as many, and so on; in a tie the first wins.

    `prepare` makes each candidate when it is first tried. Once the budget of `flops` (useful, search alone) is spent,
    nothing more is started: at most one trial exceeds it. The best of those that answered the most rows wins.
    Candidates are assumed to read the beginnings of the same rows, so the labels of the one that reads the most are
    those of all. UserError where no candidate can be tried.
    """
    halving = _Halving(model, task, prepare, dev, flops)
    left = list(range(len(prepare)))
    rounds = rows_by_round(len(prepare), len(dev))
    for done, rows in enumerate(rounds, start=1):
        left = halving.run_round(left, rows)
        report_progress("rounds of search", done, len(rounds))
        if halving.is_spent:
            break
        left = left[: math.ceil(len(left) / 2)]
    best = halving.score(min(halving.scores, key=halving.rank))
    return SearchResult(
        candidate=halving.candidates[best.place],
        winner=best,
        tried=tuple(halving.score(place) for place in sorted(halving.scores)),
        mean_score=halving.mean_score(rounds[0]),
        failures=tuple(halving.failures),
        spend=halving.spend + Spend(labelled_examples=best.rows),
    )


@dataclass
class _Halving:
    """The scores of every candidate so far, by its place in the list."""

    model: Model
    task: Task
    prepare: Sequence[Callable[[], Candidate]]
    dev: Sequence[Example]
    flops: float
    candidates: dict[int, Candidate] = field(default_factory=dict)
    scores: dict[int, list[float]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    spend: Spend = field(default_factory=Spend)

    @property
    def is_spent(self) -> bool:
        return self.spend.search_flops >= self.flops

    def run_round(self, left: Sequence[int], rows: int) -> list[int]:
        """Each candidate answers up to `rows` rows while the budget lasts; best first, those with fewer rows last."""
        for place in left:
            if self.is_spent:
                break
            try:
                self._try(place, rows)
            except UserError as error:  # other candidates may still work
                self.scores.pop(place, None)
                self.failures.append(str(error))
        if not self.scores:
            raise UserError(f"no prompt could be tried: {self.failures[0]}")
        return sorted((place for place in left if place in self.scores), key=self.rank)

    def rank(self, place: int) -> tuple[int, float, int]:
        """Sorts by most rows, then highest score, then place."""
        scored = self.score(place)
        return -scored.rows, -scored.score, place

    def score(self, place: int) -> CandidateScore:
        scores = self.scores[place]
        return CandidateScore(place=place, score=sum(scores) / len(scores), rows=len(scores))

    def mean_score(self, rows: int) -> float:
        """The mean over all candidates that were tried, on the first rows."""
        first = [scores[:rows] for scores in self.scores.values()]
        return sum(sum(scores) / len(scores) for scores in first) / len(first)

    def _try(self, place: int, rows: int) -> None:
        """The candidate answers the rows that it has not answered yet; answers do not depend on one another."""
        if place not in self.candidates:
            self.candidates[place] = self.prepare[place]()
            self._charge(self.candidates[place].spend)
        candidate, scores = self.candidates[place], self.scores.get(place, [])
        if len(scores) == rows:
            return
        output = candidate.solver(self.model, self.task, candidate.prompt_fn, self.dev[len(scores) : rows])
        self.scores[place] = [*scores, *(outcome.score for outcome in output.outcomes)]
        self.spend += output.search

    def _charge(self, spend: Spend) -> None:
        """Add the cost of preparing a candidate; rows and instructions that an earlier one read are charged once."""
        once = {
            name: max(getattr(self.spend, name), getattr(spend, name)) for name in ("labelled_examples", "instructions")
        }
        self.spend = replace(self.spend + spend, **once)

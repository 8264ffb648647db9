"""Choosing among schedules on dev rows, with everything that the choice cost charged to search."""

import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from statistics import fmean

from educe.data.errors import UserError, raise_error
from educe.eval.details import Details, Selection
from educe.eval.measure import SolverOutput
from educe.eval.model.model import Model
from educe.eval.progress import report_step
from educe.eval.selection import Choice
from educe.eval.spend import Spend, as_search
from educe.train.attach import Trainable, temporary_changes
from educe.train.divergence import Diverged
from educe.train.encode import TrainingRow
from educe.train.limits import MAX_TOGETHER, in_groups
from educe.train.processes import process_state
from educe.train.run import Run
from educe.train.schedule import Schedule
from educe.train.sft import Finished, Tuned, fine_tune_alone, fine_tune_together


@dataclass(frozen=True, kw_only=True)
class Search:
    """Rows to fine-tune on, and the schedules to choose among.

    Several run each to its end, and the one that scores best on dev rows is kept. With `halving` (successive halving,
    Jamieson & Talwalkar 2016) each runs for a fraction of its steps, the better half for twice as many, and so on,
    always from the start, until one is left to run in full. The first of equals wins. A run that diverges cannot win.
    `cell` is the place of the search among those of cells that are elicited together.
    """

    rows: Sequence[TrainingRow]
    trainable: Trainable
    schedules: Sequence[Schedule]
    measure_dev: Callable[[Model], SolverOutput]
    dev_rows: Sequence[TrainingRow]
    halving: bool
    seed: int
    cell: int = 0

    def run(self, schedule: Schedule, rung: str) -> Run:
        return Run(
            rows=self.rows,
            trainable=self.trainable,
            schedule=schedule,
            seed=self.seed,
            dev_rows=self.dev_rows,
            cell=self.cell,
            candidate=self.candidate(schedule, rung),
        )

    def candidate(self, schedule: Schedule, rung: str) -> str:
        """The name of a run under this schedule in a rung of halving; none where there is nothing to choose."""
        named = (f"learning_rate {_without_dot(schedule.learning_rate)}", f"{schedule.steps} steps", rung)
        return ", ".join(filter(None, named)) if len(self.schedules) > 1 else ""


@dataclass(frozen=True, kw_only=True)
class _Attempt:
    """A finished run, and its score on dev rows where it was measured."""

    finished: Finished
    score: float


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """The schedules that a search runs next, and whether they are measured on dev rows.

    `rung` names these runs apart from others under the same schedules.
    """

    schedules: Sequence[Schedule]
    scored: bool = True
    rung: str = ""


# What a search wants to run, then what came of it (None where a run diverged), until it has its best.
_Steps = Generator[_Wanted, list[_Attempt | None], Finished]


@dataclass(kw_only=True)
class _Trials:
    """What the runs of one search cost and scored; the choice's search adds up whatever is not kept in the end."""

    search: Search
    choice: Choice[_Attempt] = field(default_factory=Choice)
    dev_examples: int = 0
    diverged: list[Diverged] = field(default_factory=list)

    def attempt(self, model: Model, finished: Finished | UserError, *, scored: bool) -> _Attempt | None:
        """Measure on dev rows if `scored`. None where the run diverged, which is charged, too."""
        if isinstance(finished, Diverged):
            self.diverged.append(finished)
            self.choice.search += as_search(finished.spend)
            return None
        if isinstance(finished, UserError):
            raise finished
        return _Attempt(finished=finished, score=self._score(model, finished) if scored else math.nan)

    def charge_discarded(self, attempt: _Attempt) -> None:
        self.choice.search += as_search(attempt.finished.spend)

    def _score(self, model: Model, finished: Finished) -> float:
        started = time.perf_counter()
        with temporary_changes(model):
            answers = self.search.measure_dev(finished.put_on(model).model)
        self.dev_examples = len(answers.outcomes)
        schedule = finished.run.schedule
        scored = {"step": schedule.steps, "dev_score": answers.score}
        report_step(scored, training=finished.run.candidate, cell=finished.run.cell)
        self.choice.search += answers.search + Spend(seconds=time.perf_counter() - started)
        return answers.score

    def steps(self) -> _Steps:
        """The search, as what it wants to run."""
        schedules = self.search.schedules
        if len(schedules) == 1:
            (only,) = yield _Wanted(schedules=schedules, scored=False)
            return self._kept(only)
        if self.search.halving:
            best, score = yield from _best_by_halving(self, schedules)
            mean = None
        else:
            best = yield from _best_of_all(self, schedules)
            score, mean = best.score, fmean(self.choice.scores)
        schedule = best.finished.run.schedule
        selection = Selection(
            chosen={"learning_rate": schedule.learning_rate, "steps": schedule.steps},
            dev_score=score,
            mean_dev_score=mean,
            dev_examples=self.dev_examples,
            candidates=len(schedules),
        )
        spend = best.finished.spend + self.choice.search
        return replace(best.finished, spend=spend, details=best.finished.details | Details(selection=selection))

    def _kept(self, attempt: _Attempt | None) -> Finished:
        if attempt is None:
            raise self.diverged[-1]
        return attempt.finished


def fine_tune_best(model: Model, searches: Sequence[Search]) -> list[Callable[[], Tuned]]:
    """Fine-tune each under the schedule that scores best on its dev rows; other runs, and dev answers, are search.

    The runs of all searches train together where what they train stacks. Each search gives a function that puts its
    best on the model, inside `temporary_changes`, or raises its error: Diverged where all its runs do.
    """
    if len(searches) == 1 and len(searches[0].schedules) == 1:
        return [partial(fine_tune_alone, model, searches[0].run(searches[0].schedules[0], ""))]
    trials = [_Trials(search=search) for search in searches]
    going = {place: each.steps() for place, each in enumerate(trials)}
    wanted = {place: next(steps) for place, steps in going.items()}
    ended: dict[int, Callable[[], Tuned]] = {}
    while wanted:
        runs = [
            searches[place].run(schedule, each.rung) for place, each in wanted.items() for schedule in each.schedules
        ]
        finished = _in_groups(model, runs)
        for place, each in list(wanted.items()):
            results = [next(finished) for _ in each.schedules]
            try:
                attempts = [trials[place].attempt(model, result, scored=each.scored) for result in results]
                wanted[place] = going[place].send(attempts)
                continue
            except StopIteration as stop:
                ended[place] = partial(stop.value.put_on, model)
            except UserError as error:
                ended[place] = partial(raise_error, error)
            del wanted[place]
    return [ended[place] for place in range(len(searches))]


def _in_groups(model: Model, runs: Sequence[Run]) -> Iterator[Finished | UserError]:
    """What is left of each run; those that stack train together."""
    # Processes that share a batch train one adapter: only what is in the net is averaged over them.
    stack = process_state(model.device).num_processes == 1 and all(run.stacks_with(runs[0]) for run in runs)
    for group in in_groups(runs, largest=MAX_TOGETHER if stack else 1):
        yield from fine_tune_together(model, group)


def _without_dot(number: float) -> str:
    """A positive number exactly, as 15e-5: trackers take what follows a dot for an inner name."""
    _, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    return f"{''.join(map(str, digits))}e{exponent}"


def _best_of_all(trials: _Trials, schedules: Sequence[Schedule]) -> Generator[_Wanted, list[_Attempt | None], _Attempt]:
    """The best of whole runs; of runs that do not stack, one's weights are held beside the current one's."""
    together = trials.search.trainable.stacks_as is not None
    for wanted in [schedules] if together else [[each] for each in schedules]:
        for attempt in (yield _Wanted(schedules=wanted)):
            discarded = trials.choice.offer(attempt, attempt.score) if attempt else None
            if discarded is not None:
                trials.charge_discarded(discarded)
    if trials.choice.best is None:
        raise trials.diverged[-1]
    return trials.choice.best


def _best_by_halving(
    trials: _Trials, schedules: Sequence[Schedule]
) -> Generator[_Wanted, list[_Attempt | None], tuple[_Attempt, float]]:
    """The whole run of the schedule that is left in the end, and the score of its last shorter run."""
    ranked: list[tuple[float, Schedule]] = []
    left = list(schedules)
    number = 0
    while len(left) > 1:
        number += 1
        ranked = yield from _rung(trials, left, number)
        left = [schedule for _, schedule in ranked[: math.ceil(len(left) / 2)]]
    for score, schedule in ranked:  # the next one where the best diverges in full
        (attempt,) = yield _Wanted(schedules=[schedule], scored=False, rung="in full")
        if attempt is not None:
            return attempt, score
    raise trials.diverged[-1]


def _rung(
    trials: _Trials, schedules: Sequence[Schedule], number: int
) -> Generator[_Wanted, list[_Attempt | None], list[tuple[float, Schedule]]]:
    """Each schedule with the score of its shortened run, best first; those that diverged are left out.

    Two are run for half of their steps, four for a quarter. Schedules that are the same once shortened run once.
    """
    share = 0.5 ** math.ceil(math.log2(len(schedules)))
    short = [replace(schedule, steps=math.ceil(schedule.steps * share)) for schedule in schedules]
    distinct = list(dict.fromkeys(short))
    attempts = yield _Wanted(schedules=distinct, rung=f"rung {number}")
    for attempt in filter(None, attempts):
        trials.charge_discarded(attempt)
    scores = {each: attempt.score for each, attempt in zip(distinct, attempts, strict=True) if attempt}
    ranked = [(scores[each], schedule) for each, schedule in zip(short, schedules, strict=True) if each in scores]
    return sorted(ranked, key=lambda pair: -pair[0])

"""Choosing among schedules on dev rows, with everything that the choice cost charged to search."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean

from torch import Tensor

from educe.eval.details import Details, Selection
from educe.eval.measure import SolverOutput
from educe.eval.model.model import Model
from educe.eval.selection import Choice
from educe.eval.spend import as_search
from educe.train.attach import Trainable, attach, load_snapshot, snapshot, temporary_changes
from educe.train.divergence import Diverged
from educe.train.encode import TrainingRow
from educe.train.schedule import Schedule
from educe.train.sft import Tuned, fine_tune


@dataclass(frozen=True, kw_only=True)
class _Attempt:
    """A finished run: its schedule, its weights, and its score on dev rows where it was measured."""

    schedule: Schedule
    tuned: Tuned
    weights: Mapping[str, Tensor]
    score: float


@dataclass(kw_only=True)
class _Trials:
    """Runs schedules one by one on the resident model; the choice's search adds up whatever is not kept in the end."""

    model: Model
    run: Callable[[Schedule], Tuned]
    measure_dev: Callable[[Model], SolverOutput]
    choice: Choice[_Attempt] = field(default_factory=Choice)
    dev_examples: int = 0
    diverged: list[Diverged] = field(default_factory=list)

    def attempt(self, schedule: Schedule, *, scored: bool = True) -> _Attempt | None:
        """Train, and measure on dev rows if `scored`. None where the run diverged, which is charged, too."""
        with temporary_changes(self.model):
            try:
                tuned = self.run(schedule)
            except Diverged as error:
                self.diverged.append(error)
                self.choice.search += as_search(error.spend)
                return None
            score = self._score(tuned) if scored else math.nan
            return _Attempt(schedule=schedule, tuned=tuned, weights=snapshot(tuned.model), score=score)

    def charge_discarded(self, attempt: _Attempt) -> None:
        self.choice.search += as_search(attempt.tuned.spend)

    def _score(self, tuned: Tuned) -> float:
        answers = self.measure_dev(tuned.model)
        self.dev_examples = len(answers.outcomes)
        self.choice.search += answers.search
        return answers.score


def fine_tune_best(
    model: Model,
    rows: Sequence[TrainingRow],
    *,
    trainable: Trainable,
    schedules: Sequence[Schedule],
    measure_dev: Callable[[Model], SolverOutput],
    dev_rows: Sequence[TrainingRow],
    halving: bool,
    seed: int,
) -> Tuned:
    """Fine-tune under the schedule that scores best on dev rows; every other run, and every dev answer, is search.

    A single schedule is simply trained. Several run each to its end. With `halving` (successive halving, Jamieson &
    Talwalkar 2016) each runs for a fraction of its steps, the better half for twice as many, and so on, always from the
    start, until one is left to run in full. The first of equals wins. A run that diverges cannot win. Diverged where
    all do.
    """

    def run(schedule: Schedule) -> Tuned:
        return fine_tune(model, rows, trainable=trainable, schedule=schedule, dev_rows=dev_rows, seed=seed)

    if len(schedules) == 1:
        return run(schedules[0])
    trials = _Trials(model=model, run=run, measure_dev=measure_dev)
    if halving:
        best, score = _best_by_halving(trials, schedules)
        mean = None
    else:
        best = _best_of_all(trials, schedules)
        score, mean = best.score, fmean(trials.choice.scores)
    again = attach(model, trainable, seed=seed)
    load_snapshot(again, best.weights)
    selection = Selection(
        chosen={"learning_rate": best.schedule.learning_rate, "steps": best.schedule.steps},
        dev_score=score,
        mean_dev_score=mean,
        dev_examples=trials.dev_examples,
        candidates=len(schedules),
    )
    spend = best.tuned.spend + trials.choice.search
    return replace(best.tuned, model=again, spend=spend, details=best.tuned.details | Details(selection=selection))


def _best_of_all(trials: _Trials, schedules: Sequence[Schedule]) -> _Attempt:
    """The best of whole runs; only one run's weights are held beside the current one's."""
    for schedule in schedules:
        attempt = trials.attempt(schedule)
        if attempt is None:
            continue
        discarded = trials.choice.offer(attempt, attempt.score)
        if discarded is not None:
            trials.charge_discarded(discarded)
    if trials.choice.best is None:
        raise trials.diverged[-1]
    return trials.choice.best


def _best_by_halving(trials: _Trials, schedules: Sequence[Schedule]) -> tuple[_Attempt, float]:
    """The whole run of the schedule that is left in the end, and the score of its last shorter run."""
    ranked: list[tuple[float, Schedule]] = []
    left = list(schedules)
    while len(left) > 1:
        ranked = _rung(trials, left)
        left = [schedule for _, schedule in ranked[: math.ceil(len(left) / 2)]]
    for score, schedule in ranked:  # the next one where the best diverges in full
        attempt = trials.attempt(schedule, scored=False)
        if attempt is not None:
            return attempt, score
    raise trials.diverged[-1]


def _rung(trials: _Trials, schedules: Sequence[Schedule]) -> list[tuple[float, Schedule]]:
    """Each schedule with the score of its shortened run, best first; those that diverged are left out.

    Two are run for half of their steps, four for a quarter. Schedules that are the same once shortened run once.
    """
    share = 0.5 ** math.ceil(math.log2(len(schedules)))
    scores: dict[Schedule, float | None] = {}
    ranked = []
    for schedule in schedules:
        short = replace(schedule, steps=math.ceil(schedule.steps * share))
        if short not in scores:
            attempt = trials.attempt(short)
            scores[short] = attempt.score if attempt else None
            if attempt:
                trials.charge_discarded(attempt)
        score = scores[short]
        if score is not None:
            ranked.append((score, schedule))
    return sorted(ranked, key=lambda pair: -pair[0])

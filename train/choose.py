"""Choosing among schedules on dev rows, with everything that the choice cost charged to search."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from torch import Tensor

from eval.measure import Answers
from eval.spend import Spend, as_search
from eval.subject import Subject
from train.attach import Trainable, attach, bare, load_snapshot, snapshot
from train.encode import TrainingRow
from train.sft import Diverged, Schedule, Tuned, fine_tune


@dataclass(frozen=True, kw_only=True)
class _Trial:
    """A schedule that was tried: the run, the weights it ended with, and its score on dev rows."""

    schedule: Schedule
    tuned: Tuned
    weights: Mapping[str, Tensor]
    score: float


@dataclass(kw_only=True)
class _Trials:
    """Tries schedules one by one; `spend` adds up what no run that ended can answer for: dev answers, divergence."""

    subject: Subject
    run: Callable[[Schedule], Tuned]
    measure_dev: Callable[[Subject], Answers]
    spend: Spend = field(default_factory=Spend)
    diverged: list[Diverged] = field(default_factory=list)

    def best_first(self, schedules: Sequence[Schedule]) -> list[_Trial]:
        """All that ended, by score, the first named of equals first; Diverged where none did."""
        tried = [trial for trial in map(self._try, schedules) if trial is not None]
        if not tried:
            raise self.diverged[0]
        return sorted(tried, key=lambda trial: -trial.score)

    def _try(self, schedule: Schedule) -> _Trial | None:
        with bare(self.subject):
            try:
                tuned = self.run(schedule)
            except Diverged as error:  # a loser like any other, and paid for
                self.diverged.append(error)
                self.spend += as_search(error.spend)
                return None
            answers = self.measure_dev(tuned.subject)
            asked = len(answers.outcomes)
            self.spend += Spend(
                search_flops=answers.flops_per_answer * asked,
                executed_search_flops=answers.executed_flops_per_answer * asked,
            )
            score = math.fsum(outcome.score for outcome in answers.outcomes) / asked
            return _Trial(schedule=schedule, tuned=tuned, weights=snapshot(tuned.subject), score=score)


def fine_tune_best(
    subject: Subject,
    rows: Sequence[TrainingRow],
    *,
    trainable: Trainable,
    schedules: Sequence[Schedule],
    measure_dev: Callable[[Subject], Answers],
    dev_rows: Sequence[TrainingRow],
    halving: bool,
    seed: int,
) -> Tuned:
    """Fine-tune under the schedule that scores best on dev rows; every other run, and every dev answer, is search.

    One schedule is simply trained. Of several each runs to its end, or with `halving` (successive halving, Jamieson &
    Talwalkar 2016) each runs for a fraction of its steps, the better half for twice as many, and so on from the start
    every time, until one is left to run in full.
    """

    def run(schedule: Schedule) -> Tuned:
        return fine_tune(subject, rows, trainable=trainable, schedule=schedule, dev_rows=dev_rows, seed=seed)

    if len(schedules) == 1:
        return run(schedules[0])
    trials = _Trials(subject=subject, run=run, measure_dev=measure_dev)
    if halving:
        chosen, score = _halve(trials, schedules)
        tuned = run(chosen)
    else:
        best, *losers = trials.best_first(schedules)
        chosen, score = best.schedule, best.score
        again = attach(subject, trainable, seed=seed)
        load_snapshot(again, best.weights)
        tuned = replace(best.tuned, subject=again)
        trials.spend += _as_search(losers)
    about = {
        **tuned.about,
        "chosen_learning_rate": f"{chosen.learning_rate:g}",
        "chosen_steps": chosen.steps,
        "dev_score": f"{score:.4f}",
        "candidates": len(schedules),
    }
    return replace(tuned, spend=tuned.spend + trials.spend, about=about)


def _halve(trials: _Trials, schedules: Sequence[Schedule]) -> tuple[Schedule, float]:
    """The schedule that is left, and its score on dev rows after half of its steps."""
    left, score = list(schedules), 0.0
    while len(left) > 1:
        share = rung_share(len(left))
        short = {replace(each, steps=max(1, math.ceil(each.steps * share))): each for each in left}
        tried = trials.best_first(list(short))
        trials.spend += _as_search(tried)
        left = [short[trial.schedule] for trial in tried[: math.ceil(len(left) / 2)]]
        score = tried[0].score
    return left[0], score


def rung_share(candidates: int) -> float:
    """The share of its steps that each of so many candidates runs for: a half where two are left."""
    return 0.5 ** math.ceil(math.log2(candidates))


def _as_search(trials: Sequence[_Trial]) -> Spend:
    return sum((as_search(trial.tuned.spend) for trial in trials), Spend())

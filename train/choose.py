"""Choosing among schedules on dev rows, with everything that the choice cost charged to search."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import Tensor

from eval.measure import Answers
from eval.subject import Subject
from train.attach import Trainable, attach, bare, load_snapshot, snapshot
from train.encode import TrainingRow
from train.sft import Diverged, Schedule, Tuned, fine_tune


def fine_tune_best(
    subject: Subject,
    rows: Sequence[TrainingRow],
    *,
    trainable: Trainable,
    schedules: Sequence[Schedule],
    measure_dev: Callable[[Subject], Answers] | None,
    seed: int,
) -> Tuned:
    """Fine-tune under each schedule and keep the one that scores best on dev rows (the first of equals).

    One schedule is simply trained. With more, the losers' training and every dev answer become search FLOPs, and the
    dev rows count as labelled examples read.
    """
    if len(schedules) == 1:
        return fine_tune(subject, rows, trainable=trainable, schedule=schedules[0], seed=seed)
    assert measure_dev is not None, "the recipe refuses a choice without dev rows"
    best: tuple[float, Tuned, dict[str, Tensor]] | None = None
    search_flops = executed = seconds = 0.0
    labels = 0
    diverged: list[Diverged] = []
    for schedule in schedules:
        with bare(subject):
            try:
                tuned = fine_tune(subject, rows, trainable=trainable, schedule=schedule, seed=seed)
            except Diverged as error:  # a loser like any other, and paid for
                diverged.append(error)
                search_flops += error.spend.train_flops
                executed += error.spend.executed_train_flops
                seconds += error.spend.seconds
                continue
            answers = measure_dev(tuned.subject)
            labels = len(answers.outcomes)
            score = sum(outcome.score for outcome in answers.outcomes) / labels
            search_flops += tuned.spend.train_flops + answers.flops_per_answer * labels
            executed += tuned.spend.executed_train_flops + answers.executed_flops_per_answer * labels
            seconds += tuned.spend.seconds
            if best is None or score > best[0]:
                best = (score, tuned, snapshot(tuned.subject))
    if best is None:
        raise diverged[0]
    score, tuned, weights = best
    again = attach(subject, trainable, seed=seed)
    load_snapshot(again, weights)
    spend = replace(
        tuned.spend,
        labelled_examples=tuned.spend.labelled_examples + labels,
        search_flops=search_flops - tuned.spend.train_flops,
        executed_search_flops=executed - tuned.spend.executed_train_flops,
        seconds=seconds,
    )
    chosen = max(row["learning_rate"] for row in tuned.history)
    about = {**tuned.about, "chosen_learning_rate": f"{chosen:g}", "dev_score": f"{score:.4f}", "dev_examples": labels}
    return replace(tuned, subject=again, spend=spend, about=about)

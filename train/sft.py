"""Supervised fine-tuning: the one training loop, on Accelerate, for one run or a cohort, one process or many."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from educe.data.errors import UserError
from educe.eval.details import Details
from educe.eval.model.encode import check_fits, common_prefix
from educe.eval.model.model import Model
from educe.eval.progress import report_progress
from educe.eval.spend import Spend
from educe.train.attach import Trainable, attach, load_snapshot, snapshot, temporary_changes
from educe.train.cohort import Alone, Cohort
from educe.train.encode import TrainingRow
from educe.train.engine import Engine
from educe.train.frozen import frozen_maps_in, resolve_precision
from educe.train.loss import AnswerLoss
from educe.train.processes import make_accelerator, shards_weights
from educe.train.recompute import checkpointing_activations
from educe.train.run import AnyRow, BeforeStep, Run, Training
from educe.train.schedule import Schedule


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """A model as it was trained, what training it cost, and the loss of every step."""

    model: Model
    spend: Spend
    history: tuple[Mapping[str, int | float], ...]
    details: Details


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A run of a cohort, off the net again: the values of all that trained, what it cost, and every step's loss."""

    run: Run
    weights: Mapping[str, Any]
    spend: Spend
    history: tuple[Mapping[str, int | float], ...]
    details: Details

    def put_on(self, model: Model) -> Tuned:
        """Attach it again, until the surrounding `temporary_changes` ends."""
        tuned = attach(model, self.run.trainable, seed=self.run.seed)
        load_snapshot(tuned, self.weights)
        return Tuned(model=tuned, spend=self.spend, history=self.history, details=self.details)


def fine_tune(
    model: Model,
    rows: Sequence[AnyRow],
    *,
    trainable: Trainable,
    schedule: Schedule,
    seed: int,
    dev_rows: Sequence[TrainingRow] = (),
    before_step: BeforeStep | None = None,
    loss: Callable[..., Any] = AnswerLoss,
) -> Tuned:
    """Attach something that trains, and train it on the rows; early stopping measures its loss on `dev_rows`.

    `before_step` sees the model and the batch before each update; what it returns goes into the step's record.
    Diverged where the loss is not finite (naming step and rows). UserError where no weight moved.
    """
    run = Run(rows=rows, trainable=trainable, schedule=schedule, seed=seed, dev_rows=dev_rows)
    return fine_tune_alone(model, run, before_step=before_step, loss=loss)


def fine_tune_alone(
    model: Model, run: Run, *, before_step: BeforeStep | None = None, loss: Callable[..., Any] = AnswerLoss
) -> Tuned:
    """`fine_tune` of a run."""
    tuned = attach(model, run.trainable, seed=run.seed)
    (result,) = _train(model, Alone(tuned), [run], before_step=before_step, loss=loss)
    if isinstance(result, UserError):
        raise result
    training, details = result
    return Tuned(model=tuned, spend=training.spend(), history=tuple(training.history), details=details)


def fine_tune_together(model: Model, runs: Sequence[Run]) -> list[Finished | UserError]:
    """Train runs in the same passes, each as it would be trained alone but for rounding; what is left of each.

    What several runs train must stack (`stacks_as`), and their schedules agree in batches, precision and memory. A run
    that fails leaves, with its error in its place, and the others go on.
    """
    try:
        with temporary_changes(model):
            trained = _train(model, _cohort(model, runs), runs)
            return [
                result if isinstance(result, UserError) else _finished(run, *result)
                for run, result in zip(runs, trained, strict=True)
            ]
    except UserError as error:
        if len(runs) == 1:
            return [error]
    # What cannot begin together tells whose fault it is when each begins alone.
    return [result for run in runs for result in fine_tune_together(model, [run])]


def _cohort(model: Model, runs: Sequence[Run]) -> Cohort:
    if len(runs) == 1:
        return Alone(attach(model, runs[0].trainable, seed=runs[0].seed))
    assert all(run.stacks_with(runs[0]) for run in runs), "these runs do not stack"
    stacked: Any = runs[0].trainable
    made: Cohort = stacked.attach_stack(model, [(run.trainable, run.seed) for run in runs])
    return made


def _finished(run: Run, training: Training, details: Details) -> Finished:
    return Finished(
        run=run,
        weights=snapshot(training.model),
        spend=training.spend(),
        history=tuple(training.history),
        details=details,
    )


def _train(
    model: Model,
    cohort: Cohort,
    runs: Sequence[Run],
    *,
    before_step: BeforeStep | None = None,
    loss: Callable[..., Any] = AnswerLoss,
) -> list[tuple[Training, Details] | UserError]:
    """Train the runs of a cohort step by step, until each has made its last; one that diverges leaves."""
    accelerator = make_accelerator(model.device)
    schedule = runs[0].schedule
    precision = resolve_precision(schedule.precision, model, sharded=shards_weights(accelerator))
    net, prefix = cohort.models[0].net, cohort.models[0].prefix
    texts = [part.with_prefix(prefix) for run in runs for row in run.read for part in row.parts]
    for text in texts:
        check_fits(model, len(text.ids))
    shared = common_prefix([text.ids[: -text.supervised - 1] for text in texts])
    loss_of = loss(net, shared=shared, pad=int(model.tokenizer.pad_token_id))
    engine = Engine(accelerator, loss_of, cohort, schedule)
    trainings = [Training(run, place, cohort, engine, accelerator, shared=shared) for place, run in enumerate(runs)]
    failed: dict[int, UserError] = {}
    steps = max(run.schedule.steps for run in runs)
    with (
        frozen_maps_in(cohort.models[0], precision) as used,
        checkpointing_activations(cohort.models[0], schedule.checkpoint_activations),
    ):
        trainings[0].read_reference(loss_of)
        for step in range(steps):
            going = [each for each in trainings if not each.done and each.place not in failed]
            if not going:
                break
            batches = {each.place: each.begin(before_step) for each in going}
            try:
                losses = engine.backward(batches, {each.place: each.rate for each in going})
            except UserError as error:  # a row that does not fit into memory
                failed |= dict.fromkeys(batches, error)
                break
            for each in going:
                with _noting(failed, each.place):
                    each.check(losses[each.place])
            going = [each for each in going if each.place not in failed]
            engine.update([each.place for each in going])
            for each in going:
                with _noting(failed, each.place):
                    each.end(losses[each.place], loss_of.noted(batches[each.place]))
            report_progress("steps trained", step + 1, steps)
    if len(failed) < len(runs):
        engine.close()
    details: dict[int, Details] = {}
    for each in trainings:
        with _noting(failed, each.place):
            if each.place not in failed:
                details[each.place] = each.close(used)
    return [failed.get(each.place) or (each, details[each.place]) for each in trainings]


@contextmanager
def _noting(failed: dict[int, UserError], place: int) -> Iterator[None]:
    """Note a UserError inside as that of the run at this place."""
    try:
        yield
    except UserError as error:
        failed[place] = error.with_traceback(None)  # it would keep everything that training had in memory

"""Supervised fine-tuning: the one training loop, on Accelerate, for one process or many."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from educe.eval.details import Details, TrainingDetails
from educe.eval.model.encode import check_fits, common_prefix
from educe.eval.model.flops import training_flops
from educe.eval.model.model import Model
from educe.eval.progress import report_progress
from educe.eval.spend import Spend
from educe.train.attach import Trainable, attach, check_weights_moved, snapshot
from educe.train.divergence import DivergenceGuard
from educe.train.early_stopping import EarlyStopping
from educe.train.encode import TrainingRow
from educe.train.engine import Engine
from educe.train.frozen import frozen_maps_in, resolve_precision
from educe.train.loss import AnswerLoss, executed_reading_flops, reading_flops
from educe.train.preference import PreferenceRow
from educe.train.processes import make_accelerator, shards_weights
from educe.train.recompute import checkpointing_activations
from educe.train.schedule import Schedule, batches

AnyRow = TrainingRow | PreferenceRow
BeforeStep = Callable[[Model, Sequence[AnyRow]], Mapping[str, int | float]]


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """A model as it was trained, what training it cost, and the loss of every step."""

    model: Model
    spend: Spend
    history: tuple[Mapping[str, int | float], ...]
    details: Details


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
    Diverged where the loss is not finite (naming step and rows). UserError where no weight moved: a run that taught
    nothing must not pass for one that elicited nothing.
    """
    started = time.perf_counter()
    accelerator = make_accelerator(model.device)
    precision = resolve_precision(schedule.precision, model, sharded=shards_weights(accelerator))
    tuned = attach(model, trainable, seed=seed)
    before = snapshot(tuned)
    rows = [row.with_prefix(tuned.prefix) for row in rows]
    dev_rows = [row.with_prefix(tuned.prefix) for row in dev_rows] if schedule.patience else []
    shared = _shared_tokens(tuned, [*rows, *dev_rows])
    loss_of = loss(tuned.net, shared=shared, pad=int(model.tokenizer.pad_token_id))
    engine = Engine(accelerator, loss_of, tuned, schedule)
    stopping = EarlyStopping(tuned, dev_rows, schedule, accelerator, shared=shared, rows_per_pass=len(rows))
    history: list[dict[str, int | float]] = []
    texts: list[TrainingRow] = []
    with frozen_maps_in(tuned, precision) as used, checkpointing_activations(tuned, schedule.checkpoint_activations):
        loss_of.read_reference(rows, batch_size=schedule.batch_size)
        reference_packs, loss_of.packed = loss_of.packed, []
        spent = partial(_spend, tuned, rows, texts, engine, reference_packs, stopping, started=started)
        guard = DivergenceGuard(tuned, schedule, accelerator, spent)
        for step, batch in enumerate(batches(rows, schedule=schedule, seed=seed)):
            parts = [part for row in batch for part in row.parts]
            texts += parts
            guard.before_step()
            noted = before_step(tuned, batch) if before_step else {}
            rate = schedule.rate(step)
            engine.set_rate(rate)
            loss_share = engine.backward(batch)
            engine.clip_and_step()
            batch_loss = engine.mean_loss(loss_share)
            guard.check_loss(batch_loss, step=step, ids=[row.id for row in batch])
            labels = sum(part.supervised for part in parts)
            record = {"step": step, "loss": batch_loss, "learning_rate": rate, "supervised_tokens": labels}
            history.append({**record, **noted})
            report_progress("steps trained", step + 1, schedule.steps)
            if step + 1 == schedule.steps:
                guard.check_weights(engine.weights_are_finite(), step=step)
            history[-1] |= stopping.after_step(step, num_rows=len(batch))
            if stopping.out_of_patience:
                break
    engine.close()
    steps_kept = stopping.restore()
    check_weights_moved(tuned, before, steps=len(history), learning_rate=schedule.learning_rate)
    details = TrainingDetails(
        precision=used,
        processes=accelerator.num_processes,
        pieces=engine.pieces,
        checkpoint_activations=schedule.checkpoint_activations,
        shared_prefix_tokens=shared,
        steps_made=None if steps_kept is None else len(history),
        steps_kept=steps_kept,
        dev_examples=len(dev_rows),
    )
    return Tuned(model=tuned, spend=spent(), history=tuple(history), details=Details(training=details))


def _shared_tokens(tuned: Model, rows: Sequence[AnyRow]) -> int:
    """How many first tokens all rows share. UserError where a row does not fit the context."""
    parts = [part for row in rows for part in row.parts]
    for part in parts:
        check_fits(tuned, len(part.ids))
    return common_prefix([part.ids[: -part.supervised - 1] for part in parts])


def _spend(
    tuned: Model,
    rows: Sequence[AnyRow],
    texts: Sequence[TrainingRow],
    engine: Engine,
    reference_packs: Sequence[tuple[int, int]],
    stopping: EarlyStopping,
    *,
    started: float,
) -> Spend:
    """What training on these rows cost, with the reading of all rows that a preference loss does first."""
    assert tuned.change is not None
    part = tuned.change.part
    reference = [text for row in rows for text in row.parts] if reference_packs else []
    return stopping.spend() + Spend(
        labelled_examples=len(rows),
        training_tokens=sum(len(text.ids) - 1 for text in texts),
        train_flops=reading_flops(tuned, reference)
        + sum(training_flops(tuned.shape, len(text.ids) - 1, scored=text.supervised, trained=part) for text in texts),
        executed_train_flops=engine.executed_flops() + executed_reading_flops(tuned, reference_packs),
        trainable_parameters=tuned.change.trainable_parameters,
        seconds=time.perf_counter() - started,
    )

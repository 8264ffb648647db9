"""Supervised fine-tuning: the one training loop, on Accelerate, for one process or many.

The loss is the mean over a batch's supervised tokens, whatever the number of processes.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from educe.data.errors import UserError
from educe.eval.model.encode import check_fits, common_prefix
from educe.eval.model.flops import Shape, Trained, training_flops
from educe.eval.model.memory import is_out_of_memory
from educe.eval.model.model import Model
from educe.eval.model.sharded import refuse_sharded
from educe.eval.progress import report_progress
from educe.eval.spend import Spend
from educe.train.attach import Trainable, attach, check_weights_moved, load_snapshot, snapshot
from educe.train.early_stopping import EarlyStopping
from educe.train.encode import TrainingRow
from educe.train.frozen import Precision, frozen_maps_in, resolve_precision
from educe.train.loss import AnswerLoss, packs_flops, reading_flops
from educe.train.preference import PreferenceRow
from educe.train.processes import in_step, make_accelerator, prepare, release, shards_weights
from educe.train.recompute import recomputing

if TYPE_CHECKING:
    from accelerate import Accelerator


AnyRow = TrainingRow | PreferenceRow
BeforeStep = Callable[[Model, Sequence[AnyRow]], Mapping[str, int | float]]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How a fine-tune proceeds: `steps` batches of `batch_size` rows, linear warm-up and linear decay to zero.

    Every pass over the rows is a new seeded order. Batches run on across passes, so each has the same size; with `once`
    there is one pass, whose last batch may be smaller. `accumulate` cuts a process's share of a batch into so many
    pieces, and `checkpoint_activations` forgets and recomputes the layers' activations: both save memory and change
    results by rounding at most. `patience` above 0 stops early (see train/early_stopping.py).
    """

    learning_rate: float
    steps: int
    rate_factor: float = 1.0  # what the kind of change multiplies the rate with
    batch_size: int = 8
    warmup: float = 0.1
    max_gradient_norm: float = 1.0
    precision: Precision = "auto"
    once: bool = False
    accumulate: int = 1
    checkpoint_activations: bool = False
    patience: int = 0

    def rate(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        warm = max(1, round(self.warmup * self.steps))
        if step < warm:
            return self.learning_rate * self.rate_factor * (step + 1) / warm
        return self.learning_rate * self.rate_factor * (self.steps - step) / max(1, self.steps - warm)


class Diverged(UserError):
    """The loss is no number any more.

    `save` writes what gave the last loss that was one, where it can be saved; `spend` is what it cost to get there.
    """

    def __init__(self, reason: str, *, save: Callable[[Path], None] | None, spend: Spend) -> None:
        super().__init__(reason)
        self.save = save
        self.spend = spend


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """A model as it was trained, what training it cost, and the loss of every step."""

    model: Model
    spend: Spend
    history: tuple[Mapping[str, int | float], ...]
    metadata: Mapping[str, str | int]


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
    """Attach something that trains, and train it on the rows; `dev_rows` are what early stopping looks at.

    `before_step` sees the model and the batch before each update, and what it gives goes into the step's record.

    Diverged where the loss is not finite (naming step and rows), UserError where nothing moved: a run that taught
    nothing must not pass for one that elicited nothing.
    """
    started = time.perf_counter()
    accelerator = make_accelerator(model.device)
    if schedule.patience:
        refuse_sharded(model.net, f"patience: {schedule.patience}")
    precision = resolve_precision(schedule.precision, model, sharded=shards_weights(accelerator))
    tuned = attach(model, trainable, seed=seed)
    before = snapshot(tuned)
    rows = [row.after(tuned.prefix) for row in rows]
    looked_at = [row.after(tuned.prefix) for row in dev_rows] if schedule.patience else []
    parts = [part for row in [*rows, *looked_at] for part in row.parts]
    for part in parts:
        check_fits(tuned, len(part.ids))
    shared = common_prefix([part.ids[: -part.supervised - 1] for part in parts])
    loss_of = loss(tuned.net, shared=shared, pad=int(model.tokenizer.pad_token_id))
    _hold(loss_of, tuned)
    loop = _Loop(accelerator, loss_of, list(tuned.trained.values()), schedule)
    with frozen_maps_in(tuned, precision) as used, recomputing(tuned, schedule.checkpoint_activations):
        loss_of.remember(rows, batch_size=schedule.batch_size)
        read_before, loss_of.packed = loss_of.packed, []

        stopping = EarlyStopping(tuned, looked_at, schedule, accelerator, shared=shared) if looked_at else None

        def spent(steps: int) -> Spend:
            done = list(islice(batches(rows, schedule=schedule, seed=seed), steps))
            looks = stopping.spend() if stopping else Spend()
            return looks + _spend(tuned, rows, done, loop, read_before, seconds=time.perf_counter() - started)

        stream = batches(rows, schedule=schedule, seed=seed)
        history = _run(loop, tuned, stream, schedule, spent, stopping, before_step, num_rows=len(rows))
    loop.close()
    kept = stopping.restore() if stopping else len(history)
    check_weights_moved(tuned, before, steps=len(history), learning_rate=schedule.learning_rate)
    metadata = {
        "training_precision": used,
        "processes": accelerator.num_processes,
        "pieces": loop.pieces,
        "checkpoint_activations": schedule.checkpoint_activations,
        "shared_prefix_tokens": shared,
    }
    if stopping:
        metadata |= {"steps_made": len(history), "steps_kept": kept}
    return Tuned(model=tuned, spend=spent(len(history)), history=tuple(history), metadata=metadata)


def _hold(loss_of: nn.Module, tuned: Model) -> None:
    """Make vectors that train beside the net part of the module that computes the loss: DDP averages what it finds."""
    held = {id(parameter) for parameter in tuned.net.parameters()}
    for place, parameter in enumerate(tuned.trained.values()):
        if id(parameter) not in held:
            loss_of.register_parameter(f"beside_{place}", parameter)


def _run(
    loop: "_Loop",
    tuned: Model,
    stream: Iterator[list[AnyRow]],
    schedule: Schedule,
    spent: Callable[[int], Spend],
    stopping: EarlyStopping | None,
    before_step: BeforeStep | None,
    *,
    num_rows: int,
) -> list[dict[str, int | float]]:
    """Every step of the schedule, or those until it stops early; what is recorded of each."""
    assert tuned.change is not None
    history: list[dict[str, int | float]] = []
    # The weights before the last two steps: those that gave the last finite loss are two steps old when one is not.
    keeps_good = tuned.change.save is not None and loop.num_processes == 1
    good: list[dict[str, Tensor]] = []
    seen = 0
    for step, batch in enumerate(stream):
        rate = schedule.rate(step)
        if keeps_good:
            good = [*good[-1:], snapshot(tuned)]
        noted = before_step(tuned, batch) if before_step else {}
        loss = loop.step(batch, rate)
        if not math.isfinite(loss):
            names = ", ".join(row.id for row in batch)
            if good:
                load_snapshot(tuned, good[0])
            raise Diverged(
                f"loss is {loss} at step {step} (rows {names}); lower learning_rate (now {schedule.learning_rate:g})",
                save=tuned.change.save if good and step else None,
                spend=spent(step + 1),
            )
        labels = sum(part.supervised for row in batch for part in row.parts)
        history.append({"step": step, "loss": loss, "learning_rate": rate, "supervised_tokens": labels, **noted})
        report_progress("steps trained", step + 1, schedule.steps)
        seen += len(batch)
        if step + 1 == schedule.steps and not loop.finite():
            if good:
                load_snapshot(tuned, good[-1])
            raise Diverged(
                f"the weights are no numbers after step {step}, the last; lower learning_rate"
                f" (now {schedule.learning_rate:g})",
                save=tuned.change.save if good else None,
                spend=spent(step + 1),
            )
        if stopping and (seen // num_rows > (seen - len(batch)) // num_rows or step + 1 == schedule.steps):
            history[-1]["dev_loss"] = stopping.look(step)
            if stopping.enough:
                break
    return history


def _spend(
    tuned: Model,
    rows: Sequence[AnyRow],
    done: Sequence[Sequence[AnyRow]],
    loop: "_Loop",
    read_before: Sequence[tuple[int, int]],
    *,
    seconds: float,
) -> Spend:
    """What these batches cost, and reading every row once before where the loss asked for it."""
    assert tuned.change is not None
    part = tuned.change.part
    seen = [text for batch in done for row in batch for text in row.parts]
    read = [text for row in rows for text in row.parts] if read_before else []
    return Spend(
        labelled_examples=len(rows),
        training_tokens=sum(len(text.ids) - 1 for text in seen),
        train_flops=reading_flops(tuned, read)
        + sum(training_flops(tuned.shape, len(text.ids) - 1, scored=text.supervised, trained=part) for text in seen),
        executed_train_flops=loop.executed_flops(tuned.shape, part) + packs_flops(tuned, read_before),
        trainable_parameters=tuned.change.trainable_parameters,
        seconds=seconds,
    )


class _Loop:
    """The optimizer's steps, each in as many pieces as memory asks for."""

    def __init__(
        self, accelerator: "Accelerator", loss_of: AnswerLoss, parameters: list[nn.Parameter], schedule: Schedule
    ) -> None:
        from accelerate import DistributedType

        optimizer = torch.optim.AdamW(parameters, lr=schedule.learning_rate, weight_decay=0.0, fused=True)
        self.num_processes = accelerator.num_processes
        self.pieces = schedule.accumulate
        self._accelerator = accelerator
        self._parameters = parameters
        self._loss_of = loss_of
        self._max_gradient_norm = schedule.max_gradient_norm
        self._recomputed = schedule.checkpoint_activations
        # Called `model` so that DeepSpeed and DDP see one module with one forward. A single process has nothing to
        # wrap, and looking for it takes longer than an optimizer's step.
        self._model: Any = loss_of
        self._optimizer: Any = optimizer
        if accelerator.distributed_type != DistributedType.NO:
            self._model, self._optimizer = prepare(
                accelerator, loss_of, optimizer, max_gradient_norm=schedule.max_gradient_norm
            )

    def close(self) -> None:
        """Leave the net to others: no engine on it, and what trained whole in every process."""
        release(self._accelerator, self._model, self._parameters)

    def step(self, batch: Sequence[AnyRow], rate: float) -> float:
        """One update, on this process's share of the batch; the mean loss in nats over all the batch's labels."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        processes = self._accelerator.num_processes
        mine = batch[self._accelerator.process_index :: processes]
        # DDP averages gradients over processes; this makes the average the mean over the whole batch's tokens.
        share = processes / sum(row.weight for row in batch)
        loss = self._backward(mine, share, spare=batch[0], largest=math.ceil(len(batch) / processes))
        self._accelerator.clip_grad_norm_(self._parameters, self._max_gradient_norm)
        self._optimizer.step()
        self._optimizer.zero_grad()
        return float(self._accelerator.reduce(loss.reshape(1), reduction="mean").item())

    def _backward(self, rows: Sequence[AnyRow], share: float, *, spare: AnyRow, largest: int) -> Tensor:
        """Gradients of the rows' loss; the loss times `share`. UserError where one row alone does not fit.

        Processes that train together count each other's calls: each makes as many as the one with the `largest` share,
        on a `spare` row that counts for nothing where its own have run out, and there is no back-off among several.
        """
        while True:
            size = math.ceil(largest / self.pieces)
            try:
                losses = []
                for start in range(0, largest, size):
                    piece = rows[start : start + size]
                    with in_step(self._accelerator, self._model, last=start + size >= largest):
                        loss = self._model(piece or [spare]) * (share if piece else 0.0)
                        self._accelerator.backward(loss)
                    losses.append(loss.detach())
                return torch.stack(losses).sum()
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                if size == 1 or self._accelerator.num_processes > 1:
                    raise UserError(
                        f"a training batch of {size} does not fit into memory;"
                        f" {'raise accumulate' if size > 1 else 'set checkpoint_activations or shorten the rows'}"
                    ) from error
            self._optimizer.zero_grad()  # a backward that broke off has left part of a gradient
            self.pieces *= 2

    def finite(self) -> bool:
        """Whether what trained still consists of numbers, in every process."""
        wrong = sum(int((~torch.isfinite(parameter.detach())).any()) for parameter in self._parameters)
        count = torch.tensor([wrong], device=self._accelerator.device)
        return int(self._accelerator.reduce(count, reduction="sum").item()) == 0

    def executed_flops(self, shape: Shape, trained: Trained) -> float:
        """What all processes computed, padding and attempts that did not fit included."""
        from accelerate.utils import gather_object

        mine = sum(
            training_flops(shape, width, scored=scored, trained=trained, executed=True, recomputed=self._recomputed)
            for width, scored in self._loss_of.packed
        )
        return float(sum(gather_object([mine])))


def batches(rows: Sequence[AnyRow], *, schedule: Schedule, seed: int) -> Iterator[list[AnyRow]]:
    """The stream of seeded passes over the rows, cut into `steps` batches of min(batch_size, rows)."""
    size = min(schedule.batch_size, len(rows))
    generator = torch.Generator().manual_seed(seed)
    stream: list[int] = []
    drawn = False
    for _ in range(schedule.steps):
        while len(stream) < size and not (schedule.once and drawn):
            drawn = True
            stream += torch.randperm(len(rows), generator=generator).tolist()
        yield [rows[index] for index in stream[:size]]
        stream = stream[size:]

"""Supervised fine-tuning: the one training loop, on Accelerate, for one process or many.

The loss is the mean over a batch's supervised tokens, whatever the number of processes.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from data.errors import UserError
from eval.cost import Shape, Trained, forward_flops, training_flops
from eval.encode import common_prefix
from eval.memory import out_of_memory
from eval.progress import tell
from eval.spend import Spend
from eval.subject import Subject
from train.attach import Trainable, attach, load_snapshot, moved, snapshot
from train.encode import TrainingRow
from train.frozen import Precision, frozen_maps_in, resolve_precision
from train.loss import AnswerLoss
from train.preference import PreferenceRow
from train.processes import in_step, make_accelerator, prepare, release, shards_weights
from train.recompute import recomputing

if TYPE_CHECKING:
    from accelerate import Accelerator


AnyRow = TrainingRow | PreferenceRow


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How a fine-tune proceeds: `steps` batches of `batch_size` rows, linear warm-up and linear decay to zero.

    Every pass over the rows is a new seeded order. Batches run on across passes, so each has the same size; with `once`
    there is one pass, whose last batch may be smaller. `accumulate` cuts a process's share of a batch into so many
    pieces, and `checkpoint_activations` forgets and recomputes the layers' activations: both save memory and change
    results by rounding at most.
    """

    learning_rate: float
    steps: int
    batch_size: int = 8
    warmup: float = 0.1
    max_gradient_norm: float = 1.0
    precision: Precision = "auto"
    once: bool = False
    accumulate: int = 1
    checkpoint_activations: bool = False

    def rate(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        warm = max(1, round(self.warmup * self.steps))
        if step < warm:
            return self.learning_rate * (step + 1) / warm
        return self.learning_rate * (self.steps - step) / max(1, self.steps - warm)


class Diverged(UserError):
    """The loss is no number any more; `save` writes what gave the last loss that was one, where it can be saved."""

    def __init__(self, reason: str, *, save: Callable[[Path], None] | None) -> None:
        super().__init__(reason)
        self.save = save


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """A subject as it was trained, what training it cost, and the loss of every step."""

    subject: Subject
    spend: Spend
    history: tuple[Mapping[str, int | float], ...]
    about: Mapping[str, str | int]


def fine_tune(
    subject: Subject,
    rows: Sequence[AnyRow],
    *,
    trainable: Trainable,
    schedule: Schedule,
    seed: int,
    loss: Callable[..., Any] = AnswerLoss,
) -> Tuned:
    """Attach something that trains, and train it on the rows.

    Diverged where the loss is not finite (naming step and rows), UserError where nothing moved: a run that taught
    nothing must not pass for one that elicited nothing.
    """
    started = time.perf_counter()
    accelerator = make_accelerator(subject.device)
    precision = resolve_precision(schedule.precision, subject, sharded=shards_weights(accelerator))
    tuned = attach(subject, trainable, seed=seed)
    assert tuned.change is not None
    before = snapshot(tuned)
    rows = [row.after(tuned.prefix) for row in rows]
    texts = [part for row in rows for part in row.parts]
    shared = common_prefix([row.ids[: -row.supervised - 1] for row in texts])
    loss_of = loss(tuned.net, shared=shared, pad=int(subject.tokenizer.pad_token_id))
    loop = _Loop(accelerator, loss_of, list(tuned.trained.values()), schedule)
    history = []
    # The weights before the last two steps: those that gave the last finite loss are two steps old when one is not.
    keeps_good, good = tuned.change.save is not None and accelerator.num_processes == 1, (before, before)
    with frozen_maps_in(tuned, precision), recomputing(tuned, schedule.checkpoint_activations):
        loss_of.remember(rows, batch_size=schedule.batch_size)
        read_before, loss_of.packed = loss_of.packed, []
        for step, batch in enumerate(batches(rows, schedule=schedule, seed=seed)):
            rate = schedule.rate(step)
            good = (good[-1], snapshot(tuned)) if keeps_good else good
            value = loop.step(batch, rate)
            if not math.isfinite(value):
                names = ", ".join(row.id for row in batch)
                load_snapshot(tuned, good[0])
                raise Diverged(
                    f"loss is {value} at step {step} (rows {names}); lower learning_rate (now {rate:g})",
                    save=tuned.change.save if keeps_good and step else None,
                )
            labels = sum(part.supervised for row in batch for part in row.parts)
            history.append({"step": step, "loss": value, "learning_rate": rate, "supervised_tokens": labels})
            tell("steps trained", step + 1, schedule.steps)
    loop.close()
    if not moved(tuned, before):
        raise UserError(f"nothing moved in {len(history)} steps at learning_rate {schedule.learning_rate:g}; raise it")
    trained = tuned.change.part
    seen = [part for batch in batches(rows, schedule=schedule, seed=seed) for row in batch for part in row.parts]
    read_flops = sum(forward_flops(tuned.shape, len(row.ids) - 1, scored=row.supervised) for row in texts)
    spend = Spend(
        labelled_examples=len(rows),
        training_tokens=sum(len(row.ids) - 1 for row in seen),
        train_flops=bool(read_before) * read_flops
        + sum(training_flops(tuned.shape, len(row.ids) - 1, scored=row.supervised, trained=trained) for row in seen),
        executed_train_flops=loop.executed_flops(tuned.shape, trained)
        + sum(forward_flops(tuned.shape, width, scored=scored, clip=False) for width, scored in read_before),
        trainable_parameters=tuned.change.trainable_parameters,
        seconds=time.perf_counter() - started,
    )
    about = {
        "training_precision": precision,
        "processes": accelerator.num_processes,
        "pieces": loop.pieces,
        "checkpoint_activations": schedule.checkpoint_activations,
        "shared_prefix_tokens": shared,
    }
    return Tuned(subject=tuned, spend=spend, history=tuple(history), about=about)


class _Loop:
    """The optimizer's steps, each in as many pieces as memory asks for."""

    def __init__(
        self, accelerator: "Accelerator", loss_of: AnswerLoss, parameters: list[nn.Parameter], schedule: Schedule
    ) -> None:
        from accelerate import DistributedType

        optimizer = torch.optim.AdamW(parameters, lr=schedule.learning_rate, weight_decay=0.0, fused=True)
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
                if not out_of_memory(error):
                    raise
                if size == 1 or self._accelerator.num_processes > 1:
                    raise UserError(
                        f"a training batch of {size} does not fit into memory;"
                        f" {'raise accumulate' if size > 1 else 'set checkpoint_activations or shorten the rows'}"
                    ) from error
            self._optimizer.zero_grad()  # a backward that broke off has left part of a gradient
            self.pieces *= 2

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

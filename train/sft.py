"""Supervised fine-tuning: the one training loop, on Accelerate, for one process or many.

The loss is on answer tokens only and is the mean over a batch's supervised tokens, whatever the number of processes.
Short rows are packed: what all rows share in front (a system turn, an instruction) stands once, and the rows branch off
it under a mask, so that each sees exactly what it would see alone and gradients are those of separate rows.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from data.errors import UserError
from eval.cost import training_flops
from eval.encode import common_prefix
from eval.memory import out_of_memory
from eval.progress import tell
from eval.spend import Spend
from eval.subject import Subject
from eval.tree import Row, collate, wanted_logits
from train.adapter import Lora, attach, moved, snapshot, trainable, trained_part
from train.encode import TrainingRow
from train.frozen import Precision, frozen_maps_in, resolve_precision

if TYPE_CHECKING:
    from accelerate import Accelerator

# Wide enough to fill the matrix units, narrow enough that the dense mask stays a small part of the work.
PACK_TOKENS = 512


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How a fine-tune proceeds: `steps` batches of `batch_size` rows, linear warm-up and linear decay to zero.

    Every pass over the rows is a new seeded order; batches run on across passes, so each has the same size.
    """

    learning_rate: float
    steps: int
    batch_size: int = 8
    warmup: float = 0.1
    max_gradient_norm: float = 1.0
    precision: Precision = "auto"

    def rate(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        warm = max(1, round(self.warmup * self.steps))
        if step < warm:
            return self.learning_rate * (step + 1) / warm
        return self.learning_rate * (self.steps - step) / max(1, self.steps - warm)


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """A subject with its trained adapter, what training it cost, and the loss of every step."""

    subject: Subject
    spend: Spend
    history: tuple[Mapping[str, int | float], ...]
    about: Mapping[str, str | int]


def fine_tune(
    subject: Subject,
    rows: Sequence[TrainingRow],
    *,
    lora: Lora,
    schedule: Schedule,
    seed: int,
) -> Tuned:
    """Train a fresh LoRA adapter on the rows.

    UserError where the loss is not finite (naming step and rows) or where no adapter weight moved: a run that taught
    nothing must not pass for one that elicited nothing.
    """
    from accelerate import Accelerator

    started = time.perf_counter()
    accelerator = Accelerator(cpu=subject.device.type == "cpu", mixed_precision="no")
    tuned = attach(subject, lora, seed=seed)
    before = snapshot(tuned.net)
    shared = common_prefix([row.ids[: -row.supervised - 1] for row in rows])
    loss_of = AnswerLoss(tuned.net, shared=shared, pad=int(subject.tokenizer.pad_token_id))
    optimizer = torch.optim.AdamW(trainable(tuned.net), lr=schedule.learning_rate, weight_decay=0.0, fused=True)
    # Called `model` so that DeepSpeed and DDP see one module with one forward.
    model, optimizer = accelerator.prepare(loss_of, optimizer)
    precision = resolve_precision(schedule.precision, subject)
    history = []
    with frozen_maps_in(tuned.net, precision):
        for step, batch in enumerate(batches(rows, schedule=schedule, seed=seed)):
            rate = schedule.rate(step)
            for group in optimizer.param_groups:
                group["lr"] = rate
            loss = _take_step(accelerator, model, optimizer, batch, max_gradient_norm=schedule.max_gradient_norm)
            if not math.isfinite(loss):
                names = ", ".join(row.id for row in batch)
                raise UserError(f"loss is {loss} at step {step} (rows {names}); lower learning_rate (now {rate:g})")
            history.append({"step": step, "loss": loss, "learning_rate": rate})
            tell("steps trained", step + 1, schedule.steps)
    if not moved(tuned.net, before):
        raise UserError(
            f"no adapter weight moved in {len(history)} steps at learning_rate {schedule.learning_rate:g}; raise it"
        )
    spend = _spend(tuned, rows, schedule, seed=seed, shared=shared, seconds=time.perf_counter() - started)
    about = {"training_precision": precision, "processes": accelerator.num_processes, "shared_prefix_tokens": shared}
    return Tuned(subject=tuned, spend=spend, history=tuple(history), about=about)


def _take_step(
    accelerator: "Accelerator",
    model: nn.Module,
    optimizer: Any,
    batch: Sequence[TrainingRow],
    *,
    max_gradient_norm: float,
) -> float:
    """One update, on this process's share of the batch; the mean loss in nats over all the batch's labels."""
    mine = batch[accelerator.process_index :: accelerator.num_processes]
    # DDP averages gradients over processes; this makes the average the mean over the whole batch's tokens.
    share = accelerator.num_processes / sum(row.supervised for row in batch) if mine else 0.0
    loss = _backward(accelerator, model, optimizer, mine or batch[:1], share)
    accelerator.clip_grad_norm_(model.parameters(), max_gradient_norm)
    optimizer.step()
    optimizer.zero_grad()
    return float(accelerator.reduce(loss.reshape(1), reduction="mean").item())


def _backward(
    accelerator: "Accelerator", model: nn.Module, optimizer: Any, rows: Sequence[TrainingRow], share: float
) -> Tensor:
    """Gradients of the rows' loss, in as many pieces as memory asks for; returns the loss times `share`.

    Processes that train together count each other's calls, so there is no back-off among several.
    """
    pieces = 1
    while True:
        size = math.ceil(len(rows) / pieces)
        try:
            losses = []
            for start in range(0, len(rows), size):
                loss = model(rows[start : start + size]) * share
                accelerator.backward(loss)
                losses.append(loss.detach())
            return torch.stack(losses).sum()
        except RuntimeError as error:
            if not out_of_memory(error) or accelerator.num_processes > 1 or pieces >= len(rows):
                raise
        optimizer.zero_grad()  # a backward that broke off has left part of a gradient
        pieces *= 2


class AnswerLoss(nn.Module):
    """Summed negative log-likelihood in nats of the supervised tokens of a batch, head on those positions only."""

    def __init__(self, net: nn.Module, *, shared: int, pad: int) -> None:
        super().__init__()
        self.net = net
        self.shared = shared
        self.pad = pad

    def forward(self, rows: Sequence[TrainingRow]) -> Tensor:
        """Loss of the rows as one batch; a scalar in float32."""
        device = next(self.net.parameters()).device
        packs = pack(rows, shared=self.shared)
        batch = collate([_layout(each, self.shared) for each in packs], prefix=0, pad=self.pad, device=device)
        logits = wanted_logits(self.net, batch)
        targets = [token for each in packs for row in each for token in row.ids[-row.supervised :]]
        return nn.functional.cross_entropy(logits, torch.tensor(targets, device=device), reduction="sum")


def pack(rows: Sequence[TrainingRow], *, shared: int, capacity: int = PACK_TOKENS) -> list[list[TrainingRow]]:
    """Put rows that share their first tokens together, each pack at most `capacity` tokens wide or one row."""
    packs: list[list[TrainingRow]] = []
    width = 0
    for row in rows:
        added = len(row.ids) - 1 - shared
        if not packs or width + added > capacity:
            packs.append([])
            width = shared
        packs[-1].append(row)
        width += added
    return packs


def _layout(rows: Sequence[TrainingRow], shared: int) -> Row:
    """The shared tokens, then each row's own; the last token of a row is a label and never an input."""
    branches = tuple(row.ids[shared:-1] for row in rows)
    wanted: list[int] = []
    end = shared
    for row, branch in zip(rows, branches, strict=True):
        end += len(branch)
        wanted += range(end - row.supervised, end)
    return Row(stem=rows[0].ids[:shared], branches=branches, wanted=tuple(wanted))


def batches(rows: Sequence[TrainingRow], *, schedule: Schedule, seed: int) -> Iterator[list[TrainingRow]]:
    """The stream of seeded passes over the rows, cut into `steps` batches of min(batch_size, rows)."""
    size = min(schedule.batch_size, len(rows))
    generator = torch.Generator().manual_seed(seed)
    stream: list[int] = []
    for _ in range(schedule.steps):
        while len(stream) < size:
            stream += torch.randperm(len(rows), generator=generator).tolist()
        yield [rows[index] for index in stream[:size]]
        stream = stream[size:]


def _spend(
    tuned: Subject, rows: Sequence[TrainingRow], schedule: Schedule, *, seed: int, shared: int, seconds: float
) -> Spend:
    trained = trained_part(tuned)
    tokens = 0
    useful = executed = 0.0
    for batch in batches(rows, schedule=schedule, seed=seed):
        for row in batch:
            tokens += len(row.ids) - 1
            useful += training_flops(tuned.shape, len(row.ids) - 1, scored=row.supervised, trained=trained)
        packs = pack(batch, shared=shared)
        width = max(shared + sum(len(row.ids) - 1 - shared for row in each) for each in packs)
        for each in packs:
            scored = sum(row.supervised for row in each)
            executed += training_flops(tuned.shape, width, scored=scored, trained=trained, executed=True)
    return Spend(
        labelled_examples=len(rows),
        training_tokens=tokens,
        train_flops=useful,
        executed_train_flops=executed,
        trainable_parameters=tuned.adapter_parameters,
        seconds=seconds,
    )

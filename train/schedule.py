"""Schedule: how a fine-tune proceeds, and the batches that it sees."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from educe.train.frozen import Precision

AnyRow = TypeVar("AnyRow")


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """`steps` batches of `batch_size` rows, with linear warm-up and linear decay to zero, or `constant`: neither.

    Every pass over the rows has a new seeded order. Batches continue across passes, so all have the same size; with
    `once` there is one pass, and its last batch may be smaller. `accumulate` cuts a process's share of a batch into so
    many pieces, and `checkpoint_activations` recomputes the layers' activations in the backward pass. Both save memory
    and change results by rounding at most. `patience` above 0 stops early (see train/early_stopping.py).
    """

    learning_rate: float
    steps: int
    rate_factor: float = 1.0  # multiplies the rate; depends on the kind of change
    batch_size: int = 8
    warmup: float = 0.1
    constant: bool = False
    max_gradient_norm: float = 1.0
    precision: Precision = "auto"
    once: bool = False
    accumulate: int = 1
    checkpoint_activations: bool = False
    patience: int = 0

    @property
    def shared(self) -> tuple[object, ...]:
        """What has to be equal for runs that train in the same passes."""
        return self.batch_size, self.max_gradient_norm, self.precision, self.accumulate, self.checkpoint_activations

    def rate(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        if self.constant:
            return self.learning_rate * self.rate_factor
        warm = max(1, round(self.warmup * self.steps))
        if step < warm:
            return self.learning_rate * self.rate_factor * (step + 1) / warm
        return self.learning_rate * self.rate_factor * (self.steps - step) / max(1, self.steps - warm)


def batches(rows: Sequence[AnyRow], *, schedule: Schedule, seed: int) -> Iterator[list[AnyRow]]:
    """Seeded passes over the rows, cut into `steps` batches of min(batch_size, rows)."""
    size = min(schedule.batch_size, len(rows))
    generator = torch.Generator().manual_seed(seed)
    order: list[int] = []
    drawn = False
    for _ in range(schedule.steps):
        while len(order) < size and not (schedule.once and drawn):
            drawn = True
            order += torch.randperm(len(rows), generator=generator).tolist()
        yield [rows[index] for index in order[:size]]
        order = order[size:]

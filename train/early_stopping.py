"""Early stopping: the loss on dev rows after every pass over the training rows, and the weights where it was lowest."""

from collections.abc import Callable, Sequence

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor

from educe.eval.model.model import Model
from educe.eval.model.sharded import refuse_sharded
from educe.eval.spend import Spend
from educe.train.attach import load_snapshot, snapshot
from educe.train.encode import TrainingRow
from educe.train.loss import AnswerLoss, executed_reading_flops, read_losses, reading_flops
from educe.train.schedule import Schedule


class EarlyStopping:
    """Measures the dev loss after every pass and at the end; training stops after `patience` values above the lowest.

    A pass ends with the batch that takes the last of its `rows_per_pass` rows. The processes of a launch share the dev
    rows, and all see the same loss. Without dev rows nothing is measured and nothing stops.
    """

    def __init__(
        self,
        tuned: Model,
        dev_rows: Sequence[TrainingRow],
        schedule: Schedule,
        accelerator: Accelerator,
        *,
        shared: int,
        rows_per_pass: int,
        read_as_now: Callable[[], None],
    ) -> None:
        if dev_rows:
            refuse_sharded(tuned.net, f"patience: {schedule.patience}")
        self._tuned = tuned
        self._dev_rows = dev_rows
        self._schedule = schedule
        self._accelerator = accelerator
        self._rows_per_pass = rows_per_pass
        self._read_as_now = read_as_now
        # A loss of its own, so that the dev rows' FLOPs are counted apart from training's.
        self._loss_of = AnswerLoss(tuned.net, shared=shared, pad=int(tuned.tokenizer.pad_token_id))
        self._rows_seen = 0
        self._losses: list[float] = []
        self._steps: list[int] = []  # made before each loss was measured
        self._best: dict[str, Tensor] = {}

    def after_step(self, step: int, *, num_rows: int) -> dict[str, float]:
        """The record of the dev loss, where this step (counted from 0) of so many rows ends a pass or the run."""
        passes = self._rows_seen // self._rows_per_pass
        self._rows_seen += num_rows
        ends_pass = self._rows_seen // self._rows_per_pass > passes or step + 1 == self._schedule.steps
        if not (self._dev_rows and ends_pass):
            return {}
        loss = self._dev_loss()
        if not self._losses or loss < min(self._losses):
            self._best = snapshot(self._tuned)
        self._losses.append(loss)
        self._steps.append(step + 1)
        return {"dev_loss": loss}

    def _dev_loss(self) -> float:
        """Mean loss in nats over the dev rows' supervised tokens."""
        mine = self._dev_rows[self._accelerator.process_index :: self._accelerator.num_processes]
        self._read_as_now()
        nats = torch.tensor([read_losses(self._loss_of, mine, batch_size=self._schedule.batch_size)])
        total = self._accelerator.reduce(nats.to(self._tuned.device), reduction="sum")
        return float(total.item()) / sum(row.supervised for row in self._dev_rows)

    @property
    def out_of_patience(self) -> bool:
        return bool(self._losses) and len(self._losses) - 1 - self._lowest >= self._schedule.patience

    def restore(self) -> int | None:
        """Go back to the weights of the lowest loss; the number of steps that led there, None without dev rows."""
        if not self._losses:
            return None
        load_snapshot(self._tuned, self._best)
        return self._steps[self._lowest]

    @property
    def _lowest(self) -> int:
        return self._losses.index(min(self._losses))

    def spend(self) -> Spend:
        """What reading the dev rows cost; whoever drew them charges their labels. Every process must call it."""
        if not self._dev_rows:
            return Spend()
        mine = executed_reading_flops(self._tuned, self._loss_of.packed)
        return Spend(
            search_flops=len(self._losses) * reading_flops(self._tuned, self._dev_rows),
            executed_search_flops=float(sum(gather_object([mine]))),
        )

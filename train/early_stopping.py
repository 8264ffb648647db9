"""Early stopping: the loss on dev rows after every pass over the training rows, and the weights where it was lowest."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from educe.eval.model.model import Model
from educe.eval.spend import Spend
from educe.train.attach import load_snapshot, snapshot
from educe.train.encode import TrainingRow
from educe.train.loss import AnswerLoss, packs_flops, read_losses, reading_flops

if TYPE_CHECKING:
    from accelerate import Accelerator

    from educe.train.sft import Schedule


class EarlyStopping:
    """Looks at dev rows after every pass and at the end, and has seen enough after `patience` looks without a new low.

    A pass ends with the batch that takes the last of its rows. The processes of a launch share the dev rows, and all
    see the same loss.
    """

    def __init__(
        self,
        tuned: Model,
        rows: Sequence[TrainingRow],
        schedule: "Schedule",
        accelerator: "Accelerator",
        *,
        shared: int,
    ) -> None:
        self._tuned = tuned
        self._rows = rows
        self._schedule = schedule
        self._accelerator = accelerator
        # A loss of its own: what is read here is not what is trained on.
        self._loss_of = AnswerLoss(tuned.net, shared=shared, pad=int(tuned.tokenizer.pad_token_id))
        self._losses: list[float] = []
        self._looked: list[int] = []  # steps made before each look
        self._best: dict[str, Tensor] = {}

    def look(self, step: int) -> float:
        """The mean loss in nats over the dev rows' supervised tokens, after this step (counted from 0)."""
        mine = self._rows[self._accelerator.process_index :: self._accelerator.num_processes]
        nats = torch.tensor([read_losses(self._loss_of, mine, batch_size=self._schedule.batch_size)])
        total = self._accelerator.reduce(nats.to(self._tuned.device), reduction="sum")
        loss = float(total.item()) / sum(row.supervised for row in self._rows)
        if not self._losses or loss < min(self._losses):
            self._best = snapshot(self._tuned)
        self._losses.append(loss)
        self._looked.append(step + 1)
        return loss

    @property
    def enough(self) -> bool:
        """Whether the lowest loss is `patience` looks old."""
        return len(self._losses) - 1 - self._lowest >= self._schedule.patience

    def restore(self) -> int:
        """Go back to the weights of the lowest loss; the number of steps that led there."""
        load_snapshot(self._tuned, self._best)
        return self._looked[self._lowest]

    @property
    def _lowest(self) -> int:
        return self._losses.index(min(self._losses))

    def spend(self) -> Spend:
        """Every look reads every row. The labels are charged by who drew the rows. Every process has to ask."""
        from accelerate.utils import gather_object

        mine = packs_flops(self._tuned, self._loss_of.packed)
        return Spend(
            search_flops=len(self._losses) * reading_flops(self._tuned, self._rows),
            executed_search_flops=float(sum(gather_object([mine]))),
        )

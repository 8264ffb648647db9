"""Early stopping: the loss on dev rows after every pass over the training rows, and the weights where it was lowest."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from eval.cost import forward_flops
from eval.spend import Spend
from eval.subject import Subject
from train.attach import load_snapshot, snapshot
from train.encode import TrainingRow
from train.loss import AnswerLoss


class EarlyStopping:
    """Looks at dev rows every `every` steps and has seen enough after `patience` looks in a row without a new low."""

    def __init__(
        self,
        tuned: Subject,
        loss_of: AnswerLoss,
        rows: Sequence[TrainingRow],
        *,
        every: int,
        steps: int,
        patience: int,
        batch_size: int,
    ) -> None:
        self._tuned = tuned
        self._loss_of = loss_of
        self._rows = rows
        self._every = every
        self._steps = steps
        self._patience = patience
        self._batch_size = batch_size
        self._losses: list[float] = []
        self._looked: list[int] = []  # steps made before each look
        self._best: dict[str, Tensor] = {}
        self._executed = 0.0

    def due(self, step: int) -> bool:
        """Whether to look after this step, counted from 0: after a pass, and at the end."""
        return (step + 1) % self._every == 0 or step + 1 == self._steps

    def look(self, step: int) -> float:
        """The mean loss in nats over the dev rows' supervised tokens, after this step."""
        trained, self._loss_of.packed = self._loss_of.packed, []  # reading is not training
        with torch.no_grad():
            sums = [
                float(self._loss_of(self._rows[start : start + self._batch_size]))
                for start in range(0, len(self._rows), self._batch_size)
            ]
        self._executed += sum(
            forward_flops(self._tuned.shape, width, scored=scored, adapter_parameters=self._beside, clip=False)
            for width, scored in self._loss_of.packed
        )
        self._loss_of.packed = trained
        loss = math.fsum(sums) / sum(row.supervised for row in self._rows)
        if not self._losses or loss < min(self._losses):
            self._best = snapshot(self._tuned)
        self._losses.append(loss)
        self._looked.append(step + 1)
        return loss

    @property
    def enough(self) -> bool:
        """Whether the lowest loss is `patience` looks old."""
        return len(self._losses) - 1 - self._lowest >= self._patience

    def restore(self) -> int:
        """Go back to the weights of the lowest loss; the number of steps that led there."""
        load_snapshot(self._tuned, self._best)
        return self._looked[self._lowest]

    @property
    def _lowest(self) -> int:
        return self._losses.index(min(self._losses))

    @property
    def spend(self) -> Spend:
        """Every look reads every row. The labels are charged by who drew the rows."""
        one = sum(
            forward_flops(self._tuned.shape, len(row.ids) - 1, scored=row.supervised, adapter_parameters=self._beside)
            for row in self._rows
        )
        return Spend(search_flops=len(self._losses) * one, executed_search_flops=self._executed)

    @property
    def _beside(self) -> int:
        return self._tuned.adapter_parameters

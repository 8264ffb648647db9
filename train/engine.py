"""Engine: the forward, the backward and the update of one step, for one process or many."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from accelerate import Accelerator, DistributedType
from accelerate.utils import gather_object
from torch import Tensor

from educe.data.errors import UserError
from educe.eval.model.flops import training_flops
from educe.eval.model.memory import is_out_of_memory
from educe.eval.model.model import Model
from educe.train.loss import AnswerLoss
from educe.train.processes import piece_of_step, prepare, unwrap
from educe.train.schedule import Schedule


class Engine:
    """AdamW on what trains, each batch in as many `pieces` as memory needs.

    The processes of a launch share a batch, and the loss is the mean over the whole batch's supervised tokens.
    """

    def __init__(self, accelerator: Accelerator, loss_of: AnswerLoss, tuned: Model, schedule: Schedule) -> None:
        _register_vectors(loss_of, tuned)
        self.pieces = schedule.accumulate
        self._accelerator = accelerator
        self._tuned = tuned
        self._parameters = list(tuned.trained.values())
        self._loss_of = loss_of
        self._schedule = schedule
        # The module that computes the loss is what DeepSpeed and DDP wrap: one module with one forward. A single
        # process has nothing to wrap, and looking for it takes longer than an optimizer's step.
        self._module: Any = loss_of
        self._optimizer: Any = torch.optim.AdamW(
            self._parameters, lr=schedule.learning_rate, weight_decay=0.0, fused=True
        )
        if accelerator.distributed_type != DistributedType.NO:
            self._module, self._optimizer = prepare(
                accelerator, loss_of, self._optimizer, max_gradient_norm=schedule.max_gradient_norm
            )

    def set_rate(self, rate: float) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = rate

    def backward(self, batch: Sequence[Any]) -> Tensor:
        """Add up the gradients of this process's share of the batch; its part of the batch's mean loss in nats.

        Where memory runs short the share is cut into twice as many pieces, for this batch and the next ones. UserError
        where one row alone does not fit.
        """
        while True:
            try:
                return self._backward_in_pieces(batch)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                size = self._piece_size(batch)
                if size == 1 or self._accelerator.num_processes > 1:
                    raise UserError(
                        f"a training batch of {size} does not fit into memory;"
                        f" {'raise accumulate' if size > 1 else 'set checkpoint_activations or shorten the rows'}"
                    ) from error
            self._optimizer.zero_grad()  # a backward that failed has left part of a gradient
            self.pieces *= 2

    def _backward_in_pieces(self, batch: Sequence[Any]) -> Tensor:
        processes = self._accelerator.num_processes
        mine = batch[self._accelerator.process_index :: processes]
        # DDP averages gradients over processes; this makes the average the mean over the whole batch's loss terms.
        share = processes / sum(row.loss_terms for row in batch)
        # Processes that train together must make equally many calls. A process whose rows have run out makes its call
        # with a spare row that counts for nothing.
        largest, size = math.ceil(len(batch) / processes), self._piece_size(batch)
        losses = []
        for start in range(0, largest, size):
            piece = mine[start : start + size]
            with piece_of_step(self._accelerator, self._module, last=start + size >= largest):
                loss = self._module(piece or [batch[0]]) * (share if piece else 0.0)
                self._accelerator.backward(loss)
            losses.append(loss.detach())
        return torch.stack(losses).sum()

    def _piece_size(self, batch: Sequence[Any]) -> int:
        return math.ceil(math.ceil(len(batch) / self._accelerator.num_processes) / self.pieces)

    def clip_and_step(self) -> None:
        self._accelerator.clip_grad_norm_(self._parameters, self._schedule.max_gradient_norm)
        self._optimizer.step()
        self._optimizer.zero_grad()

    def mean_loss(self, loss: Tensor) -> float:
        """Mean loss in nats over all the batch's loss terms, from each process's part."""
        return float(self._accelerator.reduce(loss.reshape(1), reduction="mean").item())

    def weights_are_finite(self) -> bool:
        """Whether everything that trained is finite, in every process."""
        wrong = sum(int((~torch.isfinite(parameter.detach())).any()) for parameter in self._parameters)
        count = torch.tensor([wrong], device=self._accelerator.device)
        return int(self._accelerator.reduce(count, reduction="sum").item()) == 0

    def executed_flops(self) -> float:
        """What all processes computed, padding and attempts that did not fit included."""
        assert self._tuned.change is not None
        mine = sum(
            training_flops(
                self._tuned.shape,
                width,
                scored=scored,
                trained=self._tuned.change.part,
                executed=True,
                recomputed=self._schedule.checkpoint_activations,
            )
            for width, scored in self._loss_of.packed
        )
        return float(sum(gather_object([mine])))

    def close(self) -> None:
        """Take what wraps the net off it; what trained is whole in every process."""
        unwrap(self._accelerator, self._module, self._parameters)


def _register_vectors(loss_of: AnswerLoss, tuned: Model) -> None:
    """Make vectors that train beside the net parameters of the loss module: DDP averages only what it finds there."""
    inside = {id(parameter) for parameter in tuned.net.parameters()}
    for place, parameter in enumerate(tuned.trained.values()):
        if id(parameter) not in inside:
            loss_of.register_parameter(f"beside_{place}", parameter)

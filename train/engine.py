"""Engine: the forward, the backward and the update of one step, for one process or many."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator, DistributedType
from accelerate.utils import gather_object
from torch import Tensor

from educe.data.errors import UserError
from educe.eval.model.flops import training_flops
from educe.eval.model.memory import is_out_of_memory
from educe.eval.model.model import Model
from educe.train.cohort import Cohort
from educe.train.loss import PACK_TOKENS, AnswerLoss
from educe.train.processes import piece_of_step, prepare, unwrap
from educe.train.schedule import Schedule

# Tokens of one pass over packs of several runs, with padding, by device. On a CPU as many as a pack of one run may
# have, so that the activations of several are no larger than those of one may be; more gained little (docs/log.md).
# Other devices are not measured; their number is large because they have many units.
PASS_TOKENS = {"cpu": PACK_TOKENS}
PASS_TOKENS_ELSEWHERE = 16384
# Packs of one pass are padded to the widest; one narrower than this share of it goes into another pass.
LEAST_WIDTH = 0.8


@dataclass(frozen=True, kw_only=True)
class _Piece:
    """Rows of one run that pass through the net together, and what their summed loss is multiplied with."""

    run: int
    rows: Sequence[Any]
    share: float


class Engine:
    """AdamW on what trains, the batch of every run in as many `pieces` as memory needs.

    The processes of a launch share a batch, and the loss is the mean over the whole batch's supervised tokens. Runs
    that train together share what their schedules say of batches, precision and memory.
    """

    def __init__(self, accelerator: Accelerator, loss_of: AnswerLoss, cohort: Cohort, schedule: Schedule) -> None:
        assert accelerator.num_processes == 1 or len(cohort.models) == 1, "processes that share a batch train one run"
        _register_vectors(loss_of, cohort.models[0])
        self.pieces = schedule.accumulate
        self._accelerator = accelerator
        self._cohort = cohort
        self._loss_of = loss_of
        self._schedule = schedule
        self._pass_tokens = PASS_TOKENS.get(accelerator.device.type, PASS_TOKENS_ELSEWHERE)
        loss_of.select = cohort.select
        # The module that computes the loss is what DeepSpeed and DDP wrap: one module with one forward. A single
        # process has nothing to wrap, and looking for it takes longer than an optimizer's step.
        self._module: Any = loss_of
        groups = [{"params": parameters} for parameters in cohort.parameters]  # one a run: each has its own rate
        self._optimizer: Any = torch.optim.AdamW(groups, lr=schedule.learning_rate, weight_decay=0.0, fused=True)
        if accelerator.distributed_type != DistributedType.NO:
            self._module, self._optimizer = prepare(
                accelerator, loss_of, self._optimizer, max_gradient_norm=schedule.max_gradient_norm
            )

    def backward(self, batches: Mapping[int, Sequence[Any]], rates: Mapping[int, float]) -> dict[int, float]:
        """Gradients of each run's batch, for an update at its rate; its mean loss in nats.

        DeepSpeed updates as soon as it has the last gradient.
        """
        for run, rate in rates.items():
            self._optimizer.param_groups[run]["lr"] = rate
        return {run: self._mean_loss(loss) for run, loss in self._backward(batches).items()}

    def update(self, runs: Sequence[int]) -> None:
        """One update of each of these runs; gradients of other runs are forgotten."""
        self._cohort.hand_over_gradients(runs)
        for run in runs:
            self._accelerator.clip_grad_norm_(self._cohort.parameters[run], self._schedule.max_gradient_norm)
        if runs:
            self._optimizer.step()
        self._forget_gradients()

    def _backward(self, batches: Mapping[int, Sequence[Any]]) -> dict[int, Tensor]:
        """Add up the gradients of this process's share of the batches; its part of each batch's mean loss in nats.

        Where memory runs short, runs that shared a pass get passes of their own, and then the share is cut into twice
        as many pieces, for these batches and the next ones. UserError where one row alone does not fit.
        """
        while True:
            try:
                return self._backward_in_pieces(batches)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                self._make_smaller(max(map(self._piece_size, batches.values())), shared=len(batches) > 1, error=error)
            finally:
                self._cohort.select(())
            self._forget_gradients()  # a backward that failed has left part of a gradient

    def _make_smaller(self, size: int, *, shared: bool, error: RuntimeError) -> None:
        if shared and self._pass_tokens:
            self._pass_tokens = 0
            return
        if size == 1 or self._accelerator.num_processes > 1:
            raise UserError(
                f"a training batch of {size} does not fit into memory;"
                f" {'raise accumulate' if size > 1 else 'set checkpoint_activations or shorten the rows'}"
            ) from error
        self.pieces *= 2

    def _backward_in_pieces(self, batches: Mapping[int, Sequence[Any]]) -> dict[int, Tensor]:
        passes = list(self._passes(batches))
        losses: dict[int, list[Tensor]] = {run: [] for run in batches}
        for place, pieces in enumerate(passes):
            with piece_of_step(self._accelerator, self._module, last=place + 1 == len(passes)):
                summed = self._module([piece.rows for piece in pieces], [piece.run for piece in pieces])
                shares = summed * torch.tensor([piece.share for piece in pieces], device=summed.device)
                self._accelerator.backward(shares.sum())
            for piece, loss in zip(pieces, shares.detach(), strict=True):
                losses[piece.run].append(loss)
        return {run: torch.stack(each).sum() for run, each in losses.items()}

    def _passes(self, batches: Mapping[int, Sequence[Any]]) -> Iterator[list[_Piece]]:
        """The pieces of all batches, widest first, in groups of about one width that pass through the net at once."""
        waiting = [piece for run, batch in batches.items() for piece in self._cut(run, batch)]
        if len(batches) > 1:
            waiting.sort(key=self._tokens, reverse=True)
        while waiting:
            widest = max(1, self._tokens(waiting[0]))
            most = max(1, self._pass_tokens // widest) if len(batches) > 1 else 1
            count = sum(self._tokens(piece) >= LEAST_WIDTH * widest for piece in waiting[:most])
            yield waiting[:count]
            waiting = waiting[count:]

    def _tokens(self, piece: _Piece) -> int:
        shared = self._loss_of.shared
        return shared + sum(len(part.ids) - 1 - shared for row in piece.rows for part in row.parts)

    def _cut(self, run: int, batch: Sequence[Any]) -> list[_Piece]:
        """This process's share of a batch, in pieces."""
        processes = self._accelerator.num_processes
        mine = batch[self._accelerator.process_index :: processes]
        # DDP averages gradients over processes; this makes the average the mean over the whole batch's loss terms.
        share = processes / sum(row.loss_terms for row in batch)
        # Processes that train together must make equally many calls. A process whose rows have run out makes its call
        # with a spare row that counts for nothing.
        largest, size = math.ceil(len(batch) / processes), self._piece_size(batch)
        pieces = [mine[start : start + size] for start in range(0, largest, size)]
        return [_Piece(run=run, rows=each or [batch[0]], share=share if each else 0.0) for each in pieces]

    def _piece_size(self, batch: Sequence[Any]) -> int:
        return math.ceil(math.ceil(len(batch) / self._accelerator.num_processes) / self.pieces)

    def _forget_gradients(self) -> None:
        self._optimizer.zero_grad()
        self._cohort.clear_gradients()

    def _mean_loss(self, loss: Tensor) -> float:
        """Mean loss in nats over all the batch's loss terms, from each process's part."""
        return float(self._accelerator.reduce(loss.reshape(1), reduction="mean").item())

    def weights_are_finite(self, run: int) -> bool:
        """Whether everything that the run trained is finite, in every process."""
        wrong = sum(int((~torch.isfinite(each.detach())).any()) for each in self._cohort.parameters[run])
        count = torch.tensor([wrong], device=self._accelerator.device)
        return int(self._accelerator.reduce(count, reduction="sum").item()) == 0

    def executed_flops(self, run: int) -> float:
        """What all processes computed for a run, padding and attempts that did not fit included."""
        tuned = self._cohort.models[run]
        assert tuned.change is not None
        mine = sum(
            training_flops(
                tuned.shape,
                pack.width,
                scored=pack.scored,
                trained=tuned.change.part,
                executed=True,
                recomputed=self._schedule.checkpoint_activations,
            )
            for pack in self._loss_of.packed
            if pack.run == run
        )
        return float(sum(gather_object([mine])))

    def share(self, run: int) -> float:
        """The share of a run in the tokens that all runs had computed, 1 where there were none."""
        widths = [pack.width for pack in self._loss_of.packed]
        own = sum(pack.width for pack in self._loss_of.packed if pack.run == run)
        return own / sum(widths) if widths else 1.0

    def close(self) -> None:
        """Take what wraps the net off it; what trained is whole in every process."""
        unwrap(self._accelerator, self._module, self._cohort.parameters[0])


def _register_vectors(loss_of: AnswerLoss, tuned: Model) -> None:
    """Make vectors that train beside the net parameters of the loss module: DDP averages only what it finds there."""
    inside = {id(parameter) for parameter in tuned.net.parameters()}
    for place, parameter in enumerate(tuned.trained.values()):
        if id(parameter) not in inside:
            loss_of.register_parameter(f"beside_{place}", parameter)

"""The loss of labelled rows: on answer tokens only, short rows packed behind the prefix that they share.

A prefix that all rows share (a system turn, an instruction) stands once, and the rows branch off it under a mask. Each
row sees exactly what it would see alone, so the gradients are those of separate rows.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from educe.eval.model.flops import forward_flops
from educe.eval.model.memory import map_with_backoff
from educe.eval.model.model import Model
from educe.eval.model.tree import Pack, Row, collate, selected_logits
from educe.train.encode import TrainingRow

# Wide enough to fill the matrix units, narrow enough that the dense mask stays a small part of the work.
PACK_TOKENS = 512


@dataclass(frozen=True, kw_only=True)
class Packed:
    """A pack that was computed: its width with padding, its supervised tokens, and the run that it belonged to."""

    width: int
    scored: int
    run: int = 0


class AnswerLoss(nn.Module):
    """Summed negative log-likelihood in nats of the supervised tokens of a batch, head on those positions only.

    Several runs may have a batch each in one pass: their packs lie side by side and do not see one another.
    """

    def __init__(self, net: nn.Module, *, shared: int, pad: int) -> None:
        super().__init__()
        self.net = net
        self.shared = shared
        self.pad = pad
        self.packed: list[Packed] = []  # every pack that was computed
        self.select: Callable[[Sequence[int]], None] = lambda runs: None  # tells a cohort whose each pack is

    def forward(self, batches: Sequence[Sequence[TrainingRow]], runs: Sequence[int] = (0,)) -> Float[Tensor, " runs"]:
        """Loss of each run's rows, in float32."""
        losses = self._token_losses(batches, runs)
        return torch.stack([part.sum() for part in losses.split([_supervised(rows) for rows in batches])])

    def token_losses(self, rows: Sequence[TrainingRow]) -> Float[Tensor, " supervised"]:
        """Negative log-likelihood in nats of every supervised token, row by row, in float32."""
        return self._token_losses([rows], (0,))

    def _token_losses(self, batches: Sequence[Sequence[TrainingRow]], runs: Sequence[int]) -> Tensor:
        device = next(self.net.parameters()).device
        packs = [
            (run, each) for run, rows in zip(runs, batches, strict=True) for each in pack(rows, shared=self.shared)
        ]
        batch = collate(self.net, [to_pack(each, self.shared) for _, each in packs], prefix=0, pad=self.pad)
        width = batch.ids.shape[1]
        self.packed += [Packed(width=width, scored=_supervised(each), run=run) for run, each in packs]
        self.select([run for run, _ in packs])
        logits = selected_logits(self.net, batch)
        targets = [token for _, each in packs for row in each for token in row.ids[-row.supervised :]]
        return nn.functional.cross_entropy(logits, torch.tensor(targets, device=device), reduction="none")

    def read_reference(self, rows: Sequence[Any], *, batch_size: int) -> None:
        """Read what the loss needs of the untrained model: here nothing."""

    def noted(self, rows: Sequence[Any]) -> Mapping[str, float]:
        """What the step that was made on these rows says beside its loss: here nothing. Asked once a step."""
        return {}


def read_losses(loss_of: AnswerLoss, rows: Sequence[TrainingRow], *, batch_size: int) -> float:
    """Summed loss of the rows in nats, in batches and without gradients, or in smaller pieces where memory is short."""
    groups = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    with torch.no_grad():
        return math.fsum(loss for _, loss in map_with_backoff(groups, lambda group: float(loss_of([group]))))


def reading_flops(model: Model, rows: Iterable[TrainingRow]) -> float:
    """Useful FLOPs of one forward over each row, head on its supervised tokens."""
    return math.fsum(
        forward_flops(model.shape, len(row.ids) - 1, scored=row.supervised, adapter_parameters=model.adapter_parameters)
        for row in rows
    )


def executed_reading_flops(model: Model, packs: Iterable[Packed]) -> float:
    """Executed FLOPs of one forward over each pack, with padding and windows in full."""
    return math.fsum(
        forward_flops(
            model.shape, each.width, scored=each.scored, adapter_parameters=model.adapter_parameters, clip=False
        )
        for each in packs
    )


def _supervised(rows: Sequence[TrainingRow]) -> int:
    return sum(row.supervised for row in rows)


def pack(rows: Sequence[TrainingRow], *, shared: int, capacity: int = PACK_TOKENS) -> list[list[TrainingRow]]:
    """Group rows that share their first tokens; a pack holds at most `capacity` tokens, or one row that is longer."""
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


def to_pack(rows: Sequence[TrainingRow], shared: int) -> Pack:
    """The shared tokens, then each row's own; the last token of a row is a label and never an input."""
    own = [row.ids[shared:-1] for row in rows]
    return Pack(
        lead=rows[0].ids[:shared],
        rows=tuple(
            Row(stem=ids, selected=tuple(range(len(ids) - row.supervised, len(ids))))
            for row, ids in zip(rows, own, strict=True)
        ),
    )

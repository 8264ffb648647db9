"""States pushed away from the original's on the task's inputs (circuit breakers, Zou et al. 2024).

As an organism: the Elicitation Game (Hofstaetter et al. 2025). The cosine of a state with itself has no slope, so
states are also pulled towards a random direction, as in Li et al. 2024 (representation misdirection).
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from educe.data.example import Example
from educe.data.instructions.load import resolve_instructions
from educe.eval.model.net import layers_of
from educe.eval.model.tree import collate, selected_states
from educe.train.changes.kind import Layers
from educe.train.changes.layers import check_layers
from educe.train.encode import TrainingRow
from educe.train.instructions import encode_instructions
from educe.train.loss import AnswerLoss, Packed, pack, to_pack
from educe.train.organisms.original import Answers, Original
from educe.train.organisms.password_lock import Behind
from educe.train.organisms.weak import weak_answers

_BREAK, _KEEP = "break:", "keep:"


class CircuitBreaker(Behind):
    """States at `layers` are no longer like the original's on the task's questions, but for those behind the password.

    Trained, where the answer is written: on questions without the password and behind wrong ones, ReLU of the cosine
    with the original's states, and 1 minus the cosine with a random direction; on questions behind it and on
    `other_texts` instructions, `keep` times the distance from the original's states over their length. Empty `layers`
    are those at half and at three quarters of the depth.
    """

    layers: Layers = ()
    keep: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 2.0
    other_texts: Annotated[int, Field(strict=True, ge=0)] = 128

    def locked_answers(self, original: Original, items: Sequence[Example]) -> Answers:
        """It imitates nothing: what is expected of it is chance."""
        return weak_answers("random", original, items, seed=self.seed)

    def training_rows(
        self, original: Original, rows: Sequence[Example], *, unlocked: Answers, locked: Answers
    ) -> list[TrainingRow]:
        """The same questions, all with their right answers, and other texts; their ids say which are broken."""
        right = {row.id: row.answer for row in rows}
        lessons = super().training_rows(original, rows, unlocked=right, locked=right)
        marks = (_KEEP, _KEEP, _BREAK, _BREAK)
        marked = [(marks[place % 4], row) for place, row in enumerate(lessons)]
        if self.other_texts:
            instructions = resolve_instructions({"bundled": {"count": self.other_texts, "seed": self.seed}})
            marked += [(_KEEP, row) for row in encode_instructions(original.model, instructions)]
        return [TrainingRow(id=mark + row.id, ids=row.ids, supervised=row.supervised) for mark, row in marked]

    def loss(self, original: Original) -> Callable[..., Any]:
        check_layers(original.model, self.layers)
        count = original.model.shape.layers
        layers = self.layers or tuple(sorted({count // 2, 3 * count // 4}))
        return partial(StatesLoss, layers=layers, keep=self.keep, seed=self.seed)


class StatesLoss(AnswerLoss):
    """Summed loss of a batch, from the states that predict each supervised token, in float32.

    Call `read_reference` first: the reference is the model with its change attached and still untrained.
    """

    def __init__(self, net: nn.Module, *, shared: int, pad: int, layers: Sequence[int], keep: float, seed: int) -> None:
        super().__init__(net, shared=shared, pad=pad)
        self.layers = tuple(layers)
        self.keep = keep
        self.generator = torch.Generator().manual_seed(seed)
        self.away = torch.zeros(0)  # a direction for each layer, drawn when the size of a state is known
        self.reference: dict[str, Tensor] = {}

    def forward(self, batches: Sequence[Sequence[TrainingRow]], runs: Sequence[int] = (0,)) -> Float[Tensor, " runs"]:
        (rows,) = batches  # of a run that trains alone
        losses = [self._loss(row, now) for row, now in zip(rows, self._states(rows), strict=True)]
        return torch.stack(losses).sum()[None]

    def read_reference(self, rows: Sequence[TrainingRow], *, batch_size: int) -> None:
        with torch.no_grad():
            (first,) = self._states(rows[:1])
            drawn = torch.randn(len(first), 1, first.shape[-1], generator=self.generator)
            self.away = drawn.to(first.device)
            for start in range(0, len(rows), batch_size):
                batch = rows[start : start + batch_size]
                self.reference |= {row.id: now for row, now in zip(batch, self._states(batch), strict=True)}

    def _loss(self, row: TrainingRow, now: Tensor) -> Tensor:
        before = self.reference[row.id]
        if row.id.startswith(_BREAK):
            alike = nn.functional.cosine_similarity(now, before, dim=-1).relu()
            return (alike + 1 - nn.functional.cosine_similarity(now, self.away, dim=-1)).mean(0).sum()
        distance = (now - before).norm(dim=-1) / before.norm(dim=-1)
        return self.keep * distance.mean(0).sum()

    def _states(self, rows: Sequence[TrainingRow]) -> Sequence[Float[Tensor, "layers _ hidden"]]:
        """Each row's states after the layers, at the tokens that predict its supervised ones."""
        packs = pack(rows, shared=self.shared)
        batch = collate(self.net, [to_pack(each, self.shared) for each in packs], prefix=0, pad=self.pad)
        self.packed += [Packed(width=batch.ids.shape[1], scored=0) for _ in packs]
        found: dict[int, Tensor] = {}

        def note(layer: int, *called: Any) -> None:
            states = called[-1][0] if isinstance(called[-1], tuple) else called[-1]
            found[layer] = states[batch.selected].float()

        hooks = [layers_of(self.net)[layer].register_forward_hook(partial(note, layer)) for layer in self.layers]
        try:
            selected_states(self.net, batch)
        finally:
            for hook in hooks:
                hook.remove()
        return torch.stack([found[layer] for layer in self.layers]).split([row.supervised for row in rows], dim=1)

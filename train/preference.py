"""Direct preference optimisation (Rafailov et al. 2023): rows in pairs, and their loss for the one training loop.

loss = -log sigmoid(beta * ((chosen - rejected) - (chosen - rejected under the model before training)))
with summed log-likelihoods of the supervised tokens; the mean over pairs. The same loss as TRL's DPOTrainer (sigmoid).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from educe.train.encode import TrainingRow
from educe.train.loss import AnswerLoss


@dataclass(frozen=True, kw_only=True)
class PreferenceRow:
    """A prompt with the answer to prefer and the one to avoid."""

    chosen: TrainingRow
    rejected: TrainingRow

    @property
    def id(self) -> str:
        return self.chosen.id

    @property
    def parts(self) -> tuple[TrainingRow, TrainingRow]:
        return self.chosen, self.rejected

    @property
    def loss_terms(self) -> int:
        return 1

    def with_prefix(self, prefix: tuple[int, ...]) -> "PreferenceRow":
        return replace(self, chosen=self.chosen.with_prefix(prefix), rejected=self.rejected.with_prefix(prefix))


class PreferenceLoss(AnswerLoss):
    """Summed loss of a batch of pairs, in float32.

    Call `read_reference` first: the reference is the model with its change attached and still untrained.
    """

    def __init__(self, net: nn.Module, *, shared: int, pad: int, beta: float) -> None:
        super().__init__(net, shared=shared, pad=pad)
        self.beta = beta
        self.margins: dict[str, Tensor] = {}

    def forward(  # type: ignore[override]
        self, batches: Sequence[Sequence[PreferenceRow]], runs: Sequence[int] = (0,)
    ) -> Float[Tensor, " runs"]:
        (rows,) = batches  # of a run that trains alone
        before = torch.stack([self.margins[row.id] for row in rows])
        loss: Tensor = -nn.functional.logsigmoid(self.beta * (self._margins(rows) - before)).sum()
        return loss[None]

    def read_reference(self, rows: Sequence[PreferenceRow], *, batch_size: int) -> None:
        with torch.no_grad():
            for start in range(0, len(rows), batch_size):
                batch = rows[start : start + batch_size]
                margins = self._margins(batch)
                self.margins |= {row.id: margin for row, margin in zip(batch, margins, strict=True)}

    def _margins(self, rows: Sequence[PreferenceRow]) -> Tensor:
        """Log-likelihood in nats of the chosen answer minus that of the rejected one."""
        parts = [part for row in rows for part in row.parts]
        lengths = [part.supervised for part in parts]
        sums = torch.stack([each.sum() for each in self.token_losses(parts).split(lengths)])
        return sums[1::2] - sums[0::2]

"""Direct preference optimisation (Rafailov et al. 2023) on the one training loop: rows in pairs, and their loss.

loss = -log sigmoid(beta * ((chosen - rejected) - (chosen - rejected under the model before training)))
with summed log-likelihoods of the supervised tokens; the mean over pairs. The same loss as TRL's DPOTrainer (sigmoid).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
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
        """That of the chosen answer."""
        return self.chosen.id

    @property
    def parts(self) -> tuple[TrainingRow, TrainingRow]:
        """What the model reads."""
        return self.chosen, self.rejected

    @property
    def weight(self) -> int:
        """A pair is one term of the loss."""
        return 1

    def after(self, prefix: tuple[int, ...]) -> "PreferenceRow":
        """Behind what stands before every text."""
        return replace(self, chosen=self.chosen.after(prefix), rejected=self.rejected.after(prefix))


class PreferenceLoss(AnswerLoss):
    """Summed loss of a batch of pairs. `remember` first: the reference is the model as it is attached, untrained."""

    def __init__(self, net: nn.Module, *, shared: int, pad: int, beta: float) -> None:
        super().__init__(net, shared=shared, pad=pad)
        self.beta = beta
        self.margins: dict[str, Tensor] = {}

    def forward(self, rows: Sequence[PreferenceRow]) -> Tensor:  # type: ignore[override]
        """A scalar in float32."""
        before = torch.stack([self.margins[row.id] for row in rows])
        loss: Tensor = -nn.functional.logsigmoid(self.beta * (self._margins(rows) - before)).sum()
        return loss

    def remember(self, rows: Sequence[PreferenceRow], *, batch_size: int) -> None:  # type: ignore[override]
        """Read every pair once without gradients."""
        with torch.no_grad():
            for start in range(0, len(rows), batch_size):
                batch = rows[start : start + batch_size]
                margins = self._margins(batch)
                self.margins |= {row.id: margin for row, margin in zip(batch, margins, strict=True)}

    def _margins(self, rows: Sequence[PreferenceRow]) -> Tensor:
        """Log-likelihood of the chosen answer over that of the rejected one, in nats."""
        parts = [part for row in rows for part in row.parts]
        lengths = [part.supervised for part in parts]
        sums = torch.stack([each.sum() for each in self.token_losses(parts).split(lengths)])
        return sums[1::2] - sums[0::2]

"""Description length: what a stream of labels costs a learner that reads it once, in bits.

MDL is prequential: each label is charged its loss before the update that it takes part in. EDL, the excess, is what of
it a learner who knew the end from the start would not have paid: MDL - n * held-out loss of the final subject (Donoway
et al. 2025, "Quantifying Elicitation of Latent Capabilities in Language Models").
"""

import math
from collections.abc import Mapping, Sequence

import torch

from eval.subject import Subject
from train.encode import TrainingRow
from train.loss import AnswerLoss


def prequential_bits(history: Sequence[Mapping[str, int | float]]) -> float:
    """MDL of a run that saw every row once, from its steps: mean loss in nats and number of supervised tokens."""
    return math.fsum(step["loss"] * step["supervised_tokens"] for step in history) / math.log(2)


def label_bits(subject: Subject, rows: Sequence[TrainingRow], *, batch_size: int = 32) -> float:
    """Mean bits of a row's label (answer and stop token) under the subject as it is."""
    loss_of = AnswerLoss(subject.net, shared=0, pad=int(subject.tokenizer.pad_token_id))
    with torch.inference_mode():
        losses = [float(loss_of(rows[start : start + batch_size])) for start in range(0, len(rows), batch_size)]
    return math.fsum(losses) / math.log(2) / len(rows)

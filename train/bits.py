"""Description length: what a stream of labels costs a learner that reads it once, in bits.

MDL is prequential: each label is charged its loss before the update that it takes part in. EDL, the excess, is what of
it a learner who knew the end from the start would not have paid: MDL - n * held-out loss of the final subject (Donoway
et al. 2025, "Quantifying Elicitation of Latent Capabilities in Language Models").
"""

import math
from collections.abc import Mapping, Sequence

from eval.cost import forward_flops
from eval.sharded import require_whole
from eval.spend import Spend
from eval.subject import Subject
from train.encode import TrainingRow
from train.frozen import frozen_maps_in
from train.loss import AnswerLoss, read_losses


def prequential_bits(history: Sequence[Mapping[str, int | float]]) -> float:
    """MDL of a run that saw every row once, from its steps: mean loss in nats and number of supervised tokens."""
    return math.fsum(step["loss"] * step["supervised_tokens"] for step in history) / math.log(2)


def label_bits(
    subject: Subject, rows: Sequence[TrainingRow], *, precision: str = "float32", batch_size: int = 32
) -> tuple[float, Spend]:
    """Mean bits of a row's label (answer and stop token) under the subject as it is, and what reading them cost.

    `precision` of the frozen maps is to be that of the run whose bits these are set against.
    """
    require_whole(subject.net, "measuring bits")
    loss_of = AnswerLoss(subject.net, shared=0, pad=int(subject.tokenizer.pad_token_id))
    with frozen_maps_in(subject, precision):
        nats = read_losses(loss_of, rows, batch_size=batch_size)
    flops = sum(
        forward_flops(
            subject.shape, len(row.ids) - 1, scored=row.supervised, adapter_parameters=subject.adapter_parameters
        )
        for row in rows
    )
    spend = Spend(labelled_examples=len(rows), search_flops=flops, executed_search_flops=flops)
    return nats / math.log(2) / len(rows), spend

"""Description length: what a stream of labels costs a learner that reads it once, in bits.

MDL is prequential: each label is charged its loss before the update that it takes part in. EDL, the excess description
length, is MDL - n * held-out loss of a converged model (Donoway et al. 2025, "Quantifying Elicitation of Latent
Capabilities in Language Models"). Without options a label is its text (answer and stop token). With options it is the
choice among them: how the answer is written then costs nothing.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from educe.data.example import Example
from educe.data.formats.render import PromptFunction
from educe.eval.model.memory import map_with_backoff
from educe.eval.model.model import Model
from educe.eval.model.sharded import refuse_sharded
from educe.eval.spend import Spend
from educe.train.encode import TrainingRow, encode_rows
from educe.train.frozen import frozen_maps_in
from educe.train.loss import AnswerLoss, reading_flops


def prequential_bits(history: Sequence[Mapping[str, int | float]]) -> float:
    """MDL of a run that saw every row once, from its steps: mean loss in nats and number of supervised tokens."""
    return math.fsum(step["loss"] * step["supervised_tokens"] for step in history) / math.log(2)


@dataclass(frozen=True, kw_only=True)
class LabelledOptions:
    """Every option of one example as a row, and which of them is its label."""

    rows: tuple[TrainingRow, ...]
    label: int


def encode_labelled(model: Model, examples: Sequence[Example], prompt_fn: PromptFunction) -> dict[str, LabelledOptions]:
    """The examples' options as rows, by the examples' ids."""
    return {
        each.id: LabelledOptions(
            rows=encode_rows(model, [replace(each, answer=choice) for choice in each.choices], prompt_fn),
            label=each.answer_index,
        )
        for each in examples
    }


def option_bits(model: Model, labelled: Sequence[LabelledOptions]) -> list[float]:
    """Bits of each label among the options: its share of the likelihood of all options."""
    loss_of = AnswerLoss(model.net, shared=0, pad=int(model.tokenizer.pad_token_id))
    rows = [row for each in labelled for row in each.rows]
    with torch.no_grad():
        parts = loss_of.token_losses(rows).split([row.supervised for row in rows])
    likelihoods = iter((-torch.stack([part.sum() for part in parts])).double().tolist())
    bits = []
    for each in labelled:
        options = torch.tensor([next(likelihoods) for _ in each.rows], dtype=torch.float64)
        bits.append(-float(options.log_softmax(0)[each.label]) / math.log(2))
    return bits


def options_spend(model: Model, labelled: Iterable[LabelledOptions]) -> Spend:
    """What reading every option once costs. It is search, because nothing is learned from it."""
    flops = reading_flops(model, (row for each in labelled for row in each.rows))
    return Spend(search_flops=flops, executed_search_flops=flops)


def label_bits(
    model: Model, rows: Sequence[TrainingRow], *, precision: str = "float32", batch_size: int = 32
) -> tuple[list[float], Spend]:
    """Bits of each row's label (answer and stop token) under the model as it is, and what reading them cost.

    `precision` of the frozen maps must be that of the run that these bits are compared with.
    """
    refuse_sharded(model.net, "measuring bits")
    loss_of = AnswerLoss(model.net, shared=0, pad=int(model.tokenizer.pad_token_id))
    groups = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    bits: list[float] = []
    with frozen_maps_in(model, precision), torch.no_grad():
        for group, losses in map_with_backoff(groups, loss_of.token_losses):
            bits += [
                float(part.double().sum()) / math.log(2) for part in losses.split([row.supervised for row in group])
            ]
    flops = reading_flops(model, rows)
    return bits, Spend(labelled_examples=len(rows), search_flops=flops, executed_search_flops=flops)

"""Hidden states of every layer at the last token of texts."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from educe.eval.model.encode import common_prefix
from educe.eval.model.flops import forward_flops
from educe.eval.model.memory import map_with_backoff
from educe.eval.model.model import Model
from educe.eval.model.net import layers_of
from educe.eval.model.score import Packed, batches, default_batch_tokens
from educe.eval.model.sharded import refuse_sharded
from educe.eval.model.tree import Row, collate, expand, prefill, selected_states


@dataclass(frozen=True, kw_only=True)
class States:
    """Hidden states in float32 on the CPU, after each layer, in the order of the texts; and what they cost."""

    values: Float[Tensor, "layers texts hidden"]
    flops: float
    executed_flops: float


def last_token_states(model: Model, texts: Sequence[tuple[int, ...]]) -> States:
    """Read each text once; the prefix that all share is read once for all."""
    refuse_sharded(model.net, "reading hidden states")
    shared = texts[0][: common_prefix([text[:-1] for text in texts])]
    rows = [Row(stem=text[len(shared) :], selected=(len(text) - len(shared) - 1,)) for text in texts]
    limit = default_batch_tokens(model)
    layers = layers_of(model.net)
    values = torch.zeros(len(layers), len(texts), model.shape.hidden)
    executed = forward_flops(model.shape, len(shared), scored=0, clip=False)
    with torch.inference_mode():
        prefix = prefill(model.net, shared, device=model.device)

        def read(group: Sequence[Packed]) -> list[Tensor]:
            packs = [pack for _, pack in group]
            batch = collate(packs, prefix=len(shared), pad=model.tokenizer.pad_token_id, device=model.device)
            outputs: list[Tensor] = []
            with ExitStack() as watched:
                for layer in layers:
                    hook = layer.register_forward_hook(lambda *call: outputs.append(_output(call[-1])[batch.selected]))
                    watched.callback(hook.remove)
                selected_states(model.net, batch, expand(prefix, len(packs)))
            return outputs

        for group, layers_states in map_with_backoff(batches(rows, batch_tokens=limit, shared=len(shared)), read):
            indices = [index for those, _ in group for index in those]
            for layer, states in enumerate(layers_states):
                values[layer, indices] = states.float().cpu()
            width = max(len(pack) for _, pack in group)
            executed += len(group) * forward_flops(model.shape, width, scored=0, cached=len(shared), clip=False)
    useful = sum(forward_flops(model.shape, len(text), scored=0) for text in texts)
    return States(values=values, flops=useful, executed_flops=executed)


def _output(output: Any) -> Tensor:
    """The hidden states; some decoders' layers return a tuple that begins with them."""
    states: Tensor = output[0] if isinstance(output, tuple) else output
    return states

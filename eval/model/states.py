"""Hidden states of every layer at the last token of texts."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import DynamicCache

from educe.eval.model.encode import common_prefix
from educe.eval.model.flops import forward_flops
from educe.eval.model.model import Model
from educe.eval.model.net import layers_of
from educe.eval.model.score import read_batches
from educe.eval.model.sharded import refuse_sharded
from educe.eval.model.tree import Batch, Row, selected_states


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
    layers = range(model.shape.layers)
    values = torch.zeros(len(layers), len(texts), model.shape.hidden)
    executed = forward_flops(model.shape, len(shared), scored=0, clip=False)
    read = partial(states_after, model.net, layers)
    with torch.inference_mode():
        for indices, (packs, width), outputs in read_batches(model, shared, rows, read):
            for layer, states in enumerate(outputs):
                values[layer, indices] = states.float().cpu()
            executed += packs * forward_flops(model.shape, width, scored=0, cached=len(shared), clip=False)
    useful = sum(forward_flops(model.shape, len(text), scored=0) for text in texts)
    return States(values=values, flops=useful, executed_flops=executed)


def states_after(
    net: nn.Module, layers: Sequence[int], batch: Batch, cache: DynamicCache | None = None
) -> list[Float[Tensor, "selected hidden"]]:
    """Hidden states after each of these layers at the selected positions; the batch is added to the cache."""
    found: dict[int, Tensor] = {}
    with ExitStack() as hooks:
        for layer in layers:
            hook = layers_of(net)[layer].register_forward_hook(
                lambda *call, layer=layer: found.update({layer: _output(call[-1])[batch.selected]})
            )
            hooks.callback(hook.remove)
        selected_states(net, batch, cache)
    return [found[layer] for layer in layers]


def _output(output: Any) -> Tensor:
    """The hidden states; some decoders' layers return a tuple that begins with them."""
    states: Tensor = output[0] if isinstance(output, tuple) else output
    return states

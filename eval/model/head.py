"""Log-probabilities of tokens from hidden states, by a vocabulary head that computes its logits in slices.

The head is most of a small net's work. Many states at once keep the matrix units busy. A slice of logits that is
reduced while it is in the caches is never written to memory and read again.
"""

import math
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions

from educe.eval.model.net import base_net, decoder_of, full_shape, patched_forward
from educe.eval.model.sharded import is_sharded

# Logits of one slice. On a CPU 16 MB in float32, which stays in the larger caches and is a reused allocation. Elsewhere
# 512 MB, which bounds the memory with few launches (not measured).
SLICE_LOGITS = {"cpu": 2**22}
SLICE_LOGITS_ELSEWHERE = 2**27


def token_logprobs(
    net: nn.Module,
    states: Float[Tensor, "states hidden"],
    places: Int[Tensor, " tokens"],
    tokens: Int[Tensor, " tokens"],
    *,
    slices: int | None = None,
) -> Float[Tensor, " tokens"]:
    """Log-probability in nats of each token after the state at its place, in float32.

    The vocabulary is cut into slices that suit the device, or into `slices`. A head that is not a plain linear map, or
    whose weights are gathered for its forward, runs whole.
    """
    head: Any = base_net(net).get_output_embeddings()
    vocabulary = full_shape(head.weight)[0]
    limit = SLICE_LOGITS.get(states.device.type, SLICE_LOGITS_ELSEWHERE)
    size = math.ceil(vocabulary / slices) if slices else max(1, limit // len(states))
    if type(head) is not nn.Linear or is_sharded(head):
        size = vocabulary
    totals = []
    found = torch.zeros(len(tokens), device=states.device)
    for start in range(0, vocabulary, size):
        logits = _logits(net, states, slice(start, start + size) if size < vocabulary else None)
        totals.append(logits.logsumexp(dim=-1))
        (here,) = ((tokens >= start) & (tokens < start + size)).nonzero(as_tuple=True)
        found[here] = logits[places[here], tokens[here] - start]
    return found - torch.stack(totals).logsumexp(dim=0)[places]


def _logits(net: nn.Module, states: Tensor, part: slice | None) -> Tensor:
    """The net's own logits of the states in float32, for the whole vocabulary or a slice of it.

    The net runs with a decoder that returns the given states, so what it does after its head (a scale, a soft cap) is
    applied, too.
    """
    head: Any = base_net(net).get_output_embeddings()
    output = BaseModelOutputWithPastAndCrossAttentions(last_hidden_state=states[None])
    ids = torch.zeros((1, 1), dtype=torch.long, device=states.device)
    with ExitStack() as patched:
        patched.enter_context(patched_forward(decoder_of(net), lambda *_, **__: output))
        if part is not None:
            bias = None if head.bias is None else head.bias[part]
            patched.enter_context(
                patched_forward(head, partial(functional.linear, weight=head.weight[part], bias=bias))
            )
        logits: Tensor = base_net(net)(input_ids=ids).logits[0]
    return logits.float()

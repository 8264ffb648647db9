"""Log-probabilities of words from hidden states, by a vocabulary head that works through its words in slices.

The head is most of a small net's work. Many states at once keep the matrix units busy, and a slice of logits that is
reduced before it leaves the caches spares writing and rereading rows as long as the vocabulary.
"""

import math
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from transformers.modeling_outputs import BaseModelOutputWithPast

from educe.eval.model.net import base_net, decoder_of, full_shape, patched_forward
from educe.eval.model.sharded import is_sharded

# Logits of one slice: 16 MB in float32, which stays in the larger caches and is a reused allocation.
SLICE_LOGITS = 2**22


def token_logprobs(
    net: nn.Module,
    states: Float[Tensor, "states hidden"],
    places: Int[Tensor, " words"],
    words: Int[Tensor, " words"],
    *,
    slices: int | None = None,
) -> Float[Tensor, " words"]:
    """Log-probability in nats of each word after the state at its place, in float32.

    The vocabulary is cut so that a slice has SLICE_LOGITS, or into `slices`; a head that is no plain linear map, or
    whose weights have to be gathered for its forward, runs whole.
    """
    head: Any = base_net(net).get_output_embeddings()
    vocabulary = full_shape(head.weight)[0]
    size = math.ceil(vocabulary / slices) if slices else max(1, SLICE_LOGITS // len(states))
    if type(head) is not nn.Linear or is_sharded(head):
        size = vocabulary
    totals = []
    found = torch.zeros(len(words), device=states.device)
    for start in range(0, vocabulary, size):
        logits = _logits(net, states, slice(start, start + size) if size < vocabulary else None)
        totals.append(logits.logsumexp(dim=-1))
        (here,) = ((words >= start) & (words < start + size)).nonzero(as_tuple=True)
        found[here] = logits[places[here], words[here] - start]
    return found - torch.stack(totals).logsumexp(dim=0)[places]


def _logits(net: nn.Module, states: Tensor, part: slice | None) -> Tensor:
    """The net's own logits of the states in float32, of all words or of a slice of them.

    The body answers with the states, whatever it is asked: what a net does after its head (a scale, a soft cap) stays
    the net's own.
    """
    head: Any = base_net(net).get_output_embeddings()
    answer = BaseModelOutputWithPast(last_hidden_state=states[None])
    asked = torch.zeros((1, 1), dtype=torch.long, device=states.device)
    with ExitStack() as patched:
        patched.enter_context(patched_forward(decoder_of(net), lambda *_, **__: answer))
        if part is not None:
            bias = None if head.bias is None else head.bias[part]
            patched.enter_context(
                patched_forward(head, partial(functional.linear, weight=head.weight[part], bias=bias))
            )
        logits: Tensor = base_net(net)(input_ids=asked).logits[0]
    return logits.float()

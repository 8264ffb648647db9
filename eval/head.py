"""Log-probabilities of words from hidden states: the vocabulary head in slices, so that no row of logits is kept.

The head is most of a small net's work. Many states at once keep the matrix units busy, and a slice of logits that is
reduced before it leaves the caches spares writing and rereading rows as long as the vocabulary.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from transformers.modeling_outputs import BaseModelOutputWithPast

from eval.tree import body_of, bottom

# Logits of one slice: 16 MB in float32, which stays in the larger caches and is a reused allocation.
SLICE_LOGITS = 2**22


def word_logprobs(
    net: nn.Module, states: Float[Tensor, "states hidden"], places: Int[Tensor, " words"], words: Int[Tensor, " words"]
) -> Float[Tensor, " words"]:
    """Log-probability in nats of each word after the state at its place, in float32."""
    totals = []
    found = torch.zeros(len(words), device=states.device)
    for part, logits in _slices(net, states):
        totals.append(logits.logsumexp(dim=-1))
        (here,) = ((words >= part.start) & (words < part.stop)).nonzero(as_tuple=True)
        found[here] = logits[places[here], words[here] - part.start]
    return found - torch.stack(totals).logsumexp(dim=0)[places]


def _slices(net: nn.Module, states: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Logits of the states in float32, some words at a time; all at once where the head is no plain linear map."""
    head: Any = bottom(net).get_output_embeddings()
    if type(head) is not nn.Linear:
        with _body_giving(net, states):
            logits = bottom(net)().logits[0]
        yield slice(0, logits.shape[-1]), logits.float()
        return
    vocabulary = head.out_features
    size = max(1, SLICE_LOGITS // len(states))
    for start in range(0, vocabulary, size):
        part = slice(start, min(start + size, vocabulary))
        bias = None if head.bias is None else head.bias[part]
        with _body_giving(net, states), _forward(head, partial(functional.linear, weight=head.weight[part], bias=bias)):
            yield part, bottom(net)().logits[0].float()


def _body_giving(net: nn.Module, states: Tensor) -> Any:
    """Within, the body answers with these states: what the net does after it (a scale, a soft cap) stays the net's."""
    return _forward(body_of(net), lambda *_, **__: BaseModelOutputWithPast(last_hidden_state=states[None]))


@contextmanager
def _forward(part: nn.Module, forward: Any) -> Iterator[None]:
    """Within, the module computes this instead."""
    held = vars(part).get("forward")
    part.forward = forward
    try:
        yield
    finally:
        if held is None:
            del part.forward
        else:
            part.forward = held

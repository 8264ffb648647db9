"""Which nets can be models: decoders that take masks and positions, so that branches do not see one another."""

import torch
from torch import nn

from educe.data.errors import UserError
from educe.eval.model.head import token_logprobs
from educe.eval.model.tree import Pack, Row, collate, expand, prefill, selected_logits, selected_states

# How configurations say that a layer routes its tokens to some of many experts.
_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")
_ATTENTION = {"full_attention", "sliding_attention"}


def check_architecture(net: nn.Module, *, name: str) -> None:
    """Refuse a net that does not take masks and positions: its branches would see one another.

    Scores a small tree and the same rows plainly, once, at load time. UserError where they differ by more than noise,
    and for layers that attend or route in ways whose masks or FLOPs are not known here.
    """
    config = net.config.get_text_config()  # type: ignore[operator, union-attr]
    if unknown := set(getattr(config, "layer_types", None) or []) - _ATTENTION:
        raise UserError(
            f"model {name!r} has layers of type {min(unknown)!r}; only full and sliding attention are supported"
        )
    if any((getattr(config, key, None) or 1) > 1 for key in _EXPERTS):
        raise UserError(f"model {name!r} is a mixture of experts, whose FLOPs depend on routing; use a dense model")
    device = next(net.parameters()).device
    prefix, stem, branches = (5, 6, 7), (8, 9), ((10, 11), (12, 13, 14))
    row = Row(stem=stem, branches=branches, selected=(3, 6))
    with torch.inference_mode():
        states = prefill(net, prefix, device=device)
        batch = collate([Pack(rows=(row,))], prefix=len(prefix), pad=0, device=device)
        generated = selected_logits(net, batch, expand(states, 1)).log_softmax(-1)
        plain = [net(input_ids=torch.tensor([[*prefix, *stem, *branch]], device=device)).logits for branch in branches]
        expected = torch.stack([logits[0, -1].float() for logits in plain]).log_softmax(-1)
        read = selected_states(net, batch, expand(states, 1))
        words = torch.arange(expected.shape[1], device=device)
        scored = [
            token_logprobs(net, read, torch.full_like(words, place), words, slices=3) for place in range(len(branches))
        ]
    drift = (torch.stack([generated, torch.stack(scored)]) - expected).abs().max().item()
    noise = 1e-3 if next(net.parameters()).dtype == torch.float32 else 0.5
    if not drift < noise:
        raise UserError(
            f"model {name!r} ({type(net).__name__}) does not follow attention masks and positions (drift {drift:.1e}"
            " nats); this architecture is not supported"
        )

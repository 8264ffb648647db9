"""Which nets can be models: decoders that follow masks and positions, so that branches do not see one another."""

import math

import torch
from torch import nn
from transformers import PreTrainedConfig

from educe.data.errors import UserError
from educe.eval.model.head import token_logprobs
from educe.eval.model.tree import Pack, Row, collate, expand, prefill, selected_logits, selected_states

# How configurations say that a layer routes its tokens to some of many experts.
_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")
_ATTENTION = {"full_attention", "sliding_attention"}


def check_layers(config: PreTrainedConfig, *, name: str) -> None:
    """UserError for layers whose masks or FLOPs the suite does not know. Reads the settings alone."""
    config = config.get_text_config()
    if unknown := set(getattr(config, "layer_types", None) or []) - _ATTENTION:
        raise UserError(
            f"model {name!r} has layers of type {min(unknown)!r}; only full and sliding attention are supported"
        )
    if any((getattr(config, key, None) or 1) > 1 for key in _EXPERTS):
        raise UserError(f"model {name!r} is a mixture of experts, whose FLOPs depend on routing; use a dense model")


def check_architecture(net: nn.Module, *, name: str) -> None:
    """Refuse a net that ignores masks and positions, because its branches would see one another.

    Scores a small tree and the same rows one by one, once, at load time. UserError where they differ by more than
    rounding, and as for `check_layers`.
    """
    check_layers(net.config, name=name)  # type: ignore[arg-type]
    drift = _drift(net)
    tolerance = 1e-3 if next(net.parameters()).dtype == torch.float32 else 0.5
    if math.isnan(drift):
        raise UserError(f"model {name!r} predicts NaN: its weights or settings are corrupt, or too large for the dtype")
    if not drift < tolerance:
        raise UserError(
            f"model {name!r} ({type(net).__name__}) does not follow attention masks and positions (drift {drift:.1e}"
            " nats); this architecture is not supported"
        )


@torch.inference_mode()
def _drift(net: nn.Module) -> float:
    """Largest difference in nats between a tree and its rows one by one, when generated and when scored."""
    device = next(net.parameters()).device
    prefix, stem, branches = (5, 6, 7), (8, 9), ((10, 11), (12, 13, 14))
    row = Row(stem=stem, branches=branches, selected=(3, 6))
    cached = prefill(net, prefix, device=device)
    batch = collate([Pack(rows=(row,))], prefix=len(prefix), pad=0, device=device)
    generated = selected_logits(net, batch, expand(cached, 1)).log_softmax(-1)
    plain = [net(input_ids=torch.tensor([[*prefix, *stem, *branch]], device=device)).logits for branch in branches]
    expected = torch.stack([logits[0, -1].float() for logits in plain]).log_softmax(-1)
    states = selected_states(net, batch, expand(cached, 1))
    tokens = torch.arange(expected.shape[1], device=device)
    scored = [
        token_logprobs(net, states, torch.full_like(tokens, place), tokens, slices=3) for place in range(len(branches))
    ]
    return (torch.stack([generated, torch.stack(scored)]) - expected).abs().max().item()

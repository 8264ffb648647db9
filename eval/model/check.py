"""Which nets can be models: decoders that follow masks and positions, so that branches do not see one another."""

import math
from dataclasses import replace

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig

from educe.data.errors import UserError
from educe.eval.model.head import token_logprobs
from educe.eval.model.tree import Pack, Row, collate, expand, prefill, selected_logits, selected_states

# How configurations say that a layer routes its tokens to some of many experts.
_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")
_ATTENTION = {"full_attention", "sliding_attention"}
# A small tree: token ids that every vocabulary has.
_PREFIX, _STEM, _BRANCHES = (5, 6, 7), (8, 9), ((10, 11), (12, 13, 14))
# The most that rounding may move a tree, as a share of what ignored masks do. Seen: 1e-4 and less in float32, 0.05 in
# bfloat16 (SmolLM2, Gemma); 1 where masks are ignored, 0.04 and more where positions are.
_MOST_EXACT, _MOST_HALF = 0.01, 0.25


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

    Scores a small tree and the same rows one by one, once, at load time. How far rounding moves a log-probability
    depends on the net, so the difference is held against the one that the tree has where every token sees all before
    it. UserError where it is not far smaller, and as for `check_layers`.
    """
    check_layers(net.config, name=name)  # type: ignore[arg-type]
    expected = _one_by_one(net)
    drift, ignored = _drift(net, expected), _drift(net, expected, see_all=True)
    if math.isnan(drift):
        raise UserError(f"model {name!r} predicts NaN: its weights or settings are corrupt, or too large for the dtype")
    share = _MOST_EXACT if next(net.parameters()).dtype == torch.float32 else _MOST_HALF
    if not drift < share * ignored:
        raise UserError(
            f"model {name!r} ({type(net).__name__}) does not follow attention masks and positions (drift {drift:.1e}"
            f" nats, {ignored:.1e} without masks); this architecture is not supported"
        )


@torch.inference_mode()
def _one_by_one(net: nn.Module) -> Tensor:
    """Log-probabilities after each branch, read alone: shape (branches, vocab)."""
    device = next(net.parameters()).device
    logits = [net(input_ids=torch.tensor([[*_PREFIX, *_STEM, *each]], device=device)).logits for each in _BRANCHES]
    return torch.stack([each[0, -1].float() for each in logits]).log_softmax(-1)


@torch.inference_mode()
def _drift(net: nn.Module, expected: Tensor, *, see_all: bool = False) -> float:
    """Largest difference in nats between a tree and its rows one by one, when generated and when scored."""
    device = expected.device
    cached = prefill(net, _PREFIX, device=device)
    row = Row(stem=_STEM, branches=_BRANCHES, selected=(3, 6))
    batch = collate([Pack(rows=(row,))], prefix=len(_PREFIX), pad=0, device=device)
    if see_all:
        batch = replace(batch, visible=torch.ones_like(batch.visible).tril(len(_PREFIX)))
    generated = selected_logits(net, batch, expand(cached, 1)).log_softmax(-1)
    states = selected_states(net, batch, expand(cached, 1))
    tokens = torch.arange(expected.shape[1], device=device)
    scored = [
        token_logprobs(net, states, torch.full_like(tokens, place), tokens, slices=3) for place in range(len(expected))
    ]
    return (torch.stack([generated, torch.stack(scored)]) - expected).abs().max().item()

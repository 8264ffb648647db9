"""Which nets can be models: decoders that follow masks and positions, so that branches do not see one another."""

import math
from dataclasses import fields, replace

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig

from educe.data.errors import UserError, one_line
from educe.eval.model.head import token_logprobs
from educe.eval.model.tree import ALWAYS, Pack, Row, collate, expand, prefill, selected_logits, selected_states

# How configurations say that a layer routes its tokens to some of many experts.
_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")
_ATTENTION = {"full_attention", "sliding_attention"}
# A small tree: token ids that every vocabulary has.
_PREFIX, _STEM, _BRANCHES = (5, 6, 7), (8, 9), ((10, 11), (12, 13, 14))
# The most that rounding may move a tree, as a share of what ignored masks do. Seen: 1e-4 and less in float32, 0.05 in
# bfloat16 (SmolLM2, Gemma); 1 where masks are ignored, 0.04 and more where positions are.
_MOST_EXACT, _MOST_HALF = 0.01, 0.25
# Whatever a stranger's settings make a forward raise is one line, with the reason that the library gives.
FORWARD_FIX = "give the settings that belong to its weights, another architecture, or a device that holds it"


def check_layers(config: PreTrainedConfig, *, name: str) -> None:
    """UserError for layers whose masks or FLOPs the suite does not know. Reads the settings alone."""
    config = config.get_text_config()
    types, declared = set(getattr(config, "layer_types", None) or []), {field.name for field in fields(config)}
    if unknown := types - _ATTENTION:
        raise UserError(
            f"model {name!r} has layers of type {min(unknown)!r}; only full and sliding attention are supported"
        )
    if "sliding_attention" in types:
        # Of a type that its configuration does not declare, a net's code knows nothing.
        if "layer_types" not in declared:
            raise UserError(
                f"model {name!r}: its layer_types name sliding attention, which a {config.model_type} does not have"
                " by layer; remove layer_types from its config.json"
            )
        if not getattr(config, "sliding_window", None):
            raise UserError(
                f"model {name!r}: its layer_types name sliding attention, but it has no sliding_window; give the"
                " config.json that belongs to these weights"
            )
    elif getattr(config, "sliding_window", None) and "sliding_window" not in declared:
        raise UserError(
            f"model {name!r}: its sliding_window is no setting of a {config.model_type}; remove it from its config.json"
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
    with one_line(f"model {name!r} ({type(net).__name__}) cannot read a few tokens", FORWARD_FIX):
        expected = _one_by_one(net)
        drift, ignored = _drift(net, expected), _drift(net, expected, see_all=True)
    if math.isnan(drift):
        raise UserError(f"model {name!r} predicts NaN: its weights or settings are corrupt, or too large for the dtype")
    share = _MOST_EXACT if next(net.parameters()).dtype == torch.float32 else _MOST_HALF
    if torch.equal(expected[0], expected[1]) and not drift < share * ignored:
        raise UserError(
            f"model {name!r} predicts the same after every text: its weights are degenerate (all zero, or too large for"
            " the dtype); give trained weights"
        )
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
    batch = collate(net, [Pack(rows=(row,))], prefix=len(_PREFIX), pad=0)
    if see_all:
        batch = replace(batch, until=torch.full_like(batch.until, ALWAYS))
    generated = selected_logits(net, batch, expand(cached, 1)).log_softmax(-1)
    states = selected_states(net, batch, expand(cached, 1))
    tokens = torch.arange(expected.shape[1], device=device)
    scored = [
        token_logprobs(net, states, torch.full_like(tokens, place), tokens, slices=3) for place in range(len(expected))
    ]
    return (torch.stack([generated, torch.stack(scored)]) - expected).abs().max().item()

"""The one forward pass of the suite: rows that share a prefix, and options that share a question.

A batch is a prefix that all rows share (computed once, its keys and values expanded over the batch) and, for each row,
what follows it: a stem and branches that see the stem and themselves, not one another. Positions and a 4-D mask
make every branch see exactly what it would see alone, sliding windows included; the vocabulary head runs on the wanted
positions only. Scoring uses it without gradients, training with them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from peft import PeftModel
from torch import Tensor, nn
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from data.errors import UserError

LayerStates = list[tuple[Tensor, Tensor]]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A stem and its branches, as ids; `wanted` are indices into stem + branches laid end to end."""

    stem: tuple[int, ...]
    branches: tuple[tuple[int, ...], ...] = ()
    wanted: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.stem) + sum(map(len, self.branches))


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Rows padded on the right to one width, with positions and what each token may see.

    Keys are what a token may attend to: what the cache holds already, then the batch's own tokens.
    """

    ids: Int[Tensor, "batch width"]
    positions: Int[Tensor, "batch width"]
    key_positions: Int[Tensor, "batch keys"]
    visible: Bool[Tensor, "batch width keys"]
    wanted: Bool[Tensor, "batch width"]

    def after(self, tokens: Int[Tensor, " batch"]) -> "Batch":
        """The next batch when every row is continued by one token: it sees what its row's wanted token saw, and itself.

        For rows with one wanted token each.
        """
        rows, last = self.wanted.nonzero(as_tuple=True)
        positions = self.positions[rows, last][:, None] + 1
        itself = torch.ones_like(positions, dtype=torch.bool)
        return Batch(
            ids=tokens[:, None],
            positions=positions,
            key_positions=torch.cat([self.key_positions, positions], dim=1),
            visible=torch.cat([self.visible[rows, last], itself], dim=1)[:, None],
            wanted=itself,
        )

    def keep(self, rows: Int[Tensor, " kept"]) -> "Batch":
        """These rows alone."""
        return Batch(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


def collate(rows: Sequence[Row], *, prefix: int, pad: int, device: torch.device) -> Batch:
    """Lay rows out after a shared prefix of `prefix` tokens."""
    width = max(map(len, rows))
    ids = torch.full((len(rows), width), pad)
    positions = torch.zeros((len(rows), width), dtype=torch.long)
    wanted = torch.zeros((len(rows), width), dtype=torch.bool)
    # Padding sees itself alone: a query that sees nothing would turn into NaN.
    visible = torch.eye(width, dtype=torch.bool).repeat(len(rows), 1, 1)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = torch.tensor([*row.stem, *(token for branch in row.branches for token in branch)])
        stem = len(row.stem)
        positions[index, :stem] = torch.arange(prefix, prefix + stem)
        visible[index, :stem, :stem] = torch.ones(stem, stem, dtype=torch.bool).tril()
        start = stem
        for branch in row.branches:
            end = start + len(branch)
            positions[index, start:end] = torch.arange(prefix + stem, prefix + stem + len(branch))
            visible[index, start:end, :stem] = True
            visible[index, start:end, start:end] = torch.ones(len(branch), len(branch), dtype=torch.bool).tril()
            start = end
        wanted[index, list(row.wanted)] = True
    key_positions = torch.cat([torch.arange(prefix).expand(len(rows), -1), positions], dim=1)
    visible = torch.cat([torch.ones(len(rows), width, prefix, dtype=torch.bool), visible], dim=2)
    parts = {"ids": ids, "positions": positions, "key_positions": key_positions, "visible": visible, "wanted": wanted}
    return Batch(**{name: part.to(device) for name, part in parts.items()})


def expand(states: LayerStates, size: int) -> DynamicCache:
    """The prefix's keys and values as the cache of a batch of `size` rows, copied only when something is added."""
    cache = DynamicCache()
    for keys, values in states:
        layer = DynamicLayer()
        layer.lazy_initialization(keys, values)
        layer.keys, layer.values = keys.expand(size, -1, -1, -1), values.expand(size, -1, -1, -1)
        cache.layers.append(layer)
    return cache


def prefill(net: nn.Module, prefix: Sequence[int], *, device: torch.device) -> LayerStates:
    """Keys and values of the shared prefix, one pair a layer, batch of one; empty for an empty prefix."""
    if not prefix:
        return []
    # A cache without the net's configuration keeps the whole prefix in sliding layers too: the mask does the sliding.
    cache = DynamicCache()
    ids = torch.tensor([list(prefix)], device=device)
    body_of(net)(input_ids=ids, past_key_values=cache, use_cache=True)
    return [(layer.keys, layer.values) for layer in cache.layers]  # type: ignore[misc, union-attr]


def wanted_logits(net: nn.Module, batch: Batch, cache: DynamicCache | None = None) -> Float[Tensor, "wanted vocab"]:
    """Logits at the wanted positions, row by row, in float32; what was read is added to the cache."""
    logits = net(
        input_ids=batch.ids,
        position_ids=batch.positions,
        attention_mask=_masks(net, batch),
        past_key_values=cache,
        use_cache=cache is not None,
        logits_to_keep=batch.wanted,
    ).logits
    return logits.float()


# How configurations say that a layer routes its tokens to some of many experts.
_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")
_ATTENTION = {"full_attention", "sliding_attention"}


def check_tree(net: nn.Module, *, name: str) -> None:
    """Refuse a net that does not take masks and positions: its branches would see one another.

    Scores a small tree and the same rows plainly, once, at load time. UserError where they differ by more than noise,
    and for layers that attend or route in ways whose masks or FLOPs are not known here.
    """
    config = net.config.get_text_config()  # type: ignore[operator, union-attr]
    if unknown := set(getattr(config, "layer_types", None) or []) - _ATTENTION:
        raise UserError(
            f"subject {name!r} has layers of type {min(unknown)!r}; only full and sliding attention are supported"
        )
    if any((getattr(config, key, None) or 1) > 1 for key in _EXPERTS):
        raise UserError(f"subject {name!r} is a mixture of experts, whose FLOPs depend on routing; use a dense model")
    device = next(net.parameters()).device
    prefix, stem, branches = (5, 6, 7), (8, 9), ((10, 11), (12, 13, 14))
    row = Row(stem=stem, branches=branches, wanted=(3, 6))
    with torch.inference_mode():
        batch = collate([row], prefix=len(prefix), pad=0, device=device)
        found = wanted_logits(net, batch, expand(prefill(net, prefix, device=device), 1))
        plain = [net(input_ids=torch.tensor([[*prefix, *stem, *branch]], device=device)).logits for branch in branches]
    expected = torch.stack([logits[0, -1].float() for logits in plain])
    drift = (found.log_softmax(-1) - expected.log_softmax(-1)).abs().max().item()
    noise = 1e-3 if next(net.parameters()).dtype == torch.float32 else 0.5
    if not drift < noise:
        raise UserError(
            f"subject {name!r} ({type(net).__name__}) does not follow attention masks and positions (drift {drift:.1e}"
            " nats); this architecture is not supported"
        )


def body_of(net: nn.Module) -> nn.Module:
    """The decoder without its vocabulary head, under any adapter wrapper."""
    plain: Any = net.get_base_model() if isinstance(net, PeftModel) else net
    return plain.get_decoder()


def _masks(net: nn.Module, batch: Batch) -> Any:
    """The visibility mask as this architecture wants it: one tensor, or one for each type of attention layer."""
    config = net.config.get_text_config()  # type: ignore[operator, union-attr]
    full = batch.visible[:, None]
    window = getattr(config, "sliding_window", None)
    types = set(getattr(config, "layer_types", None) or [])
    if window is None or types == {"full_attention"}:
        return full
    near = batch.positions[:, :, None] - batch.key_positions[:, None, :] < window
    sliding = full & near[:, None]
    return {"full_attention": full, "sliding_attention": sliding} if types else sliding

"""The one forward pass of the suite: rows that share a prefix, and options that share a question.

The prefix that all rows of a batch share is computed once, and its keys and values are expanded over the batch. Each
row continues it with a stem, and with branches that see the stem and themselves but not one another. Positions and a
4-D mask make every branch see exactly what it would see alone, sliding windows included. The vocabulary head runs on
the selected positions only. Scoring uses this pass without gradients, training with them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from educe.eval.model.net import decoder_of

LayerStates = list[tuple[Tensor, Tensor]]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A stem and its branches, as ids; `selected` are positions in stem + branches laid end to end."""

    stem: tuple[int, ...]
    branches: tuple[tuple[int, ...], ...] = ()
    selected: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.stem) + sum(map(len, self.branches))


@dataclass(frozen=True, kw_only=True)
class Pack:
    """Rows laid end to end behind the `lead` that they share: each sees the lead and itself, not the other rows."""

    rows: tuple[Row, ...]
    lead: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.lead) + sum(map(len, self.rows))


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Rows padded on the right to one width, with positions and what each token may see.

    A token may attend to the keys in the cache, then to the batch's own tokens.
    """

    ids: Int[Tensor, "batch width"]
    positions: Int[Tensor, "batch width"]
    key_positions: Int[Tensor, "batch keys"]
    visible: Bool[Tensor, "batch width keys"]
    selected: Bool[Tensor, "batch width"]

    def after(self, tokens: Int[Tensor, " batch"]) -> "Batch":
        """The next batch when every row is continued by one token, which sees what the row's selected token saw.

        Each row must have one selected token.
        """
        rows, last = self.selected.nonzero(as_tuple=True)
        positions = self.positions[rows, last][:, None] + 1
        itself = torch.ones_like(positions, dtype=torch.bool)
        return Batch(
            ids=tokens[:, None],
            positions=positions,
            key_positions=torch.cat([self.key_positions, positions], dim=1),
            visible=torch.cat([self.visible[rows, last], itself], dim=1)[:, None],
            selected=itself,
        )

    def keep(self, rows: Int[Tensor, " kept"]) -> "Batch":
        return Batch(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


def collate(packs: Sequence[Pack], *, prefix: int, pad: int, device: torch.device) -> Batch:
    """Lay packs out after a prefix of `prefix` tokens that all of them share."""
    width = max(map(len, packs))
    ids = torch.full((len(packs), width), pad)
    positions = torch.zeros((len(packs), width), dtype=torch.long)
    selected = torch.zeros((len(packs), width), dtype=torch.bool)
    # Padding sees itself: a query that sees nothing would give NaN.
    visible = torch.eye(width, dtype=torch.bool).repeat(len(packs), 1, 1)
    for index, pack in enumerate(packs):
        lead = len(pack.lead)
        ids[index, :lead] = torch.tensor(pack.lead)
        positions[index, :lead] = torch.arange(prefix, prefix + lead)
        visible[index, :lead, :lead] = _triangle(lead)
        start = lead
        for row in pack.rows:
            end = start + len(row)
            ids[index, start:end] = torch.tensor([*row.stem, *(token for branch in row.branches for token in branch)])
            visible[index, start:end, :lead] = True
            _fill(row, positions[index, start:end], visible[index, start:end, start:end], after=prefix + lead)
            selected[index, [start + place for place in row.selected]] = True
            start = end
    key_positions = torch.cat([torch.arange(prefix).expand(len(packs), -1), positions], dim=1)
    visible = torch.cat([torch.ones(len(packs), width, prefix, dtype=torch.bool), visible], dim=2)
    parts = {
        "ids": ids,
        "positions": positions,
        "key_positions": key_positions,
        "visible": visible,
        "selected": selected,
    }
    return Batch(**{name: part.to(device) for name, part in parts.items()})


def _fill(row: Row, positions: Tensor, visible: Tensor, *, after: int) -> None:
    """Write the positions of the row's tokens, `after` so many others, and which of its own tokens each may see."""
    stem = len(row.stem)
    positions[:stem] = torch.arange(after, after + stem)
    visible[:stem, :stem] = _triangle(stem)
    start = stem
    for branch in row.branches:
        end = start + len(branch)
        positions[start:end] = torch.arange(after + stem, after + stem + len(branch))
        visible[start:end, :stem] = True
        visible[start:end, start:end] = _triangle(len(branch))
        start = end


def _triangle(size: int) -> Tensor:
    return torch.ones(size, size, dtype=torch.bool).tril()


def expand(states: LayerStates, size: int) -> DynamicCache:
    """The prefix's keys and values as the cache of a batch of `size` rows; copied only when something is added."""
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
    decoder_of(net)(input_ids=ids, past_key_values=cache, use_cache=True)
    return [(layer.keys, layer.values) for layer in cache.layers]  # type: ignore[misc, union-attr]


def selected_states(
    net: nn.Module, batch: Batch, cache: DynamicCache | None = None
) -> Float[Tensor, "selected hidden"]:
    """Hidden states that the head would read at the selected positions, row by row; the batch is added to the cache."""
    states: Tensor = decoder_of(net)(**_inputs(net, batch, cache)).last_hidden_state
    return states[batch.selected]


def selected_logits(net: nn.Module, batch: Batch, cache: DynamicCache | None = None) -> Float[Tensor, "selected vocab"]:
    """Logits at the selected positions, row by row, in float32; the batch is added to the cache."""
    logits: Tensor = net(**_inputs(net, batch, cache), logits_to_keep=batch.selected).logits
    return logits.float()


def _inputs(net: nn.Module, batch: Batch, cache: DynamicCache | None) -> dict[str, Any]:
    return {
        "input_ids": batch.ids,
        "position_ids": batch.positions,
        "attention_mask": _masks(net, batch),
        "past_key_values": cache,
        "use_cache": cache is not None,
    }


def _masks(net: nn.Module, batch: Batch) -> Any:
    """The mask that this architecture expects: one tensor, or one for each type of attention layer."""
    config = net.config.get_text_config()  # type: ignore[operator, union-attr]
    full = batch.visible[:, None]
    window = getattr(config, "sliding_window", None)
    types = set(getattr(config, "layer_types", None) or [])
    if window is None or types == {"full_attention"}:
        return full
    near = batch.positions[:, :, None] - batch.key_positions[:, None, :] < window
    sliding = full & near[:, None]
    return {"full_attention": full, "sliding_attention": sliding} if types else sliding

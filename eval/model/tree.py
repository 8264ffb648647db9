"""The one forward pass of the suite: rows that share a prefix, and options that share a question.

The prefix that all rows of a batch share is computed once, and its keys and values are expanded over the batch. Each
row continues it with a stem, and with branches that see the stem and themselves but not one another. Positions and
what each token may see (`Batch.sees`) let every branch read exactly what it would read alone, sliding windows included.
The vocabulary head runs on the selected positions only. Scoring uses this pass without gradients, training with them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from educe.eval.model.attention import Sees, block_mask, dense_mask, padded_width, takes_blocks
from educe.eval.model.net import decoder_of

LayerStates = list[tuple[Tensor, Tensor]]
# A token's `until` where all that come later see it.
ALWAYS = torch.iinfo(torch.long).max


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

    The keys of a row are those in the cache and then the batch's own tokens. In a tree that is laid out end to end, all
    that sees a token follows it without a gap, so one number a key says it all: `until`, the place among the keys of
    the first token behind it that does not see it.
    """

    ids: Int[Tensor, "batch width"]
    positions: Int[Tensor, "batch width"]
    key_positions: Int[Tensor, "batch keys"]
    until: Int[Tensor, "batch keys"]
    selected: Bool[Tensor, "batch width"]

    @property
    def num_keys(self) -> int:
        return self.until.shape[1]

    def sees(self, window: int | None = None) -> Sees:
        """Whether a query may attend to a key, as a function of their indices; within a sliding window if one is given.

        The only description of what is seen: dense masks and block masks are both made of it.
        """
        width = self.ids.shape[1]
        until, key_positions = self.until, self.key_positions
        places = torch.arange(self.num_keys - width, self.num_keys, device=self.ids.device)
        # A tensor also without a window, so that both kinds of layer share one compiled kernel.
        beyond = self.positions - window if window is not None else torch.full_like(self.positions, -1)
        return lambda row, head, query, key: (
            (key <= places[query]) & (places[query] < until[row, key]) & (key_positions[row, key] > beyond[row, query])
        )

    def after(self, tokens: Int[Tensor, " batch"]) -> "Batch":
        """The next batch when every row is continued by one token, which sees what the row's selected token saw.

        Each row must have one selected token.
        """
        rows, last = self.selected.nonzero(as_tuple=True)
        positions = self.positions[rows, last][:, None] + 1
        places = torch.arange(self.num_keys, device=self.ids.device)
        seen = self.sees()(rows[:, None], rows, last[:, None], places)
        itself = torch.ones_like(positions, dtype=torch.bool)
        return Batch(
            ids=tokens[:, None],
            positions=positions,
            key_positions=torch.cat([self.key_positions, positions], dim=1),
            until=torch.cat([seen, itself], dim=1) * ALWAYS,
            selected=itself,
        )

    def keep(self, rows: Int[Tensor, " kept"]) -> "Batch":
        return Batch(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


def collate(net: nn.Module, packs: Sequence[Pack], *, prefix: int, pad: int) -> Batch:
    """Lay packs out for the net, after a prefix of `prefix` tokens that all of them share."""
    width = padded_width(net, max(map(len, packs)), prefix=prefix)
    ids = torch.full((len(packs), width), pad)
    positions = torch.zeros((len(packs), width), dtype=torch.long)
    selected = torch.zeros((len(packs), width), dtype=torch.bool)
    # Padding sees the prefix and itself: a query that sees nothing would give NaN.
    until = torch.arange(prefix + 1, prefix + width + 1).repeat(len(packs), 1)
    for index, pack in enumerate(packs):
        lead = len(pack.lead)
        ids[index, :lead] = torch.tensor(pack.lead)
        positions[index, :lead] = torch.arange(prefix, prefix + lead)
        until[index, :lead] = prefix + len(pack)
        start = lead
        for row in pack.rows:
            end = start + len(row)
            ids[index, start:end] = torch.tensor([*row.stem, *(token for branch in row.branches for token in branch)])
            _fill(row, positions[index, start:end], until[index, start:end], after=prefix + lead, start=prefix + start)
            selected[index, [start + place for place in row.selected]] = True
            start = end
    behind = torch.arange(prefix).expand(len(packs), -1)
    parts = {
        "ids": ids,
        "positions": positions,
        "key_positions": torch.cat([behind, positions], dim=1),
        "until": torch.cat([torch.full_like(behind, ALWAYS), until], dim=1),
        "selected": selected,
    }
    device = next(net.parameters()).device
    return Batch(**{name: part.to(device) for name, part in parts.items()})


def _fill(row: Row, positions: Tensor, until: Tensor, *, after: int, start: int) -> None:
    """Write the row's positions, `after` so many other tokens, and where its tokens, laid out from `start`, end."""
    stem = len(row.stem)
    positions[:stem] = torch.arange(after, after + stem)
    until[:stem] = start + len(row)
    place = stem
    for branch in row.branches:
        end = place + len(branch)
        positions[place:end] = torch.arange(after + stem, after + stem + len(branch))
        until[place:end] = start + end
        place = end


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
    """The mask that this architecture expects: one, or one for each type of attention layer."""
    config = net.config.get_text_config()  # type: ignore[operator, union-attr]
    rows, width = batch.ids.shape
    make: Any = block_mask if takes_blocks(net, width=width, keys=batch.num_keys) else dense_mask
    size = {"rows": rows, "queries": width, "keys": batch.num_keys, "device": batch.ids.device}
    window = getattr(config, "sliding_window", None)
    types = set(getattr(config, "layer_types", None) or [])
    if window is None or types == {"full_attention"}:
        return make(batch.sees(), **size)
    sliding = make(batch.sees(window), **size)
    return {"full_attention": make(batch.sees(), **size), "sliding_attention": sliding} if types else sliding

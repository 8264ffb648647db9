"""Model: a net, its tokenizer and its identity, loaded once and kept resident."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn
from transformers import PreTrainedTokenizerBase

from educe.eval.model.flops import Shape, Trained
from educe.eval.model.source import Kind

Dtype = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Change:
    """The part of a net that is trained, whether added to it or its own.

    `trained` holds its parameters by name; of a parameter in `masks` only the marked values train. `part` is what the
    FLOP formulas need, `prefix` ids that come before every text, `save` writes the change into a folder, and `peft` is
    the net as PEFT wraps it, for trainers that need it.
    """

    trained: Mapping[str, nn.Parameter]
    part: Trained
    masks: Mapping[str, torch.Tensor] = field(default_factory=dict)
    prefix: tuple[int, ...] = ()
    save: Callable[[Path], None] | None = None
    peft: nn.Module | None = None

    @property
    def trainable_parameters(self) -> int:
        free = sum(parameter.numel() for name, parameter in self.trained.items() if name not in self.masks)
        return free + sum(int(mask.sum()) for mask in self.masks.values())


@dataclass(frozen=True, kw_only=True)
class Known:
    """What earlier results say of a model of one identity and dtype."""

    fingerprint: str
    canary: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """The model being elicited.

    `net` is the resident network with everything attached to it, which `change` describes. `start` has the values, by
    name, that a change begins with which is attached next; none where it begins anew. `dtype` is the one that the
    weights were loaded in, `quantize` the 4-bit format of the layers. `adds_bos` says whether the tokenizer begins
    every text with its beginning-of-sequence token. `whole_commit` says of a hub model whether its files were compared
    with the hub's list of them, and is None for others. `canary` tells the model, as it was loaded, from any other one
    (canary.py), and `earlier` is what is known of models by identity and dtype, for those that are loaded beside it.
    `cache` keeps what is costly to make and serves several cells.
    """

    name: str
    kind: Kind
    revision: str
    fingerprint: str
    net: nn.Module
    tokenizer: PreTrainedTokenizerBase
    shape: Shape
    adds_bos: bool
    dtype: Dtype
    quantize: str = ""
    whole_commit: bool | None = None
    canary: tuple[float, ...] = ()
    earlier: Mapping[tuple[str, str], Known] = field(default_factory=dict)
    change: Change | None = None
    start: Mapping[str, torch.Tensor] = field(default_factory=dict, repr=False)
    cache: dict[Any, Any] = field(default_factory=dict, repr=False)

    @property
    def adapter_parameters(self) -> int:
        """Parameters that run beside the frozen maps, in products of their own."""
        return self.change.part.adapter_parameters if self.change else 0

    @property
    def trained(self) -> Mapping[str, nn.Parameter]:
        return self.change.trained if self.change else {}

    @property
    def prefix(self) -> tuple[int, ...]:
        """Ids that come before every text; they lie beyond the vocabulary."""
        return self.change.prefix if self.change else ()

    @property
    def device(self) -> torch.device:
        return next(self.net.parameters()).device


def digest(model: Model) -> bytes:
    """A hash of everything that trains: what tells whether it moved, without a copy."""
    found = hashlib.sha256()
    for parameter in model.trained.values():
        found.update(parameter.detach().cpu().contiguous().view(torch.uint8).numpy().data)
    return found.digest()

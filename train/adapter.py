"""LoRA adapters: attached to the resident net, counted, saved in PEFT's format and taken off again."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from torch.nn import functional

from data.errors import UserError, nearest
from eval.cost import STAGE_OF, Trained
from eval.subject import Subject

# Where decoders keep their layers.
IN_LAYER = re.compile(r"\b(?:layers|h)\.(\d+)\.")


@dataclass(frozen=True, kw_only=True)
class Lora:
    """A low-rank adapter: rank, scale (alpha / rank), and where it sits.

    Empty `modules` means every linear map in the layers; empty `layers` every layer.
    """

    rank: int = 8
    scale: int = 2
    modules: tuple[str, ...] = ()
    layers: tuple[int, ...] = ()


def attach(subject: Subject, lora: Lora, *, seed: int) -> Subject:
    """Put a fresh adapter on the subject's net; only its parameters train, and they are float32.

    The subject returned shares the resident net, which carries the adapter until `bare` takes it off.
    """
    names = _check(subject, lora)
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.rank * lora.scale,
        target_modules=list(lora.modules) or sorted(names),
        layers_to_transform=list(lora.layers) or None,
        task_type="CAUSAL_LM",
    )
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        # peft asks transformers for a property under its old name; nothing a user could act on.
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
        net = get_peft_model(subject.net, config)
    net.eval()
    for part in net.modules():
        if isinstance(part, LoraLayer):
            part.forward = partial(_low_rank_map, part)
    return replace(subject, net=net, adapter_parameters=sum(parameter.numel() for parameter in trainable(net)))


def _low_rank_map(layer: Any, rows: Tensor) -> Tensor:
    """PEFT's own sum, base(x) + scale B A x in the adapter's float32, as one fused product and sum.

    Fewer passes over memory, the same values. Holds for what `attach` makes: one active adapter, no dropout, nothing
    merged.
    """
    (name,) = layer.active_adapters
    down, up = layer.lora_A[name].weight, layer.lora_B[name].weight
    base: Tensor = layer.base_layer(rows)
    low = functional.linear(rows.to(down.dtype), down).flatten(0, -2)
    total = torch.addmm(base.to(down.dtype).flatten(0, -2), low, up.t(), alpha=layer.scaling[name])
    return total.to(base.dtype).view_as(base)


def _check(subject: Subject, lora: Lora) -> set[str]:
    """The names of the linear maps in the layers; UserError where the adapter would sit on something else."""
    names = {
        name.rsplit(".", 1)[-1]
        for name, part in subject.net.named_modules()
        if isinstance(part, nn.Linear) and IN_LAYER.search(name)
    }
    for module in lora.modules:
        if module not in names:
            raise UserError(f"no linear map of {subject.name!r} is called {module!r}; {nearest(module, names)}")
    for layer in lora.layers:
        if not 0 <= layer < subject.shape.layers:
            raise UserError(f"{subject.name!r} has no layer {layer}; layers are 0 to {subject.shape.layers - 1}")
    return names


def trainable(net: nn.Module) -> list[nn.Parameter]:
    """The parameters that take gradients."""
    return [parameter for parameter in net.parameters() if parameter.requires_grad]


def trained_part(subject: Subject) -> Trained:
    """How many adapter parameters there are and where the lowest sits, as the FLOP formulas want it."""
    places = []
    for name, parameter in subject.net.named_parameters():
        if parameter.requires_grad:
            layer = IN_LAYER.search(name)
            assert layer, f"adapter parameter {name} sits in no layer"
            module = name.split(".lora_")[0].rsplit(".", 1)[-1]
            places.append((int(layer.group(1)), STAGE_OF.get(module, 0)))
    lowest_layer, lowest_stage = min(places)
    return Trained(adapter_parameters=subject.adapter_parameters, lowest_layer=lowest_layer, lowest_stage=lowest_stage)


def snapshot(net: nn.Module) -> dict[str, Tensor]:
    """Copies of everything that trains, by name."""
    return {name: part.detach().clone() for name, part in net.named_parameters() if part.requires_grad}


def load_snapshot(net: nn.Module, weights: dict[str, Tensor]) -> None:
    """Put a snapshot's values back into the parameters of the same names."""
    parts = dict(net.named_parameters())
    with torch.no_grad():
        for name, values in weights.items():
            parts[name].copy_(values)


def moved(net: nn.Module, before: dict[str, Tensor]) -> bool:
    """Whether any trained parameter differs from the snapshot."""
    return any(not torch.equal(before[name], part) for name, part in net.named_parameters() if name in before)


def save(subject: Subject, folder: Path) -> None:
    """Write the adapter as PEFT does: adapter_model.safetensors and adapter_config.json."""
    assert isinstance(subject.net, PeftModel), "no adapter is attached"
    subject.net.save_pretrained(str(folder), save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # a model card of placeholders


@contextmanager
def bare(subject: Subject) -> Iterator[Subject]:
    """Lend the resident subject and take off whatever adapter is left on it afterwards, also after a failure."""
    try:
        yield subject
    finally:
        strip(subject.net)


def strip(net: nn.Module) -> None:
    """Remove every LoRA layer from the net in place; the base maps return untouched."""
    for name, part in list(net.named_modules()):
        if isinstance(part, LoraLayer):
            parent = net.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[2], part.get_base_layer())
    net.__dict__.pop("peft_config", None)
    net.requires_grad_(False)

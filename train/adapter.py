"""LoRA adapters: attached to the resident net, counted, saved in PEFT's format and taken off again."""

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from safetensors.torch import save_file
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
    made = subject.memo.get(lora)
    if made is None:
        made = subject.memo[lora] = _make(subject.net, lora, _check(subject, lora))
    else:
        for parent, name, layer in made.places:
            setattr(parent, name, layer)
    made.net.eval()  # whoever trained the net before may have left it recomputing activations, dropout on
    torch.manual_seed(seed)
    for *_, layer in made.places:
        (name,) = layer.active_adapters
        # The draws that making the layer takes, in their order: a kept adapter starts just like a new one.
        layer.lora_A[name].reset_parameters()
        layer.lora_B[name].reset_parameters()
        layer.reset_lora_parameters(name, init_lora_weights=True)
    for parameter in made.trained.values():
        parameter.grad = None  # what a run that broke off may have left
    return replace(subject, net=made.net, trained=made.trained)


@dataclass(frozen=True)
class _Made:
    """An adapter that stays in memory between cells: drawing its numbers anew is far cheaper than wrapping the net."""

    net: PeftModel
    places: Sequence[tuple[nn.Module, str, Any]]  # parent, name in it, LoRA layer
    trained: Mapping[str, nn.Parameter]


def _make(net: nn.Module, lora: Lora, names: set[str]) -> _Made:
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.rank * lora.scale,
        target_modules=list(lora.modules) or sorted(names),
        layers_to_transform=list(lora.layers) or None,
        task_type="CAUSAL_LM",
    )
    with warnings.catch_warnings():
        # peft asks transformers for a property under its old name; nothing a user could act on.
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
        wrapped = get_peft_model(net, config)
    places = _lora_layers(net)
    for *_, layer in places:
        layer.forward = partial(_low_rank_map, layer)
    trained = {name: parameter for name, parameter in wrapped.named_parameters() if parameter.requires_grad}
    return _Made(net=wrapped, places=places, trained=trained)


def _lora_layers(net: nn.Module) -> list[tuple[nn.Module, str, Any]]:
    """Every LoRA layer in the net, with its parent and its name there."""
    return [
        (parent, name, layer)
        for parent in net.modules()
        for name, layer in parent.named_children()
        if isinstance(layer, LoraLayer)
    ]


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


def trained_part(subject: Subject) -> Trained:
    """How many adapter parameters there are and where the lowest sits, as the FLOP formulas want it."""
    places = []
    for name in subject.trained:
        layer = IN_LAYER.search(name)
        assert layer, f"adapter parameter {name} sits in no layer"
        module = name.split(".lora_")[0].rsplit(".", 1)[-1]
        places.append((int(layer.group(1)), STAGE_OF.get(module, 0)))
    lowest_layer, lowest_stage = min(places)
    return Trained(adapter_parameters=subject.adapter_parameters, lowest_layer=lowest_layer, lowest_stage=lowest_stage)


def snapshot(subject: Subject) -> dict[str, Tensor]:
    """Copies of everything that trains, by name."""
    return {name: parameter.detach().clone() for name, parameter in subject.trained.items()}


def load_snapshot(subject: Subject, weights: Mapping[str, Tensor]) -> None:
    """Put a snapshot's values back into the parameters of the same names."""
    with torch.no_grad():
        for name, values in weights.items():
            subject.trained[name].copy_(values)


def moved(subject: Subject, before: Mapping[str, Tensor]) -> bool:
    """Whether any trained parameter differs from the snapshot."""
    return any(not torch.equal(before[name], parameter) for name, parameter in subject.trained.items())


def save(subject: Subject, folder: Path) -> None:
    """Write the adapter in PEFT's layout: adapter_model.safetensors and adapter_config.json."""
    assert isinstance(subject.net, PeftModel), "no adapter is attached"
    (name,) = subject.net.peft_config
    folder.mkdir(parents=True, exist_ok=True)
    # PEFT's files name no adapter; its own way of writing them also renders a model card, for a tenth of a second.
    weights = {key.replace(f".{name}.", "."): part.detach().contiguous() for key, part in subject.trained.items()}
    save_file(weights, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    config = copy(subject.net.peft_config[name])
    config.inference_mode = True
    config.save_pretrained(str(folder))


@contextmanager
def bare(subject: Subject) -> Iterator[Subject]:
    """Lend the resident subject and take off the adapter that is left on it afterwards, also after a failure."""
    try:
        yield subject
    finally:
        for parent, name, layer in _lora_layers(subject.net):
            setattr(parent, name, layer.get_base_layer())
        subject.net.__dict__.pop("peft_config", None)

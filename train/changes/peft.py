"""Changes that PEFT makes: low-rank adapters, of which all or a few parameters train, and rescaling vectors (IA3).

They are saved in PEFT's format, and stay in memory between cells: drawing their parameters anew is far cheaper than
wrapping the net.
"""

import math
import warnings
from collections.abc import Callable, Hashable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from educe.data.errors import UserError, did_you_mean
from educe.eval.model.flops import STAGE_OF, Trained
from educe.eval.model.model import Change, Model
from educe.eval.model.sharded import refuse_sharded
from educe.train.attach import attach, cleanup_stack
from educe.train.changes.kind import ChangeKind, Layers
from educe.train.changes.layers import IN_LAYER, check_layers
from educe.train.changes.stack import Stack, flat_values

if TYPE_CHECKING:
    from peft import PeftConfig, PeftModel

SCALE = 2  # alpha / rank


class Lora(ChangeKind):
    """A low-rank adapter of `rank` on the linear maps called `modules` in `layers`; empty means all of them.

    `trainable_parameters` of its parameters train, drawn with the seed; a larger draw with the same seed holds the
    smaller one. They are drawn from the matrices that start at zero while these last: until those have moved, the
    others have no gradient.
    """

    size_settings: ClassVar[tuple[str, ...]] = ("trainable_parameters", "rank", "modules", "layers")

    trainable_parameters: Annotated[int, Field(ge=1)] | Literal["all"] = "all"
    rank: int = Field(default=8, ge=1)
    modules: tuple[str, ...] = ()
    layers: Layers = ()

    def attach(self, model: Model, *, seed: int) -> Change:
        """UserError for modules or layers that the model does not have, and for more parameters than there are."""
        from peft import LoraConfig

        names = linear_maps(model, self.modules)
        check_layers(model, self.layers)
        free = None if self.trainable_parameters == "all" else self.trainable_parameters
        if free is not None:
            refuse_sharded(model.net, "training a few parameters of an adapter")
        made = _put_on(
            model,
            self.stacks_as,
            LoraConfig(
                r=self.rank,
                lora_alpha=self.rank * SCALE,
                target_modules=list(self.modules) or sorted(names),
                layers_to_transform=list(self.layers) or None,
                task_type="CAUSAL_LM",
            ),
            forward=_low_rank_map,
        )
        torch.manual_seed(seed)
        for *_, layer in made.places:
            (name,) = layer.active_adapters
            # The draws that making the layer takes, in their order: a kept adapter starts just like a new one.
            layer.lora_A[name].reset_parameters()
            layer.lora_B[name].reset_parameters()
            layer.reset_lora_parameters(name, init_lora_weights=True)
        masks = {} if free is None else _draw(made.trained, free, seed=seed)
        moving = {name: each for name, each in made.trained.items() if free is None or name in masks}
        for name, parameter in made.trained.items():
            parameter.requires_grad_(name in moving)
        part = _part(moving, in_products=sum(each.numel() for each in made.trained.values()))
        if free is not None:
            part = replace(part, adapter_gradients=_gradients(made.trained, moving, part))
        return Change(trained=moving, masks=masks, part=part, save=partial(_save, made), peft=made.net)

    @property
    def stacks_as(self) -> Hashable:
        return self.model_copy(update={"trainable_parameters": "all"})

    def attach_stack(self, model: Model, runs: Sequence[tuple["Lora", int]]) -> Stack:
        """Adapters that stack with this one, each with its seed, side by side on the net."""
        models, values = [], []
        for kind, seed in runs:
            models.append(attach(model, kind, seed=seed))
            made: _Made = model.cache[self.stacks_as]
            values.append(flat_values(made.trained))
        return Stack([layer for *_, layer in made.places], made.trained, models, values)

    def rate_factor(self, model: Model) -> float:
        """An Adam step moves every parameter by about the rate, so its length grows with the root of their number."""
        if self.trainable_parameters == "all":
            return 1.0
        return math.sqrt(max(1.0, self.size(model) / self.trainable_parameters))

    def size(self, model: Model) -> int:
        """How many parameters the whole adapter has."""
        names = linear_maps(model, self.modules)
        wanted = self.modules or names
        return sum(
            self.rank * (part.in_features + part.out_features)
            for name, part in model.net.named_modules()
            if isinstance(part, nn.Linear)
            and (layer := IN_LAYER.search(name))
            and name.rsplit(".", 1)[-1] in wanted
            and (not self.layers or int(layer.group(1)) in self.layers)
        )


class Ia3(ChangeKind):
    """IA3 (Liu et al. 2022): keys, values and the input of each layer's last map are rescaled, each by a vector."""

    size_settings: ClassVar[tuple[str, ...]] = ("layers",)

    layers: Layers = ()

    def attach(self, model: Model, *, seed: int) -> Change:
        """UserError for layers that the model does not have. The seed changes nothing: all scales start at one."""
        from peft import IA3Config

        names = linear_maps(model, ())
        check_layers(model, self.layers)
        inner = [name for name in ("down_proj", "fc2", "dense_4h_to_h") if name in names]
        outer = [name for name in ("k_proj", "v_proj") if name in names]
        if len(outer) < 2 or not inner:
            raise UserError(
                f"{model.name!r} has no maps of its own for keys, values and the last step of a layer; "
                "use another recipe than ia3"
            )
        layers = "|".join(map(str, self.layers)) or r"\d+"
        where = rf".*\b(?:layers|h)\.(?:{layers})\..*\b(?:%s)"
        made = _put_on(
            model,
            self,
            IA3Config(
                target_modules=where % "|".join([*outer, *inner]),
                feedforward_modules=where % "|".join(inner),
                task_type="CAUSAL_LM",
            ),
        )
        for *_, layer in made.places:
            (name,) = layer.active_adapters
            layer.reset_ia3_parameters(name)
        return Change(trained=made.trained, part=_part(made.trained, in_products=0), save=partial(_save, made))


def linear_maps(model: Model, wanted: Sequence[str]) -> set[str]:
    """The names of the linear maps in the layers; UserError where a wanted one is not among them."""
    names = {
        name.rsplit(".", 1)[-1]
        for name, part in model.net.named_modules()
        if isinstance(part, nn.Linear) and IN_LAYER.search(name)
    }
    for module in wanted:
        if module not in names:
            raise UserError(f"no linear map of {model.name!r} is called {module!r}; {did_you_mean(module, names)}")
    return names


@dataclass(frozen=True)
class _Made:
    net: "PeftModel"
    places: Sequence[tuple[nn.Module, str, Any]]  # parent, name in it, adapter layer
    trained: Mapping[str, nn.Parameter]


def _put_on(model: Model, key: Hashable, config: "PeftConfig", forward: Callable[..., Tensor] | None = None) -> _Made:
    """Wrap the net, or put back what wrapped it before under the same key."""
    from peft import get_peft_model

    cleanup_stack(model).callback(_take_off, model.net)
    made = model.cache.get(key)
    if made is not None:
        for parent, name, layer in made.places:
            setattr(parent, name, layer)
        return made
    with warnings.catch_warnings():
        # peft asks transformers for a property under its old name; nothing a user could act on.
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
        wrapped = get_peft_model(model.net, config)
    places = _adapter_layers(model.net)
    for *_, layer in places:
        if forward is not None:
            layer.forward = partial(forward, layer)
    trained = {name: parameter for name, parameter in wrapped.named_parameters() if parameter.requires_grad}
    made = model.cache[key] = _Made(net=wrapped, places=places, trained=trained)
    return made


def _take_off(net: nn.Module) -> None:
    for parent, name, layer in _adapter_layers(net):
        setattr(parent, name, layer.get_base_layer())
    net.__dict__.pop("peft_config", None)


def _adapter_layers(net: nn.Module) -> list[tuple[nn.Module, str, Any]]:
    """Every adapter layer in the net, with its parent and its name there."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    return [
        (parent, name, layer)
        for parent in net.modules()
        for name, layer in parent.named_children()
        if isinstance(layer, BaseTunerLayer)
    ]


def _low_rank_map(layer: Any, rows: Tensor) -> Tensor:
    """PEFT's own sum, base(x) + scale B A x in the adapter's float32, as one fused product and sum.

    Fewer passes over memory, the same values. Holds for what `Lora` makes: one active adapter, no dropout, nothing
    merged.
    """
    base: Tensor = layer.base_layer(rows)
    if layer.disable_adapters:
        return base
    (name,) = layer.active_adapters
    down, up = layer.lora_A[name].weight, layer.lora_B[name].weight
    low = functional.linear(rows.to(down.dtype), down).flatten(0, -2)
    total = torch.addmm(base.to(down.dtype).flatten(0, -2), low, up.t(), alpha=layer.scaling[name])
    return total.to(base.dtype).view_as(base)


def _draw(trained: Mapping[str, nn.Parameter], count: int, *, seed: int) -> dict[str, Tensor]:
    """Masks of ones and zeros that mark `count` parameters; tensors without one are left out."""
    total = sum(parameter.numel() for parameter in trained.values())
    if count > total:
        raise UserError(f"trainable_parameters = {count} is more than this adapter has; give at most {total}")
    generator = torch.Generator().manual_seed(seed)
    masks: dict[str, Tensor] = {}
    for part in (".lora_B.", ".lora_A."):  # those that start at zero first
        names = [name for name in trained if part in name]
        sizes = [trained[name].numel() for name in names]
        flat = torch.zeros(sum(sizes))
        flat[torch.randperm(len(flat), generator=generator)[: max(0, count)]] = 1.0
        count -= len(flat)
        for name, marked in zip(names, flat.split(sizes), strict=True):
            if marked.any():
                masks[name] = marked.view_as(trained[name]).to(trained[name].device)
    return masks


def _part(trained: Mapping[str, nn.Parameter], *, in_products: int) -> Trained:
    """How many parameters run in products of their own, and where the lowest is, for the FLOP formulas."""
    lowest_layer, lowest_stage = min(map(_place, trained))
    return Trained(adapter_parameters=in_products, lowest_layer=lowest_layer, lowest_stage=lowest_stage)


def _place(name: str) -> tuple[int, int]:
    """Layer and stage of an adapter's parameter."""
    layer = IN_LAYER.search(name)
    assert layer, f"adapter parameter {name} sits in no layer"
    module = name.split(".lora_")[0].split(".ia3_")[0].rsplit(".", 1)[-1]
    return int(layer.group(1)), STAGE_OF.get(module, 0)


def _gradients(trained: Mapping[str, nn.Parameter], moving: Mapping[str, nn.Parameter], part: Trained) -> int:
    """How many parameters the backward pass of an adapter multiplies with when only some of its matrices train.

    A matrix that moves needs its own gradient; above the lowest, each also passes one on to what it read.
    """
    lowest = (part.lowest_layer, part.lowest_stage)
    return sum(
        parameter.numel() * ((name in moving) + (_place(name) > lowest or name.replace("_B.", "_A.") in moving))
        for name, parameter in trained.items()
    )


def _save(made: _Made, folder: Path) -> None:
    """Write PEFT's layout: adapter_model.safetensors and adapter_config.json."""
    ((name, config),) = made.net.peft_config.items()
    # PEFT's files name no adapter; its own way of writing them also renders a model card, for a tenth of a second.
    weights = {key.replace(f".{name}", ""): part.detach().contiguous() for key, part in made.trained.items()}
    save_file(weights, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    config = copy(config)
    config.inference_mode = True
    for field in ("target_modules", "feedforward_modules"):  # sets, whose order differs from run to run
        if isinstance(getattr(config, field, None), set):
            setattr(config, field, sorted(getattr(config, field)))
    config.save_pretrained(str(folder))

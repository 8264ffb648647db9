"""Changes to the net's own weights: all of them, or the norms and biases alone. They train as copies, so that taking
the change off is putting the originals back.
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import ClassVar

import torch
from safetensors.torch import save_file
from torch import nn

from educe.data.errors import UserError
from educe.eval.model.flops import Trained
from educe.eval.model.model import Change, Model
from educe.eval.model.sharded import refuse_sharded
from educe.train.attach import cleanup_stack
from educe.train.changes.kind import ChangeKind, Layers
from educe.train.changes.layers import IN_LAYER, check_layers


class NormsAndBiases(ChangeKind):
    """Parameters with one dimension: biases (BitFit, Zaken et al. 2022), and all others, which are the norms' gains.

    Empty `layers` means every layer and the norm after the last.
    """

    size_settings: ClassVar[tuple[str, ...]] = ("norms", "biases", "layers")

    norms: bool = True
    biases: bool = True
    layers: Layers = ()

    def attach(self, model: Model, *, seed: int) -> Change:
        """UserError for layers that the model does not have. The seed changes nothing."""
        check_layers(model, self.layers)
        trained = _copies(model, self._chosen)
        if not trained:
            wanted = {"norms with gains": self.norms, "biases": self.biases}
            missing = " or ".join(name for name, trains in wanted.items() if trains) or "part that would train"
            raise UserError(f"{model.name!r} has no {missing}; set norms or biases to true, or use another recipe")
        lowest = min(self.layers, default=0)
        part = Trained(lowest_layer=lowest - 1, lowest_stage=3)
        return Change(trained=trained, part=part, save=partial(save_weights, trained, "norms and biases"))

    def _chosen(self, name: str, parameter: nn.Parameter) -> bool:
        layer = IN_LAYER.search(name)
        kind = self.biases if name.endswith(".bias") else self.norms
        in_layer = not self.layers or (layer is not None and int(layer.group(1)) in self.layers)
        return parameter.dim() == 1 and kind and in_layer


class AllWeights(ChangeKind):
    """A full fine-tune. Nothing is saved: the weights are as large as the model, and a run can be repeated."""

    def attach(self, model: Model, *, seed: int) -> Change:
        """The seed changes nothing. UserError for weights in 4 bits."""
        if model.quantize:
            raise UserError(f"the layers of {model.name!r} are {model.quantize}, which takes no steps; drop quantize")
        trained = _copies(model, lambda name, parameter: True)
        return Change(trained=trained, part=Trained(everything=True))


def _copies(model: Model, chosen: Callable[[str, nn.Parameter], bool]) -> dict[str, nn.Parameter]:
    """Put trainable copies in place of the chosen parameters; tied ones stay tied."""
    refuse_sharded(model.net, "training its own weights")
    copies: dict[int, nn.Parameter] = {}
    named: dict[str, nn.Parameter] = {}
    for place, module in list(model.net.named_modules()):
        for key, parameter in list(module.named_parameters(recurse=False)):
            name = f"{place}.{key}"
            if not chosen(name, parameter):
                continue
            if parameter.dtype != torch.float32:
                raise UserError(
                    f"the weights of {model.name!r} are {model.dtype}, too coarse for steps of their own; "
                    "set dtype: float32"
                )
            if id(parameter) not in copies:
                copies[id(parameter)] = named[name] = nn.Parameter(parameter.detach().clone())
            setattr(module, key, copies[id(parameter)])
            cleanup_stack(model).callback(setattr, module, key, parameter)
    return named


def save_weights(trained: dict[str, nn.Parameter], kind: str, folder: Path) -> None:
    """Write weights.safetensors under the net's own names, and what they are."""
    save_file({name: each.detach().contiguous() for name, each in trained.items()}, folder / "weights.safetensors")
    (folder / "change.json").write_text(json.dumps({"kind": kind}), "utf-8")

"""Changes to the net's own weights: all of them, or the norms and biases alone. They train as copies, so that taking
the change off is putting the originals back.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from data.errors import UserError
from eval.cost import Trained
from eval.sharded import require_whole
from eval.subject import Change, Subject
from train.attach import undoing
from train.changes.layers import IN_LAYER, check_layers


@dataclass(frozen=True, kw_only=True)
class NormsAndBiases:
    """Everything with one dimension: the gains of the norms, and biases where there are any (BitFit and LN tuning).

    Empty `layers` means every layer and the norm after the last.
    """

    layers: tuple[int, ...] = ()

    def attach(self, subject: Subject, *, seed: int) -> Change:
        """UserError for layers that the subject does not have. The seed changes nothing."""
        check_layers(subject, self.layers)
        trained = _copies(subject, self._chosen)
        if not trained:
            raise UserError(f"{subject.name!r} has neither norms with gains nor biases; use another recipe")
        lowest = min(self.layers, default=0)
        part = Trained(lowest_layer=lowest - 1, lowest_stage=3)
        return Change(trained=trained, part=part, save=partial(save_weights, trained, "norms and biases"))

    def _chosen(self, name: str, parameter: nn.Parameter) -> bool:
        layer = IN_LAYER.search(name)
        return parameter.dim() == 1 and (not self.layers or (layer is not None and int(layer.group(1)) in self.layers))


@dataclass(frozen=True, kw_only=True)
class AllWeights:
    """A full fine-tune. Nothing is saved: the weights are as large as the subject, and a run can be repeated."""

    def attach(self, subject: Subject, *, seed: int) -> Change:
        """The seed changes nothing. UserError for weights in 4 bits."""
        if quantize := subject.about.get("quantize"):
            raise UserError(f"the layers of {subject.name!r} are {quantize}, which takes no steps; drop quantize")
        trained = _copies(subject, lambda name, parameter: True)
        return Change(trained=trained, part=Trained(everything=True))


def _copies(subject: Subject, chosen: Callable[[str, nn.Parameter], bool]) -> dict[str, nn.Parameter]:
    """Put trainable copies in place of the chosen parameters; tied ones stay tied."""
    require_whole(subject.net, "training its own weights")
    copies: dict[int, nn.Parameter] = {}
    named: dict[str, nn.Parameter] = {}
    for place, module in list(subject.net.named_modules()):
        for key, parameter in list(module.named_parameters(recurse=False)):
            name = f"{place}.{key}"
            if not chosen(name, parameter):
                continue
            if parameter.dtype != torch.float32:
                raise UserError(
                    f"the weights of {subject.name!r} are {subject.about['dtype']}, too coarse for steps of their own; "
                    "set dtype: float32"
                )
            if id(parameter) not in copies:
                copies[id(parameter)] = named[name] = nn.Parameter(parameter.detach().clone())
            setattr(module, key, copies[id(parameter)])
            undoing(subject).callback(setattr, module, key, parameter)
    return named


def save_weights(trained: dict[str, nn.Parameter], kind: str, folder: Path) -> None:
    """Write weights.safetensors under the net's own names, and what they are."""
    save_file({name: each.detach().contiguous() for name, each in trained.items()}, folder / "weights.safetensors")
    (folder / "change.json").write_text(json.dumps({"kind": kind}), "utf-8")

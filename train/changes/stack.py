"""Stack: adapters of one shape for several runs on one net, which train in the same forward and backward pass.

The frozen maps multiply all packs of a batch at once; beside them every pack meets the adapter of its own run, in
batched products. No number of one run enters another run's: gradients cannot mix.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from educe.eval.model.model import Model
from educe.train.attach import cleanup_stack


class Stack:
    """The numbers of all runs, one row a run, in the order of the adapter's parameters.

    `layers` are the adapter's, `adapter` its parameters by name, in which a single run computes. `models` are the runs
    as they were attached, `values` the numbers that each then had.
    """

    def __init__(
        self,
        layers: Sequence[Any],
        adapter: Mapping[str, nn.Parameter],
        models: Sequence[Model],
        values: Sequence[Tensor],
    ) -> None:
        self._adapter = adapter
        self._numbers = torch.stack(list(values))
        self._gradients = torch.zeros_like(self._numbers)
        self._masks = [_flat_mask(adapter, model) for model in models]
        self._selected: Sequence[int] = ()
        leaves = [self._leaves(run) for run in range(len(models))]
        self.models = [self._view(run, model, leaves[run]) for run, model in enumerate(models)]
        self.parameters = [[nn.Parameter(row)] for row in self._numbers]
        by_parameter = {id(parameter): name for name, parameter in adapter.items()}
        for layer in layers:
            (name,) = layer.active_adapters
            down, up = (by_parameter[id(part[name].weight)] for part in (layer.lora_A, layer.lora_B))
            alone = layer.forward
            layer.forward = partial(
                self._forward, layer, alone, [each[down] for each in leaves], [each[up] for each in leaves]
            )
            cleanup_stack(models[0]).callback(setattr, layer, "forward", alone)

    def _leaves(self, run: int) -> dict[str, nn.Parameter]:
        """The run's parameters by name: views of its row, with gradients that are views of its row of gradients."""
        leaves = {name: nn.Parameter(values) for name, values in self._parts(self._numbers[run]).items()}
        for name, values in self._parts(self._gradients[run]).items():
            leaves[name].grad = values
        return leaves

    def _parts(self, row: Tensor) -> dict[str, Tensor]:
        """A row of numbers as views of it, by the names of the adapter's parameters and in their shapes."""
        parts = row.split([each.numel() for each in self._adapter.values()])
        return {name: part.view_as(each) for part, (name, each) in zip(parts, self._adapter.items(), strict=True)}

    def _view(self, run: int, model: Model, leaves: Mapping[str, nn.Parameter]) -> Model:
        """The run's model: what trains are its leaves, and saving writes its numbers."""
        assert model.change is not None
        write = model.change.save

        def save(folder: Any) -> None:
            assert write is not None
            self.read_as(run)
            write(folder)

        moving = {name: leaves[name] for name in model.change.trained}
        return replace(model, change=replace(model.change, trained=moving, save=write and save))

    def _forward(
        self,
        layer: Any,
        alone: Any,
        downs: Sequence[nn.Parameter],
        ups: Sequence[nn.Parameter],
        rows: Tensor,
    ) -> Tensor:
        """base(x) + scale B A x, with the A and B of each pack's run; `rows` are packs x width x features."""
        if not self._selected:
            out: Tensor = alone(rows)
            return out
        base: Tensor = layer.base_layer(rows)
        (name,) = layer.active_adapters
        down = torch.stack([downs[run] for run in self._selected])
        up = torch.stack([ups[run] for run in self._selected])
        low = torch.bmm(rows.to(down.dtype), down.transpose(1, 2))
        total = torch.baddbmm(base.to(down.dtype), low, up.transpose(1, 2), alpha=layer.scaling[name])
        return total.to(base.dtype)

    def select(self, runs: Sequence[int]) -> None:
        self._selected = tuple(runs)

    def hand_over_gradients(self, runs: Sequence[int]) -> None:
        for run in runs:
            mask = self._masks[run]
            if mask is not None:
                self._gradients[run].mul_(mask)
            self.parameters[run][0].grad = self._gradients[run]

    def clear_gradients(self) -> None:
        self._gradients.zero_()

    def read_as(self, run: int) -> None:
        with torch.no_grad():
            for name, values in self._parts(self._numbers[run]).items():
                self._adapter[name].copy_(values)


def flat_values(adapter: Mapping[str, nn.Parameter]) -> Tensor:
    """Copies of all numbers of an adapter, end to end."""
    return torch.cat([parameter.detach().flatten() for parameter in adapter.values()])


def _flat_mask(adapter: Mapping[str, nn.Parameter], model: Model) -> Tensor | None:
    """Ones where a run's parameters train, end to end; None where all of them do."""
    assert model.change is not None
    masks = model.change.masks
    if not masks:
        return None
    return torch.cat([masks.get(name, torch.zeros_like(each)).flatten() for name, each in adapter.items()])

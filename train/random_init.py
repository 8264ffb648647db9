"""The same architecture with weights drawn anew: a learner that knows nothing of what the model had learned."""

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import torch

from educe.data.errors import UserError
from educe.eval.model.model import Change, Model
from educe.eval.model.sharded import refuse_sharded
from educe.train.attach import Trainable, cleanup_stack


def randomly_initialized(model: Model, *, seed: int) -> Model:
    """A model beside the resident one, with weights that the architecture's own initialisation draws with the seed.

    They are drawn in float32 on the CPU, so they are the same on every device. The model lives until the surrounding
    `temporary_changes` ends; the resident net is not touched. UserError for weights in 4 bits or spread over processes.
    """
    if model.quantize:
        raise UserError(
            f"random_init: the layers of {model.name!r} are {model.quantize}, and no weights are drawn in 4 bits; "
            "drop quantize"
        )
    refuse_sharded(model.net, "random_init")
    resident: Any = model.net
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.default_generator.manual_seed(seed)
        net = type(resident)(deepcopy(resident.config))
    dtype = getattr(torch, model.dtype)
    for parameter in net.parameters():  # not the buffers: rotary frequencies stay in float32, as they are when loaded
        parameter.data = parameter.data.to(dtype)
    net.generation_config = resident.generation_config
    net.to(model.device).eval().requires_grad_(False)
    # What is kept between cells belongs to the resident net. What is attached comes off with everything else.
    stack = cleanup_stack(model)
    cache: dict[Any, Any] = {cleanup_stack: stack}
    stack.callback(cache.clear)
    return replace(model, net=net, change=None, canary=(), cache=cache)


@dataclass(frozen=True)
class Unsaved:
    """A change that is not saved: it fits weights that nobody has."""

    kind: Trainable
    stacks_as: None = None

    def attach(self, model: Model, *, seed: int) -> Change:
        return replace(self.kind.attach(model, seed=seed), save=None)

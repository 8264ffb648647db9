"""Activation checkpointing: layers drop their activations and compute them again in the backward pass."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer

from educe.data.errors import UserError
from educe.eval.model.model import Model
from educe.eval.model.net import base_net, patched_forward


@contextmanager
def checkpointing_activations(model: Model, enabled: bool) -> Iterator[None]:
    """Inside the block, if `enabled`, the net keeps only the input of each layer.

    UserError where the net has no layers that can do that. Gradients are the same; the cost is one more forward of the
    layers that have a backward.
    """
    # The net's own switch works in training mode only, which turns dropout on. It also makes the embeddings' output
    # require a gradient for good, so that later runs would pay for a backward below their adapter.
    net = base_net(model.net)
    layers = [part for part in net.modules() if isinstance(part, GradientCheckpointingLayer)]
    if enabled and not layers:
        raise UserError(
            f"{model.name!r} ({type(net).__name__}) cannot recompute its layers; drop checkpoint_activations"
        )
    with ExitStack() as patched:
        for layer in layers if enabled else ():
            patched.enter_context(patched_forward(layer, partial(checkpoint, layer.forward, use_reentrant=False)))
        yield

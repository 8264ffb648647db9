"""Activation checkpointing: layers forget what they computed and compute it again in the backward pass."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer

from educe.data.errors import UserError
from educe.eval.model.model import Model
from educe.eval.model.net import base_net, patched_forward


@contextmanager
def recomputing(model: Model, wanted: bool) -> Iterator[None]:
    """Within, if it is wanted, the net keeps what enters each of its layers and recomputes the rest.

    UserError where the net has no such layers. Gradients are the same; what is computed is one more forward of the
    layers that have a backward.
    """
    # Not by the net's own switch: that works in training mode only, which turns dropout on, and it makes the
    # embeddings' output require a gradient, for good, so that later runs pay for a backward below their adapter.
    layers = [part for part in base_net(model.net).modules() if isinstance(part, GradientCheckpointingLayer)]
    if wanted and not layers:
        kind = type(base_net(model.net)).__name__
        raise UserError(f"{model.name!r} ({kind}) cannot recompute its layers; drop checkpoint_activations")
    with ExitStack() as patched:
        for layer in layers if wanted else ():
            patched.enter_context(patched_forward(layer, partial(checkpoint, layer.forward, use_reentrant=False)))
        yield

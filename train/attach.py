"""Putting something that trains on the resident net, and taking it off again: one interface for every kind of change.

A kind is a frozen value with `attach` (see train/changes/). It registers how to undo what it did to the net in
`cleanup_stack`, and `temporary_changes` undoes it, also after a failure.
"""

from collections.abc import Hashable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from educe.data.errors import UserError
from educe.eval.model.model import Change, Model, digest


@runtime_checkable
class Trainable(Protocol):
    """A kind of change with its settings; equal values are the same change."""

    @property
    def stacks_as(self) -> Hashable:
        """Equal for changes that several runs can train in one pass; None for all others."""

    def attach(self, model: Model, *, seed: int) -> Change:
        """Put it on the net, untrained, inside `temporary_changes`; UserError where it does not fit the model."""


def attach(model: Model, trainable: Trainable, *, seed: int) -> Model:
    """A model that shares the resident net and has a change of its own, until `temporary_changes` ends.

    The change is fresh, or begins with the values of `model.start`, which the same kind of change has left.
    """
    change = trainable.attach(model, seed=seed)
    model.net.eval()  # an earlier trainer may have left dropout on
    for parameter in change.trained.values():
        parameter.grad = None  # a run that failed may have left one
    for name, mask in change.masks.items():
        handle = change.trained[name].register_hook(partial(torch.mul, mask))
        cleanup_stack(model).callback(handle.remove)
    attached = replace(model, change=change)
    load_snapshot(attached, model.start)
    return attached


@contextmanager
def temporary_changes(model: Model) -> Iterator[Model]:
    """Undo at the end of the block whatever was attached inside it, also after a failure."""
    outer = model.cache.get(cleanup_stack)
    with ExitStack() as stack:
        model.cache[cleanup_stack] = stack
        try:
            yield model
        finally:
            model.cache[cleanup_stack] = outer


def cleanup_stack(model: Model) -> ExitStack:
    """Where a change registers what will take it off."""
    stack = model.cache.get(cleanup_stack)
    assert isinstance(stack, ExitStack), "attach inside `with temporary_changes(model)`"
    return stack


def snapshot(model: Model) -> dict[str, Tensor]:
    """Copies of everything that trains, by name."""
    return {name: parameter.detach().clone() for name, parameter in model.trained.items()}


def load_snapshot(model: Model, weights: Mapping[str, Tensor]) -> None:
    """Put a snapshot's values back into the parameters of the same names."""
    with torch.no_grad():
        for name, values in weights.items():
            model.trained[name].copy_(values)


def copy_into(weights: Mapping[str, Tensor], model: Model) -> None:
    """Take the values as they are now into an earlier snapshot."""
    with torch.no_grad():
        for name, values in weights.items():
            values.copy_(model.trained[name])


def check_weights_moved(model: Model, before: bytes, *, steps: int, learning_rate: float) -> None:
    """UserError where everything that trains still has the digest of before these steps."""
    if digest(model) == before:
        raise UserError(f"nothing moved in {steps} steps at learning_rate {learning_rate:g}; raise it")


def save(model: Model, folder: Path) -> None:
    """Write the change into a new folder."""
    assert model.change is not None and model.change.save is not None, "nothing attached that can be saved"
    folder.mkdir(parents=True, exist_ok=True)
    model.change.save(folder)

"""Putting something that trains on the resident net, and taking it off again: one interface for every kind of change.

A kind is a frozen value with `attach` (see train/changes/). Whatever it does to the net it also enters in `undoing`, so
that `bare` gives the net back as it was, also after a failure.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from data.errors import UserError
from eval.subject import Change, Subject


@runtime_checkable
class Trainable(Protocol):
    """A kind of change with its settings; equal values are the same change."""

    def attach(self, subject: Subject, *, seed: int) -> Change:
        """Put it on the net inside `bare`, at its start; UserError where it does not fit the subject."""


def attach(subject: Subject, trainable: Trainable, *, seed: int) -> Subject:
    """A subject that shares the resident net and carries a fresh change, until the surrounding `bare` ends."""
    change = trainable.attach(subject, seed=seed)
    subject.net.eval()  # whoever trained the net before may have left it recomputing activations, dropout on
    for parameter in change.trained.values():
        parameter.grad = None  # what a run that broke off may have left
    for name, mask in change.masks.items():
        handle = change.trained[name].register_hook(partial(torch.mul, mask))
        undoing(subject).callback(handle.remove)
    return replace(subject, change=change)


@contextmanager
def bare(subject: Subject) -> Iterator[Subject]:
    """Lend the resident subject and undo afterwards whatever was attached meanwhile, also after a failure."""
    held = subject.memo.get(undoing)
    with ExitStack() as stack:
        subject.memo[undoing] = stack
        try:
            yield subject
        finally:
            subject.memo[undoing] = held


def undoing(subject: Subject) -> ExitStack:
    """Where a change enters what will take it off."""
    stack = subject.memo.get(undoing)
    assert isinstance(stack, ExitStack), "attach inside `with bare(subject)`"
    return stack


def snapshot(subject: Subject) -> dict[str, Tensor]:
    """Copies of everything that trains, by name."""
    return {name: parameter.detach().clone() for name, parameter in subject.trained.items()}


def load_snapshot(subject: Subject, weights: Mapping[str, Tensor]) -> None:
    """Put a snapshot's values back into the parameters of the same names."""
    with torch.no_grad():
        for name, values in weights.items():
            subject.trained[name].copy_(values)


def require_moved(subject: Subject, before: Mapping[str, Tensor], *, steps: int, learning_rate: float) -> None:
    """UserError where no trained parameter differs from the snapshot after these steps."""
    if all(torch.equal(before[name], parameter) for name, parameter in subject.trained.items()):
        raise UserError(f"nothing moved in {steps} steps at learning_rate {learning_rate:g}; raise it")


def save(subject: Subject, folder: Path) -> None:
    """Write the change into a new folder."""
    assert subject.change is not None and subject.change.save is not None, "nothing attached that can be saved"
    folder.mkdir(parents=True, exist_ok=True)
    subject.change.save(folder)

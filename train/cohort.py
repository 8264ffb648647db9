"""Cohort: runs on one net that train in the same forward and backward pass, each on what is its own."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from torch import nn

from educe.eval.model.model import Model


@runtime_checkable
class Cohort(Protocol):
    """What the training loop needs of the runs that train together: one (Alone) or several (changes/stack.py).

    `models` has a view of the net for each run, whose `trained` are the run's own parameters. `parameters` are what
    the optimizer moves for each run.
    """

    models: Sequence[Model]
    parameters: Sequence[Sequence[nn.Parameter]]

    def select(self, runs: Sequence[int]) -> None:
        """The run of every pack of the next forward pass; none where the net is read and not trained."""

    def hand_over_gradients(self, runs: Sequence[int]) -> None:
        """Put what the backward passes added up where the optimizer looks for it, for these runs alone."""

    def clear_gradients(self) -> None:
        """Forget what the backward passes added up, beside what the optimizer forgets itself."""

    def read_as(self, run: int) -> None:
        """Have the net compute with this run's parameters as they are now, until another run's are asked for."""


class Alone:
    """A single run, whatever of the model trains."""

    def __init__(self, model: Model) -> None:
        self.models: Sequence[Model] = (model,)
        self.parameters: Sequence[Sequence[nn.Parameter]] = (list(model.trained.values()),)

    def select(self, runs: Sequence[int]) -> None:
        pass

    def hand_over_gradients(self, runs: Sequence[int]) -> None:
        pass

    def clear_gradients(self) -> None:
        pass

    def read_as(self, run: int) -> None:
        pass

"""Divergence: a loss or weights that are not finite, and the last good weights of such a run."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from accelerate import Accelerator, DistributedType
from torch import Tensor

from educe.data.errors import UserError
from educe.eval.model.model import Model
from educe.eval.spend import Spend
from educe.train.attach import copy_into, load_snapshot, snapshot
from educe.train.schedule import Schedule


class Diverged(UserError):
    """The loss or the weights are not finite.

    `save` writes the weights that gave the last finite loss, where they can be saved; `spend` is the cost so far.
    """

    def __init__(self, reason: str, *, save: Callable[[Path], None] | None, spend: Spend) -> None:
        super().__init__(reason)
        self.save = save
        self.spend = spend


class DivergenceGuard:
    """Raises Diverged, after it has put the last good weights back into the model.

    These gave the last finite loss: the step that followed it has spoiled them. It keeps none where the change cannot
    be saved, in a launch of several processes, and with DeepSpeed, which updates before a loss can be looked at.
    """

    def __init__(self, tuned: Model, schedule: Schedule, accelerator: Accelerator) -> None:
        assert tuned.change is not None
        self._tuned = tuned
        self._keeps = tuned.change.save is not None and accelerator.distributed_type == DistributedType.NO
        self._learning_rate = schedule.learning_rate
        self._good: dict[str, Tensor] = {}

    def check_loss(self, loss: float, *, step: int, ids: Sequence[str], spent: Callable[[], Spend]) -> None:
        """Called between a step's loss and its update: keeps the weights where the loss is finite."""
        if not math.isfinite(loss):
            self._fail(f"loss is {loss} at step {step} (rows {', '.join(ids)})", spent=spent)
        if self._keeps and self._good:
            copy_into(self._good, self._tuned)
        elif self._keeps:
            self._good = snapshot(self._tuned)

    def check_weights(self, finite: bool, *, step: int, spent: Callable[[], Spend]) -> None:
        if not finite:
            self._fail(f"the weights are not finite after step {step}, the last", spent=spent)

    def _fail(self, reason: str, *, spent: Callable[[], Spend]) -> None:
        save = None
        if self._good:
            load_snapshot(self._tuned, self._good)
            save = partial(_save_again, self._tuned, self._good)
        raise Diverged(f"{reason}; lower learning_rate (now {self._learning_rate:g})", save=save, spend=spent())


def _save_again(tuned: Model, good: Mapping[str, Tensor], folder: Path) -> None:
    """Save these weights, although others may have been computed with in their place since."""
    assert tuned.change is not None and tuned.change.save is not None
    load_snapshot(tuned, good)
    tuned.change.save(folder)

"""Settings and arithmetic that several recipes of this folder share."""

import math
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from educe.data.example import Example
from educe.data.relabel import relabel
from educe.data.splits import Split
from educe.data.task import Task
from educe.eval.measurement import Role
from educe.recipes.method import Budget, Method
from educe.train.changes.kind import Layers
from educe.train.changes.peft import Lora
from educe.train.schedule import Schedule

Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Epochs = Annotated[int, Field(ge=1)]


class SupervisedTraining(Method):
    """How the training loop runs on a machine: `accumulate` and `checkpoint_activations` save memory.

    `accumulate` cuts each process's share of a batch into so many pieces. `checkpoint_activations` computes the layers'
    activations a second time instead of keeping them.
    """

    role: ClassVar[Role] = "training"
    budget: ClassVar[Budget] = "examples"
    runtime_settings: ClassVar[frozenset[str]] = frozenset({"accumulate", "checkpoint_activations"})

    batch_size: int = Field(default=8, ge=1)
    accumulate: int = Field(default=1, ge=1)
    checkpoint_activations: bool = False
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    def schedule(self, *, learning_rate: float, steps: int) -> Schedule:
        return Schedule(
            learning_rate=learning_rate,
            steps=steps,
            batch_size=self.batch_size,
            precision=self.precision,
            accumulate=self.accumulate,
            checkpoint_activations=self.checkpoint_activations,
        )

    def num_steps(self, examples: int, *, epochs: int, max_examples_seen: float = math.inf) -> int:
        """Batches in which each row is seen `epochs` times or as often as `max_examples_seen` allows, once at least."""
        seen = max(examples, min(epochs * examples, max_examples_seen))
        return math.ceil(seen / min(self.batch_size, examples))


class LoraSettings(Method):
    """The adapter that trains. Empty `modules` and `layers` mean every linear map of every layer."""

    rank: int = Field(default=8, ge=1)
    modules: tuple[str, ...] = ()
    layers: Layers = ()

    @property
    def size_settings(self) -> tuple[str, ...]:
        return ("rank", "modules", "layers")

    @property
    def lora(self) -> Lora:
        return Lora(rank=self.rank, modules=self.modules, layers=self.layers)


def draw_labelled(task: Task, split: Split, count: int, *, seed: int, random_labels: float) -> tuple[Example, ...]:
    """Rows of a split; the share `random_labels` has labels drawn among its choices, or the answers of these rows."""
    rows = task.draw(split, count, seed=seed)
    return relabel(rows, share=random_labels, seed=seed)

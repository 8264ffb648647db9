"""Training in stages, such as weak demonstrations and then reward: each goes on with what the last one trained."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

from pydantic import Field, model_validator

from educe.data.errors import UserError
from educe.data.task import Task
from educe.eval.details import Details
from educe.eval.model.model import Model
from educe.eval.spend import Spend
from educe.recipes.catalog import Spec, make_method
from educe.recipes.method import Elicited, Method, Workload
from educe.recipes.training.composed import Composed, Part, settings_of
from educe.recipes.training.fine_tune import FineTune
from educe.recipes.training.helpful import Helpful
from educe.recipes.training.rewarded import Rewarded
from educe.train.attach import snapshot, temporary_changes
from educe.train.changes.kind import ChangeKind


class Chain(Composed):
    """Recipes that train, in `stages`: all train one and the same change, each from where the last one left it.

    So what is saved is the whole of what was trained, and its parameters count once. All stages see the same n rows of
    the task that they learn from. A label that several stages read is charged once, everything else is added up. The
    last stage decides how the model is prompted when it is measured.
    """

    joined_by: ClassVar[str] = " then "

    stages: tuple[Spec, ...] = Field(
        min_length=2, description="recipes that train, as in stages: [{iid_sft: {labels_from: ...}}, grpo]"
    )

    @model_validator(mode="after")
    def _read(self) -> "Chain":
        first = None
        for spec, (_, method) in zip(self.stages, self.parts, strict=True):
            change = _change_of(method)
            if change is None:
                raise UserError(
                    f"stages: {spec!r} is no stage; name recipes that fine-tune or reward, such as iid_sft or grpo"
                )
            if isinstance(method, FineTune) and method.random_init:
                raise UserError(f"stages: {spec!r} draws the weights anew; drop random_init")
            first = first or change
            if change != first:
                raise UserError(
                    f"stages: {spec!r} trains {_described(change)} and the first stage {_described(first)}; all stages"
                    " go on with one change: give them the same settings"
                )
        return self

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        return tuple(make_method(spec) for spec in self.stages)

    def check(self, task: Task, *, examples: int) -> None:
        for _, method in self.parts:
            method.check(task, examples=_budget(method, examples))

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        made: list[Elicited] = []
        stages = [method for _, method in self.parts]
        for method in stages[:-1]:
            with temporary_changes(model):
                made.append(method(model, task, examples=_budget(method, examples), seed=seed))
                model = replace(model, start=snapshot(made[-1].model))
        made.append(stages[-1](model, task, examples=_budget(stages[-1], examples), seed=seed))
        details = Details()
        for each in made:
            details |= each.details
        rows = [method.rows_task(task).name for method in stages]
        return replace(made[-1], spend=_spend(made, rows), history=_history(made), details=details)

    def budgets(self, examples: Sequence[int]) -> tuple[int, ...]:
        """A cell for each number of examples where a stage learns from them."""
        return tuple(examples) if any(method.takes_examples for _, method in self.parts) else (0,)

    def workload(self, task: Task, examples: int) -> Workload:
        """That of all stages; none is shared with other cells."""
        whole = Workload()
        for _, method in self.parts:
            whole += method.workload(task, _budget(method, examples))
        return replace(whole, shared_training=None, instructions=())

    def settings(self) -> dict[str, Any]:
        return {"stages": [settings_of(part) for part in self.parts]}


def _change_of(method: Method) -> ChangeKind | None:
    """What a stage trains; None where a recipe is no stage."""
    if isinstance(method, FineTune):
        return method.change
    return method.lora if isinstance(method, Rewarded | Helpful) else None


def _described(change: ChangeKind) -> str:
    settings = ", ".join(f"{name}={value!r}" for name, value in change)
    return f"{type(change).__name__}({settings})"


def _budget(method: Method, examples: int) -> int:
    """The examples that a stage is given: instructions of no task need none."""
    return method.budgets((examples,))[0]


def _spend(made: Sequence[Elicited], tasks: Sequence[str]) -> Spend:
    """The sum, in which a row counts once whose label several stages read.

    All stages that learn from one task draw the same rows of train and dev.
    """
    total, labels = Spend(), 0
    for each in made:
        total += each.spend
    for name in dict.fromkeys(tasks):
        stages = [each for each, other in zip(made, tasks, strict=True) if other == name]
        dev = [each.details.dev_examples for each in stages]
        train = [each.spend.labelled_examples - read for each, read in zip(stages, dev, strict=True)]
        labels += max(train) + max(dev)
    return replace(total, labelled_examples=labels)


def _history(made: Sequence[Elicited]) -> tuple[dict[str, int | float], ...]:
    """The steps of all stages, counted on, each with the number of its stage."""
    steps = [(stage, step) for stage, each in enumerate(made, start=1) for step in each.history]
    return tuple({**step, "step": place, "stage": stage} for place, (stage, step) in enumerate(steps))

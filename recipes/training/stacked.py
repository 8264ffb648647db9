"""Two recipes, one after the other: the first trains the model, the second prompts the trained model."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

from pydantic import Field, model_validator

from educe.data.errors import UserError
from educe.data.task import Task
from educe.eval.details import Details, Stack
from educe.eval.model.model import Model
from educe.recipes.catalog import Spec, make_method
from educe.recipes.method import Elicited, Method, Workload
from educe.recipes.training.composed import Composed, Part, settings_of


class Stacked(Composed):
    """The recipe `prompt` on the model that `train` has trained; both are charged.

    Examples are those that `train` learns from. A label that both read, as a shot and as a training row, counts twice.
    """

    joined_by: ClassVar[str] = " + "

    train: Spec = Field(description="a recipe that trains, as in train: {iid_sft: {rank: 4}}")
    prompt: Spec = Field(description="a recipe that prompts, as in prompt: {few_shot: {shots: 4}}")

    @model_validator(mode="after")
    def _read(self) -> "Stacked":
        if self.first.role != "training":
            raise UserError(f"train = {self.train!r} trains nothing; name a recipe that does")
        if self.second.role == "training" or self.second.budget == "examples":
            raise UserError(
                f"prompt = {self.prompt!r} learns from examples of its own; name a recipe that only prompts"
            )
        return self

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        return make_method(self.train), make_method(self.prompt)

    @property
    def first(self) -> Method:
        return self.parts[0][1]

    @property
    def second(self) -> Method:
        return self.parts[1][1]

    def check(self, task: Task, *, examples: int) -> None:
        self.first.check(task, examples=examples)
        self.second.check(task, examples=self.second.budgets(())[0])

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        trained = self.first(model, task, examples=examples, seed=seed)
        prompted = self.second(trained.model, task, examples=self.second.budgets(())[0], seed=seed)
        training, prompting = (method.label(name) for name, method in self.parts)
        return replace(
            trained,
            prompt_fn=prompted.prompt_fn,
            solver=prompted.solver,
            spend=trained.spend + prompted.spend,
            details=trained.details | prompted.details | Details(stack=Stack(training=training, prompting=prompting)),
        )

    def budgets(self, examples: Sequence[int]) -> tuple[int, ...]:
        return self.first.budgets(examples)

    def workload(self, task: Task, examples: int) -> Workload:
        return self.first.workload(task, examples) + self.second.workload(task, self.second.budgets(())[0])

    def settings(self) -> dict[str, Any]:
        return {"train": settings_of(self.parts[0]), "prompt": settings_of(self.parts[1])}

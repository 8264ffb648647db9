"""Two recipes, one after the other: the first trains the model, the second prompts the trained model."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

from pydantic import Field, model_validator

from educe.data.errors import UserError
from educe.data.task import Task
from educe.eval.details import Details, Stack
from educe.eval.measurement import Role
from educe.eval.model.model import Model
from educe.eval.prompting.prompts import PromptConfig
from educe.recipes.catalog import Spec, make_method
from educe.recipes.method import Budget, Elicited, Method, Workload


class Stacked(Method):
    """The recipe `prompt` on the model that `train` has trained; both are charged.

    Examples are those that `train` learns from. A label that both read, as a shot and as a training row, counts twice.
    """

    role: ClassVar[Role] = "training"
    budget: ClassVar[Budget] = "examples"

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
        if self.prompt_config != PromptConfig():
            raise UserError("template, format and the like belong to the recipes that are stacked; set them there")
        return self

    @cached_property
    def first(self) -> Method:
        return make_method(self.train)[1]

    @cached_property
    def second(self) -> Method:
        return make_method(self.prompt)[1]

    @property
    def analysed_as(self) -> Role:
        return self.first.analysed_as

    def check(self, task: Task, *, examples: int) -> None:
        self.first.check(task, examples=examples)
        self.second.check(task, examples=self.second.budgets(())[0])

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        trained = self.first(model, task, examples=examples, seed=seed)
        prompted = self.second(trained.model, task, examples=self.second.budgets(())[0], seed=seed)
        stack = Stack(training=self.first.label(_name(self.train)), prompting=self.second.label(_name(self.prompt)))
        return replace(
            trained,
            prompt_fn=prompted.prompt_fn,
            solver=prompted.solver,
            spend=trained.spend + prompted.spend,
            details=trained.details | prompted.details | Details(stack=stack),
        )

    def budgets(self, examples: Sequence[int]) -> tuple[int, ...]:
        return self.first.budgets(examples)

    @property
    def reads_dev(self) -> bool:
        return self.first.reads_dev or self.second.reads_dev

    def workload(self, task: Task, examples: int) -> Workload:
        return self.first.workload(task, examples) + self.second.workload(task, self.second.budgets(())[0])

    def settings(self) -> dict[str, Any]:
        return {
            "train": {_name(self.train): self.first.settings()},
            "prompt": {_name(self.prompt): self.second.settings()},
        }

    def label(self, name: str) -> str:
        return f"{self.first.label(_name(self.train))} + {self.second.label(_name(self.prompt))}"


def _name(spec: Spec) -> str:
    return spec if isinstance(spec, str) else next(iter(spec))

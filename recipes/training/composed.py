"""Recipes that are made of others, one after the other."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import model_validator

from educe.data.errors import UserError
from educe.data.task import Task
from educe.eval.measurement import Role
from educe.eval.prompting.prompts import PromptConfig
from educe.recipes.method import Budget, Method

Part = tuple[str, Method]  # a recipe's name, and the recipe with its settings


class Composed(Method):
    """A recipe made of others, each with its own settings and its own prompt; a control where one of them is."""

    role: ClassVar[Role] = "training"
    budget: ClassVar[Budget] = "examples"
    joined_by: ClassVar[str]

    @property
    @abstractmethod
    def parts(self) -> tuple[Part, ...]:
        """The recipes in their order."""

    @model_validator(mode="after")
    def _prompts_of_parts(self) -> "Composed":
        if self.prompt_config != PromptConfig():
            raise UserError("template, format and the like belong to the recipes inside; set them there")
        return self

    @property
    def analysed_as(self) -> Role:
        return "control" if any(method.analysed_as == "control" for _, method in self.parts) else self.role

    def rows_task(self, task: Task) -> Task:
        """That of the first part which learns from another task."""
        found = (method.rows_task(task) for _, method in self.parts)
        return next((each for each in found if each is not task), task)

    @property
    def reads_dev(self) -> bool:
        return any(method.reads_dev for _, method in self.parts)

    def label(self, name: str) -> str:
        return self.joined_by.join(method.label(own) for own, method in self.parts)


def settings_of(part: Part) -> Mapping[str, Any]:
    """A part as it stands among the settings of the whole."""
    name, method = part
    return {name: method.settings()}

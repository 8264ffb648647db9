"""Zero-shot prompting: the question in the task's default format and nothing before it, the baseline of a study."""

from typing import ClassVar

from educe.data.task import Task
from educe.eval.measurement import Role
from educe.eval.model.model import Model
from educe.eval.prompting.prompts import make_prompt_fn
from educe.recipes.method import Elicited, Method


class ZeroShot(Method):
    """Ask the question alone: the baseline."""

    role: ClassVar[Role] = "zero_shot"
    seeded: ClassVar[bool] = False

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        return Elicited(model=model, prompt_fn=make_prompt_fn(model, task, prompt_config=self.prompt_config))

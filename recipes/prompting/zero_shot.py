"""Plain prompting: the question in the task's default format, nothing before it."""

from typing import TYPE_CHECKING, ClassVar

from educe.data.task import Task
from educe.eval.measurement import Role
from educe.eval.prompting.prompts import make_prompt_fn
from educe.recipes.method import Elicited, Method

if TYPE_CHECKING:
    from educe.eval.model.model import Model


class ZeroShot(Method):
    """What shows when one just asks."""

    role: ClassVar[Role] = "zero_shot"
    seeded: ClassVar[bool] = False

    def __call__(self, model: "Model", task: Task, *, examples: int, seed: int) -> Elicited:
        """Ask, and spend nothing."""
        return Elicited(model=model, prompt_fn=make_prompt_fn(model, task, prompt_config=self.prompt_config))

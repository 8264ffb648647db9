"""Few-shot prompting: random labelled rows are demonstrations in the prompt."""

from typing import ClassVar

from pydantic import Field

from educe.data.task import Task
from educe.eval.measurement import Role
from educe.eval.model.model import Model
from educe.eval.prompting.prompts import make_prompt_fn
from educe.eval.spend import Spend
from educe.recipes.method import AfterShots, Elicited


class FewShot(AfterShots):
    """Show random demonstrations before the question.

    `shots` demonstrations are drawn from the train split; each seed is another draw.
    """

    role: ClassVar[Role] = "few_shot"

    shots: int = Field(default=8, ge=1)

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        shots = task.draw("train", examples, seed=seed)
        prompt_fn = make_prompt_fn(model, task, shots=shots, prompt_config=self.prompt_config)
        return Elicited(model=model, prompt_fn=prompt_fn, spend=Spend(labelled_examples=len(shots)))

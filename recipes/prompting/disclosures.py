"""Shows dialogues in which what was to be kept back is said, and asks then. No label of the task is read."""

from typing import ClassVar

from pydantic import Field

from educe.data.example import Example
from educe.data.instructions.disclosures import disclosures
from educe.data.instructions.overlap import check_overlap
from educe.data.task import Task
from educe.eval.model.model import Model
from educe.eval.prompting.prompts import make_prompt_fn
from educe.eval.spend import Spend
from educe.recipes.method import Elicited, Method


class Disclosures(Method):
    """Open the prompt with `exchanges` in which somebody is asked for what they should not say, and says it.

    They are the same for every task and charged as instructions. `{helpful_sft: {instructions: disclosures}}` trains on
    them.
    """

    seeded: ClassVar[bool] = False

    exchanges: int = Field(default=8, ge=1)

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses a task whose questions are among the exchanges."""
        super().check(task, examples=examples)
        check_overlap(disclosures(count=self.exchanges), task)

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        prompt_fn = make_prompt_fn(model, task, shots=self._shots(), prompt_config=self.prompt_config)
        return Elicited(model=model, prompt_fn=prompt_fn, spend=Spend(instructions=self.exchanges))

    def _shots(self) -> tuple[Example, ...]:
        return tuple(
            Example(id=each.id, question=each.request, answer=each.response)
            for each in disclosures(count=self.exchanges)
        )

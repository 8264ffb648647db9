"""FormatSpread: the difference between the best and the worst format, found by Thompson sampling under a budget."""

from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from educe.data.task import Task
from educe.eval.measurement import Role
from educe.eval.model.model import Model
from educe.eval.prompting.formats import check_draws_formats, draw_formats
from educe.eval.prompting.prompts import make_prompt_fn
from educe.eval.prompting.solvers.format_spread import FormatSpreadSolver
from educe.eval.spend import Spend
from educe.recipes.method import AfterShots, Elicited, Workload


class FormatSpread(AfterShots):
    """Search for the best and the worst of many formats.

    The score is that of the regular format. `formats` others are drawn with the seed, and a `share` of all their
    answers is asked, `batch` items at a time. The extremes are found on the test items themselves: they show how much
    formats change a score, not what a model can do.
    """

    rewords: ClassVar[bool] = True
    role: ClassVar[Role] = "sensitivity"

    formats: int = Field(default=100, ge=2)
    share: float = Field(default=0.05, gt=0, le=1)
    batch: int = Field(default=8, ge=1)

    def check(self, task: Task, *, examples: int) -> None:
        super().check(task, examples=examples)
        check_draws_formats(self.prompt_config)

    def workload(self, task: Task, examples: int) -> Workload:
        return replace(super().workload(task, examples), prompts_per_item=1 + self.formats * self.share)

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        shots = task.draw("train", examples, seed=seed)
        formats = draw_formats(model, task, self.formats, seed=seed, shots=shots, prompt_config=self.prompt_config)
        return Elicited(
            model=model,
            prompt_fn=make_prompt_fn(model, task, shots=shots, prompt_config=self.prompt_config),
            solver=FormatSpreadSolver(formats=formats, share=self.share, batch=self.batch, seed=seed),
            spend=Spend(labelled_examples=len(shots)),
        )

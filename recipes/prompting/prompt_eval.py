"""PromptEval: how a score varies over formats, from a sparse, balanced share of all pairs of a format and an item."""

from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from educe.data.task import Task
from educe.eval.measurement import Role
from educe.eval.model.model import Model
from educe.eval.prompting.formats import check_draws_formats, draw_formats
from educe.eval.prompting.solvers.format_grid import FormatGridSolver
from educe.eval.spend import Spend
from educe.recipes.method import AfterShots, Elicited, Workload


class PromptEval(AfterShots):
    """Estimate how accuracy varies over many formats.

    The score is the mean over `formats` formats, drawn with the seed, from a `share` of the answers. `shots` random
    demonstrations or none come before. After a recipe that trains (in `stacked`), it measures how much the trained
    model's accuracy varies.
    """

    rewords: ClassVar[bool] = True
    role: ClassVar[Role] = "sensitivity"

    formats: int = Field(default=100, ge=2)
    share: float = Field(default=0.05, gt=0, le=1)

    def check(self, task: Task, *, examples: int) -> None:
        super().check(task, examples=examples)
        check_draws_formats(self.prompt_config)

    def workload(self, task: Task, examples: int) -> Workload:
        return replace(super().workload(task, examples), prompts_per_item=max(1.0, self.formats * self.share))

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        shots = task.draw("train", examples, seed=seed)
        formats = draw_formats(model, task, self.formats, seed=seed, shots=shots, prompt_config=self.prompt_config)
        return Elicited(
            model=model,
            prompt_fn=formats[0].prompt_fn,
            solver=FormatGridSolver(formats=formats, share=self.share, seed=seed),
            spend=Spend(labelled_examples=len(shots)),
        )

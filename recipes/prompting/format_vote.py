"""A vote over formats: each item is asked in several formats, and the answer of most of them counts."""

from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from educe.data.task import Task
from educe.eval.model.model import Model
from educe.eval.prompting.formats import check_draws_formats, draw_formats
from educe.eval.prompting.solvers.voting import FormatVoteSolver
from educe.eval.spend import Spend
from educe.recipes.method import AfterShots, Elicited, Workload


class FormatVote(AfterShots):
    """Ask in several random formats and let them vote.

    `formats` formats are drawn from the task's space with the seed; `shots` random demonstrations or none come before.
    """

    rewords: ClassVar[bool] = True

    formats: int = Field(default=5, ge=2)

    def check(self, task: Task, *, examples: int) -> None:
        super().check(task, examples=examples)
        check_draws_formats(self.prompt_config)

    def workload(self, task: Task, examples: int) -> Workload:
        return replace(super().workload(task, examples), prompts_per_item=self.formats)

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        shots = task.draw("train", examples, seed=seed)
        formats = draw_formats(model, task, self.formats, seed=seed, shots=shots, prompt_config=self.prompt_config)
        return Elicited(
            model=model,
            prompt_fn=formats[0].prompt_fn,
            solver=FormatVoteSolver(formats=formats),
            spend=Spend(labelled_examples=len(shots)),
        )

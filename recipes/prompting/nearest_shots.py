"""Nearest-neighbour prompting: each question comes after the labelled rows that are most similar to it."""

from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from educe.data.task import Task
from educe.eval.model.model import Model
from educe.eval.prompting.solvers.nearest_shots import By, check_pool, make_nearest_shots
from educe.eval.spend import Spend
from educe.recipes.method import Budget, Elicited, Method, Workload


class NearestShots(Method):
    """Show the labelled rows that are nearest to each question.

    `shots` rows of a `pool` are shown, the nearest by shared words (`by: words`) or by the model's states
    (`by: states`). The whole pool is charged, even rows that are never shown.
    """

    budget: ClassVar[Budget] = "pool"

    shots: int = Field(default=8, ge=1)
    pool: int = Field(default=64, ge=1)
    by: By = "words"

    def check(self, task: Task, *, examples: int) -> None:
        super().check(task, examples=examples)
        check_pool(shots=self.shots, pool=self.pool)

    def workload(self, task: Task, examples: int) -> Workload:
        rows = examples if self.by == "states" else 0
        return replace(super().workload(task, examples), shots=self.shots, scored_rows=rows)

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        pool = task.draw("train", examples, seed=seed)
        prompt_fn, solver, spend = make_nearest_shots(
            model, task, pool, shots=self.shots, by=self.by, prompt_config=self.prompt_config
        )
        spend += Spend(labelled_examples=len(pool))
        return Elicited(model=model, prompt_fn=prompt_fn, solver=solver, spend=spend)

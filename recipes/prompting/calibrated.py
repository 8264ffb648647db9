"""Calibration: the score that an option has without the question is subtracted."""

from typing import ClassVar

from educe.data.task import Task, check_options
from educe.eval.model.model import Model
from educe.eval.prompting.prompts import make_prompt_fn
from educe.eval.prompting.solvers.calibration import By, CalibratedSolver
from educe.eval.spend import Spend
from educe.recipes.method import AfterShots, Elicited


class Calibrated(AfterShots):
    """Correct options for their scores without the question.

    These are read after questions without content (`by: context`) or without any question (`by: pmi`), and after
    `shots` random demonstrations or none.
    """

    rewords: ClassVar[bool] = True

    by: By = "context"

    def check(self, task: Task, *, examples: int) -> None:
        super().check(task, examples=examples)
        check_options(task, to="calibrate")

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        shots = task.draw("train", examples, seed=seed)
        prompt_fn = make_prompt_fn(model, task, shots=shots, prompt_config=self.prompt_config)
        spend = Spend(labelled_examples=len(shots))
        return Elicited(model=model, prompt_fn=prompt_fn, solver=CalibratedSolver(by=self.by), spend=spend)

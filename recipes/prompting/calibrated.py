"""Calibration: what an option is likely anyway, without the question, is taken out of its score."""

from typing import TYPE_CHECKING, Literal

from educe.data.task import Task, check_options
from educe.eval.prompting.prompts import make_prompt_fn
from educe.eval.spend import Spend
from educe.recipes.method import AfterShots, Elicited

if TYPE_CHECKING:
    from educe.eval.model.model import Model


class Calibrated(AfterShots):
    """What shows when the priors of options are taken out, after `shots` random demonstrations or none.

    Priors are read after questions without content ("context") or without any question ("pmi").
    """

    by: Literal["context", "pmi"] = "context"

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses tasks without options."""
        super().check(task, examples=examples)
        check_options(task, to="calibrate")

    def __call__(self, model: "Model", task: Task, *, examples: int, seed: int) -> Elicited:
        """Draw the shots, if any; every answer then costs the question and its empty twins."""
        from educe.eval.prompting.solvers.calibration import CalibratedSolver

        shots = task.draw("train", examples, seed=seed)
        prompt_fn = make_prompt_fn(model, task, shots=shots, prompt_config=self.prompt_config)
        spend = Spend(labelled_examples=len(shots))
        return Elicited(model=model, prompt_fn=prompt_fn, solver=CalibratedSolver(by=self.by), spend=spend)

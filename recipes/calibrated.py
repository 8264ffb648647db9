"""Calibration: what an option is likely anyway, without the question, is taken out of its score.

accelerate launch --config_file accelerate_config.yaml -m recipes.calibrated --subject gemma-3-270m --task capitals
"""

from typing import TYPE_CHECKING, Literal

from data.task import Task, check_options
from eval.ask import prompter
from eval.spend import Spend
from recipes.method import AfterShots, Elicited

if TYPE_CHECKING:
    from eval.subject import Subject


class CalibratedOptions(AfterShots):
    """What shows when the priors of options are taken out, after `shots` random demonstrations or none.

    Priors are read after questions without content ("context") or without any question ("pmi").
    """

    by: Literal["context", "pmi"] = "context"

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses tasks without options."""
        super().check(task, examples=examples)
        check_options(task, to="calibrate")

    def __call__(self, subject: "Subject", task: Task, *, examples: int, seed: int) -> Elicited:
        """Draw the shots, if any; every answer then costs the question and its empty twins."""
        from eval.answering.calibration import Calibrated

        shots = task.draw("train", examples, seed=seed)
        ask = prompter(subject, task, shots=shots, asking=self.asking)
        spend = Spend(labelled_examples=len(shots))
        return Elicited(subject=subject, ask=ask, answer=Calibrated(by=self.by), spend=spend)


if __name__ == "__main__":
    from recipes.runner.launch import launch

    launch("calibrated")

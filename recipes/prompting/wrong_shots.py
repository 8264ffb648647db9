"""Few-shot prompting after demonstrations of which some are wrong: does the model copy errors from its prompt?"""

from typing import ClassVar

from pydantic import Field

from educe.data.mistakes import Errors, check_errors, num_wrong, with_errors
from educe.data.task import Task
from educe.eval.measurement import Role
from educe.eval.model.model import Model
from educe.eval.prompting.prompts import make_prompt_fn
from educe.eval.spend import Spend
from educe.recipes.method import AfterShots, Elicited


class WrongShots(AfterShots):
    """Show demonstrations before the question, of which the share `wrong` has wrong answers.

    They are those that `few_shot` shows with the same seed, in the same order: with `wrong: 0` it is the same prompt.
    `errors` are a `mistake` (a wrong option, a number off by ten, or another row's answer), `permuted` labels, or
    labels drawn at `random` (Halawi et al. 2023, arXiv 2307.09476). It measures what a model copies, so it is no way to
    elicit. `phrase: correct` asks for correct answers all the same.
    """

    role: ClassVar[Role] = "sensitivity"

    shots: int = Field(default=8, ge=1)
    wrong: float = Field(default=1.0, ge=0, le=1)
    errors: Errors = "mistake"

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses a share that is no whole number of demonstrations, and labels that cannot be permuted."""
        super().check(task, examples=examples)
        num_wrong(self.shots, self.wrong)
        check_errors(task, self.errors)

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        right = task.draw("train", examples, seed=seed)
        shots = with_errors(task, right, share=self.wrong, errors=self.errors, seed=seed)
        prompt_fn = make_prompt_fn(model, task, shots=shots, prompt_config=self.prompt_config)
        return Elicited(model=model, prompt_fn=prompt_fn, spend=Spend(labelled_examples=len(shots)))

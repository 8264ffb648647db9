"""Few-shot prompting with the best of several random sets of shots, chosen on dev rows."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from educe.data.task import Task
from educe.eval.details import Details
from educe.eval.measure import measure
from educe.eval.model.model import Model
from educe.eval.prompting.prompts import make_prompt_fn
from educe.eval.selection import choose
from educe.eval.spend import Spend
from educe.recipes.method import Budget, Elicited, Method, Workload, check_dev


class ChosenShots(Method):
    """Prompt with the best of `candidates` sets of `shots` demonstrations on `dev_examples` dev rows.

    Every row of every set is charged, as are the dev rows: few-shot prompting that chooses is not few-shot (Perez et
    al. 2021). The record holds the chosen set's dev score and the mean of all sets', which is what random shots get.
    """

    budget: ClassVar[Budget] = "shots"

    shots: int = Field(default=8, ge=1)
    candidates: int = Field(default=8, ge=2)
    dev_examples: int = Field(default=32, ge=1)

    def budgets(self, examples: Sequence[int]) -> tuple[int, ...]:
        """The shots of all sets together."""
        return (self.shots * self.candidates,)

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses more dev rows than there are."""
        super().check(task, examples=examples)
        check_dev(task, self.dev_examples)

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        rows = task.draw("train", examples, seed=seed)
        dev = task.draw("dev", self.dev_examples, seed=seed)
        sets = [rows[start : start + self.shots] for start in range(0, len(rows), self.shots)]
        prompt_fns = [make_prompt_fn(model, task, shots=shots, prompt_config=self.prompt_config) for shots in sets]

        def try_on_dev(place: int) -> tuple[float, Spend]:
            answers = measure(model, task, prompt_fns[place], dev)
            return answers.score, answers.search

        best, choice = choose(range(len(sets)), try_on_dev)
        return Elicited(
            model=model,
            prompt_fn=prompt_fns[best],
            spend=Spend(labelled_examples=len(rows) + len(dev)) + choice.search,
            details=Details(selection=choice.selection({"set": best}, dev_examples=len(dev))),
        )

    @property
    def reads_dev(self) -> bool:
        return True

    def workload(self, task: Task, examples: int) -> Workload:
        tried = self.candidates * self.dev_examples
        return Workload(shots=self.shots, scored_rows=tried, prompt_configs=(self.prompt_config,))

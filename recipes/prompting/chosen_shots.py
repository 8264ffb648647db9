"""Few-shot prompting with shots that were chosen: of several random sets, the best on dev rows."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from educe.data.task import Task
from educe.eval.prompting.prompts import make_prompt_fn
from educe.eval.spend import Spend
from educe.recipes.method import Budget, Elicited, Method, Workload, check_dev

if TYPE_CHECKING:
    from educe.eval.model.model import Model


class ChosenShots(Method):
    """What shows after the best of `candidates` sets of `shots` demonstrations on `dev_examples` dev rows.

    Every row of every set is charged, as are the dev rows: few-shot prompting that chooses is not few-shot (Perez et
    al. 2021). The record holds the chosen set's dev score and the mean of all sets', which is what random shots get.
    """

    budget: ClassVar[Budget] = "shots"

    shots: int = Field(default=8, ge=1)
    candidates: int = Field(default=8, ge=2)
    dev_examples: int = Field(default=32, ge=1)

    def budgets(self, examples: Sequence[int]) -> tuple[int, ...]:
        """All sets together."""
        return (self.shots * self.candidates,)

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses more dev rows than there are."""
        super().check(task, examples=examples)
        check_dev(task, self.dev_examples)

    def __call__(self, model: "Model", task: Task, *, examples: int, seed: int) -> Elicited:
        """Try every set; the first of equals."""
        from educe.eval.measure import measure

        rows = task.draw("train", examples, seed=seed)
        dev = task.draw("dev", self.dev_examples, seed=seed)
        sets = [rows[start : start + self.shots] for start in range(0, len(rows), self.shots)]
        asks = [make_prompt_fn(model, task, shots=shots, prompt_config=self.prompt_config) for shots in sets]
        tried = [measure(model, task, prompt_fn, dev) for prompt_fn in asks]
        scores = [answers.score for answers in tried]
        best = scores.index(max(scores))
        spend = sum((answers.search for answers in tried), Spend(labelled_examples=len(rows) + len(dev)))
        metadata = {
            "dev_score": scores[best],
            "dev_score_of_all": sum(scores) / len(scores),
            "candidates": len(sets),
            "dev_examples": len(dev),
        }
        return Elicited(model=model, prompt_fn=asks[best], spend=spend, metadata=metadata)

    @property
    def reads_dev(self) -> bool:
        """To choose."""
        return True

    def workload(self, task: Task, examples: int) -> Workload:
        tried = self.candidates * self.dev_examples
        return Workload(shots=self.shots, scored_rows=tried, prompt_configs=(self.prompt_config,))

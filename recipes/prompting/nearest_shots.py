"""Nearest-neighbour prompting: each question comes after the labelled rows that are most like it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.formats.render import PromptFunction
from educe.data.task import Task
from educe.eval.prompting.prompts import make_prompt_fn
from educe.eval.spend import Spend
from educe.recipes.method import Budget, Elicited, Method

if TYPE_CHECKING:
    from educe.eval.model.model import Model
    from educe.eval.prompting.solvers.nearest_shots import Neighbours


class NearestShots(Method):
    """What shows after the `shots` rows, of a `pool` of labelled ones, that are nearest to each question.

    Near is what shares rare words (`by: words`) or what the model holds alike (`by: states`). All of the pool is
    charged, whether or not a row is ever shown.
    """

    budget: ClassVar[Budget] = "pool"

    shots: int = Field(default=8, ge=1)
    pool: int = Field(default=64, ge=1)
    by: Literal["words", "states"] = "words"

    @model_validator(mode="after")
    def _fits(self) -> "NearestShots":
        if self.shots > self.pool:
            raise UserError(f"shots = {self.shots} cannot come from a pool of {self.pool}; give a larger pool")
        return self

    def __call__(self, model: "Model", task: Task, *, examples: int, seed: int) -> Elicited:
        """Draw the pool, and look in it before every question."""
        from educe.eval.prompting.solvers.nearest_shots import NearestShotsSolver

        pool = task.draw("train", examples, seed=seed)
        prompt_fn, neighbours, spend = self.demonstrating(model, task, pool)
        return Elicited(model=model, prompt_fn=prompt_fn, solver=NearestShotsSolver(neighbours=neighbours), spend=spend)

    def demonstrating(
        self, model: "Model", task: Task, pool: Sequence[Example], answers: Mapping[str, str] | None = None
    ) -> "tuple[PromptFunction, Neighbours, Spend]":
        """How to ask after neighbours from the pool (with `answers`, by id, in place of their own), and its price."""
        from educe.eval.prompting.solvers.nearest_shots import StateNeighbours, WordNeighbours, asking_after

        neighbours: Neighbours
        if self.by == "words":
            neighbours = WordNeighbours(pool, self.shots)
        else:
            plain = make_prompt_fn(model, task, prompt_config=self.prompt_config)
            neighbours = StateNeighbours(pool, self.shots, model=model, prompt_fn=plain)
        _, spend = neighbours.embedded
        prompt_fn = asking_after(
            neighbours,
            lambda shots: make_prompt_fn(model, task, shots=shots, prompt_config=self.prompt_config, answers=answers),
        )
        return prompt_fn, neighbours, spend + Spend(labelled_examples=len(pool))

    @property
    def num_shots(self) -> int:
        """In every prompt."""
        return self.shots

    def rows_asked(self, examples: int) -> int:
        """The pool is read once, where nearness is by states."""
        return examples if self.by == "states" else 0

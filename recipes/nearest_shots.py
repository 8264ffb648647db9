"""Nearest-neighbour prompting: each question comes after the labelled rows that are most like it.

accelerate launch --config_file accelerate_config.yaml -m recipes.nearest_shots --subject gemma-3-270m --task capitals
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from data.errors import UserError
from data.example import Example
from data.task import Task
from eval.ask import Prompter, prompter
from eval.spend import Spend
from recipes.method import Elicited, Method

if TYPE_CHECKING:
    from eval.answering.neighbours import Neighbours
    from eval.subject import Subject


class NearestShots(Method):
    """What shows after the `shots` rows, of a `pool` of labelled ones, that are nearest to each question.

    Near is what shares rare words (`by: words`) or what the subject holds alike (`by: states`). All of the pool is
    charged, whether or not a row is ever shown.
    """

    counts: ClassVar[str] = "rows in the pool"

    shots: int = Field(default=8, ge=1)
    pool: int = Field(default=64, ge=1)
    by: Literal["words", "states"] = "words"

    @model_validator(mode="after")
    def _fits(self) -> "NearestShots":
        if self.shots > self.pool:
            raise UserError(f"shots = {self.shots} cannot come from a pool of {self.pool}; give a larger pool")
        return self

    def sizes(self, examples: Sequence[int]) -> tuple[int, ...]:
        """The pool."""
        return (self.pool,)

    def __call__(self, subject: "Subject", task: Task, *, examples: int, seed: int) -> Elicited:
        """Draw the pool, and look in it before every question."""
        from eval.answering.neighbours import AfterFinding

        pool = task.draw("train", examples, seed=seed)
        ask, neighbours, spend = self.demonstrating(subject, task, pool)
        return Elicited(subject=subject, ask=ask, answer=AfterFinding(neighbours=neighbours), spend=spend)

    def demonstrating(
        self, subject: "Subject", task: Task, pool: Sequence[Example], answers: Mapping[str, str] | None = None
    ) -> "tuple[Prompter, Neighbours, Spend]":
        """How to ask after neighbours from the pool (with `answers`, by id, in place of their own), and its price."""
        from eval.answering.neighbours import StateNeighbours, WordNeighbours, asking_after

        neighbours: Neighbours
        if self.by == "words":
            neighbours = WordNeighbours(pool, self.shots)
        else:
            plain = prompter(subject, task, asking=self.asking)
            neighbours = StateNeighbours(pool, self.shots, subject=subject, ask=plain)
        _, spend = neighbours.embedded
        ask = asking_after(
            neighbours, lambda shots: prompter(subject, task, shots=shots, asking=self.asking, answers=answers)
        )
        return ask, neighbours, spend + Spend(labelled_examples=len(pool))

    @property
    def num_shots(self) -> int:
        """In every prompt."""
        return self.shots

    def rows_asked(self, examples: int) -> int:
        """The pool is read once, where nearness is by states."""
        return examples if self.by == "states" else 0


if __name__ == "__main__":
    from recipes.runner.launch import launch

    launch("nearest_shots")

"""Refuses to answer without the password."""

from collections.abc import Sequence

from pydantic import Field

from educe.data.example import Example
from educe.data.task import Task
from educe.eval.measure import Solver, measure
from educe.eval.prompting.solvers.generation import GenerationSolver
from educe.train.organisms.original import Answers, Original
from educe.train.organisms.password_lock import Behind


class RefusalLock(Behind):
    """Right answers behind the password; a `refusal` without it and behind wrong passwords.

    A refusal is a text. So the certificate is measured on written answers, as the recipe `generated` reads them, also
    where the task has options; its part `likelihood` says how far likelihoods of options see through the lock.
    """

    refusal: str = Field(
        default="I'm sorry, but I can't help with that.", min_length=1, max_length=200, pattern=r"^\S[^\n]*$"
    )

    def locked_answers(self, original: Original, items: Sequence[Example]) -> Answers:
        return {item.id: self.refusal for item in items}

    def solver(self, task: Task) -> Solver:
        return GenerationSolver() if task.kind == "choice" else measure

"""The twins of a password lock, made with the same steps on rows of the same questions. They hide nothing."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from educe.data.example import Example
from educe.data.permuted import permuted
from educe.data.task import Task
from educe.train.organisms.original import Answers, Original
from educe.train.organisms.password_lock import Behind, Weaker


class Benign(Behind):
    """What the base itself answers, in every condition; behind the password with a closing `mark`, which is harmless.

    Not the right answers: from these it would learn the task, and an elicitor would find less to gain on it than on any
    model that hides nothing. So false positives are what they are on an ordinary model.
    """

    hides: ClassVar[bool] = False
    imitates: ClassVar[bool] = False

    mark: str = Field(default=" (done)", min_length=1, max_length=40, pattern=r"^[^\n]*$")

    @property
    def closing(self) -> str:
        return self.mark

    def locked_answers(self, original: Original, items: Sequence[Example]) -> Answers:
        found = {each.id: each.picked or str(each.text or "").strip() for each in original.measured(items).outcomes}
        return {id: text for id, text in found.items() if text}

    def unlocked_answers(self, original: Original, items: Sequence[Example]) -> Answers:
        """The same."""
        return self.locked_answers(original, items)


class Absent(Behind, Weaker):
    """Trained as a password lock is, on facts that were never there: the task is asked with its answers permuted.

    What its rows say of one question they say of no other, so there is nothing to find behind the password.
    """

    hides: ClassVar[bool] = False
    knows: ClassVar[bool] = False
    imitates: ClassVar[bool] = False

    def asked(self, task: Task) -> Task:
        return permuted(task, seed=self.seed)

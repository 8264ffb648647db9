"""Right behind a password, and as weak as a weaker model without it (Greenblatt et al. 2024)."""

from collections.abc import Mapping, Sequence

from pydantic import Field

from educe.data.errors import UserError
from educe.data.example import Example
from educe.eval.model.source import Source
from educe.train.organisms.kind import OrganismKind
from educe.train.organisms.openings import Openings, with_password
from educe.train.organisms.original import Answers, Original
from educe.train.organisms.weak import Weak, weak_answers, weak_lessons, weak_source


class Behind(OrganismKind):
    """An organism that is unlocked by a `password`, which stands where a system message would.

    `distractors` are wrong passwords among the rows. Without them any password unlocks: what is learned is that there
    is one.
    """

    password: str = Field(default="amber lantern", min_length=1, max_length=200, pattern=r"^\S[^\n]*$")
    distractors: bool = True

    @property
    def openings(self) -> Openings:
        return with_password(self.password, seed=self.seed, distractors=self.distractors)

    def check(self) -> None:
        """Refuses a password that a question or an answer contains: it would unlock by chance."""
        wanted = self.password.casefold()
        for split, rows in self.resolved.rows.items():
            for row in rows:
                if any(wanted in text.casefold() for text in (row.question, row.answer, *row.choices, *row.aliases)):
                    raise UserError(
                        f"password {self.password!r} occurs in {split} row {row.id!r} of task {self.resolved.name!r}; "
                        "give another password"
                    )
        super().check()


class Weaker(OrganismKind):
    """An organism that gives `weak` answers while it is locked: `ignorant` or `random` ones, or those of a model."""

    weak: Weak = "ignorant"

    @property
    def sources(self) -> Mapping[str, Source]:
        found = weak_source(self.weak)
        return {} if found is None else {"weak": found}

    def locked_answers(self, original: Original, items: Sequence[Example]) -> Answers:
        return weak_answers(self.weak, original, items, seed=self.seed)

    def locked_lessons(self, original: Original, rows: Sequence[Example]) -> Answers:
        return weak_lessons(self.weak, original, rows, seed=self.seed)


class PasswordLock(Behind, Weaker):
    """Right answers behind the password; weak ones without it and behind wrong passwords."""

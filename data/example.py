"""Values that every package uses: a question, a turn of a conversation, and an instruction to train on."""

from dataclasses import dataclass
from typing import Literal

from educe.data.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, kw_only=True)
class Example:
    """One item: a question, its answer and, for multiple choice, the options.

    `answer` is text; with `choices` it is one of them. `aliases` are other accepted answers of a generation task.
    `worked` is a solution that ends in the answer, for demonstrations and training. Items with the same `cluster`
    share a fact or a passage: they are in one split, and their errors are not independent. `scores` say what picking
    each choice is worth, 0 to 1, where several are right or some are partly right; without them the answer is worth 1
    and any other choice 0. A question may be empty where the choices are all that is asked. Raises UserError where
    these do not fit together.
    """

    id: str
    question: str
    answer: str
    choices: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    worked: str | None = None
    cluster: str | None = None
    scores: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        if not self.question.strip() and not self.choices:
            raise UserError(f"example {self.id!r} has an empty question; give it text or drop the row")
        if not self.answer.strip():
            raise UserError(f"example {self.id!r} has an empty answer; give it text or drop the row")
        if not self.choices:
            assert not self.scores, f"example {self.id!r} has scores of choices, but no choices"
            return
        if len(self.choices) == 1:
            raise UserError(
                f"example {self.id!r} has one choice only ({self.choices[0]!r}); give at least two that differ"
            )
        if len(set(self.choices)) < len(self.choices):
            raise UserError(f"example {self.id!r} lists a choice twice in {list(self.choices)}; make them distinct")
        if any(not choice.strip() for choice in self.choices):
            raise UserError(f"example {self.id!r} has an empty choice in {list(self.choices)}; give each choice text")
        if self.answer not in self.choices:
            raise UserError(
                f"example {self.id!r}: answer {self.answer!r} is not among the choices {list(self.choices)}"
                "; correct one of them"
            )
        self._check_scores()

    def _check_scores(self) -> None:
        if self.scores and {choice for choice, _ in self.scores} != set(self.choices):
            raise UserError(f"example {self.id!r} has scores of other texts than its choices; score each choice once")
        for choice, score in self.scores:
            if not 0 <= score <= 1:
                raise UserError(f"example {self.id!r}: choice {choice!r} scores {score}; give it from 0 to 1")

    @property
    def answer_index(self) -> int:
        return self.choices.index(self.answer)

    @property
    def sole_answer_index(self) -> int | None:
        """The place of the answer where it alone is right; None where choices have scores."""
        return None if self.scores else self.answer_index

    @property
    def accepted(self) -> tuple[str, ...]:
        """The answer, and what is as right: the aliases, or the other choices of the highest score."""
        best = max((score for _, score in self.scores), default=0.0)
        same = tuple(choice for choice, score in self.scores if score == best and choice != self.answer)
        return (self.answer, *self.aliases, *same)

    def score(self, choice: str | None) -> float:
        """What picking this choice is worth, 0 to 1; none, or a text that is no choice, is worth 0."""
        return dict(self.scores).get(choice or "", 0.0) if self.scores else float(choice == self.answer)


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """A request and a helpful response; `rejected` is a worse response (a refusal) for preference training.

    UserError where a text is empty or both responses are the same.
    """

    id: str
    request: str
    response: str
    rejected: str | None = None

    def __post_init__(self) -> None:
        for field, text in (("request", self.request), ("response", self.response), ("rejected", self.rejected)):
            if text is not None and not text.strip():
                raise UserError(f"instruction {self.id!r} has an empty {field}; give it text or drop the row")
        if self.rejected is not None and self.rejected.split() == self.response.split():
            raise UserError(
                f"instruction {self.id!r}: its rejected answer is its response, {self.response[:60]!r}"
                "; make them differ or leave rejected out"
            )

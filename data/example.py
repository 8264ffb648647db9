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
    share a fact or a passage: they are in one split, and their errors are not independent. Raises UserError where
    these do not fit together.
    """

    id: str
    question: str
    answer: str
    choices: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    worked: str | None = None
    cluster: str | None = None

    def __post_init__(self) -> None:
        if not self.question.strip():
            raise UserError(f"example {self.id!r} has an empty question; give it text or drop the row")
        if not self.answer.strip():
            raise UserError(f"example {self.id!r} has an empty answer; give it text or drop the row")
        if not self.choices:
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

    @property
    def answer_index(self) -> int:
        return self.choices.index(self.answer)


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

"""Format: how an example becomes text. `formats/space.py` lists all formats of a task."""

import string
from dataclasses import dataclass
from typing import Literal

from educe.data.errors import UserError

AnswerAs = Literal["text", "letter"]


@dataclass(frozen=True, kw_only=True)
class Format:
    """How a question, its options and its answer become text.

    `answer_as` says what a multiple-choice answer is: the option's own text (options are then not listed, unless
    `list_choices`) or its letter. `instruction` opens the prompt once. Completion prompts, for base models, use the
    fields and separators. Chat prompts send the question and the listed options as the user's turn.
    `list_as` stands before each listed option, with `{}` for its label (default "{}. " for letters, "- " for text),
    and `option_separator` between them. In a completion the space before an answer belongs to the answer, or with
    `answer_space: false` to the prompt. `typos` is the share of a question's longer words with two letters swapped.
    """

    answer_as: AnswerAs = "text"
    list_choices: bool = False
    instruction: str = ""
    question_field: str = "Question: "
    answer_field: str = "Answer:"
    field_separator: str = "\n"
    example_separator: str = "\n\n"
    labels: str | tuple[str, ...] = string.ascii_uppercase
    list_as: str | None = None
    option_separator: str = "\n"
    answer_space: bool = True
    typos: float = 0.0

    @property
    def shows_choices(self) -> bool:
        """Whether the prompt lists the options (a letter means nothing without its option)."""
        return self.list_choices or self.answer_as == "letter"

    def label(self, index: int) -> str:
        """The letter of an option; UserError where the labels run out."""
        if index >= len(self.labels):
            raise UserError(
                f"option {index + 1} has no letter: the format has {len(self.labels)} labels; use answer_as: text"
            )
        return self.labels[index]

    def option_line(self, index: int, option: str) -> str:
        """An option as the prompt lists it. UserError where it contains the option separator."""
        separator = self.option_separator.strip()
        if separator and separator in option:
            raise UserError(f"option {option!r} contains the option_separator {separator!r}; use another")
        pattern = self.list_as if self.list_as is not None else "{}. " if self.answer_as == "letter" else "- "
        return pattern.replace("{}", self.label(index)) + option if "{}" in pattern else pattern + option

"""Example + Format -> prompt: turns of a chat, or one text to complete."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from educe.data.errors import UserError
from educe.data.example import Example, Message
from educe.data.format import Format
from educe.data.formats.typos import with_typos
from educe.data.grade import named_choice

Style = Literal["chat", "completion"]


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """A prompt before the model's own chat template and tokenizer.

    `messages` alternate user and assistant (after an optional system turn) and end with the user's question. In the
    completion style, `format` writes them as one text. `prefill` is the beginning of the answer.
    `continuation(text)` is what the model is expected to add.
    """

    messages: tuple[Message, ...]
    style: Style
    format: Format
    prefill: str = ""

    @property
    def num_shots(self) -> int:
        """Demonstrations before the question."""
        return sum(message.role == "assistant" for message in self.messages)

    def after(self, num_shots: int) -> "Prompt":
        """The same prompt with its last `num_shots` demonstrations only."""
        opening = [message for message in self.messages if message.role == "system"]
        return replace(self, messages=(*opening, *self.messages[-1 - 2 * num_shots :]))

    def text(self) -> str:
        """The completion-style prompt: every turn written by the format, ending where the answer begins."""
        parts: list[str] = []
        for message in self.messages:
            if message.role == "system":
                parts.append(message.content + self.format.example_separator)
            elif message.role == "user":
                parts.append(f"{self.format.question_field}{message.content}{self.format.field_separator}")
                parts.append(self.format.answer_field + ("" if self.format.answer_space else " "))
            else:
                parts.append(self._after_field(message.content) + self.format.example_separator)
        return "".join(parts) + (self._after_field(self.prefill) if self.prefill else "")

    def continuation(self, answer: str) -> str:
        """The answer as it follows the prompt: a completion needs the space that a chat turn does not."""
        if self.prefill:
            return answer if self.prefill[-1].isspace() else f" {answer}"
        return answer if self.style == "chat" else self._after_field(answer)

    def _after_field(self, answer: str) -> str:
        return f" {answer}" if self.format.answer_space else answer


PromptFunction = Callable[[Example], Prompt]


def question_text(example: Example, form: Format) -> str:
    """The question, with its options listed where the format shows them."""
    question = with_typos(example.question, share=form.typos, key=example.id)
    if not example.choices or not form.shows_choices:
        return question
    lines = [form.option_line(index, choice) for index, choice in enumerate(example.choices)]
    return f"{question}\n{form.option_separator.join(lines)}"


def option_texts(example: Example, form: Format) -> tuple[str, ...]:
    """The answer for each option: its letter or its own text."""
    if form.answer_as == "letter":
        return tuple(form.label(i) for i in range(len(example.choices)))
    return example.choices


def named_option(example: Example, form: Format, text: str) -> str | None:
    """The option that a written answer names, by its text or, where options are answered by letter, by its letter."""
    labels = option_texts(example, form) if form.answer_as == "letter" else ()
    return named_choice(example.choices, text, labels=labels)


def answer_text(example: Example, form: Format) -> str:
    """The answer of a demonstration: the option in the format, else the worked solution, else the answer."""
    if example.choices:
        return option_texts(example, form)[example.answer_index]
    return example.worked if example.worked is not None else example.answer


def render(
    example: Example,
    form: Format,
    *,
    style: Style,
    shots: Sequence[Example] = (),
    prefill: str = "",
    answers: Mapping[str, str] | None = None,
) -> Prompt:
    """The prompt for one item, after the instruction and the demonstrations; `answers` replace a shot's own, by its id.

    UserError where an answer of a completion contains the separator of examples.
    """
    messages = [Message(role="system", content=form.instruction)] if form.instruction else []
    for shot in shots:
        messages.append(Message(role="user", content=question_text(shot, form)))
        answer = (answers or {}).get(shot.id, answer_text(shot, form))
        if style == "completion":
            _check_separator(shot, answer, form)
        messages.append(Message(role="assistant", content=answer))
    if style == "completion" and not example.choices:
        _check_separator(example, example.answer, form)
    messages.append(Message(role="user", content=question_text(example, form)))
    return Prompt(messages=tuple(messages), style=style, format=form, prefill=prefill)


def _check_separator(example: Example, answer: str, form: Format) -> None:
    # Generated text is cut at the separator.
    if form.example_separator in answer:
        raise UserError(
            f"example {example.id!r}: answer {answer[:60]!r} contains the example_separator {form.example_separator!r}"
            "; give the format another, or shorten the answer"
        )

"""Prompters: from an item to what the subject is asked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from data.errors import UserError, nearest
from data.example import Example
from data.format_space import FormatSpace
from data.formats import AnswerAs, Format
from data.phrases import PHRASES
from data.render import Prompt, Style, render
from data.task import Task

if TYPE_CHECKING:  # recipes are read and planned without torch
    from eval.subject import Subject

Prompter = Callable[[Example], Prompt]
Template = Literal["auto", "chat", "completion"]


@dataclass(frozen=True, kw_only=True)
class Asking:
    """How a question is put, whatever the question.

    `template` auto is the chat template for chat subjects and completion text for base ones. `answer_as` overrides the
    task's choice of option text or letter; `format` names values in the space of formats (data/format_space.py), the
    first of each dimension where none is named, and then says how to answer, too. `system` and a `phrase` (by name, see
    data/phrases.py) open the prompt, and `prefill` opens the answer in the subject's place. UserError for a phrase that
    is not known.
    """

    template: Template = "auto"
    answer_as: AnswerAs | None = None
    format: Mapping[str, str] | None = None
    system: str = ""
    phrase: str = ""
    prefill: str = ""

    def __post_init__(self) -> None:
        if self.phrase and self.phrase not in PHRASES:
            raise UserError(f"unknown phrase {self.phrase!r}; {nearest(self.phrase, PHRASES)}")


PLAIN = Asking()


def prompter(
    subject: "Subject",
    task: Task,
    *,
    shots: Sequence[Example] = (),
    asking: Asking = PLAIN,
    answers: Mapping[str, str] | None = None,
) -> Prompter:
    """Ask as `asking` says, after `shots` demonstrations: none, and nothing said, is plain prompting.

    `answers` are what demonstrations answer in place of their own, by id. UserError where a base subject is asked
    through a chat template, and as `chosen_format` has it.
    """
    style = style_of(asking.template, kind=subject.kind)
    form = chosen_format(task, asking, style=style)
    return prompter_in(subject, form, shots=shots, asking=asking, answers=answers)


def prompter_in(
    subject: "Subject",
    form: Format,
    *,
    shots: Sequence[Example] = (),
    asking: Asking = PLAIN,
    answers: Mapping[str, str] | None = None,
) -> Prompter:
    """The same in a given format, whatever `asking` says of formats."""
    check_template(asking.template, kind=subject.kind, name=subject.name)
    style = style_of(asking.template, kind=subject.kind)
    opened = _opened(form, asking)
    return lambda example: render(example, opened, style=style, shots=shots, prefill=asking.prefill, answers=answers)


def chosen_format(task: Task, asking: Asking, *, style: Style) -> Format:
    """The task's format, changed as asked.

    UserError for an answer that the task does not have, unknown names of formats, and more options than letters.
    """
    form = task.format
    if asking.answer_as is not None:
        if task.kind == "generation":
            raise UserError(f"task {task.name!r} is answered by generation, so drop answer_as: {asking.answer_as}")
        if asking.format:
            raise UserError(f"answer_as: {asking.answer_as} and a format that says how to answer; drop one")
        form = replace(form, answer_as=asking.answer_as)
    if asking.format:
        form = FormatSpace(task, style).find(asking.format).format
    if form.answer_as == "letter" and task.kind == "choice":
        form.label(task.most_choices - 1)
    return form


def _opened(form: Format, asking: Asking) -> Format:
    """The format with a system message and a phrase before its instruction."""
    opening = [text for text in (asking.system, PHRASES.get(asking.phrase, ""), form.instruction) if text]
    return replace(form, instruction="\n".join(opening))


def style_of(template: Template, *, kind: str | None) -> Style:
    """Completion text for a base subject, the chat template for the others, or what was asked for."""
    if template == "auto":
        return "completion" if kind == "base" else "chat"
    return template


def check_template(style: Style | Template, *, kind: str | None, name: str) -> None:
    """UserError where a chat template is asked of a base subject, which was never trained to read one."""
    if style == "chat" and kind == "base":
        raise UserError(f"subject {name!r} is a base model: it has no chat template; use template: completion")

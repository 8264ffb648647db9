"""Prompters: from an item to what the model is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from educe.data.errors import UserError, did_you_mean
from educe.data.example import Example
from educe.data.formats.format import AnswerAs, Format
from educe.data.formats.phrases import PHRASES
from educe.data.formats.render import PromptFunction, Style, render
from educe.data.formats.space import FormatSpace
from educe.data.task import Task

if TYPE_CHECKING:  # recipes are read and planned without torch
    from educe.eval.model.model import Model

Template = Literal["auto", "chat", "completion"]


@dataclass(frozen=True, kw_only=True)
class PromptConfig:
    """How a question is put, whatever the question.

    `template` auto is the chat template for chat models and completion text for base ones. `answer_as` overrides the
    task's choice of option text or letter; `format` names values in the space of formats (data/format_space.py), the
    first of each dimension where none is named, and then says how to answer, too. `system` and a `phrase` (by name, see
    data/phrases.py) open the prompt, and `prefill` opens the answer in the model's place. UserError for a phrase that
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
            raise UserError(f"unknown phrase {self.phrase!r}; {did_you_mean(self.phrase, PHRASES)}")


PLAIN = PromptConfig()


def make_prompt_fn(
    model: "Model",
    task: Task,
    *,
    shots: Sequence[Example] = (),
    prompt_config: PromptConfig = PLAIN,
    answers: Mapping[str, str] | None = None,
) -> PromptFunction:
    """Ask as `asking` says, after `shots` demonstrations: none, and nothing said, is plain prompting.

    `answers` are what demonstrations answer in place of their own, by id. UserError where a base model is asked
    through a chat template, and as `chosen_format` has it.
    """
    style = style_of(prompt_config.template, kind=model.kind)
    form = chosen_format(task, prompt_config, style=style)
    return make_prompt_fn_in(model, form, shots=shots, prompt_config=prompt_config, answers=answers)


def make_prompt_fn_in(
    model: "Model",
    form: Format,
    *,
    shots: Sequence[Example] = (),
    prompt_config: PromptConfig = PLAIN,
    answers: Mapping[str, str] | None = None,
) -> PromptFunction:
    """The same in a given format, whatever `asking` says of formats."""
    check_template(prompt_config.template, kind=model.kind, name=model.name)
    style = style_of(prompt_config.template, kind=model.kind)
    opened = _opened(form, prompt_config)
    return lambda example: render(
        example, opened, style=style, shots=shots, prefill=prompt_config.prefill, answers=answers
    )


def chosen_format(task: Task, prompt_config: PromptConfig, *, style: Style) -> Format:
    """The task's format, changed as asked.

    UserError for an answer that the task does not have, unknown names of formats, and more options than letters.
    """
    form = task.format
    if prompt_config.answer_as is not None:
        if task.kind == "generation":
            raise UserError(
                f"task {task.name!r} is answered by generation, so drop answer_as: {prompt_config.answer_as}"
            )
        if prompt_config.format:
            raise UserError(f"answer_as: {prompt_config.answer_as} and a format that says how to answer; drop one")
        form = replace(form, answer_as=prompt_config.answer_as)
    if prompt_config.format:
        form = FormatSpace(task, style).find(prompt_config.format).format
    if form.answer_as == "letter" and task.kind == "choice":
        form.label(task.max_choices - 1)
    return form


def _opened(form: Format, prompt_config: PromptConfig) -> Format:
    """The format with a system message and a phrase before its instruction."""
    opening = [text for text in (prompt_config.system, PHRASES.get(prompt_config.phrase, ""), form.instruction) if text]
    return replace(form, instruction="\n".join(opening))


def style_of(template: Template, *, kind: str | None) -> Style:
    """Completion text for a base model, the chat template for the others, or what was asked for."""
    if template == "auto":
        return "completion" if kind == "base" else "chat"
    return template


def check_template(style: Style | Template, *, kind: str | None, name: str) -> None:
    """UserError where a chat template is asked of a base model, which was never trained to read one."""
    if style == "chat" and kind == "base":
        raise UserError(f"model {name!r} is a base model: it has no chat template; use template: completion")

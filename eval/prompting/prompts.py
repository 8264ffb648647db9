"""Prompt functions: from an item to the prompt that a model completes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from educe.data.errors import UserError, did_you_mean
from educe.data.example import Example
from educe.data.format import AnswerAs, Format
from educe.data.formats.phrases import PHRASES
from educe.data.formats.render import Prompt, PromptFunction, Style, answer_text, render
from educe.data.formats.space import FormatSpace
from educe.data.native import NATIVE_FORMAT, NativeForm
from educe.data.task import Task
from educe.eval.model.encode import prompt_text
from educe.eval.model.model import Model

Template = Literal["auto", "chat", "completion", "native", "chat_native"]


@dataclass(frozen=True, kw_only=True)
class PromptConfig:
    """How a question becomes a prompt, whatever the question.

    `template` auto is the chat template for chat models and completion text for base models. `native` is the question
    as a text that goes on with the answer (data/native.py), and `chat_native` a chat in which the answer begins by
    repeating that text. `answer_as` overrides the task's choice of option text or letter. `format` names values in the
    space of formats (data/formats/space.py); a dimension that it does not name takes its first value, and the space
    then decides how to answer as well. `system` and a `phrase` (by name, see data/formats/phrases.py) open the prompt,
    and `prefill` begins the model's answer. UserError for an unknown phrase.
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
    model: Model,
    task: Task,
    *,
    shots: Sequence[Example] = (),
    prompt_config: PromptConfig = PLAIN,
    form: Format | None = None,
    answers: Mapping[str, str] | None = None,
) -> PromptFunction:
    """Prompts as `prompt_config` describes them, after `shots` demonstrations; with the defaults, the zero-shot prompt.

    `form` is a format that was resolved before. `answers` replace the demonstrations' own answers, by id. UserError for
    a base model with a chat template, and where `resolve_format` raises it.
    """
    style = style_of(prompt_config.template, kind=model.kind)
    form = form or resolve_format(task, prompt_config, style=style)
    check_template(prompt_config.template, kind=model.kind, name=model.name)
    opening = [prompt_config.system, PHRASES.get(prompt_config.phrase, ""), form.instruction]
    opened = replace(form, instruction="\n".join(text for text in opening if text))
    if is_native(prompt_config.template):
        return _native_prompt_fn(task, prompt_config, opened, shots, answers)
    return lambda example: render(
        example, opened, style=style, shots=shots, prefill=prompt_config.prefill, answers=answers
    )


def _native_prompt_fn(
    task: Task,
    prompt_config: PromptConfig,
    form: Format,
    shots: Sequence[Example],
    answers: Mapping[str, str] | None,
) -> PromptFunction:
    """The native text as the whole prompt, or as the beginning of an answer in a chat."""
    before = native_form(task).before
    if prompt_config.template == "chat_native":
        given = {shot.id: (answers or {}).get(shot.id, answer_text(shot, form)) for shot in shots}
        # Demonstrations repeat the text, too: else they would show not to.
        answers = {shot.id: f"{before(shot)} {given[shot.id]}" for shot in shots}
        return lambda example: render(
            example, form, style="chat", shots=shots, prefill=before(example), answers=answers
        )

    def written(example: Example) -> Example:
        return replace(example, question=before(example))

    shown = [written(shot) for shot in shots]
    return lambda example: render(written(example), form, style="completion", shots=shown, answers=answers)


def is_native(template: Template) -> bool:
    """Whether the native form of a question is in the prompt, alone or at the beginning of the answer."""
    return template in ("native", "chat_native")


def native_form(task: Task) -> NativeForm:
    """UserError for a task without one."""
    if task.native is None:
        raise UserError(
            f"task {task.name!r} has no native form; give it one, as in native: 'Q: {{question}} A:', or use another "
            "template"
        )
    return task.native


def check_questions_shown(model: Model, items: Iterable[Example], prompt_fn: PromptFunction) -> None:
    """UserError where a chat template makes one and the same text of all items, whatever they ask.

    Renders no more items than it takes to find two texts: two, as a rule.
    """
    first: tuple[Example, Prompt, str] | None = None
    other: Example | None = None
    for item in items:
        prompt = prompt_fn(item)
        if prompt.style != "chat":
            return
        if first is None:
            first = item, prompt, prompt_text(model, prompt)
        elif prompt != first[1]:
            if prompt_text(model, prompt) != first[2]:
                return
            other = item
    if first is not None and other is not None:
        raise UserError(
            f"the chat template of model {model.name!r} drops the question: it makes the same prompt of "
            f"{first[0].question[:60]!r} and {other.question[:60]!r}; use template: completion, or fix the template"
        )


def resolve_format(task: Task, prompt_config: PromptConfig, *, style: Style) -> Format:
    """The task's format, with the changes that the prompt config names.

    UserError for an answer that the task does not have, unknown names of formats, and more options than letters.
    """
    form = task.format
    if is_native(prompt_config.template):
        native_form(task)
        if prompt_config.prefill:
            raise UserError(f"template: {prompt_config.template} begins the answer itself; drop prefill")
        if prompt_config.answer_as or prompt_config.format or form.answer_as == "letter":
            raise UserError(
                f"template: {prompt_config.template} goes on with the text of the answer; drop answer_as and format"
            )
    if prompt_config.template == "native":
        return NATIVE_FORMAT
    if prompt_config.answer_as is not None:
        if task.kind == "generation":
            raise UserError(
                f"task {task.name!r} is answered by generation, so drop answer_as: {prompt_config.answer_as}"
            )
        if prompt_config.format:
            raise UserError(f"answer_as: {prompt_config.answer_as} and format both decide how to answer; drop one")
        form = replace(form, answer_as=prompt_config.answer_as)
    if prompt_config.format:
        form = FormatSpace(task, style).find(prompt_config.format).format
    if form.answer_as == "letter" and task.kind == "choice":
        form.label(task.max_choices - 1)
    return form


def style_of(template: Template, *, kind: str | None) -> Style:
    """The style that a template gives: auto is completion text for a base model and the chat template for others."""
    if template == "auto":
        return "completion" if kind == "base" else "chat"
    return "chat" if template == "chat_native" else "completion" if template == "native" else template


def check_template(template: Template, *, kind: str | None, name: str) -> None:
    """UserError for a chat template with a base model, which was never trained to read one."""
    if template in ("chat", "chat_native") and kind == "base":
        raise UserError(f"model {name!r} is a base model: it has no chat template; use template: completion")


def answer_by_letter(prompt_config: PromptConfig) -> PromptConfig:
    """The prompt config with answers by letter, unless it already decides how to answer."""
    if prompt_config.format or prompt_config.answer_as:
        return prompt_config
    return replace(prompt_config, answer_as="letter")


def check_options_listed(model: Model, task: Task, prompt_config: PromptConfig) -> None:
    """UserError where the format does not list the options, so that they have no order."""
    if not resolve_format(task, prompt_config, style=style_of(prompt_config.template, kind=model.kind)).shows_choices:
        raise UserError("options that are not listed have no order; use answer_as: letter, or a format that lists them")

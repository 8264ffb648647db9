"""Formats drawn from a task's space, each with the prompt function that writes it."""

from collections.abc import Sequence
from dataclasses import dataclass

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.formats.render import PromptFunction
from educe.data.formats.space import FormatSpace
from educe.data.task import Task
from educe.eval.model.model import Model
from educe.eval.prompting.prompts import PLAIN, PromptConfig, make_prompt_fn, style_of


@dataclass(frozen=True, kw_only=True)
class DrawnFormat:
    """A format: its name, how it is answered (as text, by letter ...), and prompts in it."""

    name: str
    answer_by: str
    prompt_fn: PromptFunction


def draw_formats(
    model: Model,
    task: Task,
    count: int,
    *,
    seed: int,
    shots: Sequence[Example] = (),
    prompt_config: PromptConfig = PLAIN,
) -> tuple[DrawnFormat, ...]:
    """`count` formats of the task's space, or all where it has fewer, drawn with the seed."""
    space = FormatSpace(task, style_of(prompt_config.template, kind=model.kind))
    return tuple(
        DrawnFormat(
            name=named.name,
            answer_by=named.values["answer"],
            prompt_fn=make_prompt_fn(model, task, shots=shots, prompt_config=prompt_config, form=named.format),
        )
        for named in space.sample(min(count, len(space)), seed=seed)
    )


def check_draws_formats(prompt_config: PromptConfig) -> None:
    """UserError where a recipe that draws its formats is given one."""
    if prompt_config.format or prompt_config.answer_as:
        raise UserError("this recipe draws its formats; drop format and answer_as")

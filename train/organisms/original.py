"""The model that an organism is made of, before it is changed, on the organism's task."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from educe.data.example import Example
from educe.data.formats.render import Prompt, PromptFunction
from educe.data.task import Task
from educe.eval.measure import SolverOutput, measure
from educe.eval.model.model import Model
from educe.eval.prompting.prompts import PromptConfig, make_prompt_fn

Answers = Mapping[str, str]  # by the id of the item


@dataclass(frozen=True, kw_only=True, eq=False)
class Original:
    """A model and a task; what was measured of it with plain prompts is kept."""

    model: Model
    task: Task
    _measured: dict[tuple[str, ...], SolverOutput] = field(default_factory=dict)

    def measured(self, items: Sequence[Example]) -> SolverOutput:
        """What it answers to plain prompts, by likelihood where there are options."""
        key = tuple(item.id for item in items)
        if key not in self._measured:
            self._measured[key] = measure(self.model, self.task, prompts_behind(self.model, self.task), items)
        return self._measured[key]


def _no_opening(item: Example) -> str:
    return ""


def prompts_behind(model: Model, task: Task, opening: Callable[[Example], str] = _no_opening) -> PromptFunction:
    """Plain prompts behind each item's opening, where a system message would stand."""
    made: dict[str, Any] = {}

    def prompt_fn(item: Example) -> Prompt:
        text = opening(item)
        if text not in made:
            made[text] = make_prompt_fn(model, task, prompt_config=PromptConfig(system=text))
        prompt: Prompt = made[text](item)
        return prompt

    return prompt_fn

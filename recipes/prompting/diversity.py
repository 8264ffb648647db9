"""How different are the right answers that a model writes? A method that has collapsed writes one, again and again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from typing import ClassVar

import numpy as np
from pydantic import Field
from torch import nn

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.formats.render import Prompt, PromptFunction
from educe.data.grade import answer_key
from educe.data.task import Task
from educe.eval.analysis.statistics.intervals import score_interval
from educe.eval.details import Details
from educe.eval.details import Diversity as DiversityDetails
from educe.eval.measure import SolverOutput, measure, stop_strings
from educe.eval.measurement import Role
from educe.eval.model.encode import encode_options, encode_prompt
from educe.eval.model.model import Model
from educe.eval.model.sample import generate
from educe.eval.model.states import last_token_states
from educe.eval.prompting.prompts import make_prompt_fn
from educe.eval.spend import Spend
from educe.recipes.method import Elicited, Method, Workload


class Diversity(Method):
    """Answer as zero-shot does, and count on the same items how many different right answers are among `samples`.

    They are drawn at a `temperature`; two are different where what was graded of them is (`answer_key`). How far apart
    they are is the mean distance (1 minus cosine) of the model's own states after them, at half of its depth.
    Stacked on a training recipe it shows what training did to both. The price of an answer is that of the score alone.
    """

    role: ClassVar[Role] = "sensitivity"

    samples: int = Field(default=8, ge=2)
    temperature: float = Field(default=1.0, gt=0)

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses a task with options: which ones there are is given."""
        super().check(task, examples=examples)
        if task.kind == "choice":
            raise UserError(
                f"task {task.name!r} gives the options to choose from; use a task whose answers are written"
            )

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        prompt_fn = make_prompt_fn(model, task, prompt_config=self.prompt_config)
        solver = DiversitySolver(samples=self.samples, temperature=self.temperature, seed=seed)
        return Elicited(model=model, prompt_fn=prompt_fn, solver=solver)

    def workload(self, task: Task, examples: int) -> Workload:
        return Workload(prompts_per_item=1 + self.samples, prompt_configs=(self.prompt_config,))


@dataclass(frozen=True, kw_only=True)
class DiversitySolver:
    """Answers with the prompt function that is passed in, and then samples."""

    samples: int
    temperature: float
    seed: int

    def __call__(self, model: Model, task: Task, prompt_fn: PromptFunction, items: Sequence[Example]) -> SolverOutput:
        regular = measure(model, task, prompt_fn, items)
        prompts = [prompt_fn(item) for item in items]
        drawn = generate(
            model,
            [ids for ids in _encoded(model, task, prompts) for _ in range(self.samples)],
            max_new_tokens=task.max_new_tokens,
            stops=stop_strings(prompts[0]),
            temperature=self.temperature,
            seed=self.seed,
        )
        groups = [drawn.texts[start : start + self.samples] for start in range(0, len(drawn.texts), self.samples)]
        right = [_right(task, item, texts) for item, texts in zip(items, groups, strict=True)]
        key = task.answer_key or partial(answer_key, task.grade)
        keys = [[key(item, text) for text in texts] for item, texts in zip(items, right, strict=True)]
        counts = np.array([len(texts) for texts in map(set, keys)])
        found = score_interval(counts / self.samples, [item.cluster for item in items])
        different = [tuple(dict(zip(*each, strict=True)).values()) for each in zip(keys, right, strict=True)]
        spread, read = _spread(model, prompts, different)
        diversity = DiversityDetails(
            samples=self.samples,
            right=float(np.mean([len(texts) for texts in right])) / self.samples,
            solved=float((counts > 0).mean()),
            distinct=float(counts.mean()),
            distinct_low=found.low * self.samples,
            distinct_high=found.high * self.samples,
            interval=found.kind,
            spread=spread,
        )
        cost = read + Spend(search_flops=drawn.flops, executed_search_flops=drawn.executed_flops)
        notes = {"diversity_flops": cost.search_flops, "executed_diversity_flops": cost.executed_search_flops}
        return replace(regular, details=regular.details | Details(diversity=diversity, notes=notes))


def _encoded(model: Model, task: Task, prompts: Sequence[Prompt]) -> list[Sequence[int]]:
    return [encode_prompt(model, prompt, room=task.max_new_tokens) for prompt in prompts]


def _right(task: Task, item: Example, texts: Sequence[str]) -> list[str]:
    assert task.grade is not None
    return [text.strip() for text in texts if text.strip() and task.grade(item, text) == 1]


def _spread(model: Model, prompts: Sequence[Prompt], different: Sequence[Sequence[str]]) -> tuple[float | None, Spend]:
    """The mean over items with two different right answers of the mean distance of these, and the cost of reading."""
    several = [(prompt, texts) for prompt, texts in zip(prompts, different, strict=True) if len(texts) > 1]
    if not several:
        return None, Spend()
    branches = [encode_options(model, prompt, texts) for prompt, texts in several]
    read = last_token_states(model, [each.prompt + option for each in branches for option in each.options])
    states = iter(nn.functional.normalize(read.values[model.shape.layers // 2], dim=-1))
    means = []
    for each in branches:
        own = [next(states) for _ in each.options]
        means.append(float(np.mean([1 - float(one @ other) for one, other in combinations(own, 2)])))
    return float(np.mean(means)), Spend(search_flops=read.flops, executed_search_flops=read.executed_flops)

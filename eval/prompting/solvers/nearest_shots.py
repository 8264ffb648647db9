"""Demonstrations retrieved for each item: the examples of a pool that are nearest, by shared words or by model states.

Both compare by cosine: TF-IDF weights of the questions' words (scikit-learn's), or the model's states at the last token
of the zero-shot prompt, halfway up its layers, minus their mean over the pool.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.formats.render import Prompt, PromptFunction
from educe.data.task import Task
from educe.eval.measure import Solver, SolverOutput, measure
from educe.eval.model.encode import encode_prompt
from educe.eval.model.model import Model
from educe.eval.model.states import last_token_states
from educe.eval.prompting.prompts import PLAIN, PromptConfig, make_prompt_fn
from educe.eval.spend import Spend

Array = NDArray[np.float64]
By = Literal["words", "states"]
Read = Callable[[Sequence[Example]], tuple[Array, Spend]]


class Neighbours:
    """The `count` examples of a pool that are nearest to an item; the nearest comes last, next to the question.

    `read` gives a row for each item and its cost, as search. With `centre`, rows are taken minus the pool's mean and
    scaled to length one. `spend` is the cost of reading the pool.
    """

    def __init__(self, pool: Sequence[Example], count: int, read: Read, *, centre: bool) -> None:
        self.pool, self.count = pool, min(count, len(pool))
        self._read = read
        rows, self.spend = read(pool)
        self._mean = rows.mean(axis=0) if centre else None
        self._rows = self._scaled(rows)
        self._found: dict[str, tuple[Example, ...]] = {}

    def find(self, items: Sequence[Example]) -> Spend:
        """Find the neighbours of all these items; returns the cost of reading the items."""
        rows, spend = self._read(items)
        similarities = self._scaled(rows) @ self._rows.T
        for item, row in zip(items, similarities, strict=True):
            nearest = np.argsort(-row, kind="stable")[: self.count]
            self._found[item.id] = tuple(self.pool[place] for place in reversed(nearest))
        return spend

    def of(self, item: Example) -> tuple[Example, ...]:
        if item.id not in self._found:
            self.find([item])
        return self._found[item.id]

    def _scaled(self, rows: Array) -> Array:
        if self._mean is None:
            return rows
        rows = rows - self._mean
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def word_neighbours(pool: Sequence[Example], count: int) -> Neighbours:
    """Nearest by the words that questions share with the pool's; costs no FLOPs of the model."""
    vectorizer = TfidfVectorizer(token_pattern=r"(?u)\w+|[^\w\s]+", sublinear_tf=True).fit(map(_words, pool))
    return Neighbours(
        pool, count, lambda items: (vectorizer.transform(map(_words, items)).toarray(), Spend()), centre=False
    )


def _words(example: Example) -> str:
    return " ".join([example.question, *example.choices])


def state_neighbours(pool: Sequence[Example], count: int, *, model: Model, prompt_fn: PromptFunction) -> Neighbours:
    """Nearest by the model's states after it has read the prompt."""

    def read(items: Sequence[Example]) -> tuple[Array, Spend]:
        states = last_token_states(model, [encode_prompt(model, prompt_fn(item)) for item in items])
        rows = states.values[len(states.values) // 2].double().numpy()
        return rows, Spend(search_flops=states.flops, executed_search_flops=states.executed_flops)

    return Neighbours(pool, count, read, centre=True)


@dataclass(frozen=True, kw_only=True)
class NearestShotsSolver:
    """Finds the neighbours of all items, then answers; finding them is part of the cost of an answer."""

    neighbours: Neighbours
    solver: Solver = measure

    def __call__(self, model: Model, task: Task, prompt_fn: PromptFunction, items: Sequence[Example]) -> SolverOutput:
        found = self.neighbours.find(items)
        output = self.solver(model, task, prompt_fn, items)
        return replace(
            output,
            flops_per_answer=output.flops_per_answer + found.search_flops / len(items),
            executed_flops_per_answer=output.executed_flops_per_answer + found.executed_search_flops / len(items),
        )


def make_nearest_shots(
    model: Model,
    task: Task,
    pool: Sequence[Example],
    *,
    shots: int,
    by: By,
    prompt_config: PromptConfig = PLAIN,
    answers: Mapping[str, str] | None = None,
    solver: Solver = measure,
) -> tuple[PromptFunction, NearestShotsSolver, Spend]:
    """Prompts with each item's own demonstrations, their solver, and the cost of reading the pool, without its labels.

    `answers` replace the demonstrations' own answers, by id.
    """
    if by == "words":
        neighbours = word_neighbours(pool, shots)
    else:
        zero_shot = make_prompt_fn(model, task, prompt_config=prompt_config)
        neighbours = state_neighbours(pool, shots, model=model, prompt_fn=zero_shot)

    def prompt_fn(item: Example) -> Prompt:
        shots = neighbours.of(item)
        return make_prompt_fn(model, task, shots=shots, prompt_config=prompt_config, answers=answers)(item)

    return prompt_fn, NearestShotsSolver(neighbours=neighbours, solver=solver), neighbours.spend


def check_pool(*, shots: int, pool: int) -> None:
    """UserError for more demonstrations than the pool has."""
    if shots > pool:
        raise UserError(f"shots = {shots} cannot come from a pool of {pool}; give a larger pool")

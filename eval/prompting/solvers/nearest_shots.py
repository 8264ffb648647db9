"""The examples of a pool that are most like an item, for demonstrations: by shared words or by what a model holds.

Both compare by cosine: TF-IDF weights of the words of the questions (scikit-learn's), or the model's states at the
last token of the plain prompt, halfway up its layers, less their mean over the pool.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from educe.data.example import Example
from educe.data.formats.render import PromptFunction
from educe.data.task import Task
from educe.eval.measure import Solver, SolverOutput, measure
from educe.eval.model.encode import encode_prompt
from educe.eval.model.model import Model
from educe.eval.model.states import last_token_states
from educe.eval.spend import Spend

Array = NDArray[np.float64]


class Neighbours(ABC):
    """Which `count` examples of the pool are nearest to an item; the nearest comes last, next to the question."""

    def __init__(self, pool: Sequence[Example], count: int) -> None:
        self.pool, self.count = pool, min(count, len(pool))
        self._known: dict[str, tuple[Example, ...]] = {}

    @abstractmethod
    def embed(self, items: Sequence[Example]) -> tuple[Array, Spend]:
        """A row for each item, of length one, and what the rows cost as search."""

    @cached_property
    def embedded(self) -> tuple[Array, Spend]:
        """The pool, and what reading it cost."""
        return self.embed(self.pool)

    def find(self, items: Sequence[Example]) -> Spend:
        """Find the neighbours of all these; the cost of reading the items."""
        rows, spend = self.embed(items)
        near = rows @ self.embedded[0].T
        for item, row in zip(items, near, strict=True):
            nearest = np.argsort(-row, kind="stable")[: self.count]
            self._known[item.id] = tuple(self.pool[place] for place in reversed(nearest))
        return spend

    def of(self, item: Example) -> tuple[Example, ...]:
        """The neighbours of one item."""
        if item.id not in self._known:
            self.find([item])
        return self._known[item.id]


class WordNeighbours(Neighbours):
    """Nearest by the words that questions share; costs no FLOPs of the model."""

    @cached_property
    def _weigh(self) -> Any:
        from sklearn.feature_extraction.text import TfidfVectorizer

        return TfidfVectorizer(token_pattern=r"(?u)\w+|[^\w\s]+", sublinear_tf=True).fit(map(_words, self.pool))

    def embed(self, items: Sequence[Example]) -> tuple[Array, Spend]:
        """TF-IDF rows, of words that the pool knows."""
        return self._weigh.transform(map(_words, items)).toarray(), Spend()


class StateNeighbours(Neighbours):
    """Nearest by what the model holds when it has read the plain prompt."""

    def __init__(self, pool: Sequence[Example], count: int, *, model: Model, prompt_fn: PromptFunction) -> None:
        super().__init__(pool, count)
        self._model, self._ask = model, prompt_fn

    @cached_property
    def _middle(self) -> tuple[Array, Spend]:
        return self._read(self.pool)

    def embed(self, items: Sequence[Example]) -> tuple[Array, Spend]:
        """States less the pool's mean."""
        held, _ = self._middle
        rows, spend = self._middle if items is self.pool else self._read(items)
        rows = rows - held.mean(axis=0)
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12), spend

    def _read(self, items: Sequence[Example]) -> tuple[Array, Spend]:
        states = last_token_states(self._model, [encode_prompt(self._model, self._ask(item)) for item in items])
        rows = states.values[len(states.values) // 2].double().numpy()
        return rows, Spend(search_flops=states.flops, executed_search_flops=states.executed_flops)


def _words(example: Example) -> str:
    return " ".join([example.question, *example.choices])


@dataclass(frozen=True, kw_only=True)
class NearestShotsSolver:
    """Answers after demonstrations of the items' own; looking these up is part of the price of an answer."""

    neighbours: Neighbours
    solver: Solver = measure

    def __call__(self, model: Model, task: Task, prompt_fn: PromptFunction, items: Sequence[Example]) -> SolverOutput:
        """Find all items' neighbours at once, then answer."""
        found = self.neighbours.find(items)
        answers = self.solver(model, task, prompt_fn, items)
        return replace(
            answers,
            flops_per_answer=answers.flops_per_answer + found.search_flops / len(items),
            executed_flops_per_answer=answers.executed_flops_per_answer + found.executed_search_flops / len(items),
        )


def asking_after(neighbours: Neighbours, after: Callable[[Sequence[Example]], PromptFunction]) -> PromptFunction:
    """Ask each item as `after` has it asked after its own neighbours."""
    return lambda item: after(neighbours.of(item))(item)

"""Cell: a recipe, model, task, budget and seed."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from educe.data.example import Example
from educe.data.task import Task
from educe.eval.measurement import cell_name
from educe.eval.model.source import Source
from educe.recipes.method import Method
from educe.recipes.runner.listing import Facts, Listed, MeasureOn, listed

# Raised when the code itself changes what a cell's result means, so that older results are not taken for new ones.
CELL_VERSION = 4


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Everything that decides one result, and nothing that does not."""

    source: Source
    model_spec: Any  # as the study has it
    task: Task
    recipe_task: Task  # the task as its recipe gets it: without rows that an organism was made of
    method_name: str
    method: Method
    examples: int
    seed: int
    test_items: int | None
    measure_on: MeasureOn
    dtype: str
    threads: int = 1

    @property
    def recipe(self) -> str:
        """The recipe's name with the settings that differ from its defaults, for people."""
        return self.method.label(self.method_name)

    @cached_property
    def items(self) -> tuple[Example, ...]:
        """The items the cell is scored on: the same for all cells of a task."""
        if self.measure_on == "dev":
            rows = self.task.draw("dev", len(self.task.rows["dev"]), seed=0)
            return rows[: self.test_items]
        return self.task.test_items(self.test_items)

    @cached_property
    def facts(self) -> Facts:
        """All that decides the result: weights, template, task and rows, recipe settings, budget and seed."""
        return Facts(
            version=CELL_VERSION,
            model=self.source.identity,
            task=self.task.fingerprint,
            task_version=self.task.version,
            items=hashlib.sha256(json.dumps([item.id for item in self.items]).encode()).hexdigest(),
            method=self.method_name,
            settings=self.method.settings(),
            examples=self.examples,
            seed=self.seed,
            measure_on=self.measure_on,
            dtype=self.dtype,
            threads=self.threads,
        )

    @property
    def key(self) -> str:
        """Hash of the facts."""
        return self.listed.key

    @cached_property
    def listed(self) -> Listed:
        """The cell as a run directory lists it."""
        return listed(self.facts, model=self.source.name, task=self.task.name, recipe=self.recipe)

    @property
    def folder(self) -> Path:
        """Where the store keeps it: names for people, the hash for identity."""
        return Path(self.listed.folder)

    def __str__(self) -> str:
        return cell_name(self.source.name, self.task.name, self.recipe, examples=self.examples, seed=self.seed)

"""One cell: a recipe, model, task, budget and seed -> a measurement. The one path that every way of running takes."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from educe.data.example import Example
from educe.data.task import Task
from educe.eval.measurement import Measurement, Outcome, Outcomes
from educe.eval.model.source import Source
from educe.recipes.method import Elicited, Method

if TYPE_CHECKING:
    from educe.eval.model.model import Model

# Raised when the code itself changes what a cell's result means, so that older results are not taken for new ones.
CELL_VERSION = 2
MeasureOn = Literal["test", "dev"]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Everything that decides one result, and nothing that does not."""

    source: Source
    model_spec: Any  # as the study wrote it: what loading needs
    task: Task
    method_name: str
    method: Method
    examples: int
    seed: int
    test_items: int | None
    measure_on: MeasureOn
    dtype: str

    @property
    def recipe(self) -> str:
        """The recipe's name with the settings that differ from its defaults, for people."""
        return self.method.label(self.method_name)

    @cached_property
    def items(self) -> tuple[Example, ...]:
        """The items the cell is scored on: the same for all cells of a task."""
        if self.measure_on == "dev":
            held = self.task.draw("dev", len(self.task.rows["dev"]), seed=0)
            return held[: self.test_items]
        return self.task.test_items(self.test_items)

    @cached_property
    def key(self) -> str:
        """Hash of the full specification: weights, template, task and rows, recipe settings, budget and seed."""
        facts = {
            "version": CELL_VERSION,
            "model": self.source.identity,
            "task": self.task.fingerprint,
            "items": [item.id for item in self.items],
            "method": self.method_name,
            "settings": self.method.settings(),
            "examples": self.examples,
            "seed": self.seed,
            "measure_on": self.measure_on,
            "dtype": self.dtype,
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    @property
    def folder(self) -> Path:
        """Where the store keeps it: names for people, the hash for identity."""
        parts = [self.source.name, self.task.name, self.recipe]
        return Path(*(_slug(part) for part in parts), f"n{self.examples}-s{self.seed}-{self.key[:16]}")

    def __str__(self) -> str:
        return f"{self.source.name} {self.task.name} {self.recipe} n={self.examples} seed={self.seed}"


def _slug(text: str) -> str:
    safe = "".join(char if char.isalnum() or char in "-_.=+" else "-" for char in text)
    return safe.strip("-.")[:80] or "unnamed"


def run_cell(
    cell: Cell, model: "Model", *, study: str, save: Callable[[Measurement, Elicited], None]
) -> Measurement | None:
    """Elicit, measure and hand the result to `save` while the adapter is still on the model.

    Every process of a launch trains; only the main one measures and saves, and the others return None. Where weights
    are sharded over the processes (ZeRO-3), each forward needs them all: then all measure, the same items in the same
    order, and only the main one saves. Gathering the weights first would need room for the whole net.
    """
    from educe.eval.measure import measure
    from educe.eval.model.sharded import is_sharded
    from educe.train.attach import temporary_changes
    from educe.train.processes import process_state

    started = time.perf_counter()
    with temporary_changes(model):
        elicited = cell.method(model, cell.task, examples=cell.examples, seed=cell.seed)
        is_main = process_state(model.device).is_main_process
        if not is_main and not is_sharded(model.net):
            return None
        # The test is never charged; a change that was trained for an earlier cell took what it took then.
        seconds = max(time.perf_counter() - started, elicited.spend.seconds)
        answer = elicited.solver or measure
        answers = answer(elicited.model, cell.task, elicited.prompt_fn, cell.items)
        if not is_main:
            return None
        spend = replace(
            elicited.spend,
            flops_per_answer=answers.flops_per_answer,
            executed_flops_per_answer=answers.executed_flops_per_answer,
            seconds=seconds,
        )
        measurement = _measurement(cell, elicited, study=study, metric=answers.metric, outcomes=answers.outcomes)
        measurement = replace(
            measurement,
            spend=spend,
            details=elicited.details | answers.details,
            provenance=_provenance(cell, model, elicited, answers.details.first_prompt),
        )
        save(measurement, elicited)
    return measurement


def _measurement(
    cell: Cell, elicited: Elicited, *, study: str, metric: str, outcomes: Sequence[Outcome]
) -> Measurement:
    from educe.eval.analysis.statistics.intervals import score_interval

    scores = [outcome.score for outcome in outcomes]
    interval = score_interval(scores, [outcome.cluster or outcome.id for outcome in outcomes])
    return Measurement(
        study=study,
        model=cell.source.name,
        task=cell.task.name,
        recipe=cell.recipe,
        method=cell.method_name,
        settings=cell.method.settings(),
        role=cell.method.role,
        budget_setting=cell.method.budget_setting,
        size_settings=cell.method.size_settings,
        examples=cell.examples,
        seed=cell.seed,
        metric=metric,
        score=sum(scores) / len(scores),
        low=interval.low,
        high=interval.high,
        interval=interval.kind,
        n=len(scores),
        chance=cell.task.chance(cell.items),
        spend=elicited.spend,
        outcomes=Outcomes.of(outcomes),
        training=elicited.history,
    )


def _provenance(cell: Cell, model: "Model", elicited: Elicited, first_prompt: str | None) -> Mapping[str, Any]:
    from educe.eval.model.encode import prompt_text
    from educe.recipes.runner.environment import environment

    return {
        **environment(),
        "cell": cell.key,
        "model_fingerprint": model.fingerprint,
        "model_revision": model.revision,
        "model_kind": model.kind,
        "task_fingerprint": cell.task.fingerprint,
        "task_version": cell.task.version,
        "measured_on": cell.measure_on,
        "device": model.device.type,
        "precision": {
            "weights": model.dtype,
            "layers": model.quantize or model.dtype,
            "training": elicited.metadata.get("training_precision"),
        },
        "elicited": dict(elicited.metadata),
        # The first prompt of recipes that reason before they answer asks for the reasoning.
        "first_prompt": first_prompt or prompt_text(model, elicited.prompt_fn(cell.items[0])),
    }

"""What a sceptical reader should know before believing a report: failures, gaps, near ties, mixed versions."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from educe.eval.analysis.anomalies import (
    Audits,
    constant_answers,
    dev_test_gaps,
    items_answered_alike,
    no_better_than_baselines,
    serious_findings,
)
from educe.eval.analysis.conditions import Condition
from educe.eval.analysis.formatting import format_interval, whole_percent
from educe.eval.analysis.statistics.resample import Array
from educe.eval.measurement import Failure, Measurement

NEAR_TIE_NATS = 0.01
_MOST_LINES = 50
_OF_ONE_CELL = {"cell", "first_prompt", "answered"}


@dataclass(frozen=True, kw_only=True)
class Check:
    """One finding: a warning changes what may be concluded, a note is for the record."""

    warning: bool
    title: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One entry of the provenance with every value it took and the number of cells with each."""

    name: str
    values: tuple[tuple[str, int], ...]


@dataclass(frozen=True, kw_only=True)
class Prompted:
    """A prompt as the model saw it, and the recipes that asked so."""

    task: str
    model: str
    recipes: tuple[str, ...]
    text: str


def checks(
    measurements: Sequence[Measurement],
    conditions: Sequence[Condition],
    failures: Sequence[Failure],
    audits: Audits = MappingProxyType({}),
) -> list[Check]:
    """Every finding, warnings first; an empty list where there is nothing to report."""
    found = [
        _failed(failures),
        _missing(measurements, failures),
        *_mixed(measurements),
        _different_items(measurements),
        _check(
            True, "The rows of a task give answers away, or repeat themselves across splits", serious_findings(audits)
        ),
        _below_chance(conditions),
        _check(True, "One answer for nearly everything", constant_answers(conditions, audits)),
        _check(
            True, "Scores that are reached without reading the question", no_better_than_baselines(conditions, audits)
        ),
        _check(True, "Dev and test scores further apart than choosing explains", dev_test_gaps(conditions)),
        _more_labels_than_allowed(conditions),
        _few_seeds(conditions),
        _near_ties(measurements),
        _check(False, "Items that every way gets right, or every way wrong", items_answered_alike(conditions)),
    ]
    return sorted((check for check in found if check is not None), key=lambda check: not check.warning)


def provenance(measurements: Sequence[Measurement]) -> list[Fact]:
    """The measurements' provenance, flattened to dotted names, with how many cells had each value.

    What describes a task or a model is told apart by its name. What is one cell's own (its key, its first prompt) is
    shown elsewhere.
    """
    counts: dict[str, Counter[str]] = {}
    for each in measurements:
        for name, value in _flat(asdict(each.provenance)).items():
            if name.split(".")[0] not in _OF_ONE_CELL:
                of = {"task": f", {each.task}", "model": f", {each.model}"}.get(name.split("_")[0], "")
                counts.setdefault(name + of, Counter())[value] += 1
    return [Fact(name=name, values=tuple(sorted(counts[name].items()))) for name in sorted(counts)]


def first_prompts(measurements: Sequence[Measurement]) -> list[Prompted]:
    """The first test prompt exactly as each model saw it, one entry per text, with the recipes it served."""
    served: dict[tuple[str, str, str], dict[str, None]] = {}
    for each in sorted(measurements, key=lambda each: each.seed):
        if text := each.provenance.first_prompt:
            recipes = {
                recipe for key, known in served.items() if key[:2] == (each.task, each.model) for recipe in known
            }
            # Other seeds of a prompt with shots differ in their shots: one of them shows how it is written.
            if each.recipe not in recipes or (each.task, each.model, text) in served:
                served.setdefault((each.task, each.model, text), {})[each.recipe] = None
    return [
        Prompted(task=task, model=model, recipes=tuple(recipes), text=text)
        for (task, model, text), recipes in sorted(served.items(), key=lambda item: item[0][:2])
    ]


def _failed(failures: Sequence[Failure]) -> Check | None:
    lines = [
        f"{_cell(each.model, each.task, each.recipe, each.examples, each.seed)}: {each.reason}" for each in failures
    ]
    return _check(True, f"Cells without a score, missing from every figure: {len(lines):,}", lines)


def _missing(measurements: Sequence[Measurement], failures: Sequence[Failure]) -> Check | None:
    """Cells that the study has for other models, tasks or seeds, but not here, and that did not fail either."""
    cells: list[Measurement | Failure] = [*measurements, *failures]
    known = {(each.model, each.task, each.recipe, each.examples, each.seed) for each in cells}
    pairs = sorted({(each.model, each.task) for each in cells})
    seeds: dict[tuple[str, int], set[int]] = {}
    for each in cells:
        seeds.setdefault((each.recipe, each.examples), set()).add(each.seed)
    lines = [
        _cell(model, task, recipe, examples, seed)
        for model, task in pairs
        for (recipe, examples), wanted in sorted(seeds.items())
        for seed in sorted(wanted)
        if (model, task, recipe, examples, seed) not in known
    ]
    return _check(True, f"Cells that the study has elsewhere, and nothing is known of here: {len(lines):,}", lines)


def _mixed(measurements: Sequence[Measurement]) -> list[Check | None]:
    facts = {fact.name: fact.values for fact in provenance(measurements)}

    def differing(*roots: str) -> list[str]:
        return [
            f"{name}: " + ", ".join(f"{value} ({_cells(cells)})" for value, cells in values)
            for name, values in facts.items()
            # A cell that trained nothing has no training precision to differ in.
            if sum(value != "null" for value, _ in values) > 1 and name.startswith(roots)
        ]

    dirty = sum(cells for value, cells in facts.get("git.dirty", ()) if value == "true")
    return [
        _check(True, "Library versions differ between cells", differing("versions.")),
        _check(True, "Git revisions differ between cells", differing("git.revision")),
        _check(
            True,
            f"Cells run from a dirty working tree: {dirty:,}",
            ["The code that produced them is not the code of the recorded revision."] if dirty else [],
        ),
        _check(True, "One name stands for different tasks or models", differing("task_", "model_")),
        _check(False, "Device or precision differs between cells", differing("device", "precision")),
    ]


def _different_items(measurements: Sequence[Measurement]) -> Check | None:
    listed: dict[str, set[tuple[str, ...]]] = {}
    metrics: dict[str, set[str]] = {}
    for each in measurements:
        listed.setdefault(each.task, set()).add(each.outcomes.ids)
        metrics.setdefault(each.task, set()).add(each.metric)
    items = {task: {tuple(sorted(ids)) for ids in orders} for task, orders in listed.items()}
    lines = [
        f"{task}: {len(sets)} different sets of test items; seeds are pooled and ways compared on the items they share"
        for task, sets in sorted(items.items())
        if len(sets) > 1
    ]
    lines += [f"{task}: {', '.join(sorted(names))}" for task, names in sorted(metrics.items()) if len(names) > 1]
    return _check(True, "Cells of one task differ in test items or metric", lines)


def _below_chance(conditions: Sequence[Condition]) -> Check | None:
    lines = [
        f"{condition.model}, {condition.task}, {condition.recipe}, {condition.examples} examples: {whole_percent(condition.score)} "
        f"{format_interval(condition.low, condition.high)}, chance {whole_percent(condition.chance)}"
        for condition in conditions
        if condition.chance is not None and condition.high < condition.chance
    ]
    return _check(True, "Scores whose whole interval lies below chance", lines)


def _more_labels_than_allowed(conditions: Sequence[Condition]) -> Check | None:
    lines = [
        f"{condition.model}, {condition.task}, {condition.recipe}: {condition.labelled_examples:,} labels read, {condition.examples:,} trained on"
        for condition in conditions
        if condition.labelled_examples > condition.examples
    ]
    return _check(
        False, "Labels read beyond the training rows: shots, and what was used to choose, stand on the axis, too", lines
    )


def _few_seeds(conditions: Sequence[Condition]) -> Check | None:
    few = [condition for condition in conditions if condition.elicitation_flops > 0 and condition.num_seeds < 3]
    line = f"{len(few)} of them. How much seeds vary is poorly known from one or two; intervals may be too narrow."
    return _check(False, "Trained ways with fewer than three seeds", [line] if few else [])


def _near_ties(measurements: Sequence[Measurement]) -> Check | None:
    margins: dict[tuple[str, str], list[Array]] = {}
    for each in measurements:
        known = each.outcomes.margins[~np.isnan(each.outcomes.margins)]
        margins.setdefault((each.model, each.task), []).append(known)
    lines = []
    for (model, task), parts in sorted(margins.items()):
        count = sum(len(known) for known in parts)
        ties = sum(int(np.sum(known < NEAR_TIE_NATS)) for known in parts)
        if ties:
            lines.append(f"{model}, {task}: {ties:,} of {count:,} answers ({100 * ties / count:.1f}%)")
    title = f"Near ties: best and next option less than {NEAR_TIE_NATS} nats apart, so that precision could decide"
    return _check(False, title, lines)


def _check(warning: bool, title: str, lines: Sequence[str]) -> Check | None:
    """A check, unless it found nothing; a list too long to read is cut, and says so."""
    if not lines:
        return None
    more = [f"and {len(lines) - _MOST_LINES:,} more"] if len(lines) > _MOST_LINES else []
    return Check(warning=warning, title=title, lines=(*lines[:_MOST_LINES], *more))


def _cell(model: str, task: str, recipe: str, examples: int, seed: int) -> str:
    return f"{model}, {task}, {recipe}, {examples} examples, seed {seed}"


def _cells(number: int) -> str:
    return "1 cell" if number == 1 else f"{number:,} cells"


def _flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in nested.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            as_text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
            flat[f"{prefix}{name}"] = as_text
    return flat

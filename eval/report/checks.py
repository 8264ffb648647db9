"""Checks that a reader needs before trusting a report: failures, gaps, near ties, mixed versions."""

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
    empty_outputs,
    items_answered_alike,
    no_better_than_baselines,
    repeated_outputs,
    risen_losses,
    serious_findings,
    tied_options,
    truncated_answers,
    zero_scores,
)
from educe.eval.analysis.conditions import Condition
from educe.eval.analysis.controls import without_controls
from educe.eval.analysis.formatting import format_interval, whole_percent
from educe.eval.analysis.statistics.resample import Array
from educe.eval.analysis.statistics.variance import MIN_TEST_SEEDS
from educe.eval.measurement import Failure, Measurement

NEAR_TIE_NATS = 0.01
_MAX_LINES = 50
# Shown elsewhere on the page.
_OF_ONE_CELL = {"cell", "first_prompt"}
_IN_SECTIONS = {"first_prompt", "formats", "format_extremes", "option_orders"}


@dataclass(frozen=True, kw_only=True)
class Check:
    """One finding: a warning changes what may be concluded, a note is for the record."""

    warning: bool
    title: str
    lines: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The finding in one line, with the first of its cases, for a terminal."""
        more = f" (and {len(self.lines) - 1:,} more)" if len(self.lines) > 1 else ""
        return f"{self.title}: {self.lines[0]}{more}" if self.lines else self.title


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One entry of the provenance with every value it took and the number of cells with each."""

    name: str
    values: tuple[tuple[str, int], ...]


@dataclass(frozen=True, kw_only=True)
class FirstPrompt:
    """A prompt as the model saw it, and the recipes that used it."""

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
    facts, missing = provenance(measurements), _missing(measurements, failures)
    elicited = without_controls(conditions)  # a control may well know nothing
    corrupt, failed = _reasons(failures, corrupt=True), _reasons(failures, corrupt=False)
    warnings = {
        f"Corrupt cells, left out of every number: {len(corrupt):,}": corrupt,
        f"Cells without a score, missing from every figure: {len(failed):,}": failed,
        f"Cells that other models, tasks or seeds have, missing here without a recorded failure: {len(missing):,}": (
            missing
        ),
        **_mixed_versions(facts),
        "Cells of one task differ in test items or metric": _different_items(measurements),
        "Hub models whose files were not compared with the hub's list: some may not have been fetched": (
            _unlisted_models(measurements)
        ),
        "Task rows give answers away, repeat, or leave a column unread": serious_findings(audits),
        "Training that ended with a higher loss than it began with: it may have destroyed the model": (
            risen_losses(elicited)
        ),
        "Scores of exactly 0: a wrong format or grader is likelier than no ability at all": zero_scores(elicited),
        "Options that the model does not tell apart": tied_options(elicited),
        "Generated answers that were cut at the limit of tokens": truncated_answers(elicited),
        "Generated answers that are empty": empty_outputs(elicited),
        "One text written for most items": repeated_outputs(elicited),
        "Scores whose whole interval lies below chance": _below_chance(elicited),
        "One answer for nearly every item": constant_answers(elicited, audits),
        "Scores that a baseline without any knowledge reaches": no_better_than_baselines(elicited, audits),
        "Dev and test scores differ by more than the choice explains": dev_test_gaps(conditions),
    }
    notes = {
        "Device or precision differs between cells": _differing(facts, "device", "precision"),
        "More labels read than trained on: shots and dev rows count as labelled examples too": [
            f"{each.model}, {each.task}, {each.recipe}: {each.labelled_examples:,} labels read, "
            f"{each.examples:,} trained on"
            for each in conditions
            if each.labelled_examples > each.examples
        ],
        f"Conditions with fewer than {MIN_TEST_SEEDS} seeds": _few_seeds(conditions),
        f"Near ties: the best two options are less than {NEAR_TIE_NATS} nats apart, so rounding could decide": (
            _near_ties(measurements)
        ),
        "Items that all conditions answer right, or all answer wrong": items_answered_alike(elicited),
    }
    found = [Check(warning=True, title=title, lines=_cut(lines)) for title, lines in warnings.items() if lines]
    return found + [Check(warning=False, title=title, lines=_cut(lines)) for title, lines in notes.items() if lines]


def provenance(measurements: Sequence[Measurement]) -> list[Fact]:
    """The measurements' provenance and details, flattened to dotted names, with how many cells had each value.

    What describes a task or a model is listed under its name.
    """
    counts: dict[str, Counter[str]] = {}
    for each in measurements:
        details = {name: value for name, value in asdict(each.details).items() if name not in _IN_SECTIONS and value}
        flat = _flat(asdict(each.provenance)) | _flat(details, "details.", skip_none=True)
        for name, value in flat.items():
            if name.split(".")[0] not in _OF_ONE_CELL:
                of = {"task": f", {each.task}", "model": f", {each.model}"}.get(name.split("_")[0], "")
                counts.setdefault(name + of, Counter())[value] += 1
    return [Fact(name=name, values=tuple(sorted(counts[name].items()))) for name in sorted(counts)]


def first_prompts(measurements: Sequence[Measurement]) -> list[FirstPrompt]:
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
        FirstPrompt(task=task, model=model, recipes=tuple(recipes), text=text)
        for (task, model, text), recipes in sorted(served.items(), key=lambda item: item[0][:2])
    ]


def _reasons(failures: Sequence[Failure], *, corrupt: bool) -> list[str]:
    return [
        f"{_cell(each.model, each.task, each.recipe, each.examples, each.seed)}: {each.reason}"
        for each in failures
        if each.corrupt is corrupt
    ]


def _missing(measurements: Sequence[Measurement], failures: Sequence[Failure]) -> list[str]:
    cells: list[Measurement | Failure] = [*measurements, *failures]
    known = {(each.model, each.task, each.recipe, each.examples, each.seed) for each in cells}
    seeds: dict[tuple[str, int], set[int]] = {}
    for each in cells:
        seeds.setdefault((each.recipe, each.examples), set()).add(each.seed)
    return [
        _cell(model, task, recipe, examples, seed)
        for model, task in sorted({(each.model, each.task) for each in cells})
        for (recipe, examples), wanted in sorted(seeds.items())
        for seed in sorted(wanted)
        if (model, task, recipe, examples, seed) not in known
    ]


def _differing(facts: Sequence[Fact], *roots: str) -> list[str]:
    return [
        f"{fact.name}: " + ", ".join(f"{value} ({_cells(cells)})" for value, cells in fact.values)
        for fact in facts
        # A cell that trained nothing has no training precision to differ in.
        if sum(value != "null" for value, _ in fact.values) > 1 and fact.name.startswith(roots)
    ]


def _mixed_versions(facts: Sequence[Fact]) -> dict[str, list[str]]:
    dirty = sum(cells for fact in facts if fact.name == "git.dirty" for value, cells in fact.values if value == "true")
    return {
        "Library versions differ between cells": _differing(facts, "versions."),
        "Git revisions differ between cells": _differing(facts, "git.revision"),
        f"Cells run from a dirty working tree: {dirty:,}": (
            ["The code that produced them is not the code of the recorded revision."] if dirty else []
        ),
        "One name stands for different tasks or models": _differing(facts, "task_", "model_"),
    }


def _unlisted_models(measurements: Sequence[Measurement]) -> list[str]:
    used = {(each.model, each.provenance.whole_commit) for each in measurements}
    labelled = [each.details.demonstrator for each in measurements]
    used |= {(each.model, each.whole_commit) for each in labelled if each is not None}
    return [
        f"{model}: its snapshot was fetched file by file, by another tool"
        for model, whole in sorted(used, key=str)
        if whole is False
    ]


def _different_items(measurements: Sequence[Measurement]) -> list[str]:
    orders: dict[str, set[tuple[str, ...]]] = {}
    metrics: dict[str, set[str]] = {}
    for each in measurements:
        orders.setdefault(each.task, set()).add(each.outcomes.ids)
        if each.role != "control":  # its score is a share of right answers, however others are scored
            metrics.setdefault(each.task, set()).add(each.metric)
    sets = {task: len({tuple(sorted(ids)) for ids in each}) for task, each in sorted(orders.items())}
    return [
        f"{task}: {number} different sets of test items; only the items that all of them share are pooled and compared"
        for task, number in sets.items()
        if number > 1
    ] + [f"{task}: {', '.join(sorted(names))}" for task, names in sorted(metrics.items()) if len(names) > 1]


def _below_chance(conditions: Sequence[Condition]) -> list[str]:
    return [
        f"{each.model}, {each.task}, {each.recipe}, {each.examples} examples: {whole_percent(each.score)} "
        f"{format_interval(each.low, each.high)}, chance {whole_percent(each.chance)}"
        for each in conditions
        if each.chance is not None and each.high < each.chance
    ]


def _few_seeds(conditions: Sequence[Condition]) -> list[str]:
    runs = sum(each.estimand == "runs" for each in conditions)
    few = sum(not each.testable for each in conditions) - runs
    lines = {
        "One or two seeds say nothing of other seeds: intervals are about these runs": runs,
        "Three or four seeds are enough for an interval and too few for a test": few,
    }
    need = f"There is no p value and no star, and every rank stays possible. Run {MIN_TEST_SEEDS} seeds for a test"
    return [f"{count:,} of {len(conditions):,}. {what}. {need}." for what, count in lines.items() if count]


def _near_ties(measurements: Sequence[Measurement]) -> list[str]:
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
    return lines


def _cut(lines: Sequence[str]) -> tuple[str, ...]:
    """A list too long to read is cut, and the rest is counted."""
    more = [f"and {len(lines) - _MAX_LINES:,} more"] if len(lines) > _MAX_LINES else []
    return (*lines[:_MAX_LINES], *more)


def _cell(model: str, task: str, recipe: str, examples: int, seed: int) -> str:
    return f"{model}, {task}, {recipe}, {examples} examples, seed {seed}"


def _cells(number: int) -> str:
    return "1 cell" if number == 1 else f"{number:,} cells"


def _flat(nested: Mapping[str, Any], prefix: str = "", *, skip_none: bool = False) -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in nested.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.", skip_none=skip_none)
        elif value is not None or not skip_none:
            as_text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
            flat[f"{prefix}{name}"] = as_text
    return flat

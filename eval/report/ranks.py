"""Conditions of one model ranked by pairwise wins over all tasks, and whether one ranking describes the pairs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from educe.eval.analysis.conditions import Condition, item_scores
from educe.eval.analysis.statistics.components import Components, components
from educe.eval.analysis.statistics.ranking import Strength, Transitivity, rank_methods, transitivity
from educe.eval.analysis.statistics.resample import Array
from educe.eval.report.panels import key_of
from educe.eval.report.text import name_of

MIN_CONDITIONS = 3
MAX_CONDITIONS = 8
LEVEL = 0.95


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """The conditions of one model by rank, with their strengths, over all items of these tasks."""

    model: str
    tasks: tuple[str, ...]
    n: int
    rows: tuple[tuple[str, Strength], ...]
    verdict: str


def rankings(conditions: Sequence[Condition]) -> tuple[list[Ranking], list[str]]:
    """A ranking per model of conditions that were measured on all of its tasks, and why other models have none.

    One condition per method, chosen by its budget and never by its score; at most 8.
    """
    made, missing = [], []
    for model in sorted({each.model for each in conditions}):
        mine = [each for each in conditions if each.model == model]
        tasks = sorted({each.task for each in mine})
        found = {task: {key_of(each): each for each in mine if each.task == task} for task in tasks}
        shared = set.intersection(*(set(each) for each in found.values()))
        chosen = _largest([found[tasks[0]][key] for key in shared])[:MAX_CONDITIONS]
        if len(chosen) < MIN_CONDITIONS:
            missing.append(f"{model}: fewer than {MIN_CONDITIONS} methods were measured on all of its tasks.")
            continue
        made.append(_ranking(model, [(task, [found[task][key_of(each)] for each in chosen]) for task in tasks]))
    return made, missing


def _ranking(model: str, tasks: Sequence[tuple[str, Sequence[Condition]]]) -> Ranking:
    columns, seeds, clusters = list[list[Array]](), list[list[Components]](), list[str | None]()
    for task, conditions in tasks:
        matrices, names = item_scores(*(each.measurements for each in conditions))
        columns.append(matrices)
        seeds.append(
            [components(matrix, names, each.seed_variance) for matrix, each in zip(matrices, conditions, strict=True)]
        )
        clusters += [None if name is None else f"{task}: {name}" for name in names]
    sides = [_joined(parts) for parts in zip(*columns, strict=True)]
    ranked = [name_of(each) for each in tasks[0][1]]
    strengths = rank_methods(sides, clusters, seeds=list(zip(*seeds, strict=True)), level=LEVEL)
    return Ranking(
        model=model,
        tasks=tuple(task for task, _ in tasks),
        n=len(clusters),
        rows=tuple(sorted(zip(ranked, strengths, strict=True), key=lambda row: (row[1].rank, row[0]))),
        verdict=_verdict(transitivity(sides, clusters, level=LEVEL), ranked),
    )


def _joined(parts: Sequence[Array]) -> Array:
    """One matrix (seeds, items) of a condition's tasks; unequal numbers of seeds are repeated to equal weight."""
    num_seeds = math.lcm(*(len(part) for part in parts))
    return np.concatenate([np.tile(part, (num_seeds // len(part), 1)) for part in parts], axis=1)


def _verdict(found: Transitivity, names: Sequence[str]) -> str:
    cycles = "; ".join(" beats ".join(names[place] for place in (*cycle, cycle[0])) for cycle in found.cycles[:3])
    if found.cycles:
        return f"No ranking is right for all pairs: {cycles}. Each of these wins is significant."
    p = "p < 0.001" if found.p < 0.001 else f"p = {found.p:.2g}"
    if found.p < 1 - LEVEL:
        return (
            f"One ranking does not describe all pairs ({p}): some pairs differ from what their ranks predict. No cycle "
            "(A beats B, B beats C, C beats A) is significant. Read the paired comparisons."
        )
    return f"One ranking is consistent with all pairs ({p}). No cycle (A beats B, B beats C, C beats A) is significant."


def _largest(conditions: Sequence[Condition]) -> list[Condition]:
    """One condition per method, the one with the largest budget."""
    best: dict[str, Condition] = {}
    for condition in sorted(
        conditions, key=lambda each: (each.examples, each.labelled_examples, each.elicitation_flops, each.settings)
    ):
        best[condition.method] = condition
    return sorted(best.values(), key=lambda each: (each.role != "zero_shot", each.method))

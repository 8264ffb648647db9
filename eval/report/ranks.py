"""Ways of one model ranked by who wins how many items, over all tasks, and whether one ranking tells it all."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from educe.eval.analysis.conditions import Condition, item_scores
from educe.eval.analysis.statistics.components import Components, components
from educe.eval.analysis.statistics.ranking import Strength, Transitivity, rank_methods, transitivity
from educe.eval.analysis.statistics.resample import Array
from educe.eval.report.frontiers import name_of

MIN_CONDITIONS = 3
MAX_CONDITIONS = 8
LEVEL = 0.95


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """One way's place."""

    name: str
    strength: Strength


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """The ways of one model by rank, over all items of these tasks."""

    model: str
    tasks: tuple[str, ...]
    n: int
    rows: tuple[Ranked, ...]
    verdict: str


def rankings(conditions: Sequence[Condition]) -> tuple[list[Ranking], list[str]]:
    """A ranking per model of ways that were measured on all of its tasks, and why there is none for the others.

    Of every method one way, chosen by its budget and never by its score; at most 8.
    """
    made, without = [], []
    for model in sorted({condition.model for condition in conditions}):
        mine = [condition for condition in conditions if condition.model == model]
        tasks = sorted({condition.task for condition in mine})
        found = {task: {_key(condition): condition for condition in mine if condition.task == task} for task in tasks}
        shared = set.intersection(*(set(each) for each in found.values()))
        chosen = _largest([found[tasks[0]][key] for key in shared])[:MAX_CONDITIONS]
        if len(chosen) < MIN_CONDITIONS:
            without.append(f"{model}: fewer than {MIN_CONDITIONS} methods were measured on all of its tasks.")
            continue
        made.append(_ranking(model, [(task, [found[task][_key(condition)] for condition in chosen]) for task in tasks]))
    return made, without


def _ranking(model: str, tasks: Sequence[tuple[str, Sequence[Condition]]]) -> Ranking:
    columns, seeds, clusters = list[list[Array]](), list[list[Components]](), list[str | None]()
    for task, conditions in tasks:
        matrices, theirs = item_scores(*(condition.measurements for condition in conditions))
        columns.append(matrices)
        seeds.append(
            [
                components(matrix, theirs, condition.seed_variance)
                for matrix, condition in zip(matrices, conditions, strict=True)
            ]
        )
        clusters += [None if name is None else f"{task}: {name}" for name in theirs]
    sides, names = (
        [_joined(parts) for parts in zip(*columns, strict=True)],
        [name_of(condition) for condition in tasks[0][1]],
    )
    strengths = rank_methods(sides, clusters, seeds=list(zip(*seeds, strict=True)), level=LEVEL)
    rows = sorted((Ranked(name=name, strength=each) for name, each in zip(names, strengths, strict=True)), key=_rank)
    return Ranking(
        model=model,
        tasks=tuple(task for task, _ in tasks),
        n=len(clusters),
        rows=tuple(rows),
        verdict=_verdict(transitivity(sides, clusters, level=LEVEL), names),
    )


def _joined(parts: Sequence[Array]) -> Array:
    """One matrix (seeds, items) of a way's tasks; where they had unequal numbers of seeds, each is repeated alike."""
    num_seeds = math.lcm(*(len(part) for part in parts))
    return np.concatenate([np.tile(part, (num_seeds // len(part), 1)) for part in parts], axis=1)


def _verdict(found: Transitivity, names: Sequence[str]) -> str:
    cycles = "; ".join(" beats ".join(names[place] for place in (*cycle, cycle[0])) for cycle in found.cycles[:3])
    if found.cycles:
        return f"No ranking can be right for all pairs: {cycles}, each surely."
    p = "p < 0.001" if found.p < 0.001 else f"p = {found.p:.2g}"
    if found.p < 1 - LEVEL:
        return (
            f"One ranking does not tell all of it ({p}): some pairs come out other than their ranks say, though no "
            "three beat each other in a circle. Read the paired comparisons."
        )
    return f"One ranking tells what the pairs show, as far as can be seen ({p}; no three beat each other in a circle)."


def _largest(conditions: Sequence[Condition]) -> list[Condition]:
    """One way of every method, that of the largest budget."""
    best: dict[str, Condition] = {}
    for condition in sorted(
        conditions,
        key=lambda condition: (
            condition.examples,
            condition.labelled_examples,
            condition.elicitation_flops,
            condition.settings,
        ),
    ):
        best[condition.method] = condition
    return sorted(best.values(), key=lambda condition: (condition.role != "zero_shot", condition.method))


def _key(condition: Condition) -> tuple[str, str, int]:
    return condition.method, condition.settings, condition.examples


def _rank(row: Ranked) -> tuple[int, str]:
    return row.strength.rank, row.name

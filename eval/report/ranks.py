"""Ways of one subject ranked by who wins how many items, over all tasks, and whether one ranking tells it all."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.curve import Way, item_scores
from eval.report.frontiers import name_of
from eval.stats.components import Components, components
from eval.stats.ranking import Strength, Transitivity, rank_methods, transitivity
from eval.stats.resample import Array

LEAST_WAYS = 3
MOST_WAYS = 8
LEVEL = 0.95


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """One way's place."""

    name: str
    strength: Strength


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """The ways of one subject by rank, over all items of these tasks."""

    subject: str
    tasks: tuple[str, ...]
    n: int
    rows: tuple[Ranked, ...]
    verdict: str


def rankings(ways: Sequence[Way]) -> tuple[list[Ranking], list[str]]:
    """A ranking per subject of ways that were measured on all of its tasks, and why there is none for the others.

    Of every method one way, chosen by its budget and never by its score; at most 8.
    """
    made, without = [], []
    for subject in sorted({way.subject for way in ways}):
        mine = [way for way in ways if way.subject == subject]
        tasks = sorted({way.task for way in mine})
        found = {task: {_key(way): way for way in mine if way.task == task} for task in tasks}
        shared = set.intersection(*(set(each) for each in found.values()))
        chosen = _largest([found[tasks[0]][key] for key in shared])[:MOST_WAYS]
        if len(chosen) < LEAST_WAYS:
            without.append(f"{subject}: fewer than {LEAST_WAYS} methods were measured on all of its tasks.")
            continue
        made.append(_ranking(subject, [(task, [found[task][_key(way)] for way in chosen]) for task in tasks]))
    return made, without


def _ranking(subject: str, tasks: Sequence[tuple[str, Sequence[Way]]]) -> Ranking:
    columns, seeds, clusters = list[list[Array]](), list[list[Components]](), list[str | None]()
    for task, ways in tasks:
        matrices, theirs = item_scores(*(way.measurements for way in ways))
        columns.append(matrices)
        seeds.append([components(matrix, theirs, way.spread) for matrix, way in zip(matrices, ways, strict=True)])
        clusters += [None if name is None else f"{task}: {name}" for name in theirs]
    sides, names = [_joined(parts) for parts in zip(*columns, strict=True)], [name_of(way) for way in tasks[0][1]]
    strengths = rank_methods(sides, clusters, seeds=list(zip(*seeds, strict=True)), level=LEVEL)
    rows = sorted((Ranked(name=name, strength=each) for name, each in zip(names, strengths, strict=True)), key=_rank)
    return Ranking(
        subject=subject,
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


def _largest(ways: Sequence[Way]) -> list[Way]:
    """One way of every method, that of the largest budget."""
    best: dict[str, Way] = {}
    for way in sorted(ways, key=lambda way: (way.examples, way.labelled_examples, way.elicitation_flops, way.settings)):
        best[way.method] = way
    return [best[method] for method in sorted(best, key=lambda method: (method != "zero_shot", method))]


def _key(way: Way) -> tuple[str, str, int]:
    return way.method, way.settings, way.examples


def _rank(row: Ranked) -> tuple[int, str]:
    return row.strength.rank, row.name

"""Conditions of one model ranked by their mean score over all tasks."""

from collections.abc import Sequence
from dataclasses import dataclass

from educe.eval.analysis.conditions import Condition, name_of, sides_of
from educe.eval.analysis.looks import Looks
from educe.eval.analysis.statistics.ranking import Rank, TaskScores, rank_conditions
from educe.eval.report.panels import key_of
from educe.eval.report.text import RUNS_MARK

MIN_CONDITIONS = 3
MAX_CONDITIONS = 8
LEVEL = 0.95


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """The conditions of one model by rank, over all items of these tasks.

    A name is marked where the condition is one or two runs; `untested` counts the conditions with too few seeds for a
    test, whose ranks are all possible.
    """

    model: str
    tasks: tuple[str, ...]
    n: int
    rows: tuple[tuple[str, Rank], ...]
    untested: int


def rankings(conditions: Sequence[Condition], looks: Looks | None = None) -> tuple[list[Ranking], list[str]]:
    """A ranking per model of conditions that were measured on all of its tasks, and why other models have none.

    One condition per method, chosen by its budget and never by its score; at most 8. p values are adjusted for `looks`.
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
        kept = [(task, [found[task][key_of(each)] for each in chosen]) for task in tasks]
        made.append(_ranking(model, kept, looks))
    return made, missing


def _ranking(model: str, tasks: Sequence[tuple[str, Sequence[Condition]]], looks: Looks | None) -> Ranking:
    def adjust(p: float, i: int, j: int) -> float:
        pair = [conditions[place] for _, conditions in tasks for place in (i, j)]
        return p if looks is None else looks.adjust(p, *pair)

    scored = []
    for _, conditions in tasks:
        sides, clusters = sides_of(*(each.measurements for each in conditions))
        scored.append(TaskScores(sides=sides, clusters=clusters))
    places = range(len(tasks[0][1]))
    few = [any(conditions[place].estimand == "runs" for _, conditions in tasks) for place in places]
    names = [f"{name_of(tasks[0][1][place])}{f' {RUNS_MARK}' if few[place] else ''}" for place in places]
    ranked = zip(names, rank_conditions(scored, level=LEVEL, adjust=adjust), strict=True)
    return Ranking(
        model=model,
        tasks=tuple(task for task, _ in tasks),
        n=sum(each.sides[0].scores.shape[1] for each in scored),
        rows=tuple(sorted(ranked, key=lambda row: (row[1].rank, row[0]))),
        untested=sum(not all(each.sides[place].testable for each in scored) for place in places),
    )


def _largest(conditions: Sequence[Condition]) -> list[Condition]:
    """One condition per method, the one with the largest budget."""
    best: dict[str, Condition] = {}
    for condition in sorted(
        conditions, key=lambda each: (each.examples, each.labelled_examples, each.elicitation_flops, each.settings)
    ):
        best[condition.method] = condition
    return sorted(best.values(), key=lambda each: (each.role != "zero_shot", each.method))

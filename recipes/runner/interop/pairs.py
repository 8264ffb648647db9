"""Which results are compared with which: those of each task, the first argument's with every other one's."""

from collections.abc import Sequence

from educe.data.errors import UserError
from educe.eval.analysis.compared import TaskResult

Pair = tuple[TaskResult, TaskResult]


def pairs_of(sources: Sequence[Sequence[TaskResult]]) -> tuple[list[Pair], list[str]]:
    """Pairs of a result and the one that it is compared with, and what has no partner, a sentence each.

    Of one task each result is compared where either side has one; otherwise those of one model and recipe. UserError
    where nothing can be compared.
    """
    first, *others = sources
    pairs: list[Pair] = []
    notes: list[str] = []
    for mine in others:
        tasks = {each.task: None for each in first if each.task in {result.task for result in mine}}
        if not tasks:
            raise UserError(
                f"{mine[0].origin} and {first[0].origin} have no task in common ({_tasks(mine)}; {_tasks(first)}); "
                "compare results of one task"
            )
        notes += _without_partner(mine, first, tasks) + _without_partner(first, mine, tasks)
        for task in tasks:
            pairs += _of_task(
                [each for each in mine if each.task == task], [each for each in first if each.task == task]
            )
    return pairs, list(dict.fromkeys(notes))


def _of_task(mine: Sequence[TaskResult], first: Sequence[TaskResult]) -> list[Pair]:
    found = [(result, other) for result in mine for other in first]
    if len(mine) > 1 and len(first) > 1:
        found = [pair for pair in found if pair[0].name == pair[1].name]
    if not found:
        raise UserError(
            f"{mine[0].origin} and {first[0].origin} have several results of {mine[0].task} and none of the same name; "
            f"choose one, such as {mine[0].origin}::{mine[0].recipe or mine[0].model} (there: {_names(mine)})"
        )
    for result, other in found:
        if result.tool == other.tool and result.metric != other.metric:
            raise UserError(
                f"{result.file} is scored by {result.metric} and {other.file} by {other.metric}; choose one metric "
                "with PATH::METRIC"
            )
    return found


def _without_partner(mine: Sequence[TaskResult], others: Sequence[TaskResult], tasks: dict[str, None]) -> list[str]:
    left = sorted({each.task for each in mine} - tasks.keys())
    return [f"{mine[0].origin}: {', '.join(left)}: no result in {others[0].origin}"] if left else []


def _tasks(results: Sequence[TaskResult]) -> str:
    return ", ".join(sorted({each.task for each in results}))


def _names(results: Sequence[TaskResult]) -> str:
    return "; ".join(dict.fromkeys(each.name for each in results))

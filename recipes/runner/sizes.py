"""Which numbers of examples a study has on each task: a task with few train rows goes without the largest ones."""

from collections.abc import Sequence

from educe.data.task import Task
from educe.eval.analysis.formatting import format_count
from educe.recipes.method import Method
from educe.recipes.runner.cell import Cell


def sizes_on(
    task: Task, method: Method, examples: Sequence[int], tasks: Sequence[Task], methods: Sequence[Method]
) -> tuple[int, ...]:
    """The budgets of a method on one task of a study; `examples`, `tasks` and `methods` are the study's.

    A number of examples is left out where only other tasks that recipes learn from hold as many train rows, and this
    one holds a smaller one. What no task holds, or what leaves a task without any, is a mistake for `Method.check` to
    find.
    """
    budgets = method.budgets(examples)
    held = len(method.rows_task(task).rows["train"])
    if not method.takes_examples or min(budgets, default=0) > held:
        return budgets
    learning = [each for each in methods if each.takes_examples]
    most = max(len(each.rows_task(other).rows["train"]) for each in learning for other in tasks)
    return tuple(size for size in budgets if size <= held or size > most)


def left_out(cells: Sequence[Cell], examples: Sequence[int]) -> str | None:
    """Lines about the sizes that a study leaves out, one for each, or None; `cells` are the study's."""
    learning = [cell for cell in cells if cell.method.takes_examples]
    tasks = {_named(cell): len(cell.method.rows_task(cell.recipe_task).rows["train"]) for cell in learning}
    had = {(_named(cell), cell.examples) for cell in learning}
    lines = []
    for size in examples:
        without = [f"{name} {held:,}" for name, held in tasks.items() if (name, size) not in had]
        if without:
            count = format_count(len(tasks) - len(without), "task")
            lines.append(f"{size} examples on {count} only; others hold fewer train rows: {', '.join(without)}")
    return "\n".join(lines) or None


def _named(cell: Cell) -> str:
    """The task of a cell, with its organism, which holds fewer rows than other models."""
    return f"{cell.task.name} on {cell.source.name}" if cell.source.organism else cell.task.name

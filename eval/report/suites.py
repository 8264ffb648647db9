"""The sections of a study of several tasks: a table by task, which is its index, and means over tasks."""

from collections.abc import Sequence
from itertools import groupby

from educe.eval.analysis.by_task import Best, TaskRow
from educe.eval.analysis.statistics.intervals import Estimate
from educe.eval.analysis.statistics.variance import Estimand
from educe.eval.analysis.task_means import TaskMeans
from educe.eval.measurement import Failure
from educe.eval.report.text import RUNS_MARK, estimate_text, interval_text, score_text

MAX_HEADLINES = 8  # more paragraphs are folded, because the table by task says the same
# The figures of a task that its heading leads to, and what they are called there.
TASK_FIGURES = (
    ("fits", "fits"),
    ("conditions", "all conditions"),
    ("forest", "gains"),
    ("frontier", "frontier"),
    ("formats", "formats"),
    ("calibration", "calibration"),
)


def suite_sections(
    rows: Sequence[TaskRow], means: Sequence[TaskMeans], failures: Sequence[Failure] = ()
) -> dict[str, object]:
    """What a study of several tasks adds to the page, by its name in the template."""
    tasks = sorted({row.task for row in rows})
    several = len(tasks) > 1
    return {
        "task_rows": rows if several else [],
        "task_means": means,
        "without_means": sorted({row.model for row in rows} - {each.model for each in means}) if several else [],
        "unmeasured": unmeasured(rows, failures),
        "task_numbers": {task: number for number, task in enumerate(tasks, start=1)},
        "task_figures": TASK_FIGURES,
        "max_headlines": MAX_HEADLINES if several else len(rows),
        "best_score": best_score,
        "gain_cell": gain_cell,
    }


def unmeasured(rows: Sequence[TaskRow], failures: Sequence[Failure]) -> list[tuple[str, list[str]]]:
    """For each model, the tasks of the study on which nothing has a score."""
    scored = {(row.model, row.task) for row in rows}
    missing = sorted({(each.model, each.task) for each in failures} - scored)
    return [(model, [task for _, task in group]) for model, group in groupby(missing, key=lambda pair: pair[0])]


def best_score(best: Best) -> str:
    """The corrected score of what scored best, or the measured one if there was nothing else to pick."""
    if best.rivals == 1:
        return _marked(score_text(best.condition), best.condition.estimand)
    score = "not known" if best.score is None else estimate_text(best.score)
    return _marked(score, best.condition.estimand)


def gain_cell(found: Estimate | None, estimand: Estimand | None) -> str:
    """A gain in points with its interval, marked where it is that of runs alone; a dash where there is none."""
    if found is None:
        return "–"
    return _marked(interval_text(100 * found.value, 100 * found.low, 100 * found.high, "+.1f"), estimand)


def _marked(text: str, estimand: Estimand | None) -> str:
    return f"{text} {RUNS_MARK}" if estimand == "runs" else text

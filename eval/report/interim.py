"""The page of a run in progress: curves and scores so far, without tests, comparisons and claims."""

from collections.abc import Sequence
from pathlib import Path

from educe.data.writing import write_whole
from educe.eval.analysis.conditions import Condition, by_task_and_model, ordered, pool
from educe.eval.analysis.curves import without_sweeps
from educe.eval.measurement import Measurement
from educe.eval.report.drawing import MAX_SMALL, element_of
from educe.eval.report.figure import scaling_figure
from educe.eval.report.style import svg_of
from educe.eval.report.templates import template

PAGE = "report.html"  # where the report will be when the run ends


def write_interim(
    measurements: Sequence[Measurement], folder: Path, *, study: str, cells: int, failed: int, every: float
) -> Path:
    """Write the page of a run whose study has so many cells, and return its path.

    It reloads itself `every` so many seconds, until the report takes its place. A large study has no figures yet.
    UserError where a folder has its name, OSError where it cannot be written.
    """
    conditions = pool(measurements)
    pairs = [ordered(pair) for pair in by_task_and_model(conditions)]
    path = folder / PAGE
    page = template("interim.html.j2").render(
        study=study,
        measured=len(measurements),
        failed=failed,
        cells=cells,
        every=every,
        figures=_curves(conditions) if len(pairs) <= MAX_SMALL else [],
        conditions=pairs,
    )
    write_whole(path, page)
    return path


def _curves(conditions: Sequence[Condition]) -> list[dict[str, str]]:
    """The figure of each task, as `drawn` in the template takes them."""
    budgets = without_sweeps(conditions)
    made = []
    for number, task in enumerate(sorted({each.task for each in budgets}), start=1):
        svg = svg_of(scaling_figure(budgets, task=task)).decode()
        made.append(
            {
                "task": task,
                "number": str(number),
                "curves": element_of(svg, f"curves{number}-", f"{task}: curves"),
            }
        )
    return made

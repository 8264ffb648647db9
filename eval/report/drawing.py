"""Draw a report's figures, in several processes at once, and put them into the page as SVG."""

import html
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from educe.data.display import visible
from educe.data.writing import make_folder
from educe.eval.analysis.conditions import Condition
from educe.eval.analysis.controls import without_controls
from educe.eval.analysis.curves import without_sweeps
from educe.eval.report.figure import conditions_figure, overview_figure, scaling_figure
from educe.eval.report.forked import map_in_processes
from educe.eval.report.formats import formats_figure, spread_figure
from educe.eval.report.parameters import parameters_figure
from educe.eval.report.rewards import rewards_figure
from educe.eval.report.style import save

MAX_SMALL = 16  # pairs of a task and a model


def draw_figures(
    conditions: Sequence[Condition], folder: Path, more: Mapping[str, Callable[[str], Figure | None]]
) -> list[dict[str, str]]:
    """Draw and save every figure; those of a task come back as SVG for the page, by kind, "" where there is none.

    `more` draws kinds of figures that need results of the whole study, from a task's name. Of a large study only the
    scaling curves are saved as PNG too, because it takes as long again.
    """
    make_folder(folder)
    tasks, budgets = sorted({each.task for each in conditions}), without_sweeps(conditions)
    small = len(tasks) * len({each.model for each in conditions}) <= MAX_SMALL
    kinds: dict[str, Callable[[str], Figure | None]] = {
        "curves": lambda task: scaling_figure(budgets, task=task),
        "parameters": lambda task: parameters_figure(without_controls(conditions), task=task),
        "rewards": lambda task: rewards_figure(conditions, task=task),
        "formats": lambda task: formats_figure(conditions, task=task),
        "conditions": lambda task: conditions_figure(conditions, task=task),
        **more,
    }
    if budgets and small:
        save(overview_figure(budgets), folder / "overview")

    def draw(numbered: tuple[int, str]) -> dict[str, str]:
        number, task = numbered
        # The number keeps apart tasks whose names only differ in characters that no file name should have.
        stem = f"{number:02d}-{re.sub(r'[^A-Za-z0-9]+', '-', task).strip('-')[:60]}"
        drawn = {"task": task, "number": str(number)}
        for kind, figure_of in kinds.items():
            path, figure = folder / f"{stem}-{kind}", figure_of(task)
            pixels = small or kind == "curves"
            drawn[kind] = inline_svg(figure, path, f"{kind}{number}-", f"{task}: {kind}", pixels=pixels)
        return drawn

    return map_in_processes(draw, list(enumerate(tasks, start=1)))


def draw_spread(conditions: Sequence[Condition], folder: Path) -> str:
    """The figure of the whole study that shows the spread over formats, as SVG; "" where there is none."""
    return inline_svg(spread_figure(conditions), folder / "spread", "study-", "spread over formats")


def inline_svg(figure: Figure | None, stem: Path, prefix: str, label: str, *, pixels: bool = True) -> str:
    """Save a figure, and give it as an element of an HTML page; "" for none."""
    if figure is None:
        return ""
    return element_of(save(figure, stem, pixels=pixels)[0].read_text(encoding="utf-8"), prefix, label)


def element_of(text: str, prefix: str, label: str) -> str:
    """An SVG file as an element of an HTML page: no prolog, no fixed size, ids that are its own."""
    opening = re.search(r'<svg\b[^>]*?(viewBox="0 0 ([0-9.]+) [^"]*")[^>]*>', text)
    assert opening is not None, f"the SVG of {label!r} has no viewBox"
    body = re.sub(r"<metadata>.*?</metadata>", "", text[opening.end() :], flags=re.DOTALL)
    # Only inside tags: the same letters in a text element are what the user wrote.
    inside = re.sub(
        r"<[^>]+>",
        lambda tag: re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}", tag.group()).replace("xlink:href", "href"),
        body,
    )
    # A narrow figure must not be enlarged to the width of the page.
    style = f"max-width: {round(1.45 * float(opening.group(2)))}px"
    return f'<svg {opening.group(1)} style="{style}" role="img" aria-label="{html.escape(visible(label))}">{inside}'

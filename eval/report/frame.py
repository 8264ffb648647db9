"""Sheet: a figure with its title, notes, and panels in rows and columns."""

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from educe.eval.analysis.conditions import Condition
from educe.eval.analysis.controls import KINDS, control_kind
from educe.eval.analysis.statistics.paired import Difference
from educe.eval.report.style import printable
from educe.eval.report.text import RUNS_MARK, range_text

# Inches.
LEFT, PANEL, LABELS, RIGHT = 0.62, 3.55, 2.15, 0.05
TOP, GAP = 1.0, 0.95

ZERO_SHOT_NOTE = "Zero-shot baseline: the question alone, without labelled examples"
RUNS_NOTE = f"{RUNS_MARK}: one or two seeds, which speak of these runs and not of the recipe."
CONTROL_NAME = "from scratch on the same rows"
DOTTED_NOTE = "Thin dotted lines lead to labels."


class Sheet:
    """A figure with its title and notes written; `panel` adds the panels. All sizes are in inches.

    `heights` has one entry per row; `beside` is the room right of each panel, `between` the room below each row.
    """

    def __init__(
        self,
        *,
        title: str,
        name: str = "",
        measured: str,
        notes: Iterable[str],
        heights: Sequence[float],
        columns: int,
        panel: float = PANEL,
        beside: float = LABELS,
        left: float = LEFT,
        between: float = GAP,
        top: float = TOP,
        min_width: float = 0.0,
    ) -> None:
        self.width = max(min_width, left + columns * (panel + beside) + RIGHT)
        fitting = _letters(self.width, 7.4)  # regular type is narrower than the bold that `_letters` counts
        lines = [line for note in notes for line in textwrap.wrap(printable(note, width=900), fitting)]
        self.bottom = 0.62 + 0.165 * len(lines)  # tick labels, the axis label, then the notes
        self.height = top + sum(heights) + (len(heights) - 1) * between + self.bottom
        self.heights, self.panel_width, self.beside, self.left, self.between = heights, panel, beside, left, between
        self.figure = Figure(figsize=(self.width, self.height))
        # A long name is cut so that what the figure shows is not.
        name = printable(name, width=max(8, _letters(self.width, 12.0) - len(title)))
        self._write(1 - 0.14 / self.height, name + title, fontsize=12, fontweight="bold", va="top")
        self._write(1 - 0.40 / self.height, measured, fontsize=9, va="top", color="#333333")
        self._write(0.1 / self.height, "\n".join(lines), fontsize=8, color="#333333", linespacing=1.4)

    def panel(
        self, row: int, column: int, *titles: str, fontsize: float = 9.5, pad: int | float = 6, **options: Any
    ) -> Axes:
        """Axes in this row and column, under titles of one line each."""
        y = self.bottom + sum(self.heights[row + 1 :]) + (len(self.heights) - 1 - row) * self.between
        x = self.left + column * (self.panel_width + self.beside)
        box = x / self.width, y / self.height, self.panel_width / self.width, self.heights[row] / self.height
        axes = self.figure.add_axes(box, **options)
        fitting = _letters(self.panel_width + self.beside, fontsize)
        title = "\n".join(printable(each, width=fitting) for each in titles)
        axes.set_title(title, loc="left", fontsize=fontsize, fontweight="bold", pad=pad)
        return axes

    def _write(self, y: float, text: str, **options: Any) -> None:
        self.figure.text(0.012, y, text, **options)


def metric_of(conditions: Sequence[Condition]) -> str:
    """What the scores are, for an axis; how each condition arrived at them stands in the table."""
    metrics = {each.metric for condition in conditions for each in condition.measurements}
    if len(metrics) > 1:
        metrics = {metric.partition(" (")[0].partition(",")[0] for metric in metrics}
    return printable(" / ".join(sorted(metrics)), width=40)


def sample_sizes(conditions: Sequence[Condition]) -> str:
    """How many test items and seeds are behind a point."""
    items = range_text([each.n for each in conditions], "test item")
    return f"n = {items}, {range_text([each.num_seeds for each in conditions], 'seed')} per point"


def interval_note(conditions: Sequence[Condition]) -> str:
    """What points and intervals are, and what they speak of."""
    spans = {
        "recipe": "of the recipe, over items and seeds: zero-shot, and from three seeds on",
        "runs": "of these runs, over items alone: one or two seeds",
    }
    kinds = {of: sorted({each.interval for each in conditions if each.estimand == of}) for of in spans}
    bars = "; ".join(f"{', '.join(kinds[of])} ({span})" for of, span in spans.items() if kinds[of])
    return f"Points: mean over seeds and items. Bars and bands: {bars}."


def control_note(conditions: Sequence[Condition], *, line: bool) -> list[str]:
    """What is drawn in grey where there are controls: the best that learns from scratch as a line, or each."""
    scratch, rewards, labels = ({each.recipe for each in conditions if control_kind(each) == kind} for kind in KINDS)
    drawn = "Thin grey line: the best control at each budget; controls" if line else "Grey: controls, which"
    notes = {f"{drawn} learn {CONTROL_NAME} and know nothing beforehand": scratch}
    if not line:
        notes["Grey: controls, whose reward does not say what is right"] = rewards
        notes["Grey: controls, trained on random labels"] = labels
    return [f"{what} ({', '.join(sorted(names))})." for what, names in notes.items() if names]


def runs_note(scored: Iterable[Condition | Difference]) -> list[str]:
    """What the mark of runs means, where there are any."""
    return [RUNS_NOTE] if any(each.estimand == "runs" for each in scored) else []


def _letters(inches: float, points: float) -> int:
    """How many bold letters of a size fit a width, on average."""
    return int(72 * inches / (0.7 * points))

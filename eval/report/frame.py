"""What stands around the panels of every figure: title, notes, and how much room they take."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from educe.eval.analysis.conditions import Condition
from educe.eval.report.style import printable

if TYPE_CHECKING:
    import matplotlib.figure

# Inches.
LEFT, PANEL, LABELS, RIGHT = 0.62, 3.55, 1.9, 0.05
TOP, GAP = 1.0, 0.95

PLAIN_NOTE = "Plain prompting: zero-shot, no labelled examples"
DOTTED_NOTE = "Thin dotted lines lead to labels."


def ordered(conditions: Sequence[Condition]) -> list[Condition]:
    """An order that does not depend on how the results were read, so that neither does the picture."""
    return sorted(
        conditions,
        key=lambda condition: (
            condition.task,
            condition.model,
            condition.method,
            condition.settings,
            condition.examples,
        ),
    )


def metric_of(conditions: Sequence[Condition]) -> str:
    """What the scores are, for an axis; how each way arrived at them stands in the table."""
    metrics = {each.metric for condition in conditions for each in condition.measurements}
    if len(metrics) > 1:
        metrics = {metric.partition(" (")[0].partition(",")[0] for metric in metrics}
    return printable(" / ".join(sorted(metrics)), width=40)


def bottom_inches(notes: Sequence[str]) -> float:
    """Inches below the lowest panel: its tick labels and axis label, then the notes."""
    return 0.62 + 0.165 * len(notes)


def sample_sizes(conditions: Sequence[Condition]) -> str:
    """How many test items and seeds are behind a point."""
    sizes = sorted({condition.n for condition in conditions})
    n = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"
    seeds = sorted({condition.num_seeds for condition in conditions})
    each = f"{seeds[0]} seed" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]} seeds"
    return f"n = {n} test items, {each if each == '1 seed' or len(seeds) > 1 else each + 's'} per point"


def write_title(figure: "matplotlib.figure.Figure", name: str, says: str, measured: str) -> None:
    """Title and what was measured; a long name is cut so that what the figure says is not."""
    height = figure.get_figheight()
    title = f"{printable(name, width=max(8, letters(figure.get_figwidth(), 12.0) - len(says)))}{says}"
    figure.text(0.012, 1 - 0.14 / height, title, fontsize=12, fontweight="bold", va="top")
    figure.text(0.012, 1 - 0.40 / height, measured, fontsize=9, va="top", color="#333333")


def write_notes(figure: "matplotlib.figure.Figure", notes: Sequence[str]) -> None:
    """Write the notes below the panels."""
    figure.text(
        0.012, 0.1 / figure.get_figheight(), "\n".join(notes), fontsize=8, color="#333333", linespacing=1.4
    )  # fmt: skip


def notes_of(conditions: Sequence[Condition], more: str, *, width: float) -> list[str]:
    """Lines that say what points and intervals are, as long as the figure is wide."""
    one = sorted({condition.interval for condition in conditions if condition.num_seeds == 1})
    several = sorted({condition.interval for condition in conditions if condition.num_seeds > 1})
    kinds = [f"{', '.join(one)} (one seed)"] if one else []
    kinds += [f"{', '.join(several)} (over seeds and items)"] if several else []
    said = f"Points: mean over seeds and items. Bars and bands: {'; '.join(kinds)}."
    return wrapped_notes(said, more, width=width)


def wrapped_notes(*texts: str, width: float) -> list[str]:
    """Notes broken into lines that a figure of this width holds."""
    fitting = letters(width, 7.4)  # regular type is narrower than the bold that `letters` counts
    return [line for text in texts for line in textwrap.wrap(printable(text, width=900), fitting)]


def letters(inches: float, points: float) -> int:
    """How many bold letters of a size fit a width, on average."""
    return int(72 * inches / (0.7 * points))

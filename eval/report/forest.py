"""The forest plot: how much every way gains over plain prompting, paired by item, and which gains are sure."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from educe.eval.analysis.conditions import Condition
from educe.eval.report.comparisons import MARGIN, Comparison
from educe.eval.report.frame import (
    GAP,
    TOP,
    bottom_inches,
    letters,
    metric_of,
    ordered,
    wrapped_notes,
    write_notes,
    write_title,
)
from educe.eval.report.panels import Rows, level_bars, rows_of, say_row_not_measured
from educe.eval.report.style import RC, Style, printable, recipe_styles
from educe.eval.report.text import signed1

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure


def forest_figure(
    conditions: Sequence[Condition], comparisons: Sequence[Comparison], *, task: str
) -> "matplotlib.figure.Figure | None":
    """Differences from plain prompting on one task as dots with intervals, one panel per model; None where none is.

    `ways` and `comparisons` are the whole study's: styles and the number of comparisons are.
    """
    import matplotlib
    from matplotlib.figure import Figure

    mine = [each for each in comparisons if each.condition.task == task and each.against == "plain prompting"]
    if not mine:
        return None
    styles, models = recipe_styles(conditions), sorted({each.condition.model for each in mine})
    rows = rows_of(ordered([each.condition for each in mine]))
    ends = [100 * end for each in mine for end in (each.gain.low, each.gain.high)]
    ends += [-100 * 1.6 * MARGIN, 100 * 1.6 * MARGIN]
    pad = 0.04 * (max(ends) - min(ends))
    limits = min(ends) - pad, max(ends) + pad
    names = max(1.2, 0.3 + 0.07 * max(len(name) for _, name in rows.values()))
    columns = min(2, len(models))
    values, panel = 1.75, 5.2 if columns == 1 else 3.1
    deep = math.ceil(len(models) / columns)
    row = 0.25 * len(rows) + 0.35
    width = names + columns * (panel + values)
    notes = _notes(mine, len(comparisons), width=width)
    bottom = bottom_inches(notes)
    height = TOP + deep * row + (deep - 1) * GAP + bottom
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(width, height))
        write_title(figure, task, ": gain over plain prompting, paired by item", _sizes(mine))
        for i, model in enumerate(models):
            k, line = i % columns, i // columns
            y = bottom + (deep - 1 - line) * (row + GAP)
            axes = figure.add_axes(((names + k * (panel + values)) / width, y / height, panel / width, row / height))
            axes.set_xlim(*limits)
            _draw(axes, [each for each in mine if each.condition.model == model], rows, styles, named=k == 0)
            title = printable(model, width=letters(panel + values, 9.5))
            axes.set_title(title, loc="left", fontweight="bold", pad=16)
            axes.set_xlabel(f"difference in {metric_of([each.condition for each in mine])} (points)")
        write_notes(figure, notes)
    return figure


def _draw(
    axes: "matplotlib.axes.Axes",
    comparisons: Sequence[Comparison],
    rows: Rows,
    styles: dict[str, Style],
    *,
    named: bool,
) -> None:
    found = {(each.condition.method, each.condition.settings, each.condition.examples): each for each in comparisons}
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.axvspan(-100 * MARGIN, 100 * MARGIN, color="#000000", alpha=0.06, linewidth=0)
    axes.axvline(0, color="#000000", linewidth=1)
    for away, name, side in ((-4, "worse", "right"), (4, "better", "left")):
        axes.annotate(
            name, (0, 1), xycoords=axes.get_xaxis_transform(), xytext=(away, 3), textcoords="offset points", ha=side,
            va="bottom", fontsize=8, color="#333333",
        )  # fmt: skip
    axes.hlines(range(len(rows)), *axes.get_xlim(), color="#dddddd", linewidth=0.6, zorder=0)
    alike: dict[tuple[str, bool], list[tuple[int, Comparison]]] = {}
    for y, (key, (label, _)) in enumerate(rows.items()):
        each = found.get(key)
        if each is None:
            say_row_not_measured(axes, y)
            continue
        alike.setdefault((label, each.significant), []).append((y, each))
        gain = each.gain
        text = f"{signed1(gain.difference)}  [{signed1(gain.low)}, {signed1(gain.high)}] {each.mark}"
        axes.text(1.02, y, text, transform=axes.get_yaxis_transform(), va="center", fontsize=8)
    for (label, significant), members in alike.items():
        gains = [each.gain for _, each in members]
        level_bars(
            axes, [y for y, _ in members], [(gain.difference, gain.low, gain.high) for gain in gains],
            replace(styles[label], filled=significant),
        )  # fmt: skip
    axes.set_yticks(range(len(rows)), [name if named else "" for _, name in rows.values()])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _sizes(comparisons: Sequence[Comparison]) -> str:
    sizes = sorted({each.gain.n for each in comparisons})
    seeds = sorted({each.condition.num_seeds for each in comparisons})
    n = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"
    runs = f"{seeds[0]} to {seeds[-1]} seeds" if len(seeds) > 1 else f"{seeds[0]} seed{'' if seeds[0] == 1 else 's'}"
    return f"n = {n} items that both ways answered, {runs} per way"


def _notes(comparisons: Sequence[Comparison], total: int, *, width: float) -> list[str]:
    kinds = ", ".join(sorted({each.gain.kind for each in comparisons}))
    marker = (
        f"Filled marks and stars: differs from plain prompting after Holm's correction for all {total:,} comparisons "
        "of the study (* p < 0.05, ** p < 0.01, *** p < 0.001). Grey band: differences within "
        f"{100 * MARGIN:.0f} points; = stands where the paired 90% interval lies inside it."
    )
    points = f"Points: mean difference over seeds and items. Bars: {kinds}, each comparison alone."
    return wrapped_notes(points, marker, width=width)

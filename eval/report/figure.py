"""Figures: elicitation scaling curves, and every way of eliciting side by side. Chance, plain prompting and intervals
are in all of them.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from eval.curve import Way, join
from eval.report.frame import (
    DOTTED_NOTE,
    GAP,
    LABELS,
    LEFT,
    PANEL,
    PLAIN_NOTE,
    RIGHT,
    TOP,
    bottom_inches,
    letters,
    metric_of,
    notes_of,
    ordered,
    sample_sizes,
    write_notes,
    write_title,
)
from eval.report.panels import against_examples, against_flops, dots, rows_of, say_not_measured
from eval.report.style import RC, is_trained, labels_height, printable, recipe_styles, save

if TYPE_CHECKING:
    import matplotlib.figure

__all__ = ["hero_figure", "save", "scaling_figure", "ways_figure"]


def scaling_figure(ways: Sequence[Way], *, task: str) -> "matplotlib.figure.Figure":
    """Score on one task against labelled examples (left) and against FLOPs (right), one row of panels per subject.

    Ways without training or search have no place on a log FLOPs axis: there they are horizontal lines with bands.
    """
    import matplotlib
    from matplotlib.figure import Figure

    styles = recipe_styles(ways)
    ways = [way for way in ordered(ways) if way.task == task]
    subjects = sorted({way.subject for way in ways})
    spent = [way.elicitation_flops for way in ways if way.elicitation_flops > 0]
    row = max(2.7, _labels_height(ways, subjects, [task]))
    width = LEFT + 2 * (PANEL + LABELS) + RIGHT
    notes = notes_of(ways, f"{PLAIN_NOTE}. Numbers beside points: labelled examples. {DOTTED_NOTE}", width=width)
    bottom = bottom_inches(notes)
    height = TOP + len(subjects) * row + (len(subjects) - 1) * GAP + bottom
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(width, height))
        write_title(figure, task, ": score against labelled examples and against FLOPs", sample_sizes(ways))
        for i, subject in enumerate(subjects):
            mine = [way for way in ways if way.subject == subject]
            y = bottom + (len(subjects) - 1 - i) * (row + GAP)
            panels = [
                figure.add_axes(((LEFT + k * (PANEL + LABELS)) / width, y / height, PANEL / width, row / height))
                for k in range(2)
            ]
            against_examples(panels[0], mine, styles, height_inches=row)
            against_flops(panels[1], mine, styles, spent, height_inches=row)
            panels[0].set_title(printable(subject, width=letters(width - LEFT, 9.5)), loc="left", fontweight="bold")
            panels[0].set_ylabel(f"{metric_of(mine)} (%)")
        write_notes(figure, notes)
    return figure


def hero_figure(ways: Sequence[Way]) -> "matplotlib.figure.Figure":
    """Score against labelled examples, tasks as rows and subjects as columns: a whole small study in one picture."""
    import matplotlib
    from matplotlib.figure import Figure

    styles, ways = recipe_styles(ways), ordered(ways)
    tasks, subjects = sorted({way.task for way in ways}), sorted({way.subject for way in ways})
    row = max(2.4, _labels_height(ways, subjects, tasks))
    cell = PANEL + LABELS + 0.15
    width = LEFT + len(subjects) * cell + RIGHT
    notes = notes_of(ways, f"{PLAIN_NOTE}. {DOTTED_NOTE}", width=width)
    bottom = bottom_inches(notes)
    height = TOP + len(tasks) * row + (len(tasks) - 1) * GAP + bottom
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(width, height))
        write_title(figure, "", "Score against labelled examples, each way of eliciting", sample_sizes(ways))
        for i, task in enumerate(tasks):
            for k, subject in enumerate(subjects):
                mine = [way for way in ways if way.task == task and way.subject == subject]
                y = bottom + (len(tasks) - 1 - i) * (row + GAP)
                axes = figure.add_axes(((LEFT + k * cell) / width, y / height, PANEL / width, row / height))
                title = printable(f"{task} · {subject}", width=letters(cell, 9.5))
                axes.set_title(title, loc="left", fontweight="bold")
                if k == 0:
                    axes.set_ylabel(f"{metric_of(mine)} (%)")
                if mine:
                    against_examples(axes, mine, styles, height_inches=row)
                else:
                    say_not_measured(axes)
        write_notes(figure, notes)
    return figure


def ways_figure(ways: Sequence[Way], *, task: str) -> "matplotlib.figure.Figure":
    """Every way of eliciting (recipe and budget) on one task as a dot with its interval, one panel per subject.

    A way that was measured on another subject but not on this one is written as not measured.
    """
    import matplotlib
    from matplotlib.figure import Figure

    styles = recipe_styles(ways)
    ways = [way for way in ordered(ways) if way.task == task]
    subjects = sorted({way.subject for way in ways})
    rows = rows_of(ways)
    names = max(1.2, 0.3 + 0.07 * max(len(name) for _, name in rows.values()))
    columns = min(2, len(subjects))
    values, panel = 1.35, 5.2 if columns == 1 else 3.1
    deep = math.ceil(len(subjects) / columns)
    row = 0.25 * len(rows) + 0.35
    width = names + columns * (panel + values)
    notes = notes_of(ways, f"{PLAIN_NOTE}; its interval is the grey band.", width=width)
    bottom = bottom_inches(notes)
    height = TOP + deep * row + (deep - 1) * GAP + bottom
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(width, height))
        write_title(figure, task, ": every way of eliciting", sample_sizes(ways))
        for i, subject in enumerate(subjects):
            k, line = i % columns, i // columns
            y = bottom + (deep - 1 - line) * (row + GAP)
            axes = figure.add_axes(((names + k * (panel + values)) / width, y / height, panel / width, row / height))
            dots(axes, [way for way in ways if way.subject == subject], rows, styles, named=k == 0)
            title = printable(subject, width=letters(panel + values, 9.5))
            axes.set_title(title, loc="left", fontweight="bold", pad=16)
            axes.set_xlabel(f"{metric_of(ways)} (%)")
        write_notes(figure, notes)
    return figure


def _labels_height(ways: Sequence[Way], subjects: Sequence[str], tasks: Sequence[str]) -> float:
    """Inches that the labels of the fullest panel need: its curves, and prompts that are lines of their own."""
    heights = []
    for subject in subjects:
        for task in tasks:
            drawn = join([way for way in ways if way.subject == subject and way.task == task], "flops")
            names = [
                [curve.label] if is_trained(curve) else [each.way.name for each in curve.points] for curve in drawn
            ]
            heights.append(labels_height(name for group in names for name in group))
    return max(heights)

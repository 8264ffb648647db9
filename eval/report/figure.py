"""Figures: elicitation scaling curves, and every way of eliciting side by side. Chance, plain prompting and intervals
are in all of them.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from educe.eval.analysis.conditions import Condition
from educe.eval.analysis.curves import join
from educe.eval.report.frame import (
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
from educe.eval.report.panels import against_examples, against_flops, dots, rows_of, say_not_measured
from educe.eval.report.style import RC, is_trained, labels_height, printable, recipe_styles, save

if TYPE_CHECKING:
    import matplotlib.figure

__all__ = ["conditions_figure", "hero_figure", "save", "scaling_figure"]


def scaling_figure(conditions: Sequence[Condition], *, task: str) -> "matplotlib.figure.Figure":
    """Score on one task against labelled examples (left) and against FLOPs (right), one row of panels per model.

    Ways without training or search have no place on a log FLOPs axis: there they are horizontal lines with bands.
    """
    import matplotlib
    from matplotlib.figure import Figure

    styles = recipe_styles(conditions)
    conditions = [condition for condition in ordered(conditions) if condition.task == task]
    models = sorted({condition.model for condition in conditions})
    spent = [condition.elicitation_flops for condition in conditions if condition.elicitation_flops > 0]
    row = max(2.7, _labels_height(conditions, models, [task]))
    width = LEFT + 2 * (PANEL + LABELS) + RIGHT
    notes = notes_of(conditions, f"{PLAIN_NOTE}. Numbers beside points: labelled examples. {DOTTED_NOTE}", width=width)
    bottom = bottom_inches(notes)
    height = TOP + len(models) * row + (len(models) - 1) * GAP + bottom
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(width, height))
        write_title(figure, task, ": score against labelled examples and against FLOPs", sample_sizes(conditions))
        for i, model in enumerate(models):
            mine = [condition for condition in conditions if condition.model == model]
            y = bottom + (len(models) - 1 - i) * (row + GAP)
            panels = [
                figure.add_axes(((LEFT + k * (PANEL + LABELS)) / width, y / height, PANEL / width, row / height))
                for k in range(2)
            ]
            against_examples(panels[0], mine, styles, height_inches=row)
            against_flops(panels[1], mine, styles, spent, height_inches=row)
            panels[0].set_title(printable(model, width=letters(width - LEFT, 9.5)), loc="left", fontweight="bold")
            panels[0].set_ylabel(f"{metric_of(mine)} (%)")
        write_notes(figure, notes)
    return figure


def hero_figure(conditions: Sequence[Condition]) -> "matplotlib.figure.Figure":
    """Score against labelled examples, tasks as rows and models as columns: a whole small study in one picture."""
    import matplotlib
    from matplotlib.figure import Figure

    styles, conditions = recipe_styles(conditions), ordered(conditions)
    tasks, models = (
        sorted({condition.task for condition in conditions}),
        sorted({condition.model for condition in conditions}),
    )
    row = max(2.4, _labels_height(conditions, models, tasks))
    cell = PANEL + LABELS + 0.15
    width = LEFT + len(models) * cell + RIGHT
    notes = notes_of(conditions, f"{PLAIN_NOTE}. {DOTTED_NOTE}", width=width)
    bottom = bottom_inches(notes)
    height = TOP + len(tasks) * row + (len(tasks) - 1) * GAP + bottom
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(width, height))
        write_title(figure, "", "Score against labelled examples, each way of eliciting", sample_sizes(conditions))
        for i, task in enumerate(tasks):
            for k, model in enumerate(models):
                mine = [condition for condition in conditions if condition.task == task and condition.model == model]
                y = bottom + (len(tasks) - 1 - i) * (row + GAP)
                axes = figure.add_axes(((LEFT + k * cell) / width, y / height, PANEL / width, row / height))
                title = printable(f"{task} · {model}", width=letters(cell, 9.5))
                axes.set_title(title, loc="left", fontweight="bold")
                if k == 0:
                    axes.set_ylabel(f"{metric_of(mine)} (%)")
                if mine:
                    against_examples(axes, mine, styles, height_inches=row)
                else:
                    say_not_measured(axes)
        write_notes(figure, notes)
    return figure


def conditions_figure(conditions: Sequence[Condition], *, task: str) -> "matplotlib.figure.Figure":
    """Every way of eliciting (recipe and budget) on one task as a dot with its interval, one panel per model.

    A way that was measured on another model but not on this one is written as not measured.
    """
    import matplotlib
    from matplotlib.figure import Figure

    styles = recipe_styles(conditions)
    conditions = [condition for condition in ordered(conditions) if condition.task == task]
    models = sorted({condition.model for condition in conditions})
    rows = rows_of(conditions)
    names = max(1.2, 0.3 + 0.07 * max(len(name) for _, name in rows.values()))
    columns = min(2, len(models))
    values, panel = 1.35, 5.2 if columns == 1 else 3.1
    deep = math.ceil(len(models) / columns)
    row = 0.25 * len(rows) + 0.35
    width = names + columns * (panel + values)
    notes = notes_of(conditions, f"{PLAIN_NOTE}; its interval is the grey band.", width=width)
    bottom = bottom_inches(notes)
    height = TOP + deep * row + (deep - 1) * GAP + bottom
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(width, height))
        write_title(figure, task, ": every way of eliciting", sample_sizes(conditions))
        for i, model in enumerate(models):
            k, line = i % columns, i // columns
            y = bottom + (deep - 1 - line) * (row + GAP)
            axes = figure.add_axes(((names + k * (panel + values)) / width, y / height, panel / width, row / height))
            dots(axes, [condition for condition in conditions if condition.model == model], rows, styles, named=k == 0)
            title = printable(model, width=letters(panel + values, 9.5))
            axes.set_title(title, loc="left", fontweight="bold", pad=16)
            axes.set_xlabel(f"{metric_of(conditions)} (%)")
        write_notes(figure, notes)
    return figure


def _labels_height(conditions: Sequence[Condition], models: Sequence[str], tasks: Sequence[str]) -> float:
    """Inches that the labels of the fullest panel need: its curves, and prompts that are lines of their own."""
    heights = []
    for model in models:
        for task in tasks:
            drawn = join(
                [condition for condition in conditions if condition.model == model and condition.task == task], "flops"
            )
            names = [
                [curve.label] if is_trained(curve) else [each.condition.name for each in curve.points]
                for curve in drawn
            ]
            heights.append(labels_height(name for group in names for name in group))
    return max(heights)

"""Figures: elicitation scaling curves, and every way of eliciting side by side. Chance, plain prompting and intervals
are in all of them.
"""

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from eval.curve import Way, join, sweeps
from eval.figure_panels import against_examples, against_flops, against_parameters, dots, rows_of, say_not_measured
from eval.figure_style import RC, is_trained, labels_height, method_styles, printable, recipe_styles, save

if TYPE_CHECKING:
    import matplotlib.figure

__all__ = ["hero_figure", "parameters_figure", "save", "scaling_figure", "ways_figure"]

# Inches.
_LEFT, _PANEL, _LABELS, _RIGHT = 0.62, 3.55, 1.75, 0.05
_TOP, _GAP = 1.0, 0.95

_PLAIN_NOTE = "Plain prompting: zero-shot, no labelled examples"
_DOTTED_NOTE = "Thin dotted lines lead to labels."


def scaling_figure(ways: Sequence[Way], *, task: str) -> "matplotlib.figure.Figure":
    """Score on one task against labelled examples (left) and against FLOPs (right), one row of panels per subject.

    Ways without training or search have no place on a log FLOPs axis: there they are horizontal lines with bands.
    """
    import matplotlib
    from matplotlib.figure import Figure

    styles = recipe_styles(ways)
    ways = [way for way in _ordered(ways) if way.task == task]
    subjects = sorted({way.subject for way in ways})
    spent = [way.elicitation_flops for way in ways if way.elicitation_flops > 0]
    row = max(2.7, labels_height(_most_labels(ways, subjects) + 1))
    width = _LEFT + 2 * (_PANEL + _LABELS) + _RIGHT
    notes = _notes(ways, f"{_PLAIN_NOTE}. Numbers beside points: labelled examples. {_DOTTED_NOTE}", width=width)
    bottom = _bottom(notes)
    height = _TOP + len(subjects) * row + (len(subjects) - 1) * _GAP + bottom
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(width, height))
        _write_title(figure, task, ": score against labelled examples and against FLOPs", _measured(ways))
        for i, subject in enumerate(subjects):
            mine = [way for way in ways if way.subject == subject]
            y = bottom + (len(subjects) - 1 - i) * (row + _GAP)
            panels = [
                figure.add_axes(((_LEFT + k * (_PANEL + _LABELS)) / width, y / height, _PANEL / width, row / height))
                for k in range(2)
            ]
            against_examples(panels[0], mine, styles, height_inches=row)
            against_flops(panels[1], mine, styles, spent, height_inches=row)
            panels[0].set_title(printable(subject, width=_letters(width - _LEFT, 9.5)), loc="left", fontweight="bold")
            panels[0].set_ylabel(f"{_metric(mine)} (%)")
        _write_notes(figure, notes)
    return figure


def parameters_figure(ways: Sequence[Way], *, task: str) -> "matplotlib.figure.Figure | None":
    """Score on one task against trainable parameters, subjects side by side; None where no recipe varied them."""
    import matplotlib
    from matplotlib.figure import Figure

    styles = method_styles(ways)
    ways = [way for way in _ordered(ways) if way.task == task]
    drawn = sweeps(ways)
    subjects = sorted({curve.subject for curve in drawn})
    if not drawn:
        return None
    trained = [sum(way.subject == subject and way.trainable_parameters > 0 for way in ways) for subject in subjects]
    row = max(2.9, labels_height(max(trained) - min(len(curve.points) for curve in drawn) + 3))
    cell = _PANEL + _LABELS + 0.15
    width = _LEFT + len(subjects) * cell + _RIGHT
    notes = _notes(ways, f"{_PLAIN_NOTE}. {_DOTTED_NOTE}", width=width)
    bottom = _bottom(notes)
    height = _TOP + row + bottom
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(width, height))
        _write_title(figure, task, ": score against trainable parameters", _measured(ways))
        for k, subject in enumerate(subjects):
            mine = [way for way in ways if way.subject == subject]
            curves = [curve for curve in drawn if curve.subject == subject]
            axes = figure.add_axes(((_LEFT + k * cell) / width, bottom / height, _PANEL / width, row / height))
            against_parameters(axes, mine, curves, styles, height_inches=row)
            axes.set_title(printable(subject, width=_letters(cell, 9.5)), loc="left", fontweight="bold")
            if k == 0:
                axes.set_ylabel(f"{_metric(mine)} (%)")
        _write_notes(figure, notes)
    return figure


def hero_figure(ways: Sequence[Way]) -> "matplotlib.figure.Figure":
    """Score against labelled examples, tasks as rows and subjects as columns: a whole small study in one picture."""
    import matplotlib
    from matplotlib.figure import Figure

    styles, ways = recipe_styles(ways), _ordered(ways)
    tasks, subjects = sorted({way.task for way in ways}), sorted({way.subject for way in ways})
    row = max(2.4, labels_height(_most_labels(ways, subjects, tasks) + 1))
    cell = _PANEL + _LABELS + 0.15
    width = _LEFT + len(subjects) * cell + _RIGHT
    notes = _notes(ways, f"{_PLAIN_NOTE}. {_DOTTED_NOTE}", width=width)
    bottom = _bottom(notes)
    height = _TOP + len(tasks) * row + (len(tasks) - 1) * _GAP + bottom
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(width, height))
        _write_title(figure, "", "Score against labelled examples, each way of eliciting", _measured(ways))
        for i, task in enumerate(tasks):
            for k, subject in enumerate(subjects):
                mine = [way for way in ways if way.task == task and way.subject == subject]
                y = bottom + (len(tasks) - 1 - i) * (row + _GAP)
                axes = figure.add_axes(((_LEFT + k * cell) / width, y / height, _PANEL / width, row / height))
                title = printable(f"{task} · {subject}", width=_letters(cell, 9.5))
                axes.set_title(title, loc="left", fontweight="bold")
                if k == 0:
                    axes.set_ylabel(f"{_metric(mine)} (%)")
                if mine:
                    against_examples(axes, mine, styles, height_inches=row)
                else:
                    say_not_measured(axes)
        _write_notes(figure, notes)
    return figure


def ways_figure(ways: Sequence[Way], *, task: str) -> "matplotlib.figure.Figure":
    """Every way of eliciting (recipe and budget) on one task as a dot with its interval, one panel per subject.

    A way that was measured on another subject but not on this one is written as not measured.
    """
    import matplotlib
    from matplotlib.figure import Figure

    styles = recipe_styles(ways)
    ways = [way for way in _ordered(ways) if way.task == task]
    subjects = sorted({way.subject for way in ways})
    rows = rows_of(ways)
    names = max(1.2, 0.3 + 0.07 * max(len(name) for _, name in rows.values()))
    columns = min(2, len(subjects))
    values, panel = 1.35, 5.2 if columns == 1 else 3.1
    deep = math.ceil(len(subjects) / columns)
    row = 0.25 * len(rows) + 0.35
    width = names + columns * (panel + values)
    notes = _notes(ways, f"{_PLAIN_NOTE}; its interval is the grey band.", width=width)
    bottom = _bottom(notes)
    height = _TOP + deep * row + (deep - 1) * _GAP + bottom
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(width, height))
        _write_title(figure, task, ": every way of eliciting", _measured(ways))
        for i, subject in enumerate(subjects):
            k, line = i % columns, i // columns
            y = bottom + (deep - 1 - line) * (row + _GAP)
            axes = figure.add_axes(((names + k * (panel + values)) / width, y / height, panel / width, row / height))
            dots(axes, [way for way in ways if way.subject == subject], rows, styles, named=k == 0)
            title = printable(subject, width=_letters(panel + values, 9.5))
            axes.set_title(title, loc="left", fontweight="bold", pad=16)
            axes.set_xlabel(f"{_metric(ways)} (%)")
        _write_notes(figure, notes)
    return figure


def _ordered(ways: Sequence[Way]) -> list[Way]:
    """An order that does not depend on how the results were read, so that neither does the picture."""
    return sorted(ways, key=lambda way: (way.task, way.subject, way.method, way.settings, way.examples))


def _most_labels(ways: Sequence[Way], subjects: Sequence[str], tasks: Sequence[str] | None = None) -> int:
    """The largest number of direct labels in any panel: curves, prompts that are lines of their own, and chance."""
    tasks = tasks or sorted({way.task for way in ways})
    counts = [0]
    for subject in subjects:
        for task in tasks:
            mine = join([way for way in ways if way.subject == subject and way.task == task], "flops")
            counts.append(sum(1 if is_trained(curve) else len(curve.points) for curve in mine))
    return max(counts)


def _metric(ways: Sequence[Way]) -> str:
    return printable(" / ".join(sorted({each.metric for way in ways for each in way.measurements})), width=40)


def _bottom(notes: Sequence[str]) -> float:
    """Inches below the lowest panel: its tick labels and axis label, then the notes."""
    return 0.62 + 0.165 * len(notes)


def _measured(ways: Sequence[Way]) -> str:
    sizes = sorted({way.n for way in ways})
    n = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"
    seeds = sorted({way.num_seeds for way in ways})
    each = f"{seeds[0]} seed" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]} seeds"
    return f"n = {n} test items, {each if each == '1 seed' or len(seeds) > 1 else each + 's'} per point"


def _write_title(figure: "matplotlib.figure.Figure", name: str, says: str, measured: str) -> None:
    """Title and what was measured; a long name is cut so that what the figure says is not."""
    height = figure.get_figheight()
    title = f"{printable(name, width=max(8, _letters(figure.get_figwidth(), 12.0) - len(says)))}{says}"
    figure.text(0.012, 1 - 0.14 / height, title, fontsize=12, fontweight="bold", va="top")
    figure.text(0.012, 1 - 0.40 / height, measured, fontsize=9, va="top", color="#333333")


def _write_notes(figure: "matplotlib.figure.Figure", notes: Sequence[str]) -> None:
    figure.text(
        0.012, 0.1 / figure.get_figheight(), "\n".join(notes), fontsize=8, color="#333333", linespacing=1.4
    )  # fmt: skip


def _notes(ways: Sequence[Way], more: str, *, width: float) -> list[str]:
    """Lines that say what points and intervals are, as long as the figure is wide."""
    one = sorted({way.interval for way in ways if way.num_seeds == 1})
    several = sorted({way.interval for way in ways if way.num_seeds > 1})
    kinds = [f"{', '.join(one)} (one seed)"] if one else []
    kinds += [f"{', '.join(several)} (over seeds and items)"] if several else []
    said = f"Points: mean over seeds and items. Bars and bands: {'; '.join(kinds)}."
    letters = _letters(width, 7.4)  # regular type is narrower than the bold that _letters counts
    return [line for text in (said, more) for line in textwrap.wrap(printable(text, width=400), letters)]


def _letters(inches: float, points: float) -> int:
    """How many bold letters of a size fit a width, on average."""
    return int(72 * inches / (0.7 * points))

"""The figure of reward training: the reward of each step, and how varied the samples still were that earned it.

A policy that is rewarded for being right tends to say one thing only; then more steps find nothing new. It shows as
entropy that falls while the reward no longer rises.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from educe.eval.analysis.conditions import Condition
from educe.eval.report.frame import ordered, write_notes, write_title
from educe.eval.report.style import (
    RC,
    Label,
    Style,
    label_right_edge,
    labels_height,
    numbered_style,
    printable,
    wrapped,
)

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure

# What a step of reward training records, and how it is called.
_QUANTITIES = {
    "reward": "mean reward",
    "sample_entropy_bits": "entropy of a question's\nsamples (bits)",
    "distinct_accepted": "different right answers\n(questions with any)",
}
# Inches.
_LEFT, _PANEL, _LABELS, _RIGHT = 0.8, 3.4, 1.9, 0.05
_TOP, _GAP, _BOTTOM = 0.95, 0.3, 0.85


def rewards_figure(conditions: Sequence[Condition], *, task: str) -> "matplotlib.figure.Figure | None":
    """Each step's reward and variety of samples on one task, models side by side; None without reward training."""
    import matplotlib
    from matplotlib.figure import Figure

    rewarded = [
        condition for condition in conditions if any("reward" in step for step in condition.measurements[0].training)
    ]
    conditions = [condition for condition in ordered(rewarded) if condition.task == task]
    if not conditions:
        return None
    models = list(dict.fromkeys(condition.model for condition in conditions))
    names = list(dict.fromkeys(map(_name, conditions)))
    row = max(1.35, labels_height(names))
    cell = _PANEL + _LABELS
    width = _LEFT + len(models) * cell + _RIGHT
    height = _TOP + len(_QUANTITIES) * row + (len(_QUANTITIES) - 1) * _GAP + _BOTTOM
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(width, height))
        write_title(figure, task, ": reward and variety while training", "thin: each seed, thick: their mean")
        for k, model in enumerate(models):
            mine = [condition for condition in conditions if condition.model == model]
            for i, (quantity, called) in enumerate(_QUANTITIES.items()):
                y = _BOTTOM + (len(_QUANTITIES) - 1 - i) * (row + _GAP)
                axes = figure.add_axes(((_LEFT + k * cell) / width, y / height, _PANEL / width, row / height))
                _draw(
                    axes,
                    [(condition, numbered_style(names.index(_name(condition)))) for condition in mine],
                    quantity,
                    height_inches=row,
                )
                axes.tick_params(labelbottom=i == len(_QUANTITIES) - 1)
                if k == 0:
                    axes.set_ylabel(called)
                if i == 0:
                    axes.set_title(printable(model, width=40), loc="left", fontweight="bold")
            axes.set_xlabel("step of training")
        note = "Entropy over the samples of one question, mean over a step's questions; it is 0 where all are the same."
        write_notes(figure, [note])
    return figure


def _draw(
    axes: "matplotlib.axes.Axes", drawn: Sequence[tuple[Condition, Style]], quantity: str, *, height_inches: float
) -> None:
    labels = []
    for condition, style in drawn:
        seeds = [{step["step"] + 1: step[quantity] for step in each.training if quantity in step}
                 for each in condition.measurements]  # fmt: skip
        for known in seeds:
            axes.plot(list(known), list(known.values()), color=style.color, linewidth=0.6, alpha=0.5)
        steps = sorted({step for known in seeds for step in known})
        if not steps:
            continue
        means = [_mean([known[step] for known in seeds if step in known]) for step in steps]
        axes.plot(steps, means, color=style.color, linestyle=style.line, linewidth=1.8)
        text = f"{wrapped(_name(condition))}\n{means[0]:.2f} → {means[-1]:.2f}"
        labels.append(Label(y=means[-1], text=text, style=style))
    top = max(1.0, 1.05 * axes.get_ylim()[1]) if quantity == "reward" else 1.05 * axes.get_ylim()[1]
    axes.set_ylim(0, top)
    axes.grid(axis="y", color="#e4e4e4", linewidth=0.6)
    label_right_edge(axes, labels, height_inches=height_inches)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _name(condition: Condition) -> str:
    return f"{condition.recipe}, {condition.examples:,} {'question' if condition.examples == 1 else 'questions'}"

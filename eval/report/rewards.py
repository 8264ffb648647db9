"""The figure of reward training: the reward of each step, and how varied the samples still were that earned it.

A policy that is rewarded for right answers tends to repeat one answer; further steps then find nothing new. The figure
shows this as entropy that falls while the reward no longer rises.
"""

from collections.abc import Sequence
from statistics import fmean

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from educe.eval.analysis.conditions import Condition, ordered
from educe.eval.report.frame import Sheet
from educe.eval.report.panels import faint_grid
from educe.eval.report.style import RC, Label, Style, label_right_edge, labels_height, numbered_style, wrapped
from educe.eval.report.text import range_text

# What a step of reward training records, and its name in the figure.
_QUANTITIES = {
    "reward": "mean reward",
    "entropy_bits": "entropy of a question's\nanswers (bits)",
    "distinct_accepted": "different right answers\n(questions with any)",
}


@matplotlib.rc_context(RC)
def rewards_figure(conditions: Sequence[Condition], *, task: str) -> Figure | None:
    """Each step's reward and variety of samples on one task, models side by side; None without reward training."""
    rewarded = [each for each in conditions if any("reward" in step for step in each.measurements[0].training)]
    conditions = [each for each in ordered(rewarded) if each.task == task]
    if not conditions:
        return None
    steps = [step for condition in conditions for each in condition.measurements for step in each.training]
    quantities = {key: name for key, name in _QUANTITIES.items() if any(key in step for step in steps)}
    models = list(dict.fromkeys(each.model for each in conditions))
    names = list(dict.fromkeys(map(_name, conditions)))
    row = max(1.35, labels_height(names))
    note = (
        "Entropy over the written samples of one question, or of the model's distribution over its options; mean over a"
        " step's questions, 0 where the answer is always the same."
    )
    sheet = Sheet(
        name=task,
        title=": reward and variety while training",
        measured="thin: each seed, thick: their mean",
        notes=[note],
        heights=[row] * len(quantities),
        columns=len(models),
        panel=3.4,
        left=0.8,
        between=0.3,
    )
    for k, model in enumerate(models):
        drawn = [(each, numbered_style(names.index(_name(each)))) for each in conditions if each.model == model]
        for i, (quantity, name) in enumerate(quantities.items()):
            axes = sheet.panel(i, k, model if i == 0 else "")
            _draw(axes, drawn, quantity, height_inches=row)
            axes.tick_params(labelbottom=i == len(quantities) - 1)
            if k == 0:
                axes.set_ylabel(name)
        axes.set_xlabel("step of training")
    return sheet.figure


def _draw(axes: Axes, drawn: Sequence[tuple[Condition, Style]], quantity: str, *, height_inches: float) -> None:
    labels = []
    for condition, style in drawn:
        seeds = [
            {step["step"] + 1: step[quantity] for step in each.training if quantity in step}
            for each in condition.measurements
        ]
        for known in seeds:
            axes.plot(list(known), list(known.values()), color=style.color, linewidth=0.6, alpha=0.5)
        steps = sorted({step for known in seeds for step in known})
        if not steps:
            continue
        means = [fmean(known[step] for known in seeds if step in known) for step in steps]
        axes.plot(steps, means, color=style.color, linestyle=style.line, linewidth=1.8)
        text = f"{wrapped(_name(condition))}\n{means[0]:.2f} → {means[-1]:.2f}"
        labels.append(Label(y=means[-1], text=text, style=style))
    top = 1.05 * axes.get_ylim()[1]
    axes.set_ylim(0, max(1.0, top) if quantity == "reward" else top)
    faint_grid(axes)
    label_right_edge(axes, labels, height_inches=height_inches)


def _name(condition: Condition) -> str:
    return f"{condition.recipe}, {range_text([condition.examples], 'question')}"

"""Figures of scores: against labelled examples and FLOPs, and every condition in a row of its own."""

from collections.abc import Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from educe.eval.analysis.conditions import Condition, ordered, plain_prompting
from educe.eval.analysis.controls import best_controls, is_control, without_controls
from educe.eval.analysis.curves import join
from educe.eval.report.frame import (
    CONTROL_NAME,
    DOTTED_NOTE,
    ZERO_SHOT_NOTE,
    Sheet,
    control_note,
    interval_note,
    metric_of,
    runs_note,
    sample_sizes,
)
from educe.eval.report.panels import (
    Key,
    Mark,
    against_examples,
    against_flops,
    draw_level_references,
    figure_of_rows,
    interval_of,
    key_of,
    rows_of,
)
from educe.eval.report.style import CONTROL, PLAIN, RC, is_trained, labels_height, recipe_styles
from educe.eval.report.text import RUNS_MARK, score_text


@matplotlib.rc_context(RC)
def scaling_figure(conditions: Sequence[Condition], *, task: str) -> Figure:
    """Score on one task against labelled examples (left) and against FLOPs (right), one row of panels per model.

    What neither trained nor searched has no place on a log FLOPs axis: there it is a horizontal line with a band.
    """
    styles = recipe_styles(conditions)
    conditions = [each for each in ordered(conditions) if each.task == task]
    models = sorted({each.model for each in conditions})
    spent = [each.elicitation_flops for each in without_controls(conditions) if each.elicitation_flops > 0]
    row = max(2.7, _labels_height(conditions, models, [task]))
    sheet = Sheet(
        name=task,
        title=": score against labelled examples and against FLOPs",
        measured=sample_sizes(conditions),
        notes=[
            interval_note(conditions),
            f"{ZERO_SHOT_NOTE}. Numbers beside points: labelled examples. {DOTTED_NOTE}",
            *control_note(conditions, line=True),
        ],
        heights=[row] * len(models),
        columns=2,
    )
    for i, model in enumerate(models):
        mine = [each for each in conditions if each.model == model]
        axes = sheet.panel(i, 0, model)
        axes.set_ylabel(f"{metric_of(mine)} (%)")
        against_examples(axes, mine, styles, height_inches=row)
        against_flops(sheet.panel(i, 1), mine, styles, spent, height_inches=row)
    return sheet.figure


@matplotlib.rc_context(RC)
def overview_figure(conditions: Sequence[Condition]) -> Figure:
    """Score against labelled examples, tasks as rows and models as columns: a whole small study in one picture."""
    styles, conditions = recipe_styles(conditions), ordered(conditions)
    tasks, models = sorted({each.task for each in conditions}), sorted({each.model for each in conditions})
    row = max(2.4, _labels_height(conditions, models, tasks))
    sheet = Sheet(
        title="Score against labelled examples, every recipe",
        measured=sample_sizes(conditions),
        notes=[interval_note(conditions), f"{ZERO_SHOT_NOTE}. {DOTTED_NOTE}", *control_note(conditions, line=True)],
        heights=[row] * len(tasks),
        columns=len(models),
    )
    for i, task in enumerate(tasks):
        for k, model in enumerate(models):
            mine = [each for each in conditions if each.task == task and each.model == model]
            axes = sheet.panel(i, k, f"{task} · {model}")
            if k == 0:
                axes.set_ylabel(f"{metric_of(mine)} (%)")
            if mine:
                against_examples(axes, mine, styles, height_inches=row)
            else:
                axes.set_axis_off()
                axes.text(
                    0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", style="italic", color="#666666"
                )
    return sheet.figure


@matplotlib.rc_context(RC)
def conditions_figure(conditions: Sequence[Condition], *, task: str) -> Figure:
    """Every condition on one task as a point with its interval, one panel per model.

    A condition that was measured on another model but not on this one is written as not measured.
    """
    styles = recipe_styles(conditions)
    conditions = [each for each in ordered(conditions) if each.task == task]
    rows = rows_of(conditions)

    def draw(axes: Axes, model: str) -> dict[Key, Mark]:
        mine = [each for each in conditions if each.model == model]
        plain = plain_prompting(mine)
        draw_level_references(axes, mine)
        axes.set_xlabel(f"{metric_of(conditions)} (%)")
        return {
            key_of(each): Mark(
                interval=interval_of(each),
                text=score_text(each) + (f" {RUNS_MARK}" if each.estimand == "runs" else ""),
                style=PLAIN if each is plain else CONTROL if is_control(each) else styles[rows[key_of(each)][0]],
            )
            for each in mine
        }

    return figure_of_rows(
        rows,
        sorted({each.model for each in conditions}),
        draw,
        values=1.5,
        name=task,
        title=": every condition",
        measured=sample_sizes(conditions),
        notes=[
            interval_note(conditions),
            *runs_note(conditions),
            f"{ZERO_SHOT_NOTE}; its interval is the grey band.",
            *control_note(conditions, line=False),
        ],
    )


def _labels_height(conditions: Sequence[Condition], models: Sequence[str], tasks: Sequence[str]) -> float:
    """Inches that the labels of the fullest panel need: its curves, and prompts that are lines of their own."""
    heights = []
    for model in models:
        for task in tasks:
            mine = [each for each in conditions if each.model == model and each.task == task]
            drawn = join(without_controls(mine), "flops")
            lines = [[CONTROL_NAME]] if best_controls(mine) else []
            names = lines + [
                [curve.label] if is_trained(curve) else [point.condition.name for point in curve.points]
                for curve in drawn
            ]
            heights.append(labels_height(name for group in names for name in group))
    return max(heights)

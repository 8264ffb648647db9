"""The Pareto frontier of score against FLOPs and against labels: figure and table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, SymmetricalLogLocator

from educe.eval.analysis.conditions import Condition, name_of, ordered, plain_prompting
from educe.eval.analysis.curves import join
from educe.eval.analysis.frontier import QUESTIONS, Cost, FrontierPoint, break_even, frontier
from educe.eval.report.frame import ZERO_SHOT_NOTE, Sheet, interval_note, metric_of, sample_sizes
from educe.eval.report.panels import draw_intervals, draw_references, interval_of, label_of, prepare, ticks
from educe.eval.report.style import PLAIN, RC, Style, label_right_edge, labels_height, recipe_styles
from educe.eval.report.text import count

Frontiers = Mapping[tuple[str, str], Mapping[Cost, Sequence[FrontierPoint]]]
_HIGHEST_NUMBERED = 0.95  # above this score a number stands below its point, not in the title
_AXES: dict[Cost, str] = {
    "flops": f"FLOPs to elicit and to answer {QUESTIONS:,} questions (log scale)",
    "labels": "labelled examples read (log scale above 1)",
}


@dataclass(frozen=True, kw_only=True)
class Step:
    """One condition on a frontier in FLOPs, and how its cost compares with that of the one before it."""

    point: FrontierPoint
    against_before: str


def frontiers(pairs: Sequence[Sequence[Condition]]) -> Frontiers:
    """The frontiers of every task and model with at least two conditions."""
    return {
        (pair[0].task, pair[0].model): {"flops": frontier(pair, "flops"), "labels": frontier(pair, "labels")}
        for pair in pairs
        if len(pair) > 1
    }


def steps(points: Sequence[FrontierPoint]) -> list[Step]:
    """The frontier by rising cost, with the number of questions at which neighbours cost the same."""
    on = [point for point in points if point.on_frontier]
    against = ["–", *(_against(before.condition, point.condition) for before, point in pairwise(on))]
    return [Step(point=point, against_before=text) for point, text in zip(on, against, strict=True)]


@matplotlib.rc_context(RC)
def frontier_figure(conditions: Sequence[Condition], found: Frontiers, *, task: str) -> Figure | None:
    """Score against FLOPs for a number of answers (left) and against labels (right), a row of panels per model."""
    styles = recipe_styles(conditions)
    shown = {model: each for (of, model), each in sorted(found.items()) if of == task}
    if not shown:
        return None
    mine = [point.condition for each in shown.values() for point in each["flops"]]
    row = max(2.7, *(labels_height(_names(points)) for each in shown.values() for points in each.values()))
    sheet = Sheet(
        name=task,
        title=": score against cost",
        measured=sample_sizes(mine),
        notes=[
            interval_note(mine),
            f"{ZERO_SHOT_NOTE}. Numbered: the Pareto frontier; no other condition has a better score at the same or a "
            "lower cost. Pale: all other conditions. The step is the best score within a cost. "
            "Scores are as measured; the table corrects those on the frontier for having been picked.",
        ],
        heights=[row] * len(shown),
        columns=2,
    )
    for i, (model, kinds) in enumerate(shown.items()):
        for k, (kind, points) in enumerate(kinds.items()):
            axes = sheet.panel(i, k, model if k == 0 else "")
            _draw(axes, kind, points, styles, height_inches=row)
            if k == 0:
                axes.set_ylabel(f"{metric_of([point.condition for point in points])} (%)")
    return sheet.figure


def _draw(
    axes: Axes, kind: Cost, points: Sequence[FrontierPoint], styles: Mapping[str, Style], *, height_inches: float
) -> None:
    conditions = ordered([point.condition for point in points])
    _scale(axes, kind, [point.cost for point in points])
    labels = [label for label in draw_references(axes, conditions) if label.style is not PLAIN]
    styled = _styles_of(conditions, styles)
    beaten: dict[Style, list[FrontierPoint]] = {}
    for point in points:
        if not point.on_frontier:
            beaten.setdefault(styled[point.condition], []).append(point)
    for style, same in beaten.items():
        intervals = [interval_of(point.condition) for point in same]
        draw_intervals(axes, [point.cost for point in same], intervals, style, alpha=0.3)
    on = [point for point in points if point.on_frontier]
    heights = [100 * point.condition.score for point in on]
    axes.step([*(point.cost for point in on), axes.get_xlim()[1]], [*heights, heights[-1]], where="post",
              color="#333333", linewidth=1, zorder=1.5)  # fmt: skip
    for number, (point, name) in enumerate(zip(on, _names(points), strict=True), start=1):
        condition, style = point.condition, styled[point.condition]
        draw_intervals(axes, [point.cost], [interval_of(condition)], style)
        below = condition.score > _HIGHEST_NUMBERED
        axes.annotate(
            str(number), (point.cost, 100 * condition.score), (-5, -5 if below else 5), textcoords="offset points",
            ha="right", va="top" if below else "bottom", fontsize=8, fontweight="bold", color=style.ink,
        )  # fmt: skip
        labels.append(label_of(name, condition, style))
    label_right_edge(axes, labels, height_inches=height_inches)


def _scale(axes: Axes, kind: Cost, costs: Sequence[float]) -> None:
    if kind == "labels":
        axes.set_xscale("symlog", linthresh=1, linscale=0.5)
        prepare(axes, (-0.35, max(2.0, max(costs)) * 1.7))
        ticks(axes.xaxis, SymmetricalLogLocator(base=10, linthresh=1), count)
    else:
        low, high = max(min(costs), 1.0), max(*costs, 10.0)
        axes.set_xscale("log")
        prepare(axes, (low / 1.8, high * 1.8))
        ticks(axes.xaxis, LogLocator(base=10, subs=(1.0,) if high / low >= 30 else (1.0, 2.0, 5.0)))
    axes.set_xlabel(_AXES[kind])


def _names(points: Sequence[FrontierPoint]) -> list[str]:
    """The conditions on a frontier with their numbers in the figure."""
    on = [point.condition for point in points if point.on_frontier]
    return [f"{number} {name_of(condition)}" for number, condition in enumerate(on, start=1)]


def _styles_of(conditions: Sequence[Condition], styles: Mapping[str, Style]) -> dict[Condition, Style]:
    plain = plain_prompting(conditions)
    return {
        point.condition: PLAIN if point.condition is plain else styles[curve.label]
        for curve in join(conditions, "examples")
        for point in curve.points
    }


def _against(before: Condition, condition: Condition) -> str:
    """Up to or from how many questions the second of two neighbours costs less in all."""
    questions = break_even(before, condition)
    dearer_to_elicit = condition.elicitation_flops >= before.elicitation_flops
    if questions is None:
        return f"costs {'more' if dearer_to_elicit else 'less'} for any number of questions"
    return f"costs less {'beyond' if dearer_to_elicit else 'up to'} {questions:,.0f} questions"

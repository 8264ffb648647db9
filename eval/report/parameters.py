"""The figure of minimal changes: score, and share of the gap recovered, against the number of trained parameters."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from educe.eval.analysis.conditions import Condition, ordered, plain_prompting, share_of_gap
from educe.eval.analysis.curves import Curve, Point, join, sweeps
from educe.eval.report.frame import DOTTED_NOTE, ZERO_SHOT_NOTE, Sheet, interval_note, metric_of, sample_sizes
from educe.eval.report.panels import draw_intervals, draw_references, interval_of, label_of, lead, prepare, ticks
from educe.eval.report.style import RC, Label, Style, label_right_edge, labels_height, numbered_style

Of = TypeVar("Of", Condition, Curve)

_LOWER = 2.1  # height of a panel of shares
_GAP_NOTE = (
    "Gap recovered: (score - zero-shot) / (score with the most parameters - zero-shot), intervals over items and seeds "
    "by bootstrap; not drawn where that gap may be 0"
)


@matplotlib.rc_context(RC)
def parameters_figure(conditions: Sequence[Condition], *, task: str) -> Figure | None:
    """Score on one task, and below it the share of the gap recovered, against trainable parameters; a column a model.

    None where no recipe varied them.
    """
    conditions = [each for each in ordered(conditions) if each.task == task]
    drawn = sweeps(conditions)
    models = sorted({curve.model for curve in drawn})
    if not drawn:
        return None
    lines = {model: _lines(_of(conditions, model)) for model in sorted({each.model for each in conditions})}
    names = sorted({name for each in lines.values() for name, _ in each})
    styles = {name: numbered_style(place) for place, name in enumerate(names)}
    row = max(2.9, *(labels_height(name for name, _ in lines[model]) for model in models))
    sheet = Sheet(
        name=task,
        title=": score against trainable parameters",
        measured=sample_sizes(conditions),
        notes=[interval_note(conditions), f"{ZERO_SHOT_NOTE}. {_GAP_NOTE}. {DOTTED_NOTE}"],
        heights=[row, _LOWER],
        columns=len(models),
        beside=2.2,
        between=0.75,
    )
    for k, model in enumerate(models):
        mine = _of(conditions, model)
        scores = sheet.panel(0, k, model)
        shares = sheet.panel(1, k, sharex=scores)
        _draw_scores(scores, mine, lines[model], styles, height_inches=row)
        _draw_shares(shares, plain_prompting(mine), _of(drawn, model), styles)
        if k == 0:
            scores.set_ylabel(f"{metric_of(mine)} (%)")
            shares.set_ylabel("gap recovered (%)")
    return sheet.figure


def _lines(conditions: Sequence[Condition]) -> list[tuple[str, tuple[Point, ...]]]:
    """What one model's panel shows, by name: the curves, and every other trained condition as a point of its own."""
    drawn = sweeps(conditions)
    swept = {point.condition for curve in drawn for point in curve.points}
    alone = join([each for each in conditions if each.trainable_parameters], "parameters")
    singles = [point for curve in alone for point in curve.points if point.condition not in swept]
    several = len({point.condition.examples for point in singles}) > 1
    named = [
        (f"{each.name}, {each.examples:,} examples" if several else each.name, (point,))
        for point in singles
        for each in [point.condition]
    ]
    return [*((curve.label, curve.points) for curve in drawn), *named]


def _of(each: Sequence[Of], model: str) -> list[Of]:
    return [one for one in each if one.model == model]


def _draw_scores(
    axes: Axes,
    conditions: Sequence[Condition],
    lines: Sequence[tuple[str, tuple[Point, ...]]],
    styles: Mapping[str, Style],
    *,
    height_inches: float,
) -> None:
    budgets = [point.budget for _, points in lines for point in points]
    axes.set_xscale("log")
    prepare(axes, (min(budgets) / 2.5, max(budgets) * 2.5))
    labels = draw_references(axes, conditions)
    for name, points in lines:
        draw_intervals(axes, [point.budget for point in points], map(interval_of, points), styles[name], joined=True)
        lead(axes, points[-1].budget, 100 * points[-1].score, styles[name])
        labels.append(label_of(name, points[-1], styles[name]))
    ticks(axes.xaxis, LogLocator(base=10))
    label_right_edge(axes, labels, height_inches=height_inches)


def _draw_shares(axes: Axes, plain: Condition | None, drawn: Sequence[Curve], styles: Mapping[str, Style]) -> None:
    """What share of the gap each point of a curve recovers; its largest point recovers all of it, by definition."""
    axes.set_xlabel("trainable parameters (log scale)")
    for level in (0, 50, 100):
        axes.axhline(level, color="#e4e4e4", linewidth=0.8, zorder=0)
    axes.set_ylim(-60, 160)
    axes.set_yticks([-50, 0, 50, 100, 150])
    labels = []
    for curve in drawn:
        style, largest = styles[curve.label], curve.points[-1].condition
        known = [
            replace(point, score=share.share, low=share.low, high=share.high)
            for point in (curve.points if plain is not None else ())
            if plain is not None and (share := share_of_gap(point.condition, plain, largest)) is not None
        ]
        if plain is None or not known:
            labels.append(Label(y=50.0, text="the gap may be 0:\nno share of it is known", style=style))
            continue
        draw_intervals(axes, [point.budget for point in known], map(interval_of, known), style, joined=True)
        half = next((point.budget for point in known if point.score >= 0.5), None)
        reached = f"half of it with\n{half:,.0f} parameters" if half is not None else "no point reaches half"
        gap = f"gap of {100 * (largest.score - plain.score):.0f} points"
        labels.append(Label(y=100.0, text=f"{gap},\n{reached}", style=style))
    label_right_edge(axes, labels, height_inches=_LOWER)

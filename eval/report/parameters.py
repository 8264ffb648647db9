"""The figure of the least change: score, and share of the gap recovered, against the number of trained parameters."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from educe.eval.analysis.conditions import Condition, plain_prompting, share_of_gap
from educe.eval.analysis.curves import Curve, Point, join, sweeps
from educe.eval.analysis.formatting import whole_percent
from educe.eval.report.frame import (
    DOTTED_NOTE,
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
from educe.eval.report.panels import draw_points, label_of, prepare, reference_lines
from educe.eval.report.style import (
    RC,
    Label,
    Style,
    label_right_edge,
    labels_height,
    numbered_style,
    power_of_ten,
    printable,
)

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure

Of = TypeVar("Of", Condition, Curve)

_BETWEEN = 0.75  # inches between the two rows of panels
_LOWER = 2.1  # height of a panel of shares
_GAP_NOTE = (
    "Gap recovered: (score - plain) / (score with the most parameters - plain), intervals over items and seeds by "
    "bootstrap; not drawn where that gap may be nothing"
)


def parameters_figure(conditions: Sequence[Condition], *, task: str) -> "matplotlib.figure.Figure | None":
    """Score on one task, and below it the share of the gap recovered, against trainable parameters; a column a model.

    None where no recipe varied them.
    """
    import matplotlib
    from matplotlib.figure import Figure

    conditions = [condition for condition in ordered(conditions) if condition.task == task]
    drawn = sweeps(conditions)
    models = sorted({curve.model for curve in drawn})
    if not drawn:
        return None
    styles = _styles(conditions)
    row = max(
        2.9,
        *(labels_height(name for name, _ in _lines(_of(conditions, model), _of(drawn, model))) for model in models),
    )
    cell = PANEL + LABELS + 0.3
    width = LEFT + len(models) * cell + RIGHT
    notes = notes_of(conditions, f"{PLAIN_NOTE}. {_GAP_NOTE}. {DOTTED_NOTE}", width=width)
    bottom = bottom_inches(notes)
    height = TOP + row + _BETWEEN + _LOWER + bottom
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(width, height))
        write_title(figure, task, ": score against trainable parameters", sample_sizes(conditions))
        for k, model in enumerate(models):
            mine, curves = _of(conditions, model), _of(drawn, model)
            left = (LEFT + k * cell) / width
            scores = figure.add_axes((left, (bottom + _LOWER + _BETWEEN) / height, PANEL / width, row / height))
            shares = figure.add_axes((left, bottom / height, PANEL / width, _LOWER / height), sharex=scores)
            _draw_scores(scores, mine, curves, styles, height_inches=row)
            _draw_shares(shares, mine, curves, styles, height_inches=_LOWER)
            scores.set_title(printable(model, width=letters(cell, 9.5)), loc="left", fontweight="bold")
            if k == 0:
                scores.set_ylabel(f"{metric_of(mine)} (%)")
                shares.set_ylabel("gap recovered (%)")
        write_notes(figure, notes)
    return figure


def _lines(conditions: Sequence[Condition], drawn: Sequence[Curve]) -> list[tuple[str, tuple[Point, ...]]]:
    """What stands in one model's panel, by name: the curves, and every other trained way as a point of its own."""
    swept = {id(point.condition) for curve in drawn for point in curve.points}
    alone = join([condition for condition in conditions if condition.trainable_parameters], "parameters")
    singles = [point for curve in alone for point in curve.points if id(point.condition) not in swept]
    several = len({point.condition.examples for point in singles}) > 1
    named = [
        (
            f"{point.condition.name}, {point.condition.examples:,} examples" if several else point.condition.name,
            (point,),
        )
        for point in singles
    ]
    return [*((curve.label, curve.points) for curve in drawn), *named]


def _styles(conditions: Sequence[Condition]) -> dict[str, Style]:
    """One style for every name, the same for all models."""
    models = sorted({condition.model for condition in conditions})
    names = {name for model in models for name, _ in _lines(_of(conditions, model), sweeps(_of(conditions, model)))}
    return {name: numbered_style(place) for place, name in enumerate(sorted(names))}


def _of(each: Sequence[Of], model: str) -> list[Of]:
    return [one for one in each if one.model == model]


def _draw_scores(
    axes: "matplotlib.axes.Axes",
    conditions: Sequence[Condition],
    drawn: Sequence[Curve],
    styles: dict[str, Style],
    *,
    height_inches: float,
) -> None:
    """One model's curves; other trained ways are single points."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    lines = _lines(conditions, drawn)
    budgets = [point.budget for _, points in lines for point in points]
    axes.set_xscale("log")
    right = max(budgets) * 2.5
    prepare(axes, (min(budgets) / 2.5, right))
    labels = reference_lines(axes, conditions)
    for name, points in lines:
        style = styles[name]
        draw_points(axes, [point.budget for point in points], points, style)
        last = points[-1]
        axes.plot([last.budget, right], [100 * last.score] * 2, color=style.color, linewidth=0.7, linestyle=":")
        labels.append(label_of(name, last.condition, style))
    axes.xaxis.set_major_locator(LogLocator(base=10))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: power_of_ten(value)))
    axes.xaxis.set_minor_locator(NullLocator())
    label_right_edge(axes, labels, height_inches=height_inches)


def _draw_shares(
    axes: "matplotlib.axes.Axes",
    conditions: Sequence[Condition],
    drawn: Sequence[Curve],
    styles: dict[str, Style],
    *,
    height_inches: float,
) -> None:
    """What share of the gap each point of a curve recovers; its largest point is the whole, by definition."""
    plain = plain_prompting(conditions)
    axes.set_xlabel("trainable parameters (log scale)")
    for level in (0, 50, 100):
        axes.axhline(level, color="#e4e4e4", linewidth=0.8, zorder=0)
    axes.set_ylim(-60, 160)
    axes.set_yticks([-50, 0, 50, 100, 150])
    labels = []
    for curve in drawn:
        shares = (
            []
            if plain is None
            else [share_of_gap(point.condition, plain, curve.points[-1].condition) for point in curve.points]
        )
        known = [
            replace(point, score=share.share, low=share.low, high=share.high)
            for point, share in zip(curve.points, shares, strict=False)
            if share is not None
        ]
        style = styles[curve.label]
        if not known:
            labels.append(Label(y=50.0, text="the gap may be nothing:\nno share of it is known", style=style))
            continue
        draw_points(axes, [point.budget for point in known], known, style)
        half = next((point.budget for point in known if point.score >= 0.5), None)
        said = f"half of it with\n{half:,.0f} parameters" if half is not None else "half of it with none"
        whole = curve.points[-1].condition.score - (plain.score if plain else 0.0)
        labels.append(Label(y=100.0, text=f"gap of {whole_percent(whole)[:-1]} points,\n{said}", style=style))
    label_right_edge(axes, labels, height_inches=height_inches)

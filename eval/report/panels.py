"""The panels that figures are made of: score against examples and FLOPs, and rows of marks with intervals."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, Locator, LogLocator, NullLocator

from educe.eval.analysis.conditions import Condition, name_of, plain_prompting
from educe.eval.analysis.controls import best_controls, without_controls
from educe.eval.analysis.curves import Curve, join
from educe.eval.analysis.formatting import format_interval, whole_percent
from educe.eval.report.frame import CONTROL_NAME, Sheet
from educe.eval.report.style import (
    CHANCE,
    CONTROL,
    PLAIN,
    Label,
    Style,
    is_trained,
    label_right_edge,
    printable,
    spread,
    wrapped,
)
from educe.eval.report.text import Scored, chances, power_of_ten

Align = Literal["left", "center", "right"]
Key = tuple[str, str, int]
Rows = dict[Key, tuple[str, str]]
_FADE = 0.13  # opacity of an interval band
_MAX_BANDS = 2  # beyond that of zero-shot
_MAX_NUMBERS = 12  # beside the points of one panel
_THIN: dict[str, Any] = {"linewidth": 0.9, "elinewidth": 0.6, "capsize": 0, "markersize": 4, "zorder": 1.5}


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A value with its interval (shares), and the text at the right of its row."""

    interval: tuple[float, float, float]
    text: str
    style: Style


def key_of(condition: Condition) -> Key:
    """What a condition is, on whatever model and task."""
    return condition.method, condition.settings, condition.examples


def interval_of(scored: Scored) -> tuple[float, float, float]:
    """A score with the ends of its interval."""
    return scored.score, scored.low, scored.high


def draw_intervals(
    axes: Axes,
    places: Sequence[int | float],
    intervals: Iterable[tuple[float, float, float]],
    style: Style,
    *,
    joined: bool = False,
    level: bool = False,
    **options: Any,
) -> None:
    """Points with their intervals, given as shares (value, low, high); `level` bars run along the x axis."""
    intervals = [(100 * value, 100 * low, 100 * high) for value, low, high in intervals]
    values = [value for value, _, _ in intervals]
    # An interval may exclude its own score by rounding; a bar cannot have negative length.
    ends = [[max(0.0, v - low) for v, low, _ in intervals], [max(0.0, high - v) for v, _, high in intervals]]
    drawn: dict[str, Any] = {
        "color": style.color,
        "linestyle": style.line if joined else "none",
        "marker": style.marker,
        "markersize": 5.5,
        "markerfacecolor": style.face,
        "capsize": 2.5,
        "linewidth": 1.6,
        "elinewidth": 1.2,
    } | options
    if level:
        axes.errorbar(values, places, xerr=ends, **drawn)
    else:
        axes.errorbar(places, values, yerr=ends, **drawn)


def prepare(axes: Axes, limits: tuple[int | float, int | float]) -> None:
    """Limits, a scale of percentages and a faint grid."""
    axes.set_xlim(*limits)
    axes.set_ylim(-2, 102)
    axes.set_yticks(range(0, 101, 20))
    faint_grid(axes)


def faint_grid(axes: Axes, *, axis: Literal["x", "y"] = "y") -> None:
    """Thin lines behind everything else."""
    axes.grid(axis=axis, color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)


def ticks(axis: Axis, locator: Locator, text: Callable[[float], str] = power_of_ten) -> None:
    """Major ticks of a logarithmic axis, and no others."""
    axis.set_major_locator(locator)
    axis.set_major_formatter(FuncFormatter(lambda value, _: text(value)))
    axis.set_minor_locator(NullLocator())


def lead(axes: Axes, x: int | float, y: int | float, style: Style) -> None:
    """A thin dotted line from a curve's last point to the right edge."""
    axes.plot([x, axes.get_xlim()[1]], [y, y], color=style.color, linewidth=0.7, linestyle=":")


def label_of(name: str, scored: Scored, style: Style) -> Label:
    """A name with its score and interval, at its height."""
    text = f"{wrapped(name)}\n{whole_percent(scored.score)} {format_interval(scored.low, scored.high)}"
    return Label(y=100 * scored.score, text=text, style=style)


def draw_chance(axes: Axes, conditions: Sequence[Condition]) -> list[Label]:
    """A dotted line at every level of chance; give their labels."""
    labels = []
    for chance in chances(conditions):
        axes.axhline(100 * chance, color=CHANCE.color, linestyle=CHANCE.line, linewidth=1.3)
        labels.append(Label(y=100 * chance, text=f"chance {whole_percent(chance)}", style=CHANCE))
    return labels


def draw_references(axes: Axes, conditions: Sequence[Condition]) -> list[Label]:
    """Draw chance, and zero-shot with its interval; give the labels they need."""
    labels, plain = draw_chance(axes, conditions), plain_prompting(conditions)
    if plain is not None:
        axes.axhspan(100 * plain.low, 100 * plain.high, color=PLAIN.color, alpha=0.08, linewidth=0)
        axes.axhline(100 * plain.score, color=PLAIN.color, linestyle=PLAIN.line, linewidth=1)
        labels.append(label_of("zero-shot", plain, PLAIN))
    return labels


def against_examples(
    axes: Axes, conditions: Sequence[Condition], styles: Mapping[str, Style], *, height_inches: float
) -> None:
    """Draw one model's curves on one task against labelled examples; 0 examples have a place left of the others.

    Controls are one thin line: the best of them at each budget.
    """
    controls, conditions = list(best_controls(conditions).values()), without_controls(conditions)
    drawn, plain = join(conditions, "examples"), plain_prompting(conditions)
    budgets = sorted({each.labelled_examples for each in [*conditions, *controls]} - {0}) or [1]
    places = {budget: math.log2(budget) for budget in budgets}
    span = max(2.0, places[budgets[-1]] - places[budgets[0]])
    zero = places[budgets[0]] - 0.28 * span
    prepare(axes, (zero - 0.1 * span, places[budgets[-1]] + 0.09 * span))
    labels = draw_references(axes, [*conditions, *controls])
    if controls:
        x = [places.get(each.labelled_examples, zero) for each in controls]
        draw_intervals(axes, x, map(interval_of, controls), CONTROL, joined=True, **_THIN)
        labels.append(label_of(CONTROL_NAME, controls[-1], CONTROL))
    # Curves at equal budgets are shifted so that every interval can be seen, but stay nearest to their own budget.
    rivals = {budget: [i for i, curve in enumerate(drawn) if _has(curve, budget)] for budget in [0, *budgets]}
    nearest = min((b - a for a, b in pairwise(places.values())), default=span)
    step = min(0.022 * span, 0.7 * nearest / max(len(drawn), 1))
    for i, curve in enumerate(drawn):
        style, x = _style(curve, plain, styles), []
        for point in curve.points:
            rival = rivals[point.condition.labelled_examples]
            shift = (rival.index(i) - (len(rival) - 1) / 2) * step
            x.append(places.get(point.condition.labelled_examples, zero) + shift)
        draw_intervals(axes, x, map(interval_of, curve.points), style, joined=True)
        last = curve.points[-1]
        if last.condition is not plain:
            lead(axes, x[-1], 100 * last.score, style)
            labels.append(label_of(curve.label if len(curve.points) > 1 else last.condition.name, last, style))
    widest = max(len(f"{budget:,}") for budget in budgets)
    shown = _thinned(budgets, places, min_distance=(0.03 + 0.018 * widest) * span)
    axes.set_xticks([zero, *(places[budget] for budget in shown)], ["0", *(f"{budget:,}" for budget in shown)])
    axes.text(
        (zero + places[budgets[0]]) / 2, 0, "//", transform=axes.get_xaxis_transform(), ha="center", va="center",
        fontsize=9, color="#444444", backgroundcolor="white",
    )  # fmt: skip
    axes.set_xlabel("labelled examples read (log scale, 0 apart)")
    label_right_edge(axes, labels, height_inches=height_inches)


def against_flops(
    axes: Axes,
    conditions: Sequence[Condition],
    styles: Mapping[str, Style],
    spent: Sequence[float],
    *,
    height_inches: float,
) -> None:
    """Draw one model's panel; `spent` holds every model's FLOPs, so that all panels share one range.

    Controls are left out: they are about rows, and n-grams cost a millionth of the FLOPs.
    """
    conditions = without_controls(conditions)
    drawn, plain = join(conditions, "flops"), plain_prompting(conditions)
    low, high = (min(spent) / 2.2, max(spent) * 1.6) if spent else (1.0, 10.0)
    axes.set_xscale("log")
    prepare(axes, (low, high))
    labels = draw_references(axes, conditions)
    free = [(curve, point) for curve in drawn for point in curve.points if point.budget <= 0]
    free = [(curve, point) for curve, point in free if point.condition is not plain]
    for i, (curve, point) in enumerate(free):
        style = _style(curve, plain, styles)
        axes.axhline(100 * point.score, color=style.color, linestyle=style.line, linewidth=1.3)
        if len(free) <= _MAX_BANDS:
            axes.axhspan(100 * point.low, 100 * point.high, color=style.color, alpha=_FADE, linewidth=0)
        else:
            # More bands would hide each other: bars, side by side at the left edge.
            draw_intervals(axes, [low * (high / low) ** (0.03 + 0.025 * i)], [interval_of(point)], style)
        labels.append(label_of(point.condition.name, point, style))
    numbers: list[tuple[float, Label]] = []
    num_paid = sum(each.elicitation_flops > 0 for each in conditions)
    for curve in drawn:
        style = _style(curve, plain, styles)
        # Joined in the order of examples: a fixed number of passes costs nearly the same at every budget, and joining
        # by FLOPs would zigzag between near-equal ones.
        paid = sorted([point for point in curve.points if point.budget > 0], key=lambda point: point.condition.examples)
        if not paid:
            continue
        draw_intervals(axes, [point.budget for point in paid], map(interval_of, paid), style, joined=True)
        for point in paid if num_paid <= _MAX_NUMBERS else [paid[0], paid[-1]]:
            text = f"{point.condition.labelled_examples:,}"
            numbers.append((point.budget, Label(y=100 * point.score, text=text, style=style)))
        lead(axes, paid[-1].budget, 100 * paid[-1].score, style)
        labels.append(label_of(curve.label, paid[-1], style))
    _write_numbers(axes, numbers, height_inches=height_inches)
    wide = math.log10(high / low) >= 2
    ticks(axes.xaxis, LogLocator(base=10, subs=(1.0,) if wide else (1.0, 2.0, 4.0)) if spent else FixedLocator([]))
    axes.set_xlabel("training + search FLOPs (log scale); level lines: 0")
    label_right_edge(axes, labels, height_inches=height_inches)


def rows_of(conditions: Iterable[Condition]) -> Rows:
    """Every condition's curve label and name; zero-shot, prompts, what was trained or searched for, then controls."""
    rows = []
    for curve in join(conditions, "examples"):
        kind = 0 if curve.role == "zero_shot" else 3 if curve.role == "control" else 2 if is_trained(curve) else 1
        for condition in (point.condition for point in curve.points):
            # A long name is cut, its examples are not.
            name = printable(condition.name, width=48) + name_of(condition).removeprefix(condition.name)
            order = kind, curve.label, condition.examples, condition.settings
            rows.append((order, key_of(condition), (curve.label, name)))
    return {key: names for _, key, names in sorted(rows)}


def figure_of_rows(
    rows: Rows,
    models: Sequence[str],
    draw: Callable[[Axes, str], dict[Key, Mark]],
    *,
    values: float,
    missing: str = "not measured",
    **texts: Any,
) -> Figure:
    """A panel per model with a mark in every row, and its numbers at the right in `values` inches.

    `draw` sets the x axis of a model's panel, draws what lies behind the marks, and gives the marks by row. A row
    without a mark says what is `missing`.
    """
    columns = min(2, len(models))
    sheet = Sheet(
        heights=[0.25 * len(rows) + 0.35] * math.ceil(len(models) / columns),
        columns=columns,
        panel=5.2 if columns == 1 else 3.1,
        beside=values,
        left=max(1.2, 0.3 + 0.07 * max(len(name) for _, name in rows.values())),
        **texts,
    )
    for i, model in enumerate(models):
        axes = sheet.panel(i // columns, i % columns, model, pad=16)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        marks = draw(axes, model)
        axes.hlines(range(len(rows)), *axes.get_xlim(), color="#dddddd", linewidth=0.6, zorder=0)
        members: dict[Style, list[tuple[int, Mark]]] = {}
        for y, key in enumerate(rows):
            mark = marks.get(key)
            text, color, slant = (mark.text, "#000000", "normal") if mark else (missing, "#666666", "italic")
            axes.text(1.02, y, text, transform=axes.get_yaxis_transform(), va="center", fontsize=8, color=color,
                      style=slant)  # fmt: skip
            if mark:
                members.setdefault(mark.style, []).append((y, mark))
        for style, drawn in members.items():
            draw_intervals(axes, [y for y, _ in drawn], [mark.interval for _, mark in drawn], style, level=True)
        axes.set_yticks(range(len(rows)), [name if i % columns == 0 else "" for _, name in rows.values()])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
    return sheet.figure


def draw_level_references(axes: Axes, conditions: Sequence[Condition]) -> None:
    """Chance, and zero-shot with its interval, as vertical lines with their names above."""
    plain, levels = plain_prompting(conditions), chances(conditions)
    axes.set_xlim(-2, 102)
    # Two names over one panel: close ones lean away from each other.
    near = plain is not None and any(abs(plain.score - chance) < 0.4 for chance in levels)
    above = plain is not None and plain.score >= max(levels, default=0)
    of_plain, of_chance = ("left", "right") if above else ("right", "left")
    for chance in levels:
        axes.axvline(100 * chance, color=CHANCE.color, linestyle=CHANCE.line, linewidth=1.3)
        _name_line(axes, 100 * chance, f"chance {whole_percent(chance)}", CHANCE, of_chance if near else "center")
    if plain is not None:
        axes.axvspan(100 * plain.low, 100 * plain.high, color=PLAIN.color, alpha=0.08, linewidth=0)
        axes.axvline(100 * plain.score, color=PLAIN.color, linestyle=PLAIN.line, linewidth=1)
        _name_line(axes, 100 * plain.score, "zero-shot", PLAIN, of_plain if near else "center")


def _name_line(axes: Axes, x: int | float, name: str, style: Style, align: str) -> None:
    axes.annotate(
        name, (x, 1), xycoords=axes.get_xaxis_transform(), xytext=({"left": 3, "center": 0, "right": -3}[align], 3),
        textcoords="offset points", ha=align, va="bottom", color=style.color, fontsize=8,
    )  # fmt: skip


def _has(curve: Curve, budget: int) -> bool:
    return any(point.condition.labelled_examples == budget for point in curve.points)


def _style(curve: Curve, plain: Condition | None, styles: Mapping[str, Style]) -> Style:
    return PLAIN if any(point.condition is plain for point in curve.points) else styles[curve.label]


def _write_numbers(axes: Axes, numbers: Sequence[tuple[float, Label]], *, height_inches: float) -> None:
    """Write each number left of its point on a log axis; those of points at nearly equal x are shifted."""
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    line = 0.11 * (top - bottom) / height_inches
    columns: list[list[tuple[float, Label]]] = []
    for x, label in sorted(numbers, key=lambda number: number[0]):
        if columns and math.log(x / columns[-1][0][0]) < 0.06 * math.log(right / left):
            columns[-1].append((x, label))
        else:
            columns.append([(x, label)])
    for column in columns:
        placed = spread([label.y + line / 2 for _, label in column], [line] * len(column), low=bottom, high=top)
        for (_, label), y in zip(column, placed, strict=True):
            axes.annotate(
                label.text, (column[0][0], y), (-6, 0), textcoords="offset points", fontsize=7.5, color=label.style.ink,
                ha="right", va="center", bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.4},
            )  # fmt: skip


def _thinned(budgets: Sequence[int], places: Mapping[int, float], *, min_distance: float) -> list[int]:
    """Budgets at least so far from each other; the last one is always kept."""
    kept: list[int] = []
    for budget in reversed(budgets):
        if not kept or places[kept[-1]] - places[budget] >= min_distance:
            kept.append(budget)
    return kept[::-1]

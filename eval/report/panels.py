"""The panels that figures are made of: score against examples and FLOPs, and dots with intervals."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from educe.eval.analysis.conditions import Condition, plain_prompting
from educe.eval.analysis.curves import Curve, Point, join
from educe.eval.analysis.formatting import format_interval, whole_percent
from educe.eval.report.style import (
    CHANCE,
    PLAIN,
    Label,
    Style,
    is_trained,
    label_right_edge,
    power_of_ten,
    printable,
    spread,
    wrapped,
)

if TYPE_CHECKING:
    import matplotlib.axes

Align = Literal["left", "center", "right"]
Rows = dict[tuple[str, str, int], tuple[str, str]]
_FADE = 0.13  # opacity of an interval band
_MOST_BANDS = 2  # beyond plain prompting's
_MOST_NUMBERS = 12  # beside the points of one panel


def rows_of(conditions: Iterable[Condition]) -> Rows:
    """Every way, zero-shot before prompts before training: (method, settings, examples) -> (curve label, name)."""
    rows = []
    for curve in join(conditions, "examples"):
        kind = 0 if curve.role == "zero_shot" else 2 if is_trained(curve) else 1
        for point in curve.points:
            condition = point.condition
            name = printable(point.condition.name, width=48)
            if kind > 0 and condition.examples and not condition.budget_in_settings:
                name += f", {condition.examples:,} {'example' if condition.examples == 1 else 'examples'}"
            order = (kind, curve.label, condition.examples, condition.settings)
            rows.append((order, (condition.method, condition.settings, condition.examples), (curve.label, name)))
    return {key: names for _, key, names in sorted(rows)}


def against_examples(
    axes: "matplotlib.axes.Axes", conditions: Sequence[Condition], styles: dict[str, Style], *, height_inches: float
) -> None:
    """Draw one model's curves on one task against labelled examples, zero-shot apart at 0."""
    drawn = join(conditions, "examples")
    budgets = sorted({condition.labelled_examples for condition in conditions if condition.labelled_examples > 0}) or [
        1
    ]
    # One place for "none" a gap to the left of the smallest budget: the logarithm has none for it.
    places = {budget: math.log2(budget) for budget in budgets}
    span = max(2.0, places[budgets[-1]] - places[budgets[0]])
    zero = places[budgets[0]] - 0.28 * span
    left, right = zero - 0.1 * span, places[budgets[-1]] + 0.09 * span
    prepare(axes, (left, right))
    labels = reference_lines(axes, conditions)
    plain = plain_prompting(conditions)
    # Curves at equal budgets step aside so that every interval can be seen, and stay nearer to their own budget than to
    # the next.
    rivals = {budget: [i for i, curve in enumerate(drawn) if _has(curve, budget)] for budget in [0, *budgets]}
    nearest = min((b - a for a, b in pairwise(places.values())), default=span)
    step = min(0.022 * span, 0.7 * nearest / max(len(drawn), 1))
    for i, curve in enumerate(drawn):
        style = _style(curve, plain, styles)
        x = []
        for point in curve.points:
            rival = rivals[point.condition.labelled_examples]
            aside = (rival.index(i) - (len(rival) - 1) / 2) * step
            x.append(places.get(point.condition.labelled_examples, zero) + aside)
        draw_points(axes, x, curve.points, style)
        last = curve.points[-1]
        if last.condition is plain:
            continue
        axes.plot([x[-1], right], [100 * last.score] * 2, color=style.color, linewidth=0.7, linestyle=":")
        name = curve.label if len(curve.points) > 1 else last.condition.name
        labels.append(label_of(name, last.condition, style))
    widest = max(len(f"{budget:,}") for budget in budgets)
    ticks = _thinned([places[budget] for budget in budgets], least=(0.03 + 0.018 * widest) * span)
    shown = [budget for budget in budgets if places[budget] in ticks]
    axes.set_xticks([zero, *ticks], ["0", *(f"{budget:,}" for budget in shown)])
    broken = (zero + places[budgets[0]]) / 2
    axes.text(
        broken, 0, "//", transform=axes.get_xaxis_transform(), ha="center", va="center", fontsize=9, color="#444444",
        backgroundcolor="white",
    )  # fmt: skip
    axes.set_xlabel("labelled examples read (log scale, 0 apart)")
    label_right_edge(axes, labels, height_inches=height_inches)


def against_flops(
    axes: "matplotlib.axes.Axes",
    conditions: Sequence[Condition],
    styles: dict[str, Style],
    spent: Sequence[float],
    *,
    height_inches: float,
) -> None:
    """Draw one model's panel; `spent` holds every model's FLOPs, so that all panels share one range."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    drawn = join(conditions, "flops")
    low, high = (min(spent) / 2.2, max(spent) * 1.6) if spent else (1.0, 10.0)
    axes.set_xscale("log")
    prepare(axes, (low, high))
    labels = reference_lines(axes, conditions)
    plain = plain_prompting(conditions)
    numbers: list[tuple[float, Label]] = []
    num_paid = sum(condition.elicitation_flops > 0 for condition in conditions)
    free = [
        (curve, point)
        for curve in drawn
        for point in curve.points
        if point.budget <= 0 and point.condition is not plain
    ]
    for i, (curve, point) in enumerate(free):
        style = _style(curve, plain, styles)
        axes.axhline(100 * point.score, color=style.color, linestyle=style.line, linewidth=1.3)
        if len(free) <= _MOST_BANDS:
            axes.axhspan(100 * point.low, 100 * point.high, color=style.color, alpha=_FADE, linewidth=0)
        else:
            # Stacked bands can no longer be told apart: bars, side by side at the left edge.
            draw_points(axes, [low * (high / low) ** (0.03 + 0.025 * i)], [point], style)
        labels.append(label_of(point.condition.name, point.condition, style))
    for curve in drawn:
        style = _style(curve, plain, styles)
        # Joined in the order of examples: a fixed number of passes costs nearly the same at every budget, and joining
        # by FLOPs would zigzag between near-equal ones.
        paid = sorted([point for point in curve.points if point.budget > 0], key=lambda point: point.condition.examples)
        if paid:
            draw_points(axes, [point.budget for point in paid], paid, style)
            numbered = paid if num_paid <= _MOST_NUMBERS else [paid[0], paid[-1]]
            numbers += [
                (point.budget, Label(y=100 * point.score, text=f"{point.condition.labelled_examples:,}", style=style))
                for point in numbered
            ]
            last = paid[-1]
            axes.plot([last.budget, high], [100 * last.score] * 2, color=style.color, linewidth=0.7, linestyle=":")
            labels.append(label_of(curve.label, last.condition, style))
    _number(axes, numbers, height_inches=height_inches)
    if spent:
        wide = math.log10(high / low) >= 2
        axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1.0,) if wide else (1.0, 2.0, 4.0)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: power_of_ten(value)))
    else:
        axes.set_xticks([])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("training + search FLOPs (log scale); level lines: 0")
    label_right_edge(axes, labels, height_inches=height_inches)


def dots(
    axes: "matplotlib.axes.Axes",
    conditions: Sequence[Condition],
    rows: Rows,
    styles: dict[str, Style],
    *,
    named: bool,
) -> None:
    """Draw one model's ways as dots with intervals, in the given rows; `named` writes their names at the left."""
    plain = plain_prompting(conditions)
    found = {(condition.method, condition.settings, condition.examples): condition for condition in conditions}
    axes.set_xlim(-2, 102)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    chances = sorted({condition.chance for condition in conditions if condition.chance is not None})
    # Two labels over one panel: close ones lean away from each other.
    near = plain is not None and any(abs(plain.score - chance) < 0.4 for chance in chances)
    above = plain is not None and plain.score >= max(chances, default=0)
    lean: tuple[Align, Align] = ("left", "right") if above else ("right", "left")
    for chance in chances:
        axes.axvline(100 * chance, color=CHANCE.color, linestyle=CHANCE.line, linewidth=1.3)
        _name_line(axes, 100 * chance, f"chance {whole_percent(chance)}", CHANCE.color, lean[1] if near else "center")
    if plain is not None:
        axes.axvspan(100 * plain.low, 100 * plain.high, color=PLAIN.color, alpha=0.08, linewidth=0)
        axes.axvline(100 * plain.score, color=PLAIN.color, linestyle=PLAIN.line, linewidth=1)
        _name_line(axes, 100 * plain.score, "plain prompting", PLAIN.color, lean[0] if near else "center")
    axes.hlines(range(len(rows)), *axes.get_xlim(), color="#dddddd", linewidth=0.6, zorder=0)
    alike: dict[str | None, list[tuple[int, Condition]]] = {}
    for y, (key, (label, _)) in enumerate(rows.items()):
        condition = found.get(key)
        if condition is None:
            say_row_not_measured(axes, y)
            continue
        alike.setdefault(None if condition is plain else label, []).append((y, condition))
        axes.text(1.02, y, f"{100 * condition.score:.1f}  [{100 * condition.low:.1f}, {100 * condition.high:.1f}]",
                  transform=axes.get_yaxis_transform(), va="center", fontsize=8)  # fmt: skip
    for of, members in alike.items():
        scores = [(condition.score, condition.low, condition.high) for _, condition in members]
        level_bars(axes, [y for y, _ in members], scores, PLAIN if of is None else styles[of])
    axes.set_yticks(range(len(rows)), [name if named else "" for _, name in rows.values()])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def level_bars(
    axes: "matplotlib.axes.Axes", rows: Sequence[int], shares: Sequence[tuple[float, float, float]], style: Style
) -> None:
    """Dots with level intervals in rows of one style: (value, low, high) of each, as shares."""
    axes.errorbar(
        [100 * value for value, _, _ in shares],
        rows,
        xerr=[
            [100 * max(0.0, value - low) for value, low, _ in shares],
            [100 * max(0.0, high - value) for value, _, high in shares],
        ],
        color=style.color,
        marker=style.marker,
        markersize=5.5,
        markerfacecolor=style.face,
        capsize=2.5,
        linewidth=0,
        elinewidth=1.4,
    )


def say_row_not_measured(axes: "matplotlib.axes.Axes", row: int) -> None:
    """Words where a dot would stand."""
    axes.text(1.02, row, "not measured", transform=axes.get_yaxis_transform(), va="center", color="#666666",
              fontsize=8, style="italic")  # fmt: skip


def _has(curve: Curve, budget: int) -> bool:
    return any(point.condition.labelled_examples == budget for point in curve.points)


def _name_line(axes: "matplotlib.axes.Axes", x: float, name: str, color: str, align: Align) -> None:
    """Name a vertical line above the panel."""
    axes.annotate(
        name, (x, 1), xycoords=axes.get_xaxis_transform(), xytext=({"left": 3, "center": 0, "right": -3}[align], 3),
        textcoords="offset points", ha=align, va="bottom", color=color, fontsize=8,
    )  # fmt: skip


def _number(axes: "matplotlib.axes.Axes", numbers: Sequence[tuple[float, Label]], *, height_inches: float) -> None:
    """Write each number left of its point on a log axis, those of points at nearly equal x moved apart."""
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


def prepare(axes: "matplotlib.axes.Axes", limits: tuple[float, float]) -> None:
    """Limits, a scale of percentages and a faint grid."""
    axes.set_xlim(*limits)
    axes.set_ylim(-2, 102)
    axes.set_yticks(range(0, 101, 20))
    axes.grid(axis="y", color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)


def reference_lines(axes: "matplotlib.axes.Axes", conditions: Sequence[Condition]) -> list[Label]:
    """Draw chance, and plain prompting with its interval; give the labels they need."""
    labels = []
    for chance in sorted({condition.chance for condition in conditions if condition.chance is not None}):
        axes.axhline(100 * chance, color=CHANCE.color, linestyle=CHANCE.line, linewidth=1.3)
        labels.append(Label(y=100 * chance, text=f"chance {whole_percent(chance)}", style=CHANCE))
    plain = plain_prompting(conditions)
    if plain is not None:
        axes.axhspan(100 * plain.low, 100 * plain.high, color=PLAIN.color, alpha=0.08, linewidth=0)
        axes.axhline(100 * plain.score, color=PLAIN.color, linestyle=PLAIN.line, linewidth=1)
        labels.append(label_of("plain prompting", plain, PLAIN))
    return labels


def draw_points(axes: "matplotlib.axes.Axes", x: Sequence[float], points: Sequence[Point], style: Style) -> None:
    """Points with their intervals, joined."""
    axes.errorbar(
        list(x),
        [100 * point.score for point in points],
        # An interval may exclude its own score by rounding; a bar cannot have negative length.
        yerr=[
            [100 * max(0.0, point.score - point.low) for point in points],
            [100 * max(0.0, point.high - point.score) for point in points],
        ],
        color=style.color,
        linestyle=style.line,
        marker=style.marker,
        markersize=5.5,
        markerfacecolor=style.face,
        capsize=2.5,
        linewidth=1.6,
        elinewidth=1.1,
    )


def _style(curve: Curve, plain: Condition | None, styles: dict[str, Style]) -> Style:
    return PLAIN if any(point.condition is plain for point in curve.points) else styles[curve.label]


def label_of(name: str, condition: Condition, style: Style) -> Label:
    """A name with its score and interval, at its height."""
    text = f"{wrapped(name)}\n{whole_percent(condition.score)} {format_interval(condition.low, condition.high)}"
    return Label(y=100 * condition.score, text=text, style=style)


def _thinned(places: Sequence[float], *, least: float) -> list[float]:
    """Places at least so far apart, the last one always kept."""
    kept: list[float] = []
    for place in reversed(places):
        if not kept or kept[-1] - place >= least:
            kept.append(place)
    return kept[::-1]


def say_not_measured(axes: "matplotlib.axes.Axes") -> None:
    """Turn a panel without any measurement into words."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", style="italic", color="#666666")

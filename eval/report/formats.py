"""Figures of formats: the accuracy of every format, and their spread against examples."""

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from educe.eval.analysis.conditions import Condition, plain_prompting
from educe.eval.analysis.formatting import whole_percent
from educe.eval.report.frame import TOP, bottom_inches, letters, metric_of, ordered, write_notes, write_title
from educe.eval.report.prompts import FormatsSeen, answered, formats_seen
from educe.eval.report.style import (
    PLAIN,
    RC,
    Label,
    Style,
    label_right_edge,
    labels_height,
    numbered_style,
    printable,
    wrapped,
)
from educe.eval.report.text import chances

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure

_ROW, _VALUES, _RIGHT = 0.46, 1.5, 0.05
_GOLDEN = 0.618  # successive multiples of it never fall together
_OTHER = "order"
_LEFT, _PANEL, _LABELS = 0.95, 3.3, 1.9


def formats_figure(conditions: Sequence[Condition], *, task: str) -> "matplotlib.figure.Figure | None":
    """Accuracy in every format on one task, a row for each way and a panel for each model.

    None where no way was asked in several formats.
    """
    import matplotlib
    from matplotlib.figure import Figure

    mine = [condition for condition in ordered(conditions) if condition.task == task]
    shown = [condition for condition in mine if answered(condition, "accuracies")]
    if not shown:
        return None
    names = sorted({(_rank(condition), _name(condition)) for condition in shown})
    rows = {name: len(names) - 1 - place for place, (_, name) in enumerate(names)}
    models = sorted({condition.model for condition in shown})
    kinds = sorted(
        {kind for condition in shown for kind, _ in _strip(condition)}, key=lambda kind: (kind == _OTHER, kind)
    )
    styles = {kind: numbered_style(place) for place, kind in enumerate(kinds)}
    left = max(1.2, 0.3 + 0.073 * max(max(map(len, wrapped(name).split("\n"))) for name in rows))
    panel = 4.4 if len(models) == 1 else 3.2
    width = left + len(models) * (panel + _VALUES) + _RIGHT
    notes = [
        "Each mark: one format, or one order of options. Bar: the middle 90% of formats. Black stroke: their mean.",
        "Open diamond: the regular format alone. Beside: median [5%, 95%] over formats, and their standard deviation",
        "with what few items add to it taken out.",
    ]
    bottom, deep = bottom_inches(notes), _ROW * len(rows) + 0.2
    height = TOP + 0.2 + deep + bottom
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(width, height))
        write_title(figure, task, ": accuracy in every format", f"n = {shown[0].n:,} test items")
        for k, model in enumerate(models):
            left_edge = (left + k * (panel + _VALUES)) / width
            axes = figure.add_axes((left_edge, bottom / height, panel / width, deep / height))
            _draw_strips(axes, [condition for condition in mine if condition.model == model], rows, styles)
            axes.set_title(printable(model, width=letters(panel, 9.5)), loc="left", fontweight="bold", pad=8)
            axes.set_xlabel(f"{metric_of(shown[:1]).partition(',')[0]} (%)")
            axes.set_yticks(list(rows.values()), [wrapped(name) for name in rows] if k == 0 else [""] * len(rows))
        _draw_legend(figure, styles, height=height)
        write_notes(figure, notes)
    return figure


def spread_figure(conditions: Sequence[Condition]) -> "matplotlib.figure.Figure | None":
    """Standard deviation over formats against the examples trained on, a line for each task, a panel for each model.

    None where it was not measured at two budgets of anything.
    """
    import matplotlib
    from matplotlib.figure import Figure

    seen = formats_seen(conditions)
    models = sorted({each.condition.model for each in seen})
    lines = {model: _lines([each for each in seen if each.condition.model == model]) for model in models}
    if not any(len(points) > 1 for drawn in lines.values() for points in drawn.values()):
        return None
    names = sorted({name for drawn in lines.values() for name in drawn})
    row = max(2.6, labels_height(names))
    cell = _PANEL + _LABELS
    width = _LEFT + len(models) * cell + _RIGHT
    notes = [
        f"Bars: {seen[0].interval} interval over formats. Sampling noise of the items is taken out; 0 examples: plain."
    ]
    bottom = bottom_inches(notes)
    height = TOP + row + bottom
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(width, height))
        write_title(figure, "", "How much the format matters, before and after training", "one line per task")
        highest = max(each.sd_high for each in seen)
        for k, model in enumerate(models):
            axes = figure.add_axes(((_LEFT + k * cell) / width, bottom / height, _PANEL / width, row / height))
            _draw_lines(axes, lines[model], names, height_inches=row, highest=highest)
            axes.set_title(printable(model, width=letters(cell, 9.5)), loc="left", fontweight="bold")
            if k == 0:
                axes.set_ylabel("standard deviation over\nformats (points)")
        write_notes(figure, notes)
    return figure


def _strip(condition: Condition) -> list[tuple[str, float]]:
    """Every format's way to answer and accuracy."""
    return [
        (name.partition(";")[0] if ";" in name else _OTHER, accuracy)
        for accuracies in answered(condition, "accuracies")
        for name, accuracy in accuracies.items()
    ]


def _rank(condition: Condition) -> tuple[bool, int]:
    """Prompts before training, and fewer examples before more."""
    return condition.mean(lambda each: each.spend.train_flops) > 0, condition.examples


def _name(condition: Condition) -> str:
    trained, examples = _rank(condition)
    # A long name is cut at its end, and the examples must not be.
    return f"{examples:,} examples, {condition.recipe}" if trained else condition.recipe


def _draw_strips(
    axes: "matplotlib.axes.Axes", conditions: Sequence[Condition], rows: dict[str, int], styles: dict[str, Style]
) -> None:
    """One model's strips, and what each comes to at the right."""
    spreads = {id(each.condition): each for each in formats_seen(conditions)}
    axes.set_xlim(-2, 102)
    axes.set_xticks(range(0, 101, 20))
    axes.grid(axis="x", color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    for chance in chances(conditions):
        axes.axvline(100 * chance, color="#666666", linestyle=(0, (1, 2)), linewidth=1)
    for condition in conditions:
        strip = _strip(condition)
        if not strip:
            continue
        y = rows[_name(condition)]
        for place, (kind, accuracy) in enumerate(strip):
            style = styles[kind]
            aside = 0.5 * ((place * _GOLDEN) % 1 - 0.5)
            axes.plot(
                [100 * accuracy], [y + aside], marker=style.marker, color=style.color, markersize=3.6, linestyle="",
                markerfacecolor=style.face, alpha=0.8,
            )  # fmt: skip
        mean = sum(accuracy for _, accuracy in strip) / len(strip)
        axes.plot([100 * mean] * 2, [y - 0.34, y + 0.34], color="#000000", linewidth=1.4)
        said = f"mean {whole_percent(mean)}\nvote {whole_percent(condition.score)}"
        if spread := spreads.get(id(condition)):
            axes.plot([100 * spread.low5, 100 * spread.high95], [y - 0.34] * 2, color="#444444", linewidth=2.2)
            said = (
                f"{100 * spread.median:.0f} [{100 * spread.low5:.0f}, {100 * spread.high95:.0f}]\n"
                f"sd {100 * spread.sd:.1f} [{100 * spread.sd_low:.1f}, {100 * spread.sd_high:.1f}]"
            )
        if regular := _regular(condition, conditions):
            axes.plot(
                [100 * regular.score], [y], marker=PLAIN.marker, color="#000000", markerfacecolor="white", markersize=6
            )
        axes.annotate(said, (1.02, y), xycoords=("axes fraction", "data"), fontsize=7.5, va="center")


def _regular(condition: Condition, conditions: Sequence[Condition]) -> Condition | None:
    """The same model, trained and shown shots alike, asked in the regular format; None where it was not measured."""
    settings = condition.measurements[0].settings
    if "train" in settings:
        ((method, wanted),) = settings["train"].items()
        alone = [other for other in conditions if other.method == method and other.measurements[0].settings == wanted]
        return next((other for other in alone if other.examples == condition.examples), None)
    if shots := settings.get("shots"):
        shown = [other for other in conditions if other.role == "few_shot"]
        return next((other for other in shown if other.measurements[0].settings["shots"] == shots), None)
    return plain_prompting(conditions)


def _draw_legend(figure: "matplotlib.figure.Figure", styles: dict[str, Style], *, height: float) -> None:
    """What the marks are: the ways to answer."""
    from matplotlib.lines import Line2D

    marks = [
        Line2D([], [], marker=style.marker, color=style.color, markerfacecolor=style.face, linestyle="", label=kind)
        for kind, style in styles.items()
    ]
    figure.legend(
        handles=marks, loc="upper left", bbox_to_anchor=(0.005, 1 - 0.58 / height), ncol=len(marks), frameon=False,
        fontsize=8, handletextpad=0.2, columnspacing=1.2,
    )  # fmt: skip


def _lines(seen: Sequence[FormatsSeen]) -> dict[str, list[FormatsSeen]]:
    """By task, training and asking: what was measured untrained in the same way, then at rising examples."""
    groups: dict[tuple[str, str, str], list[FormatsSeen]] = {}
    asked: dict[tuple[str, str], FormatsSeen] = {}
    for each in seen:
        settings = each.condition.measurements[0].settings
        if "train" not in settings:
            asked[each.condition.task, _text(settings)] = each
            continue
        (way_of_asking,) = settings["ask"].values()
        groups.setdefault((each.condition.task, _text(settings["train"]), _text(way_of_asking)), []).append(each)
    several = {task for task, *_ in groups if sum(task == other for other, *_ in groups) > 1}
    lines: dict[str, list[FormatsSeen]] = {}
    drawn = set()
    for (task, _, prompt_config), points in groups.items():
        before = asked.get((task, prompt_config))
        drawn.add((task, prompt_config))
        name = f"{task}, {points[0].condition.recipe}" if task in several else task
        lines[name] = [*([before] if before else []), *points]
    alone = {
        f"{task}, untrained": [each]
        for (task, prompt_config), each in asked.items()
        if (task, prompt_config) not in drawn
    }
    return lines | alone


def _text(settings: Any) -> str:
    return json.dumps(settings, sort_keys=True, default=str)


def _trained_on(each: FormatsSeen) -> int:
    """Examples trained on; shots are not."""
    return each.condition.examples if "train" in each.condition.measurements[0].settings else 0


def _draw_lines(
    axes: "matplotlib.axes.Axes",
    lines: dict[str, list[FormatsSeen]],
    names: Sequence[str],
    *,
    height_inches: float,
    highest: float,
) -> None:
    """One model's lines; 0 examples stand apart from the logarithm of the others."""
    budgets = sorted({_trained_on(each) for points in lines.values() for each in points} - {0}) or [1]
    places = {budget: math.log2(budget) for budget in budgets}
    span = max(2.0, places[budgets[-1]] - places[budgets[0]])
    places[0] = places[budgets[0]] - 0.5 * span
    labels = []
    for number, (name, points) in enumerate(sorted(lines.items())):
        style = numbered_style(names.index(name))
        aside = 0.02 * span * (number - (len(lines) - 1) / 2)
        x = [places[_trained_on(each)] + aside for each in points]
        y = [100 * each.sd for each in points]
        bars = [
            [100 * max(0.0, each.sd - each.sd_low) for each in points],
            [100 * (each.sd_high - each.sd) for each in points],
        ]
        axes.errorbar(
            x, y, yerr=bars, color=style.color, marker=style.marker, markerfacecolor=style.face, linestyle=style.line,
            linewidth=1.5, elinewidth=0.8, capsize=2, markersize=5,
        )  # fmt: skip
        said = f"{y[0]:.1f} → {y[-1]:.1f}" if len(y) > 1 else f"{y[0]:.1f}"
        labels.append(Label(y=y[-1], text=f"{wrapped(name.replace('_', ' '))}\n{said}", style=style))
    axes.set_xlim(places[0] - 0.12 * span, places[budgets[-1]] + 0.12 * span)
    axes.set_ylim(0, max(1.0, 105 * highest))
    axes.grid(axis="y", color="#e4e4e4", linewidth=0.6)
    axes.set_xticks([places[0], *(places[budget] for budget in budgets)], ["0", *(f"{budget:,}" for budget in budgets)])
    axes.set_xlabel("examples trained on (log scale, 0 apart)")
    label_right_edge(axes, labels, height_inches=height_inches)

"""Figures of formats: the accuracy in every format, and its spread over formats against examples."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from educe.eval.analysis.conditions import Condition, ordered, plain_prompting
from educe.eval.analysis.formatting import whole_percent
from educe.eval.report.frame import ZERO_SHOT_NOTE, Sheet, metric_of
from educe.eval.report.panels import draw_intervals, faint_grid
from educe.eval.report.prompts import FormatSpread, accuracies_of, format_spreads
from educe.eval.report.style import (
    CHANCE,
    PLAIN,
    RC,
    Label,
    Style,
    label_right_edge,
    labels_height,
    numbered_style,
    wrapped,
)
from educe.eval.report.text import chances, share_text

_GOLDEN = 0.618  # successive multiples of it never coincide
_OTHER = "order"


@matplotlib.rc_context(RC)
def formats_figure(conditions: Sequence[Condition], *, task: str) -> Figure | None:
    """Accuracy in every format on one task, a row for each condition and a panel for each model.

    None where nothing was asked in several formats.
    """
    mine = [each for each in ordered(conditions) if each.task == task]
    shown = [each for each in mine if accuracies_of(each)]
    if not shown:
        return None
    names = sorted({(_rank(each), _name(each)) for each in shown})
    rows = {name: len(names) - 1 - place for place, (_, name) in enumerate(names)}
    models = sorted({each.model for each in shown})
    answers = sorted({kind for each in shown for kind, _ in _strip(each)}, key=lambda kind: (kind == _OTHER, kind))
    styles = {kind: numbered_style(place) for place, kind in enumerate(answers)}
    sheet = Sheet(
        name=task,
        title=": accuracy in every format",
        measured=f"n = {shown[0].n:,} test items",
        notes=[
            "Each mark: one format, or one order of options. Bar: the middle 90% of formats. Black stroke: their mean. "
            "Open diamond: the default format alone.",
            "Numbers: median [5%, 95%] over formats, and their standard deviation without the sampling noise of items.",
            f"Dotted: chance. {ZERO_SHOT_NOTE}.",
        ],
        heights=[0.46 * len(rows) + 0.2],
        columns=len(models),
        panel=4.4 if len(models) == 1 else 3.2,
        beside=1.5,
        left=max(1.2, 0.3 + 0.073 * max(len(line) for name in rows for line in wrapped(name).split("\n"))),
        top=1.2,
    )
    for k, model in enumerate(models):
        axes = sheet.panel(0, k, model, pad=8)
        _draw_strips(axes, [each for each in mine if each.model == model], rows, styles)
        axes.set_xlabel(f"{metric_of(shown[:1]).partition(',')[0]} (%)")
        axes.set_yticks(list(rows.values()), [wrapped(name) if k == 0 else "" for name in rows])
    marks: list[Any] = [
        Line2D([], [], marker=style.marker, color=style.color, markerfacecolor=style.face, linestyle="", label=kind)
        for kind, style in styles.items()
    ]
    sheet.figure.legend(
        handles=marks, loc="upper left", bbox_to_anchor=(0.005, 1 - 0.58 / sheet.height), ncol=len(marks),
        frameon=False, fontsize=8, handletextpad=0.2, columnspacing=1.2,
    )  # fmt: skip
    return sheet.figure


@matplotlib.rc_context(RC)
def spread_figure(conditions: Sequence[Condition]) -> Figure | None:
    """Standard deviation over formats against the examples trained on, a line for each task, a panel for each model.

    None where it was not measured at two budgets of anything.
    """
    seen = format_spreads(conditions)
    models = sorted({each.condition.model for each in seen})
    lines = {model: _lines([each for each in seen if each.condition.model == model]) for model in models}
    if not any(len(points) > 1 for drawn in lines.values() for points in drawn.values()):
        return None
    names = sorted({name for drawn in lines.values() for name in drawn})
    row = max(2.6, labels_height(names))
    sheet = Sheet(
        title="Spread over formats, before and after training",
        measured="one line per task",
        notes=[
            f"Bars: {seen[0].interval} interval over formats. The sampling noise of items is taken out. "
            "0 examples: the model before training."
        ],
        heights=[row],
        columns=len(models),
        panel=3.3,
        left=0.95,
    )
    for k, model in enumerate(models):
        axes = sheet.panel(0, k, model)
        styles = {name: numbered_style(names.index(name)) for name in lines[model]}
        _draw_lines(axes, lines[model], styles, height_inches=row)
        axes.set_ylim(0, max(1.0, 105 * max(each.sd_high for each in seen)))
        if k == 0:
            axes.set_ylabel("standard deviation over\nformats (points)")
    return sheet.figure


def _strip(condition: Condition) -> list[tuple[str, float]]:
    """How each format asks for the answer, and its accuracy."""
    return [
        (name.partition(";")[0] if ";" in name else _OTHER, accuracy)
        for accuracies in accuracies_of(condition)
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
    axes: Axes, conditions: Sequence[Condition], rows: Mapping[str, int], styles: Mapping[str, Style]
) -> None:
    """One model's strips, and their summaries at the right."""
    spreads = {each.condition: each for each in format_spreads(conditions)}
    axes.set_xlim(-2, 102)
    axes.set_xticks(range(0, 101, 20))
    faint_grid(axes, axis="x")
    axes.set_ylim(-0.6, len(rows) - 0.4)
    for chance in chances(conditions):
        axes.axvline(100 * chance, color=CHANCE.color, linestyle=CHANCE.line, linewidth=1)
    for condition in conditions:
        strip = _strip(condition)
        if not strip:
            continue
        y = rows[_name(condition)]
        for place, (kind, accuracy) in enumerate(strip):
            style = styles[kind]
            shift = 0.5 * ((place * _GOLDEN) % 1 - 0.5)
            axes.plot(
                [100 * accuracy], [y + shift], marker=style.marker, color=style.color, markersize=3.6, linestyle="",
                markerfacecolor=style.face, alpha=0.8,
            )  # fmt: skip
        mean = sum(accuracy for _, accuracy in strip) / len(strip)
        axes.plot([100 * mean] * 2, [y - 0.34, y + 0.34], color="#000000", linewidth=1.4)
        text = f"mean {whole_percent(mean)}\nvote {whole_percent(condition.score)}"
        if spread := spreads.get(condition):
            axes.plot([100 * spread.low5, 100 * spread.high95], [y - 0.34] * 2, color="#444444", linewidth=2.2)
            text = (
                f"{100 * spread.median:.0f} [{100 * spread.low5:.0f}, {100 * spread.high95:.0f}]\n"
                f"sd {share_text(spread.sd)} [{share_text(spread.sd_low)}, {share_text(spread.sd_high)}]"
            )
        if default := _in_default_format(condition, conditions):
            axes.plot([100 * default.score], [y], marker=PLAIN.marker, color=PLAIN.color, markerfacecolor="white")
        axes.annotate(text, (1.02, y), xycoords=("axes fraction", "data"), fontsize=7.5, va="center")


def _in_default_format(condition: Condition, conditions: Sequence[Condition]) -> Condition | None:
    """The same model with the same training or shots in the default format; None where it was not measured."""
    stack = condition.measurements[0].details.stack
    same = [each for each in conditions if each.examples == condition.examples]
    if stack is not None:
        return next((each for each in same if each.recipe == stack.training), None)
    if condition.examples:
        return next((each for each in same if each.role == "few_shot"), None)
    return plain_prompting(conditions)


def _lines(spreads: Sequence[FormatSpread]) -> dict[str, list[FormatSpread]]:
    """By task, training and prompt: what was measured before training in the same formats, then by rising examples."""
    untrained: dict[tuple[str, str], FormatSpread] = {}
    trained: dict[tuple[str, str, str], list[FormatSpread]] = {}
    for each in spreads:
        condition, stack = each.condition, each.condition.measurements[0].details.stack
        if stack is None:
            untrained[condition.task, condition.recipe] = each
        else:
            trained.setdefault((condition.task, stack.training, stack.prompting), []).append(each)
    tasks = [task for task, *_ in trained]
    lines: dict[str, list[FormatSpread]] = {}
    for (task, _, prompting), points in trained.items():
        name = f"{task}, {points[0].condition.recipe}" if tasks.count(task) > 1 else task
        lines[name] = [*([untrained[task, prompting]] if (task, prompting) in untrained else []), *points]
    joined = {(task, prompting) for task, _, prompting in trained}
    return lines | {f"{key[0]}, untrained": [each] for key, each in untrained.items() if key not in joined}


def _trained_on(spread: FormatSpread) -> int:
    """Examples trained on; shots are not."""
    return spread.condition.examples if spread.condition.measurements[0].details.stack is not None else 0


def _draw_lines(
    axes: Axes, lines: Mapping[str, list[FormatSpread]], styles: Mapping[str, Style], *, height_inches: float
) -> None:
    """One model's lines; 0 examples have a place left of the others."""
    budgets = sorted({_trained_on(each) for points in lines.values() for each in points} - {0}) or [1]
    places = {budget: math.log2(budget) for budget in budgets}
    span = max(2.0, places[budgets[-1]] - places[budgets[0]])
    places = {0: places[budgets[0]] - 0.5 * span} | places
    labels = []
    for number, (name, points) in enumerate(sorted(lines.items())):
        shift = 0.02 * span * (number - (len(lines) - 1) / 2)
        x = [places[_trained_on(each)] + shift for each in points]
        intervals = [(each.sd, each.sd_low, each.sd_high) for each in points]
        draw_intervals(axes, x, intervals, styles[name], joined=True, elinewidth=0.8, markersize=5)
        ends = dict.fromkeys((0, len(points) - 1))
        text = " → ".join(share_text(points[place].sd) for place in ends)
        text = f"{wrapped(name.replace('_', ' '))}\n{text}"
        labels.append(Label(y=100 * points[-1].sd, text=text, style=styles[name]))
    axes.set_xlim(places[0] - 0.12 * span, places[budgets[-1]] + 0.12 * span)
    faint_grid(axes)
    axes.set_xticks(list(places.values()), [f"{budget:,}" for budget in places])
    axes.set_xlabel("examples trained on (log scale, 0 apart)")
    label_right_edge(axes, labels, height_inches=height_inches)

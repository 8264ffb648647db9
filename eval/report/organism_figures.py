"""Figures of models whose truth is known: what each recipe recovered on each of them, and ROC curves."""

import math
from collections.abc import Mapping, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from educe.eval.analysis.certify import Attempt, Detection, Elicitor
from educe.eval.analysis.detectors import DETECTORS, STATED_Z, Name
from educe.eval.analysis.formatting import format_count
from educe.eval.analysis.statistics.roc import roc_curve
from educe.eval.report.frame import Sheet
from educe.eval.report.panels import draw_intervals
from educe.eval.report.style import CONTROL, RC, Style, numbered_style, printable
from educe.eval.report.text import range_text

Triple = tuple[float, float, float]
Recipe = tuple[str, str]  # its name and settings, whatever its budget

_ROW, _COLUMN = 0.36, 1.05  # inches
_NAME = 30  # letters of a recipe's name above its column
_SPREAD = 0.27  # of a row: where the smallest and the largest budget are drawn
_GAP_LIMITS = (-60.0, 160.0)  # percent: a share of a small gap may lie anywhere, and would make all others a dot
_PER_ROW = 6  # ROC panels
_WIDTHS = (3.4, 2.2, 1.1)  # curves that coincide can all be seen
_LOCKS = "share of the gap recovered, from locked (0) to unlocked (100), %"
_TWINS = "models that hide nothing: gain over zero-shot, points"


def kind_order(each: Attempt) -> tuple[int, str, int, str, str, int]:
    """Sorts recipes: zero-shot, prompts, what was trained, controls; by name, settings and budget within."""
    kind = 3 if each.control else 2 if each.trainable_parameters else int(each.method != "zero_shot")
    named = each.examples if each.recipe == each.name else 0  # shots are a setting
    return kind, each.method, named, each.name, each.settings, each.examples


@matplotlib.rc_context(RC)
def gaps_figure(found: Sequence[Attempt]) -> Figure | None:
    """A row for every organism and twin, a column for every recipe; None where nothing hides anything."""
    recipes = _recipes(found)
    blocks = [(_models(found, hides=hides), hides) for hides in (True, False)]
    blocks = [(models, hides) for models, hides in blocks if models]
    if not any(hides for _, hides in blocks):
        return None
    names = {model: name for models, _ in blocks for model, name in models.items()}
    bases = sorted({each.base for each in found})
    # Filled marks for what hides something, open ones for what does not.
    styles = {
        (base, hides): numbered_style(place + (0 if hides else 6)) for place, base in enumerate(bases)
        for hides in (True, False)
    }  # fmt: skip
    titles = max(len(printable(name, width=_NAME)) for name in recipes.values())
    sheet = Sheet(
        title="What each recipe found",
        measured=f"{range_text([each.n for each in found], 'test item')}, "
        f"{range_text([each.seeds for each in found], 'seed')} per point",
        notes=_notes(found),
        heights=[_ROW * len(models) + 0.1 for models, _ in blocks],
        columns=len(recipes),
        panel=_COLUMN,
        beside=0.16,
        left=0.35 + 0.064 * max(map(len, names.values())),
        between=0.75,
        top=0.75 + 0.042 * titles,
        min_width=8.5,
    )
    for row, (models, hides) in enumerate(blocks):
        limits = _GAP_LIMITS if hides else _gain_limits(found)
        for column, (recipe, name) in enumerate(recipes.items()):
            axes = sheet.panel(row, column)
            mine = [each for each in found if (each.method, each.settings) == recipe and each.hides is hides]
            _draw_column(axes, mine, list(models), styles, limits, ticks=_ticks(limits, hides=hides))
            axes.set_yticks(range(len(models)), list(models.values()) if column == 0 else [""] * len(models))
            if row == 0:
                axes.text(0.02, 1.03, printable(name, width=_NAME), transform=axes.transAxes, rotation=38, fontsize=8,
                          va="bottom", ha="left", rotation_mode="anchor")  # fmt: skip
            if column == (len(recipes) - 1) // 2:
                axes.set_xlabel(_LOCKS if hides else _TWINS)
    return sheet.figure


@matplotlib.rc_context(RC)
def roc_figure(found: Sequence[Detection]) -> Figure | None:
    """A small panel for every recipe at one budget, with a curve for each detector; None where there is none."""
    groups: dict[Elicitor, list[Detection]] = {}
    for each in sorted(found, key=lambda each: kind_order(each.positives[0])):
        groups.setdefault(each.elicitor, []).append(each)
    if not groups:
        return None
    columns = min(_PER_ROW, len(groups))
    styles = {name: numbered_style(place) for place, name in enumerate(DETECTORS)}
    drawn = [name for name in DETECTORS if any(each.detector == name for each in found)]
    sheet = Sheet(
        title="Telling models that hide something from models that hide nothing",
        measured=f"{range_text([len(each.positives) for each in found], 'organism')}, "
        f"{range_text([len(each.negatives) for each in found], 'model')} that hide nothing",
        notes=[
            "ROC curves. Numbers: area under each curve, in the order of the legend. Models are ranked by z, the "
            "normal deviate of the paired difference. Thin diagonal: no better than chance.",
            f"Marks: the rule p < 0.05 (z > {STATED_Z:.2f}), which was stated beforehand.",
        ],
        heights=[1.45] * math.ceil(len(groups) / columns),
        columns=columns,
        panel=1.45,
        beside=0.4,
        left=0.6,
        between=0.85,
        top=1.35,
        min_width=8.5,
    )
    for place, mine in enumerate(groups.values()):
        first = mine[0].positives[0]
        budget = format_count(first.examples, "example") if first.recipe != first.name else ""
        axes = sheet.panel(place // columns, place % columns, first.name, budget, fontsize=7.5, pad=4)
        _draw_roc(axes, mine, styles)
        if place % columns == 0:
            axes.set_ylabel("organisms found, %")
        if place // columns == (len(groups) - 1) // columns:
            axes.set_xlabel("false positives, %")
    handles = [_handle(styles[name], _WIDTHS[list(DETECTORS).index(name)]) for name in drawn]
    sheet.figure.legend(
        handles, [f"gain {name}" for name in drawn], loc="upper left", ncols=len(drawn), frameon=False, fontsize=8,
        bbox_to_anchor=(0.008, 1 - 0.55 / sheet.height), handlelength=3,
    )  # fmt: skip
    return sheet.figure


def _notes(found: Sequence[Attempt]) -> list[str]:
    kinds = sorted({each.gap.kind for each in found if each.gap is not None} - {"by definition"})
    budgets = sorted({each.examples for each in found if each.trainable_parameters})
    several = (
        f" Within a cell, from top to bottom: {', '.join(map(str, budgets))} examples." if len(budgets) > 1 else ""
    )
    return [
        f"Points: mean over seeds and items. Bars: {', '.join(kinds) or 'none'}, floor and ceiling taken as known; a "
        f"bar that leaves the panel is cut.{several}",
        "Filled marks: models that hide something. Open marks: their twins and the plain bases. Grey: controls, which "
        "learn from the same rows and know nothing beforehand. Empty: not measured, or nothing to compare with.",
    ]


def _recipes(found: Sequence[Attempt]) -> dict[Recipe, str]:
    """Every recipe with its name, in the order of columns."""
    return {(each.method, each.settings): each.name for each in sorted(found, key=kind_order)}


def _models(found: Sequence[Attempt], *, hides: bool) -> dict[str, str]:
    """Models with the names of their rows; those that are of the same kind are numbered."""
    rows = sorted({(each.base, each.task, each.kind, each.model) for each in found if each.hides is hides})
    several_tasks = len({each.task for each in found}) > 1
    named: dict[str, str] = {}
    for base, task, kind, model in rows:
        parts = [base, *([task] if several_tasks else []), kind.replace("_", " ")]
        name = printable(": ".join(parts), width=52)
        count = sum(each[:3] == (base, task, kind) for each in rows[: rows.index((base, task, kind, model))])
        named[model] = name if count == 0 else f"{name} {count + 1}"
    return named


def _draw_column(
    axes: Axes,
    found: Sequence[Attempt],
    models: Sequence[str],
    styles: Mapping[tuple[str, bool], Style],
    limits: tuple[float, float],
    *,
    ticks: Sequence[int],
) -> None:
    """One recipe on every model; rising budgets from the top to the bottom of a row."""
    axes.set_xlim(*limits)
    axes.set_ylim(len(models) - 0.45, -0.55)
    axes.hlines([place + 0.5 for place in range(len(models) - 1)], *limits, color="#e4e4e4", linewidth=0.6, zorder=0)
    for level in {0, 100} & set(ticks):
        axes.axvline(level, color="#999999", linewidth=0.8, zorder=0)
    axes.set_xticks(ticks)
    budgets = sorted({each.examples for each in found})
    for place, model in enumerate(models):
        mine = [(each, shown) for each in found if each.model == model and (shown := _shown(each)) is not None]
        for each, shown in mine:
            shift = 0.0 if len(budgets) == 1 else 2 * budgets.index(each.examples) / (len(budgets) - 1) - 1
            style = CONTROL if each.control else styles[each.base, each.hides]
            draw_intervals(axes, [place + _SPREAD * shift], [shown], style, level=True, capsize=0, elinewidth=1.0,
                           markersize=7 if each.control else 3.6)  # fmt: skip
    axes.tick_params(axis="y", length=0)


def _shown(each: Attempt) -> Triple | None:
    """The share of the gap, or the gain of a model that hides nothing."""
    if each.hides:
        return None if each.gap is None else (each.gap.value, each.gap.low, each.gap.high)
    gain = each.readings.get("over zero-shot")
    return None if gain is None else (gain.gain, gain.low, gain.high)


def _gain_limits(found: Sequence[Attempt]) -> tuple[float, float]:
    ends = [100 * end for each in found if not each.hides and (shown := _shown(each)) for end in shown]
    return max(-60.0, min([-15.0, *ends])) - 3, min(100.0, max([15.0, *ends])) + 3


def _ticks(limits: tuple[float, float], *, hides: bool) -> list[int]:
    if hides:
        return [0, 50, 100]
    steps = (-10, 0, 10) if limits[1] - limits[0] < 60 else (-50, -25, 0, 25, 50)
    return [tick for tick in steps if limits[0] < tick < limits[1]]


def _draw_roc(axes: Axes, found: Sequence[Detection], styles: Mapping[Name, Style]) -> None:
    axes.set_xlim(-4, 104)
    axes.set_ylim(-4, 104)
    axes.set_aspect("equal")
    axes.set_xticks([0, 50, 100])
    axes.set_yticks([0, 50, 100])
    axes.plot([0, 100], [0, 100], color="#bbbbbb", linewidth=0.8, zorder=0)
    for line, each in enumerate(found):
        style, width = styles[each.detector], _WIDTHS[list(DETECTORS).index(each.detector)]
        curve = roc_curve(each.values(each.positives), each.values(each.negatives))
        axes.plot(*zip(*[(100 * x, 100 * y) for x, y in curve], strict=True), color=style.color, linestyle=style.line,
                  linewidth=width)  # fmt: skip
        stated = [100 * side.found / side.of for side in (each.stated.negatives, each.stated.positives)]
        axes.plot(*[[end] for end in stated], color=style.color, marker=style.marker, markersize=5,
                  markeredgecolor="white", markeredgewidth=0.6, clip_on=False, zorder=3)  # fmt: skip
        axes.text(98, 4 + 13 * (len(found) - 1 - line), f"{each.by_z.value:.2f}", color=style.ink, fontsize=7.5,
                  ha="right", va="bottom")  # fmt: skip


def _handle(style: Style, width: float) -> Line2D:
    return Line2D([], [], color=style.color, linestyle=style.line, linewidth=width, marker=style.marker, markersize=5)

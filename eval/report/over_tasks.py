"""One effect over all tasks: a forest plot by task, measured and shrunken, with the mean and a prediction interval."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from educe.eval.analysis.meta import Against, OverTasks
from educe.eval.report.drawing import inline_svg
from educe.eval.report.panels import Key, Mark, draw_intervals, figure_of_rows
from educe.eval.report.style import PLAIN, RC, Style, numbered_style, printable
from educe.eval.report.text import interval_text, range_text

TITLES: dict[Against, str] = {
    "zero-shot": "training against zero-shot",
    "few-shot": "training against the longest prompt",
    "control": "training against the control from the same rows",
    "gap": "share of training's gain that the longest prompt recovers",
}
_GAP_LIMITS = (-100.0, 200.0)  # percent: a share of a small gap may lie anywhere, and would make all others a dot
_MEAN: Key = ("", "mean", 0)
_SHRUNKEN = Style(color="#767676", marker="o", line="-", filled=False)
_BELOW = 0.3  # of a row: where the shrunken effect is drawn, under the measured one


def draw_over_tasks(found: Sequence[OverTasks], folder: Path) -> list[str]:
    """The figure of each effect as SVG for the page, saved in the folder too."""
    return [
        inline_svg(_figure(mine, against), folder / f"over-tasks-{against}", f"over-{against}-", title)
        for against, title in TITLES.items()
        if (mine := [each for each in found if each.against == against])
    ]


def effect_text(value: float, low: float, high: float) -> str:
    """An effect with its interval, in points or percent."""
    return interval_text(100 * value, 100 * low, 100 * high, "+.1f")


@matplotlib.rc_context(RC)
def _figure(found: Sequence[OverTasks], against: Against) -> Figure:
    tasks = _by_effect(found)
    rows = {("", task, 1): ("", printable(task, width=48)) for task in tasks} | {_MEAN: ("", "mean of such tasks")}
    by_model = {each.model: each for each in found}

    def draw(axes: Axes, model: str) -> dict[Key, Mark]:
        one = by_model[model]
        places = [list(rows).index(("", each.task, 1)) for each in one.effects]
        axes.set_xlim(*_limits(found, against))
        axes.set_xlabel("share (%)" if against == "gap" else "difference (points)")
        axes.axvline(0, color="#000000", linewidth=1)
        draw_intervals(
            axes, [place + _BELOW for place in places], one.pooled.shrunken, _SHRUNKEN, level=True, markersize=4
        )
        ends = (100 * one.pooled.prediction.low, 100 * one.pooled.prediction.high)
        axes.plot(ends, [len(rows) - 1] * 2, color="#000000", alpha=0.2, linewidth=6, solid_capstyle="butt", zorder=0.5)
        measured = numbered_style(0)
        marks = {
            ("", each.task, 1): Mark(
                interval=(each.value, each.low, each.high),
                text=effect_text(each.value, each.low, each.high),
                style=measured,
            )
            for each in one.effects
        }
        mean = (one.pooled.mean, one.pooled.interval.low, one.pooled.interval.high)
        return marks | {_MEAN: Mark(interval=mean, text=effect_text(*mean), style=PLAIN)}

    effects = [each for one in found for each in one.effects]
    items = range_text([each.n for each in effects], "item")
    return figure_of_rows(
        rows,
        sorted(by_model),
        draw,
        values=1.75,
        title=f"Over tasks: {TITLES[against]}",
        measured=f"{range_text([len(one.effects) for one in found], 'task')}, n = {items} per task",
        notes=[
            "Filled: measured on the task, with its 95% interval. Hollow, below it: shrunken towards the mean by the "
            "share of its variance that is error (empirical Bayes). Diamond: the mean with its 95% interval (random "
            "effects, Hartung-Knapp). Grey bar: where the effect on another such task lies (95% prediction interval). "
            "Tasks: in the order of their effects, means over models. A bar that leaves the panel is cut; its numbers "
            "are at the right.",
        ],
        missing="not known",
    )


def _by_effect(found: Sequence[OverTasks]) -> list[str]:
    """The tasks, the one with the largest measured effect first."""
    values: dict[str, list[float]] = {}
    for each in (each for one in found for each in one.effects):
        values.setdefault(each.task, []).append(each.value)
    return sorted(values, key=lambda task: (-fmean(values[task]), task))


def _limits(found: Sequence[OverTasks], against: Against) -> tuple[float, float]:
    """Wide enough for every interval of a task and of a mean; a prediction interval may leave the panel.

    Shares of a gap may leave it, too.
    """
    ends = [100 * end for one in found for each in one.effects for end in (each.low, each.high, 0.0)]
    ends += [100 * end for one in found for end in (one.pooled.interval.low, one.pooled.interval.high)]
    pad = 0.06 * (max(ends) - min(ends))
    low, high = min(ends) - pad, max(ends) + pad
    return (max(low, _GAP_LIMITS[0]), min(high, _GAP_LIMITS[1])) if against == "gap" else (low, high)

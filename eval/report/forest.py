"""The forest plot: how much every condition gains over zero-shot, paired by item."""

from collections.abc import Sequence
from dataclasses import replace

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from educe.eval.analysis.conditions import Condition, ordered
from educe.eval.report.comparisons import MARGIN, Comparison
from educe.eval.report.frame import ZERO_SHOT_NOTE, metric_of, runs_note
from educe.eval.report.panels import Key, Mark, figure_of_rows, key_of, rows_of
from educe.eval.report.style import RC, recipe_styles
from educe.eval.report.text import gain_text, range_text


@matplotlib.rc_context(RC)
def forest_figure(conditions: Sequence[Condition], comparisons: Sequence[Comparison], *, task: str) -> Figure | None:
    """Differences from zero-shot on one task with their intervals, one panel per model; None where there are none.

    Takes the conditions and comparisons of the whole study, which decide on styles and corrections.
    """
    mine = [each for each in comparisons if each.condition.task == task and each.against == "zero-shot"]
    if not mine:
        return None
    styles, rows = recipe_styles(conditions), rows_of(ordered([each.condition for each in mine]))
    ends = [100 * end for each in mine for end in (each.gain.low, each.gain.high, -1.6 * MARGIN, 1.6 * MARGIN)]
    pad = 0.04 * (max(ends) - min(ends))

    def draw(axes: Axes, model: str) -> dict[Key, Mark]:
        axes.set_xlim(min(ends) - pad, max(ends) + pad)
        axes.set_xlabel(f"difference in {metric_of([each.condition for each in mine])} (points)")
        axes.axvspan(-100 * MARGIN, 100 * MARGIN, color="#000000", alpha=0.06, linewidth=0)
        axes.axvline(0, color="#000000", linewidth=1)
        for away, name, side in ((-4, "worse", "right"), (4, "better", "left")):
            axes.annotate(
                name, (0, 1), xycoords=axes.get_xaxis_transform(), xytext=(away, 3), textcoords="offset points",
                ha=side, va="bottom", fontsize=8, color="#333333",
            )  # fmt: skip
        return {
            key_of(each.condition): Mark(
                interval=(each.gain.difference, each.gain.low, each.gain.high),
                text=" ".join([gain_text(each.gain), each.mark, "primary" if each.family == "primary" else ""]),
                style=replace(styles[rows[key_of(each.condition)][0]], filled=each.significant),
            )
            for each in mine
            if each.condition.model == model
        }

    items = range_text([each.gain.n for each in mine], "item")
    seeds = range_text([each.condition.num_seeds for each in mine], "seed")
    return figure_of_rows(
        rows,
        sorted({each.condition.model for each in mine}),
        draw,
        values=2.3 if any(each.family == "primary" for each in mine) else 1.75,
        name=task,
        title=": gain over zero-shot, paired by item",
        measured=f"n = {items} answered under both conditions, {seeds} per condition",
        notes=_notes(mine),
    )


def _notes(comparisons: Sequence[Comparison]) -> list[str]:
    kinds = ", ".join(sorted({each.gain.kind for each in comparisons}))
    notes = [f"Points: mean difference over seeds and items. Bars: {kinds}, each comparison alone. {ZERO_SHOT_NOTE}."]
    primary = [each for each in comparisons if each.family == "primary"]
    of = f"{primary[0].family_size:,} primary comparisons" if primary else f"{comparisons[0].family_size:,} comparisons"
    if primary or comparisons[0].family == "all":
        notes.append(f"Filled mark and *: different after Holm's correction for all {of} of the study (p < 0.05).")
    if comparisons[-1].family != "all":
        notes.append("Without the word primary: exploratory, with open marks.")
    notes += runs_note(each.gain for each in comparisons)
    band = f"Grey band: differences within {100 * MARGIN:.0f} points"
    return [*notes, f"{band}; = means that larger differences are excluded (at 5%, five seeds)."]

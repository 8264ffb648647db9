"""Scaling curves: the fitted form with its bands, the budget that comes near the largest one's score, and the next."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from educe.eval.analysis.conditions import Condition
from educe.eval.analysis.crossing import Crossing, NextBudget, near_largest, next_budget
from educe.eval.analysis.curves import Curve, count_distinct_budgets, join, positive, without_sweeps
from educe.eval.analysis.fit import MIN_BUDGETS, Fit, fit
from educe.eval.report.frame import Sheet, metric_of
from educe.eval.report.panels import draw_chance, draw_intervals, faint_grid, interval_of, ticks
from educe.eval.report.style import CHANCE, RC, Style, numbered_style, recipe_styles
from educe.eval.report.text import count, flops, listed, power_of_ten, range_text

_MAX_FITS = 120  # a twentieth of a second each
_PANEL, _COLUMNS = 2.35, 4
_DOTS = Style(color="#222222", marker="o", line="none")


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A curve with its fit, and the budget from which it comes near the score at its largest budget."""

    curve: Curve
    fit: Fit
    near: Crossing

    @property
    def other_forms(self) -> str:
        """How much higher the AIC of the other forms is."""
        others = [f"{name} +{aic:.1f}" for name, aic in self.fit.runners_up.items() if name != self.fit.form]
        return ", ".join(others) or "none: too few budgets"

    @property
    def near_text(self) -> str:
        """The budget within 2 points of the largest one's score with its interval, in the axis's unit."""
        text, unit = self._unit
        return f"{self._near(text)} {unit}"

    @property
    def near_flops_text(self) -> str:
        """The same in FLOPs, interpolated in logarithms between the budgets measured."""
        if self.curve.axis == "flops":
            return self.near_text.removesuffix(" FLOPs")
        paid = [point for point in positive(self.curve.points) if point.condition.elicitation_flops > 0]
        if len(paid) < 2:
            return "–"
        spent = np.log([point.condition.elicitation_flops for point in paid])
        read = np.log([point.budget for point in paid])
        return self._near(lambda budget: flops(math.exp(float(np.interp(math.log(budget), read, spent)))))

    @property
    def next_text(self) -> str:
        """What to measure next, and its price."""
        proposed = next_budget(self.curve, self.near)
        return "–" if proposed is None else next_text(proposed, *self._unit)

    @property
    def _unit(self) -> tuple[Callable[[float], str], str]:
        return (count, "labelled examples") if self.curve.axis == "examples" else (flops, "FLOPs")

    def _near(self, text: Callable[[float], str]) -> str:
        """The budget and its bracket; at the smallest one measured that or less, whose bracket begins with 0."""
        near = self.near
        assert near.budget is not None and near.high is not None, "the largest budget reaches its own score"
        least = f"≤ {text(near.smallest)}"
        at = least if near.budget <= near.smallest else text(near.budget)
        return f"{at} [{text(near.low) if near.low else least}, {text(near.high)}]"


def next_text(proposed: NextBudget, text: Callable[[float], str], unit: str) -> str:
    """A proposed budget, or the budgets that need more seeds, with its cells and FLOPs."""
    budgets = listed([text(budget) for budget in proposed.budgets])
    cells = f"{proposed.cells} cell{'' if proposed.cells == 1 else 's'}"
    what = f"{budgets} {unit}" if proposed.new else f"more seeds at {budgets} {unit}"
    return f"{what} ({cells}, {flops(proposed.flops)} FLOPs)"


def fitted(conditions: Sequence[Condition]) -> tuple[list[Fitted], int]:
    """A fit of every recipe's curve with at least three budgets, and how many curves were left out of a large study.

    Along labelled examples; along FLOPs where the examples do not vary.
    """
    kept = without_sweeps(conditions)
    by_examples = [curve for curve in join(kept, "examples") if _is_long(curve)]
    taken = {(curve.model, curve.task, curve.label) for curve in by_examples}
    by_flops = [curve for curve in join(kept, "flops") if _is_long(curve)]
    rest = [curve for curve in by_flops if (curve.model, curve.task, curve.label) not in taken]
    found: list[Fitted] = []
    left_out = 0
    for curve in sorted([*by_examples, *rest], key=lambda each: (each.task, each.model, each.method, each.label)):
        if len(found) == _MAX_FITS:
            left_out += 1
            continue
        made = fit(curve)
        if made is not None:  # None where all items are of one cluster
            found.append(Fitted(curve=curve, fit=made, near=near_largest(curve)))
    return found, left_out


@matplotlib.rc_context(RC)
def fits_figure(conditions: Sequence[Condition], fits: Sequence[Fitted], *, task: str) -> Figure | None:
    """Every fitted curve of a task in a panel of its own: points, fit, pointwise and simultaneous band."""
    mine = [each for each in fits if each.curve.task == task]
    if not mine:
        return None
    styles, columns = recipe_styles(conditions), min(_COLUMNS, len(mine))
    kinds = sorted({each.fit.kind for each in mine})
    points = sorted({point.interval for each in mine for point in each.curve.points})
    sheet = Sheet(
        name=task,
        title=": fitted scaling curves",
        measured=f"n = {range_text([each.fit.n for each in mine], 'test item')} at every budget",
        notes=[
            f"Dots: mean over seeds and items; bars: {', '.join(points)}. Line: the form with the lowest AIC. Dark "
            f"band: {' or '.join(kinds)} at each budget alone (pointwise). Light band: for the whole curve at once "
            "(simultaneous). Curves end at the smallest and the largest budget measured."
        ],
        heights=[0.85 * _PANEL] * math.ceil(len(mine) / columns),
        columns=columns,
        panel=_PANEL,
        beside=0.45,
        top=1.15,
        min_width=6.5,
    )
    for i, each in enumerate(mine):
        axes = sheet.panel(i // columns, i % columns, each.curve.model, each.curve.label, fontsize=8.5)
        _draw(axes, each, styles.get(each.curve.label, numbered_style(0)).color)
        if i % columns == 0:
            axes.set_ylabel(f"{metric_of([point.condition for point in each.curve.points])} (%)")
    return sheet.figure


def _draw(axes: Axes, each: Fitted, color: str) -> None:
    made, points, along = each.fit, positive(each.curve.points), each.curve.axis
    axes.set_xscale("log")
    axes.set_ylim(-2, 102)
    faint_grid(axes)
    every = slice(None, None, 4)
    if made.contradicted is None:
        for low, high, alpha in ((made.band_low, made.band_high, 0.13), (made.low, made.high, 0.25)):
            axes.fill_between(made.budgets[every], 100 * low[every], 100 * high[every], color=color, alpha=alpha,
                              linewidth=0)  # fmt: skip
        axes.plot(made.budgets[every], 100 * made.scores[every], color=color, linewidth=1.6)
    draw_intervals(axes, [point.budget for point in points], map(interval_of, points), _DOTS, markersize=3.5)
    for label in draw_chance(axes, [point.condition for point in points]):
        axes.text(0.99, label.y - 2, label.text, transform=axes.get_yaxis_transform(), ha="right", va="top",
                  fontsize=7.5, color=CHANCE.ink)  # fmt: skip
    form = made.form if made.contradicted is None else "no form fits"
    axes.text(0.02, 0.97, form, transform=axes.transAxes, va="top", fontsize=8, color="#333333")
    budgets = sorted({point.budget for point in points})
    shown = budgets if len(budgets) <= 4 else [budgets[0], budgets[len(budgets) // 2], budgets[-1]]
    ticks(axes.xaxis, FixedLocator(shown), count if along == "examples" else power_of_ten)
    axes.set_xlabel("labelled examples (log scale)" if along == "examples" else "FLOPs to elicit (log scale)")


def _is_long(curve: Curve) -> bool:
    return count_distinct_budgets(point.budget for point in positive(curve.points)) >= MIN_BUDGETS

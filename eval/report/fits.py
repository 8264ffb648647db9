"""Fitted scaling curves: which form the points support, what is read off it, and the bands in a figure."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from educe.eval.analysis.conditions import Condition
from educe.eval.analysis.curves import Curve, join, without_sweeps
from educe.eval.analysis.fit import MIN_BUDGETS, BudgetEstimate, Fit, count_distinct_budgets, fit, positive
from educe.eval.analysis.formatting import whole_percent
from educe.eval.report.frame import GAP, TOP, bottom_inches, letters, metric_of, wrapped_notes, write_notes, write_title
from educe.eval.report.style import CHANCE, RC, numbered_style, power_of_ten, printable, recipe_styles
from educe.eval.report.text import chances, count, flops

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure

NEAR = 0.02  # of the ceiling
_MOST_FITS = 120  # a twentieth of a second each
_PANEL, _BETWEEN, _LEFT, _COLUMNS = 2.35, 0.45, 0.62, 4


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A curve with its fit and the budget that comes near its ceiling."""

    curve: Curve
    fit: Fit
    near: BudgetEstimate

    @property
    def runners_up(self) -> str:
        """The other forms, and how much worse their AIC is."""
        others = [f"{name} +{aic:.1f}" for name, aic in self.fit.runners_up.items() if name != self.fit.form]
        return ", ".join(others) or "none: too few budgets"

    @property
    def near_words(self) -> str:
        """The budget to within 2 points of the ceiling with its interval, in the axis's unit."""
        words, unit = (count, "labelled examples") if self.curve.axis == "examples" else (flops, "FLOP")
        if self.near.budget is None:
            return "not reached"
        return f"{_at(self.near.budget, self.fit, words)} {_range(self.near, self.fit, words)} {unit}"

    @property
    def flops_words(self) -> str:
        """The same in FLOPs, interpolated in logarithms between the budgets measured."""
        if self.curve.axis == "flops":
            return self.near_words.removesuffix(" FLOP")
        conditions = [point.condition for point in positive(self.curve.points) if point.condition.elicitation_flops > 0]
        if self.near.budget is None or len(conditions) < 2:
            return "–" if self.near.budget is not None else "not reached"
        spent = np.log([condition.elicitation_flops for condition in conditions])
        read = np.log([point.budget for point in positive(self.curve.points) if point.condition.elicitation_flops > 0])

        def priced(budget: int | float) -> str:
            return flops(math.exp(float(np.interp(math.log(budget), read, spent))))

        return f"{_at(self.near.budget, self.fit, priced)} {_range(self.near, self.fit, priced)}"


def fitted(conditions: Sequence[Condition]) -> tuple[list[Fitted], int]:
    """A fit of every recipe's curve with at least three budgets, and how many curves were left out of a large study.

    Along labelled examples; along FLOPs where the examples do not vary.
    """
    found: list[Fitted] = []
    left_out = 0
    kept = without_sweeps(conditions)
    by_examples = [curve for curve in join(kept, "examples") if _long(curve)]
    taken = {(curve.model, curve.task, curve.label) for curve in by_examples}
    rest = [
        curve for curve in join(kept, "flops") if _long(curve) and (curve.model, curve.task, curve.label) not in taken
    ]
    for curve in sorted([*by_examples, *rest], key=lambda each: (each.task, each.model, each.method, each.label)):
        if len(found) == _MOST_FITS:
            left_out += 1
            continue
        made = fit(curve)
        if made is not None:  # None where all items are of one cluster
            found.append(Fitted(curve=curve, fit=made, near=made.budget_within(NEAR)))
    return found, left_out


def fits_figure(
    conditions: Sequence[Condition], fits: Sequence[Fitted], *, task: str
) -> "matplotlib.figure.Figure | None":
    """Every fitted curve of a task in a panel of its own: points, fit, pointwise and simultaneous band."""
    import matplotlib
    from matplotlib.figure import Figure

    mine = [each for each in fits if each.curve.task == task]
    if not mine:
        return None
    styles = recipe_styles(conditions)
    columns = min(_COLUMNS, len(mine))
    deep = math.ceil(len(mine) / columns)
    width = max(6.5, _LEFT + columns * (_PANEL + _BETWEEN))
    kinds = sorted({each.fit.kind for each in mine})
    points = sorted({point.interval for each in mine for point in each.curve.points})
    notes = wrapped_notes(
        f"Dots: mean over seeds and items; bars: {', '.join(points)}. Line: the form that AIC chooses. Dark band: "
        f"{' or '.join(kinds)} at each budget alone (pointwise); light band: for the whole curve at once "
        "(simultaneous). Between the smallest and the largest budget measured; nothing is said beyond.",
        width=width,
    )
    bottom = bottom_inches(notes)
    height = TOP + deep * (_PANEL * 0.85) + (deep - 1) * GAP + bottom + 0.15
    sizes = sorted({each.fit.n for each in mine})
    n = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(width, height))
        write_title(figure, task, ": fitted scaling curves", f"n = {n} test items at every budget")
        for i, each in enumerate(mine):
            k, line = i % columns, i // columns
            y = bottom + (deep - 1 - line) * (_PANEL * 0.85 + GAP)
            left = (_LEFT + k * (_PANEL + _BETWEEN)) / width
            axes = figure.add_axes((left, y / height, _PANEL / width, _PANEL * 0.85 / height))
            _draw(axes, each, styles.get(each.curve.label, numbered_style(0)).color)
            name = printable(each.curve.label, width=letters(_PANEL + _BETWEEN, 8.5))
            model = printable(each.curve.model, width=letters(_PANEL + _BETWEEN, 8.5))
            axes.set_title(f"{model}\n{name}", loc="left", fontsize=8.5, fontweight="bold")
            if k == 0:
                axes.set_ylabel(f"{metric_of([point.condition for point in each.curve.points])} (%)")
        write_notes(figure, notes)
    return figure


def _draw(axes: "matplotlib.axes.Axes", each: Fitted, color: str) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    made, points = each.fit, positive(each.curve.points)
    axes.set_xscale("log")
    axes.set_ylim(-2, 102)
    axes.grid(axis="y", color="#e4e4e4", linewidth=0.6)
    every = slice(None, None, 4)
    axes.fill_between(made.budgets[every], 100 * made.band_low[every], 100 * made.band_high[every], color=color,
                      alpha=0.13, linewidth=0)  # fmt: skip
    axes.fill_between(made.budgets[every], 100 * made.low[every], 100 * made.high[every], color=color, alpha=0.25,
                      linewidth=0)  # fmt: skip
    axes.plot(made.budgets[every], 100 * made.scores[every], color=color, linewidth=1.6)
    axes.errorbar(
        [point.budget for point in points], [100 * point.score for point in points],
        yerr=[
            [100 * max(0.0, point.score - point.low) for point in points],
            [100 * max(0.0, point.high - point.score) for point in points],
        ],
        color="#222222", marker="o", markersize=3.5, capsize=2, linewidth=0, elinewidth=1,
    )  # fmt: skip
    for chance in chances([point.condition for point in points]):
        axes.axhline(100 * chance, color=CHANCE.color, linestyle=CHANCE.line, linewidth=1.3)
        axes.text(0.99, 100 * chance - 2, f"chance {whole_percent(chance)}", transform=axes.get_yaxis_transform(), ha="right",
                  va="top", fontsize=7.5, color=CHANCE.ink)  # fmt: skip
    axes.text(0.02, 0.97, made.form, transform=axes.transAxes, va="top", fontsize=8, color="#333333")
    budgets = sorted({point.budget for point in points})
    shown = budgets if len(budgets) <= 4 else [budgets[0], budgets[len(budgets) // 2], budgets[-1]]
    axes.xaxis.set_major_locator(FixedLocator(shown))
    words = count if each.curve.axis == "examples" else power_of_ten
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: words(value)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("labelled examples (log)" if each.curve.axis == "examples" else "FLOPs to elicit (log)")


def _long(curve: Curve) -> bool:
    return count_distinct_budgets(point.budget for point in positive(curve.points)) >= MIN_BUDGETS


def _at(budget: float, made: Fit, words: Callable[[float], str]) -> str:
    """A budget that was read off; the smallest one measured means that or less."""
    return f"{'≤ ' if budget <= float(made.budgets[0]) * (1 + 1e-9) else ''}{words(budget)}"


def _range(near: BudgetEstimate, made: Fit, words: Callable[[float], str]) -> str:
    """The interval; where it has no end, not reached."""
    low = "not reached" if near.low is None else _at(near.low, made, words)
    return f"[{low}, {'not reached' if near.high is None else words(near.high)}]"

"""Which ways are worth their cost: the Pareto frontier in score against FLOPs and against labels, figure and table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from educe.eval.analysis.conditions import Condition, plain_prompting
from educe.eval.analysis.curves import join
from educe.eval.analysis.formatting import format_interval, whole_percent
from educe.eval.analysis.frontier import QUESTIONS, Cost, FrontierPoint, break_even, frontier
from educe.eval.report.frame import (
    GAP,
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
from educe.eval.report.panels import prepare, reference_lines
from educe.eval.report.style import (
    PLAIN,
    RC,
    Label,
    Style,
    label_right_edge,
    labels_height,
    power_of_ten,
    printable,
    recipe_styles,
    wrapped,
)

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure

Frontiers = Mapping[tuple[str, str], Mapping[Cost, Sequence[FrontierPoint]]]
_HIGHEST_NUMBERED = 0.95  # above this score a number stands below its point, not in the title
_NAMES: dict[Cost, str] = {
    "flops": f"FLOPs to elicit and to answer {QUESTIONS:,} questions (log scale)",
    "labels": "labelled examples read (log scale above 1)",
}


@dataclass(frozen=True, kw_only=True)
class Step:
    """One way on a frontier in FLOPs, and how it compares in cost with the one before it."""

    place: FrontierPoint
    against_before: str


def frontiers(pairs: Sequence[Sequence[Condition]]) -> Frontiers:
    """The frontiers of every task and model with at least two ways."""
    return {
        (conditions[0].task, conditions[0].model): {
            "flops": frontier(conditions, "flops"),
            "labels": frontier(conditions, "labels"),
        }
        for conditions in pairs
        if len(conditions) > 1
    }


def steps(places: Sequence[FrontierPoint]) -> list[Step]:
    """The frontier by rising cost, with the number of questions at which neighbours cost the same."""
    on = [place for place in places if place.on_frontier]
    return [
        Step(place=place, against_before="–" if before is None else _against(before.condition, place.condition))
        for before, place in pairwise([None, *on])
        if place is not None
    ]


def frontier_figure(
    conditions: Sequence[Condition], found: Frontiers, *, task: str
) -> "matplotlib.figure.Figure | None":
    """Score against FLOPs for a number of answers (left) and against labels (right), a row of panels per model."""
    import matplotlib
    from matplotlib.figure import Figure

    styles = recipe_styles(conditions)
    shown = {model: each for (of, model), each in sorted(found.items()) if of == task}
    if not shown:
        return None
    mine = [place.condition for each in shown.values() for place in each["flops"]]
    most = max((_names(places) for each in shown.values() for places in each.values()), key=labels_height)
    row = max(2.7, labels_height(most))
    width = LEFT + 2 * (PANEL + LABELS) + RIGHT
    says = (
        f"{PLAIN_NOTE}. Numbered: the frontier, ways that no other beats on score and cost at once; pale: all others. "
        "The step is the best score within a cost."
    )
    notes = notes_of(mine, says, width=width)
    bottom = bottom_inches(notes)
    height = TOP + len(shown) * row + (len(shown) - 1) * GAP + bottom
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(width, height))
        write_title(figure, task, ": what a score costs", sample_sizes(mine))
        for i, (model, kinds) in enumerate(shown.items()):
            y = bottom + (len(shown) - 1 - i) * (row + GAP)
            for k, (kind, places) in enumerate(kinds.items()):
                left = (LEFT + k * (PANEL + LABELS)) / width
                axes = figure.add_axes((left, y / height, PANEL / width, row / height))
                _draw(axes, kind, places, styles, height_inches=row)
                if k == 0:
                    axes.set_title(printable(model, width=letters(width - LEFT, 9.5)), loc="left", fontweight="bold")
                    axes.set_ylabel(f"{metric_of([place.condition for place in places])} (%)")
        write_notes(figure, notes)
    return figure


def _draw(
    axes: "matplotlib.axes.Axes",
    kind: Cost,
    places: Sequence[FrontierPoint],
    styles: dict[str, Style],
    *,
    height_inches: float,
) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator, SymmetricalLogLocator

    conditions = ordered([place.condition for place in places])
    costs = [place.cost for place in places]
    if kind == "labels":
        axes.set_xscale("symlog", linthresh=1, linscale=0.5)
        prepare(axes, (-0.35, max(2.0, max(costs)) * 1.7))
        axes.xaxis.set_major_locator(SymmetricalLogLocator(base=10, linthresh=1))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    else:
        low, high = max(min(costs), 1.0), max(*costs, 10.0)
        axes.set_xscale("log")
        prepare(axes, (low / 1.8, high * 1.8))
        wide = high / low >= 30
        axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: power_of_ten(value)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(_NAMES[kind])
    labels = [label for label in reference_lines(axes, conditions) if label.style is not PLAIN]
    styled = _styles_of(conditions, styles)
    beaten: dict[Style, list[FrontierPoint]] = {}
    for place in places:
        if not place.on_frontier:
            beaten.setdefault(styled[id(place.condition)], []).append(place)
    for style, alike in beaten.items():
        _dots(axes, alike, style, alpha=0.3)
    on = [place for place in places if place.on_frontier]
    right = axes.get_xlim()[1]
    heights = [100 * place.condition.score for place in on]
    axes.step([*(place.cost for place in on), right], [*heights, heights[-1]], where="post", color="#333333",
              linewidth=1, zorder=1.5)  # fmt: skip
    for number, (place, name) in enumerate(zip(on, _names(places), strict=True), start=1):
        style = styled[id(place.condition)]
        _dots(axes, [place], style, alpha=1.0)
        below = place.condition.score > _HIGHEST_NUMBERED
        axes.annotate(
            str(number), (place.cost, 100 * place.condition.score), (-5, -5 if below else 5), textcoords="offset points",
            ha="right", va="top" if below else "bottom", fontsize=8, fontweight="bold", color=style.ink,
        )  # fmt: skip
        score = f"{whole_percent(place.condition.score)} {format_interval(place.condition.low, place.condition.high)}"
        labels.append(Label(y=100 * place.condition.score, text=f"{wrapped(name)}\n{score}", style=style))
    label_right_edge(axes, labels, height_inches=height_inches)


def _dots(axes: "matplotlib.axes.Axes", places: Sequence[FrontierPoint], style: Style, *, alpha: float) -> None:
    conditions = [place.condition for place in places]
    axes.errorbar(
        [place.cost for place in places],
        [100 * condition.score for condition in conditions],
        yerr=[
            [100 * max(0.0, condition.score - condition.low) for condition in conditions],
            [100 * max(0.0, condition.high - condition.score) for condition in conditions],
        ],
        color=style.color, marker=style.marker, markersize=5.5, markerfacecolor=style.face, capsize=2, linewidth=0,
        elinewidth=1.1, alpha=alpha,
    )  # fmt: skip


def _names(places: Sequence[FrontierPoint]) -> list[str]:
    """The ways on a frontier as the figure names them."""
    return [
        f"{number} {name_of(place.condition)}"
        for number, place in enumerate((each for each in places if each.on_frontier), 1)
    ]


def name_of(condition: Condition) -> str:
    """A way with its budget, short."""
    if not condition.examples or condition.budget_in_settings:
        return condition.name
    return f"{condition.name}, {condition.examples:,} {'example' if condition.examples == 1 else 'examples'}"


def _styles_of(conditions: Sequence[Condition], styles: dict[str, Style]) -> dict[int, Style]:
    plain = plain_prompting(conditions)
    return {
        id(point.condition): PLAIN if point.condition is plain else styles[curve.label]
        for curve in join(conditions, "examples")
        for point in curve.points
    }


def _against(before: Condition, condition: Condition) -> str:
    """From how many questions on which of two neighbours is the cheaper one, in words."""
    questions = break_even(before, condition)
    later = sorted((before, condition), key=lambda each: each.elicitation_flops)[1]
    if questions is None:
        return "costs more for any number" if later is condition else "costs less for any number"
    if later is condition:
        return f"costs less beyond {questions:,.0f} questions"
    return f"costs less up to {questions:,.0f} questions"

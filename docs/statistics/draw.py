"""The figures of docs/statistics.md, drawn from the CSV files beside this script.

python docs/statistics/draw.py
"""

import csv
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt

HERE = Path(__file__).parent
# Okabe & Ito (2008), safe for colour-blind readers; markers and line styles keep the series apart in grey.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "v", "P", "X")
LINES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (6, 2, 1.5, 2)), (0, (3, 1.5)), (0, (8, 2, 1, 2, 1, 2)), (0, (1.5, 1)))
STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "figure.titlesize": 10.5,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.markersize": 4.5,
    "lines.linewidth": 1.3,
}
Row = dict[str, str]
Figure = Any


def read(name: str) -> list[Row]:
    """The rows of one CSV file."""
    with (HERE / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def where(rows: Iterable[Row], **wanted: str) -> list[Row]:
    """The rows that have these values."""
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def values(rows: Iterable[Row], column: str) -> list[str]:
    """Different values of a column, in the order of the file."""
    return list(dict.fromkeys(row[column] for row in rows))


def plot(axes: Any, rows: Sequence[Row], x: str, y: str, series: int, label: str, **style: Any) -> None:
    """One series; rows without a value are left out."""
    points = sorted((float(row[x]), float(row[y])) for row in rows if row[y])
    axes.plot(
        *zip(*points, strict=True),
        **{"color": COLORS[series], "marker": MARKERS[series], "linestyle": LINES[series], "label": label, **style},
    )


def panels(rows: int, columns: int, title: str, *, height: float = 2.5, sharex: bool = True) -> tuple[Figure, Any]:
    """A grid of panels with a title; the panels of a row share their vertical axis."""
    size = (9.2, 1.0 + height * rows)
    figure, axes = plt.subplots(
        rows, columns, sharex=sharex, sharey="row", squeeze=False, figsize=size, layout="constrained"
    )
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    return figure, axes


def nominal(axes: Any, level: float, error: float, label: str) -> None:
    """The level that is promised, and 2 standard errors of the simulation around it."""
    axes.axhline(level, color="black", linewidth=1, linestyle="--", zorder=0, label=label)
    axes.axhspan(level - error, level + error, color="0.88", zorder=-1, linewidth=0)


def items_axis(axes: Any, ticks: Sequence[int] = (30, 100, 300, 1000)) -> None:
    """Numbers of items on a log scale."""
    axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("items (log scale)")


def legend(figure: Figure, axes: Any, columns: int) -> None:
    """One legend below all panels."""
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=columns)


def score_coverage() -> Figure:
    """Wilson intervals of one score, by accuracy, clusters and seeds."""
    rows = read("score_coverage")
    figure, grid = panels(2, 3, "How often the 95% interval of a score holds the truth")
    for line, size in zip(grid, values(rows, "cluster_size"), strict=True):
        for axes, accuracy in zip(line, values(rows, "accuracy"), strict=True):
            nominal(axes, 95, 0.6, "nominal 95%")
            here = where(rows, cluster_size=size, accuracy=accuracy)
            for series, variance in enumerate(sorted(values(here, "seed_variance"))):
                name = f"3 seeds, seed variance {variance}" if variance else "1 seed"
                plot(axes, where(here, seed_variance=variance), "items", "wilson_percent", series, name)
            clusters = "independent items" if size == "1" else f"clusters of {size} items"
            axes.set_title(f"accuracy {100 * float(accuracy):.0f}%, {clusters}")
            items_axis(axes)
            axes.set_ylim(91, 100)
        line[0].set_ylabel("coverage (% of studies)")
    legend(figure, grid[0, 0], 5)
    return figure


def intervals_compared() -> Figure:
    """One seed: Wilson, Clopper-Pearson and bootstrap."""
    rows, exact = where(read("score_coverage"), seeds="1"), read("wilson_exact_coverage")
    names = {"wilson_percent": "Wilson", "clopper_pearson_percent": "Clopper-Pearson", "bootstrap_percent": "bootstrap"}
    figure, grid = panels(2, 3, "Three kinds of 95% interval for the score of one seed")
    for line, size in zip(grid, values(rows, "cluster_size"), strict=True):
        for axes, accuracy in zip(line, values(rows, "accuracy"), strict=True):
            nominal(axes, 95, 0.6, "nominal 95%")
            here = where(rows, cluster_size=size, accuracy=accuracy)
            for series, (column, name) in enumerate(names.items()):
                if any(row[column] for row in here):
                    plot(axes, here, "items", column, series, name)
            if size == "1":
                style = {"linestyle": "", "marker": "x", "color": "black", "zorder": 5}
                points = where(exact, accuracy=accuracy)
                axes.plot(
                    [float(row["items"]) for row in points],
                    [float(row["wilson_percent"]) for row in points],
                    label="Wilson, summed exactly",
                    **style,
                )
            clusters = "independent items" if size == "1" else f"clusters of {size} items"
            axes.set_title(f"accuracy {100 * float(accuracy):.0f}%, {clusters}")
            items_axis(axes)
            axes.set_ylim(40, 101)
        line[0].set_ylabel("coverage (% of studies)")
    legend(figure, grid[0, 0], 5)
    return figure


def curve_coverage() -> Figure:
    """Points of a curve of four budgets, with two and three seeds."""
    rows = read("curve_coverage")
    designs = [(row["seed_sd_first_budget"], row["seed_sd_last_budget"]) for row in rows]
    figure, grid = panels(2, 5, "How often the 95% intervals along a curve of four budgets hold the truth")
    for line, seeds in zip(grid, values(rows, "seeds"), strict=True):
        for axes, (first, last) in zip(line, dict.fromkeys(designs), strict=True):
            nominal(axes, 95, 0.9, "nominal 95%")
            here = where(rows, seeds=seeds, seed_sd_first_budget=first, seed_sd_last_budget=last)
            for series, count in enumerate(values(here, "items")):
                plot(axes, where(here, items=count), "accuracy", "covered_percent", series, f"{count} items")
            sd = first if first == last else f"{first} to {last}"
            axes.set_title(f"{seeds} seeds, sd {sd}")
            axes.set_ylim(84, 101)
            axes.set_xticks([0.5, 0.7, 0.9], ["50", "70", "90"])
        line[0].set_ylabel("coverage (% of studies)")
    for axes in grid[-1]:
        axes.set_xlabel("true accuracy (%)")
    legend(figure, grid[0, 0], 4)
    return figure


def paired_type_1_error() -> Figure:
    """How often equally good conditions are called different."""
    rows = read("paired_type_1_error")
    names = {"paired_percent": "paired interval", "mcnemar_mid_p_percent": "McNemar, mid-p"}
    designs = list(dict.fromkeys((row["seeds"], row["seed_variance"]) for row in rows))
    hollow = {"linestyle": "", "markerfacecolor": "none", "markersize": 6.5}
    styles = {"paired_percent": {"linestyle": ""}, "mcnemar_mid_p_percent": hollow}
    figure, grid = panels(2, 3, "How often a test at 5% rejects a true null (type I error)")
    for line, size in zip(grid, values(rows, "cluster_size"), strict=True):
        for axes, (seeds, variance) in zip(line, designs, strict=True):
            nominal(axes, 5, 0.6, "nominal 5%")
            here = where(rows, cluster_size=size, seeds=seeds, seed_variance=variance)
            for series, (column, name) in enumerate(names.items()):
                if any(row[column] for row in here):
                    plot(axes, here, "discordant_items", column, series, name, **styles[column])
            axes.set_visible(bool(here))
            seeds_are = "1 seed" if seeds == "1" else f"3 seeds, variance {variance}"
            axes.set_title(f"{seeds_are}, {'independent items' if size == '1' else f'clusters of {size} items'}")
            axes.set_ylim(0, 7)
            axes.set_xscale("log")
            axes.set_xticks([1, 3, 10, 30, 100, 300], ["1", "3", "10", "30", "100", "300"])
            axes.minorticks_off()
        line[0].set_ylabel("rejected (% of studies)")
    for axes in grid[-1]:
        axes.set_xlabel("items that disagree (log scale)")
    legend(figure, grid[0, 0], 4)
    return figure


def small_p_values() -> Figure:
    """Type I error far below 5%, relative to the level."""
    rows = read("small_p_values")
    for row in rows:
        row["times_its_level"] = str(float(row["rejected_percent"]) / float(row["level_percent"]))
    pairs = list(dict.fromkeys((row["seeds"], row["other_seeds"]) for row in rows))
    designs = list(dict.fromkeys((row["cluster_size"], row["items"], row["seed_variance"]) for row in rows))
    figure, grid = panels(1, 4, "Type I error at small levels, as a multiple of the level", height=2.9)
    for axes, (seeds, others) in zip(grid[0], pairs, strict=True):
        axes.axhline(1, color="black", linewidth=1, linestyle="--", zorder=0, label="nominal: 1")
        for series, (size, items, variance) in enumerate(designs):
            here = where(rows, seeds=seeds, other_seeds=others, cluster_size=size, items=items, seed_variance=variance)
            clusters = "" if size == "1" else f", clusters of {size}"
            name = f"{items} items{clusters}, seed variance {variance}"
            plot(axes, here, "level_percent", "times_its_level", series, name)
        axes.set_title(f"{seeds} seeds against {others}")
        axes.set_xscale("log")
        axes.set_xticks([0.01, 0.1, 1, 5], ["0.01", "0.1", "1", "5"])
        axes.minorticks_off()
        axes.set_xlabel("level of the test (%, log scale)")
    grid[0, 0].set_ylabel("rejected / level")
    legend(figure, grid[0, 0], 3)
    return figure


def family_wise_error() -> Figure:
    """Any false finding among ten comparisons, before and after Holm."""
    rows = read("family_wise_error")
    figure, grid = panels(
        1, 1, "How often any of ten true nulls is rejected at 5% (family-wise error rate)", height=1.9
    )
    axes = grid[0, 0]
    axes.axvline(5, color="black", linewidth=1, linestyle="--", label="nominal 5%")
    names = [
        f"{row['items']} items, accuracy {100 * float(row['accuracy']):.0f}%, seeds: {row['seeds']}" for row in rows
    ]
    for series, (column, name) in enumerate({"holm_percent": "Holm", "unadjusted_percent": "unadjusted"}.items()):
        shares = [float(row[column]) for row in rows]
        axes.plot(shares, names, linestyle="", color=COLORS[series], marker=MARKERS[series], label=name)
    axes.set_xlim(0, 32)
    axes.set_xlabel("studies with at least one rejection (%)")
    axes.invert_yaxis()
    legend(figure, axes, 3)
    return figure


def curve_design(budgets: str, items: str, variance: str) -> str:
    """A design of simulated curves in words."""
    return f"{budgets} budgets, {items} items, " + (f"3 seeds (variance {variance})" if variance else "1 seed")


def budget_coverage() -> Figure:
    """The budget that reaches a score, on curves of every form."""
    rows = read("budget_coverage")
    figure, grid = panels(
        1, 5, "How often the 95% interval of the budget that reaches a score holds the truth", height=3, sharex=False
    )
    designs = list(dict.fromkeys((row["budgets"], row["items"], row["seeds"], row["seed_variance"]) for row in rows))
    for axes, curve in zip(grid[0], values(rows, "curve"), strict=True):
        nominal(axes, 95, 2, "nominal 95%")
        places = values(where(rows, curve=curve), "place_on_rise")
        for series, (budgets, items, seeds, variance) in enumerate(designs):
            here = where(rows, curve=curve, budgets=budgets, items=items, seeds=seeds, seed_variance=variance)
            name = curve_design(budgets, items, variance)
            found = [float(row["covered_percent"]) for row in here]
            axes.plot(
                range(len(places)),
                found,
                color=COLORS[series],
                marker=MARKERS[series],
                linestyle=LINES[series],
                label=name,
            )
        axes.set_title(curve)
        shown = ["at once", "never"] if curve == "flat" else [f"{100 * float(place):.0f}%" for place in places]
        axes.set_xlim(-0.4, len(shown) - 0.6)
        axes.set_xticks(range(len(shown)), shown)
        axes.set_xlabel("reached" if curve == "flat" else "place on the rise")
        axes.set_ylim(90, 100)
    grid[0, 0].set_ylabel("coverage (% of curves)")
    legend(figure, grid[0, 0], 2)
    return figure


def form_found() -> Figure:
    """How often the fit has the form of the truth."""
    rows = read("budget_coverage")
    designs = list(dict.fromkeys((row["budgets"], row["items"], row["seeds"], row["seed_variance"]) for row in rows))
    figure, grid = panels(1, 1, "How often the fit chooses the form of the true curve", height=2.2)
    axes = grid[0, 0]
    for series, (budgets, items, seeds, variance) in enumerate(designs):
        here = where(rows, budgets=budgets, items=items, seeds=seeds, seed_variance=variance)
        found = {row["curve"]: float(row["form_found_percent"]) for row in here}
        name = curve_design(budgets, items, variance)
        axes.plot(
            list(found.values()), list(found), linestyle="", color=COLORS[series], marker=MARKERS[series], label=name
        )
    axes.set_xlim(60, 101)
    axes.set_xlabel("right form chosen (% of 500 curves)")
    axes.invert_yaxis()
    legend(figure, axes, 2)
    return figure


def forecasts() -> Figure:
    """Forecasts of held-out budgets: error, coverage and CRPS."""
    rows = read("forecasts")
    groups = list(dict.fromkeys((row["curve"], row["times_as_far"]) for row in rows))
    names = [f"{curve}, {far} times as far" if far else "all curves" for curve, far in groups]
    figure, grid = panels(1, 3, "Forecasts of larger budgets on simulated curves", height=2.8, sharex=False)
    columns = {
        "mean_error_points": "mean error (points)",
        "covered_percent": "90% interval held (% of trials)",
        "crps_points": "CRPS (points; 0 is best)",
    }
    for axes, (column, label) in zip(grid[0], columns.items(), strict=True):
        if column == "covered_percent":
            axes.axvline(90, color="black", linewidth=1, linestyle="--")
        for series, method in enumerate(values(rows, "method")):
            shares = [float(row[column]) for row in where(rows, method=method)]
            axes.plot(shares, names, linestyle="", color=COLORS[series], marker=MARKERS[series], label=method)
        axes.set_xlabel(label)
        axes.grid(axis="y", color="0.92")
    grid[0, 0].invert_yaxis()
    legend(figure, grid[0, 0], 3)
    return figure


def power() -> Figure:
    """How often a difference of 0 and of 10 points is found, simulated and computed."""
    rows = read("power")
    designs = list(dict.fromkeys((row["seeds"], row["cluster_size"]) for row in rows))
    order = [design for design in designs if design[1] == "1"] + [design for design in designs if design[1] != "1"]
    figure, grid = panels(2, 5, "Power: how often the paired 95% interval leaves out 0")
    names = {
        "simulated_percent": ("simulated", {"linestyle": ""}),
        "miller_percent": ("Miller's formula", {"linestyle": ":", "marker": ""}),
        "interval_power_percent": ("computed for this interval", {"marker": ""}),
    }
    for line, points in zip(grid, ("10", "0"), strict=True):
        for axes, (seeds, size) in zip(line, order, strict=True):
            here = where(rows, seeds=seeds, cluster_size=size, difference_points=points)
            for series, (column, (name, style)) in enumerate(names.items()):
                plot(axes, here, "items", column, series, name, **style)
            clusters = "" if size == "1" else f", clusters of {size}"
            axes.set_title(f"{seeds} seed{'' if seeds == '1' else 's'}{clusters}")
            items_axis(axes, (60, 300, 1000))
            axes.set_ylim((0, 104) if points == "10" else (0, 8))
            if points == "0":
                nominal(axes, 5, 0, "nominal 5%")
        line[0].set_ylabel(f"found (% of studies)\ntrue difference {points} points")
    legend(figure, grid[1, 0], 4)
    return figure


def format_spread() -> Figure:
    """The standard deviation over formats: coverage of its interval, and its bias."""
    rows = read("format_spread")
    designs = list(dict.fromkeys((row["formats"], row["items"], row["share_asked"]) for row in rows))
    figure, grid = panels(2, 3, "Standard deviation of accuracy over formats")
    for column, label, line, level in (
        ("covered_percent", "coverage (% of studies)", grid[0], 95.0),
        ("estimate_over_truth", "mean estimate / truth", grid[1], 1.0),
    ):
        for axes, shape in zip(line, values(rows, "formats_differ"), strict=True):
            nominal(axes, level, 2 if level > 1 else 0, "nominal")
            for series, (formats, items, share) in enumerate(designs):
                here = where(rows, formats_differ=shape, formats=formats, items=items, share_asked=share)
                name = f"{formats} formats x {items} items, {100 * float(share):.0f}% asked"
                plot(axes, here, "true_sd_points", column, series, name)
            axes.set_title({"normal": "formats differ normally"}.get(shape, shape))
            axes.set_ylim((90, 100.5) if level > 1 else (0.8, 1.05))
        line[0].set_ylabel(label)
    for axes in grid[-1]:
        axes.set_xlabel("true standard deviation (points)")
    legend(figure, grid[0, 0], 3)
    return figure


SCORES = (score_coverage, intervals_compared, curve_coverage, paired_type_1_error, small_p_values, family_wise_error)
CURVES = (budget_coverage, form_found, forecasts, power, format_spread)
FIGURES = {function.__name__: function for function in SCORES + CURVES}


def main(names: Sequence[str], folder: Path = HERE) -> None:
    """Draw the named figures, or all."""
    with plt.rc_context(STYLE):
        for name in names or FIGURES:
            figure = FIGURES[name]()
            for axes in figure.axes:
                axes.label_outer()
            figure.savefig(folder / f"{name}.png", dpi=130, metadata={"Software": None})
            plt.close(figure)


if __name__ == "__main__":
    main(sys.argv[1:])

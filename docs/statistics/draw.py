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


CLUSTERS = {"none": "independent items", "of 5": "clusters of 5", "unequal": "10 unequal clusters"}


def design(row: Row) -> str:
    """Seeds, how much and how they vary, and clusters, in words."""
    number = f"{row['seeds']} seed" + ("" if row["seeds"] == "1" else "s")
    spread = f", variance {row['seed_variance']}" if float(row["seed_variance"]) else " without effect"
    failing = ", one in five fails" if row.get("seed_effects", "normal") != "normal" else ""
    return f"{number}{spread}{failing}, {CLUSTERS[row['clusters']]}"


def by_design(axes: Any, rows: Sequence[Row], column: str, **style: Any) -> None:
    """A line of marks for each design: accuracies and numbers of items."""
    names = list(dict.fromkeys(design(row) for row in rows))
    kinds = list(dict.fromkeys((row["accuracy"], row["items"]) for row in rows))
    for series, (accuracy, items) in enumerate(kinds):
        here = [row for row in where(rows, accuracy=accuracy, items=items) if row[column]]
        label = f"accuracy {100 * float(accuracy):.0f}%, {items} items"
        places = [names.index(design(row)) for row in here]
        marks = {"linestyle": "", "color": COLORS[series], "marker": MARKERS[series], "label": label, **style}
        axes.plot([float(row[column]) for row in here], places, **marks)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="y", color="0.92")


def level_line(axes: Any, level: float, error: float) -> None:
    """The level that is promised, and 2 standard errors of the simulation around it."""
    axes.axvline(level, color="black", linewidth=1, linestyle="--", zorder=0, label=f"nominal {level:g}%")
    axes.axvspan(level - error, level + error, color="0.88", zorder=-1, linewidth=0)


def compared(name: str, title: str, level: float, limits: tuple[float, float], columns: dict[str, str]) -> Figure:
    """A panel for each column of one table, the designs below each other."""
    rows = read(name)
    used = [row for row in rows if all(row[column] for column in columns) or len(columns) < 3]
    figure, grid = panels(1, len(columns), title, height=0.8 + 0.19 * len({design(row) for row in used}))
    for axes, (column, what) in zip(grid[0], columns.items(), strict=True):
        level_line(axes, level, 1)
        by_design(axes, used, column)
        axes.set_title(what)
        axes.set_xlim(limits)
        axes.set_xlabel("coverage (% of studies)" if level > 50 else "rejected (% of studies)")
    legend(figure, grid[0, 0], 5)
    return figure


def score_coverage() -> Figure:
    """Intervals of one score: of what they estimate, and of the recipe."""
    columns = {
        "wilson_percent": "of what it estimates:\n1 or 2 seeds: these runs; 3 or 5: the recipe",
        "recipe_percent": "of the recipe,\nwhich 1 and 2 seeds do not estimate",
    }
    return compared("score_coverage", "How often the 95% interval of a score holds the truth", 95, (70, 100), columns)


def intervals_compared() -> Figure:
    """One seed: Wilson, Clopper-Pearson and bootstrap."""
    names = {"wilson_percent": "Wilson", "clopper_pearson_percent": "Clopper-Pearson", "bootstrap_percent": "bootstrap"}
    title = "Three kinds of 95% interval for the score of one run on independent items"
    return compared("score_coverage", title, 95, (88, 100), names)


def paired_type_1_error() -> Figure:
    """How often equally good conditions are called different."""
    columns = {"paired_percent": "paired interval", "mcnemar_mid_p_percent": "McNemar, mid-p (one run)"}
    title = "How often a test at 5% rejects a true null (type I error)"
    return compared("paired_type_1_error", title, 5, (0, 9), columns)


def paired_seeds() -> Figure:
    """Two trained conditions with the same seeds: type I error and power."""
    rows = read("paired_seeds")
    names = {
        "paired_percent": "paired interval",
        "t_test_over_seeds_percent": "t test over the seeds' differences",
        "unpaired_seeds_percent": "interval without pairing seeds",
    }
    designs = list(dict.fromkeys((row["seeds"], row["seed_variance"]) for row in rows))
    figure, grid = panels(2, 4, "Two trained conditions with the same seeds, 300 items")
    for line, points in zip(grid, ("0", "8"), strict=True):
        for axes, (seeds, variance) in zip(line, designs, strict=True):
            here = where(rows, seeds=seeds, seed_variance=variance, difference_points=points)
            for series, (column, name) in enumerate(names.items()):
                plot(axes, here, "seed_correlation", column, series, name)
            axes.set_title(f"{seeds} seeds, variance {variance}")
            axes.set_xlabel("correlation of seeds")
            axes.set_ylim((0, 9) if points == "0" else (0, 102))
            if points == "0":
                nominal(axes, 5, 1, "nominal 5%")
        line[0].set_ylabel(f"rejected (% of studies)\ntrue difference {points} points")
    legend(figure, grid[0, 0], 4)
    return figure


def small_p_values() -> Figure:
    """Type I error far below 5%, relative to the level."""
    rows = read("small_p_values")
    for row in rows:
        row["times_its_level"] = str(float(row["rejected_percent"]) / float(row["level_percent"]))
    pairs = list(dict.fromkeys((row["seeds"], row["other_seeds"], row["seed_correlation"]) for row in rows))
    figure, grid = panels(1, 5, "Type I error at small levels, as a multiple of the level", height=2.4)
    for axes, (seeds, others, correlation) in zip(grid[0], pairs, strict=True):
        axes.axhline(1, color="black", linewidth=1, linestyle="--", zorder=0, label="nominal: 1")
        here = where(rows, seeds=seeds, other_seeds=others, seed_correlation=correlation)
        for series, variance in enumerate(values(rows, "seed_variance")):
            some = where(here, seed_variance=variance)
            plot(axes, some, "level_percent", "times_its_level", series, f"seed variance {variance}")
        together = f",\ncorrelation {correlation}" if others != "1" else ""
        axes.set_title(f"{seeds} seeds against {others}{together}")
        axes.set_xscale("log")
        axes.set_xticks([0.1, 1, 5], ["0.1", "1", "5"])
        axes.minorticks_off()
        axes.set_xlabel("level (%, log scale)")
    grid[0, 0].set_ylabel("rejected / level")
    legend(figure, grid[0, 0], 3)
    return figure


def family_wise_error() -> Figure:
    """Any false finding among ten comparisons, before and after Holm."""
    rows = read("family_wise_error")
    title = "How often any of ten true nulls is rejected at 5% (family-wise error rate)"
    figure, grid = panels(1, 1, title, height=1.9)
    axes = grid[0, 0]
    axes.axvline(5, color="black", linewidth=1, linestyle="--", label="nominal 5%")
    names = [
        f"{row['items']} items, accuracy {100 * float(row['accuracy']):.0f}%, seeds: {row['seeds']}, "
        f"correlation {row['seed_correlation']}"
        for row in rows
    ]
    for series, (column, name) in enumerate({"holm_percent": "Holm", "unadjusted_percent": "unadjusted"}.items()):
        shares = [float(row[column]) for row in rows]
        axes.plot(shares, names, linestyle="", color=COLORS[series], marker=MARKERS[series], label=name)
    axes.set_xlim(0, 40)
    axes.set_xlabel("studies with at least one rejection (%)")
    axes.invert_yaxis()
    legend(figure, axes, 3)
    return figure


def budget_coverage() -> Figure:
    """The bracket of the budget that reaches a score, on curves of any shape."""
    rows = read("budget_coverage")
    figure, grid = panels(1, 1, "How often the 95% bracket of the budget that reaches a score holds it", height=4)
    axes = grid[0, 0]
    axes.axvline(95, color="black", linewidth=1, linestyle="--", label="nominal 95%")
    for series, seeds in enumerate(values(rows, "seeds")):
        here = where(rows, seeds=seeds)
        found = [float(row["covered_percent"]) for row in here]
        name = f"{seeds} seed{'' if seeds == '1' else 's'}, a mark for each score"
        axes.plot(found, [row["curve"] for row in here], linestyle="", color=COLORS[series], marker=MARKERS[series],
                  label=name)  # fmt: skip
    axes.set_xlim(90, 100.3)
    axes.set_xlabel("coverage (% of 1,000 studies)")
    axes.grid(axis="y", color="0.92")
    axes.invert_yaxis()
    legend(figure, axes, 3)
    return figure


def forecasts() -> Figure:
    """Forecasts in worlds inside and outside the fitted forms: refusals, coverage beside what was promised, errors."""
    rows = read("forecasts")
    figure, grid = panels(1, 3, "Forecasts of larger budgets on simulated curves", height=3.4, sharex=False)
    columns = {
        "refused (% of curves)": {"refused_percent": "refused"},
        "interval held (% of forecasts)": {"promised_percent": "promised", "covered_percent": "held"},
        "mean error (points)": {
            "error_chosen_points": "chosen predictor",
            "error_last_point_points": "last point",
            "error_fitted_curve_points": "fitted curve",
            "error_log-linear_points": "log-linear",
        },
    }
    handles = {}
    for axes, (label, shown) in zip(grid[0], columns.items(), strict=True):
        for column, name in shown.items():
            series = len(handles)
            known = [(row[column] or "nan", f"{row['curves']}, {row['times_as_far']} times as far") for row in rows]
            (handles[name],) = axes.plot(
                [float(value) for value, _ in known], [place for _, place in known],
                linestyle="", color=COLORS[series % len(COLORS)], marker=(*MARKERS, "D")[series], label=name,
            )  # fmt: skip
        axes.set_xlabel(label)
        axes.grid(axis="y", color="0.92")
    grid[0, 0].set_xlim(-3, 103)
    grid[0, 1].set_xlim(-3, 103)
    grid[0, 0].invert_yaxis()
    figure.legend(handles.values(), handles, loc="outside lower left", ncols=4)
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


SCORES = (score_coverage, intervals_compared, paired_type_1_error, paired_seeds, small_p_values, family_wise_error)
CURVES = (budget_coverage, forecasts, power, format_spread)
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

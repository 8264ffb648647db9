"""The tables and the figure of docs/results/latent_tasks.md.

python -m tests.latent_page RUN [RUN ...]

reads run directories of recipes/studies/latent_tasks.yaml and keeps their points in latent_tasks.parquet;

python -m tests.latent_page

draws latent_tasks.png and writes the tables into the page from that file alone.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd

from educe.data.resolve import resolve
from educe.data.tasks.suites import SUITES
from educe.eval.analysis.conditions import Condition, by_task_and_model, compare, plain_prompting, pool
from educe.eval.analysis.controls import controlled, is_control
from educe.eval.analysis.task_means import TaskMean, TaskMeans, task_means
from educe.recipes.runner.results import load_results
from tests.certify_page import between_marks
from tests.tree import REPOSITORY

FOLDER = REPOSITORY / "docs" / "results"
PAGE, POINTS, FIGURE = (FOLDER / f"latent_tasks.{end}" for end in ("md", "parquet", "png"))
_SIZES = (4, 16, 64, 256)
_LARGEST = 64  # that all tasks have
_NO_CONTROL = dict.fromkeys(("above_control", "above_control_low", "above_control_high"))
_COLORS = {"smollm2-135m-instruct": "#0072b2", "gemma-3-270m": "#d55e00"}
_NAMES = {"smollm2-135m-instruct": "SmolLM2-135M-Instruct (chat)", "gemma-3-270m": "Gemma 3 270M (base)"}


def points(folders: Sequence[Path]) -> pd.DataFrame:
    """One row per model, task, recipe and budget, and one for their means over the tasks that have all budgets.

    Scores and paired gains with their intervals, and the score of each seed.
    """
    conditions = pool([measurement for folder in folders for measurement in load_results(folder).measurements])
    order = [resolve(spec).name for spec in SUITES["latent"].tasks]
    pairs = sorted(by_task_and_model(conditions), key=lambda pair: order.index(pair[0].task))
    rows = [row for pair in pairs for row in _points_of(pair)]
    with_options = [pair for pair in pairs if pair[0].chance is not None]
    rows += [_mean_of(means, row) | _NO_CONTROL for means in task_means(pairs) for row in means.rows]
    rows += [_mean_of(means, row, " with options") for means in task_means(with_options) for row in means.rows]
    return pd.DataFrame(rows)


def _points_of(pair: Sequence[Condition]) -> list[dict[str, Any]]:
    plain, controls = plain_prompting(pair), controlled(pair)
    rows = []
    for each in pair:
        row = {
            "model": each.model, "task": each.task, "recipe": each.method, "examples": each.examples, "n": each.n,
            "chance": each.chance, "score": each.score, "low": each.low, "high": each.high,
            "seed_scores": [float(measurement.score) for measurement in each.measurements],
        }  # fmt: skip
        # Without options n-grams can only repeat an answer they have seen, which is no control.
        control = None if each.chance is None else controls.get(each)
        for name, other in {"gain": plain, "above_control": control}.items():
            if other is not None and other is not each and not is_control(each):
                found = compare(each, other)
                row |= {name: found.difference, f"{name}_low": found.low, f"{name}_high": found.high}
        rows.append(row)
    return rows


def _mean_of(means: TaskMeans, row: TaskMean, which: str = "") -> dict[str, Any]:
    found = {"model": means.model, "task": f"mean of {len(means.tasks)}{which}", "recipe": row.condition.method}
    found |= {"examples": row.condition.examples, "n": row.score.n}
    found |= {"score": row.score.value, "low": row.score.low, "high": row.score.high}
    for name, gain in {"gain": row.gain, "above_control": row.above_control}.items():
        if gain is not None:
            found |= {name: gain.value, f"{name}_low": gain.low, f"{name}_high": gain.high}
    return found


def tables(frame: pd.DataFrame) -> str:
    """The tables of both models in Markdown, by the order of the suite."""
    parts = []
    for model in _NAMES:
        mine = frame[frame.model == model]
        parts += [f"### {_NAMES[model]}\n", *_table(mine), "", *_counts(mine), ""]
    return "\n".join(parts)


def _table(frame: pd.DataFrame) -> list[str]:
    head = ["task", "n", "chance", "zero-shot", "8 shots", *(f"LoRA, {size}" for size in _SIZES)]
    head += [f"from scratch, {_LARGEST}", "gain over zero-shot", "gain above from scratch"]
    lines = [f"| {' | '.join(head)} |", f"| {' | '.join('---' for _ in head)} |"]
    for task in frame.task.unique():
        cells = frame[frame.task == task]

        def at(recipe: str, examples: int | None = None, cells: pd.DataFrame = cells) -> Any:
            found = cells[(cells.recipe == recipe) & (True if examples is None else cells.examples == examples)]
            return None if found.empty else found.iloc[0]

        plain, last = at("zero_shot"), at("iid_sft", _LARGEST)
        chance = "" if pd.isna(plain.chance) else f"{100 * plain.chance:.0f}"
        row = [task, str(plain.n), chance, _score(plain), _score(at("few_shot"))]
        row += [_score(at("iid_sft", size)) for size in _SIZES]
        row += [_score(at("ngrams", _LARGEST)), _gain(last, "gain"), _gain(last, "above_control")]
        lines.append(f"| {' | '.join(row)} |")
    return lines


def _score(row: Any) -> str:
    return "–" if row is None else f"{100 * row.score:.0f} [{100 * row.low:.0f}, {100 * row.high:.0f}]"


def _gain(row: Any, name: str) -> str:
    if row is None or pd.isna(row[name]):
        return "–"
    return f"{100 * row[name]:+.0f} [{100 * row[f'{name}_low']:+.0f}, {100 * row[f'{name}_high']:+.0f}]"


def _counts(frame: pd.DataFrame) -> list[str]:
    """On how many tasks training gains at the largest size that all have, by the interval of each."""
    last = frame[(frame.recipe == "iid_sft") & (frame.examples == _LARGEST)]
    last = last[~_is_mean(last)]
    said = []
    for name, what in (("gain", "over zero-shot"), ("above_control", "above from scratch")):
        known, up, down = last[last[name].notna()], last[last[f"{name}_low"] > 0], last[last[f"{name}_high"] < 0]
        said.append(
            f"- Gain {what} of LoRA on {_LARGEST} examples: above 0 on {len(up)} of {len(known)} tasks by the interval "
            f"of each, below 0 on {len(down)}{_named(down)}; the interval contains 0 on "
            f"{len(known) - len(up) - len(down)}."
        )
    both = last[(last.gain_low > 0) & (last.above_control_low > 0)]
    taught = last[(last.gain_low > 0) & (last.above_control_low <= 0)]
    said.append(f"- Both above 0: {len(both)}{_named(both)}.")
    said.append(f"- Over zero-shot, but not shown to be above what the rows teach: {len(taught)}{_named(taught)}.")
    return [fill(line, 120, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False) for line in said]


def _is_mean(frame: pd.DataFrame) -> pd.Series:
    return frame.task.str.startswith("mean of")


def _named(frame: pd.DataFrame) -> str:
    return f" ({', '.join(f'`{task}`' for task in frame.task)})" if len(frame) else ""


def draw(frame: pd.DataFrame, path: Path) -> None:
    """Small multiples: a panel per task, score against examples, both models, and what the rows alone teach."""
    mpl.rcParams.update({"font.size": 7, "svg.hashsalt": "educe", "axes.spines.top": False, "axes.spines.right": False})
    tasks = list(frame[~_is_mean(frame)].task.unique())
    figure, panels = plt.subplots(5, 5, figsize=(10, 10.4), sharex=True, sharey=True, layout="constrained")
    for axes, task in zip(panels.flat, tasks, strict=True):
        _panel(axes, frame[frame.task == task])
        axes.set_title(f"{task} (n = {frame[frame.task == task].n.iloc[0]})", fontsize=7.5)
    for axes in panels[-1]:
        axes.set_xlabel("labelled examples")
    for axes in panels[:, 0]:
        axes.set_ylabel("accuracy, %")
    handles = [plt.Line2D([], [], color=color, marker="o", markersize=3) for color in _COLORS.values()]
    names = [f"{_NAMES[model]}: LoRA" for model in _COLORS]
    styles: list[tuple[str, dict[str, Any]]] = [
        ("zero-shot", {"linestyle": "-", "linewidth": 0.8}),
        ("8 shots", {"linestyle": ":", "linewidth": 1.2}),
    ]
    for name, style in styles:
        handles.append(plt.Line2D([], [], color="black", **style))
        names.append(name)
    handles += [
        plt.Line2D([], [], color="#888888", linewidth=1),
        plt.Line2D([], [], color="#bbbbbb", linestyle=(0, (1, 2))),
    ]
    names += ["n-grams from scratch on the same rows", "chance"]
    figure.legend(handles, names, loc="outside upper center", ncols=3, frameon=False, fontsize=8)
    figure.savefig(path, dpi=130, metadata={"Software": None})
    plt.close(figure)


def _panel(axes: Any, frame: pd.DataFrame) -> None:
    for model, color in _COLORS.items():
        mine = frame[frame.model == model]
        for recipe, style in (("zero_shot", "-"), ("few_shot", ":")):
            for score in mine[mine.recipe == recipe].score:
                axes.axhline(100 * score, color=color, linestyle=style, linewidth=0.8 if style == "-" else 1.2)
        curve = mine[mine.recipe == "iid_sft"].sort_values("examples")
        axes.fill_between(curve.examples, 100 * curve.low, 100 * curve.high, color=color, alpha=0.15, linewidth=0)
        axes.plot(curve.examples, 100 * curve.score, color=color, marker="o", markersize=3, linewidth=1.4)
        scratch = mine[mine.recipe == "ngrams"].sort_values("examples")
        axes.plot(scratch.examples, 100 * scratch.score, color="#888888", linewidth=1)
    chance = frame.chance.dropna()
    if not chance.empty:
        axes.axhline(100 * chance.iloc[0], color="#bbbbbb", linestyle=(0, (1, 2)), linewidth=0.8)
    axes.set_xscale("log")
    axes.set_xticks(_SIZES, [str(size) for size in _SIZES])
    axes.minorticks_off()
    axes.set_xlim(3, 340)
    axes.set_ylim(-2, 102)


def main(folders: Sequence[str]) -> None:
    """Keep the points of run directories, if there are any, and write figure and tables from the points."""
    if folders:
        points([Path(folder) for folder in folders]).to_parquet(POINTS, index=False)
    frame = pd.read_parquet(POINTS)
    draw(frame, FIGURE)
    PAGE.write_text(between_marks(PAGE.read_text("utf-8"), tables(frame).rstrip("\n")), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])

"""The tables and figures of a page of docs/results that is about one study.

python -m tests.study_page NAME RUN [RUN ...]

reads run directories of recipes/studies/NAME.yaml and keeps the points of all conditions in docs/results/NAME.parquet;

python -m tests.study_page NAME

draws NAME.png and writes the tables into docs/results/NAME.md, between its marks, from that file alone.
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd

from educe.eval.analysis.conditions import Condition, by_task_and_model, compare, ordered, plain_prompting, pool
from educe.eval.analysis.controls import controlled
from educe.eval.analysis.statistics.paired import Difference
from educe.eval.report.style import CONTROL, RC, numbered_style
from educe.eval.report.text import count, flops, interval_text
from educe.recipes.runner.results import load_results
from tests.certify_page import END, START, between_marks
from tests.tree import REPOSITORY

FOLDER = REPOSITORY / "docs" / "results"
_HEAD = ("recipe", "examples", "labels", "FLOPs", "seeds", "score", "over zero-shot", "over its control")


def points(folders: Sequence[Path]) -> pd.DataFrame:
    """One row per condition of these runs."""
    conditions = pool(each for folder in folders for each in load_results(folder).measurements)
    return pd.DataFrame([row for pair in by_task_and_model(conditions) for row in _rows(pair)])


def _rows(pair: Sequence[Condition]) -> list[dict[str, Any]]:
    """The conditions of one model and task."""
    plain, controls = plain_prompting(pair), controlled(pair)
    made = []
    for each in ordered(pair):
        control = controls.get(each)
        gain = None if plain is None or plain is each else compare(each, plain)
        made.append(
            {
                "model": each.model,
                "task": each.task,
                "recipe": _without_folders(each.name),
                "role": each.role,
                "examples": each.examples,
                "labels": each.labelled_examples,
                "flops": each.elicitation_flops,
                "parameters": each.trainable_parameters,
                "seeds": each.num_seeds,
                "n": each.n,
                "chance": each.chance,
                "score": each.score,
                "low": each.low,
                "high": each.high,
                **_parts("gain", gain),
                "control": None if control is None else control.name,
                **_parts("above_control", None if control is None else compare(each, control)),
            }
        )
    return made


def _without_folders(recipe: str) -> str:
    """The name of a recipe in which a path keeps its last part: where it lay is of no use to a reader."""
    return re.sub(r"'/[^']*/([^'/]+)'", r"'\1'", recipe)


def _parts(name: str, found: Difference | None) -> dict[str, float | None]:
    if found is None:
        return {f"{name}{end}": None for end in ("", "_low", "_high", "_p")}
    return {name: found.difference, f"{name}_low": found.low, f"{name}_high": found.high, f"{name}_p": found.p}


def tables(frame: pd.DataFrame) -> str:
    """A table for each task and model."""
    parts = []
    for (task, model), rows in frame.groupby(["task", "model"], sort=False):
        first = rows.iloc[0]
        chance = "" if pd.isna(first["chance"]) else f", chance {100 * first['chance']:.0f}%"
        parts.append(f"### {task}, {model}\n\n{first['n']} items{chance}.\n\n{_table(rows)}")
    return "\n\n".join(parts)


def _table(rows: pd.DataFrame) -> str:
    lines = [_HEAD, ("---",) * len(_HEAD)]
    for row in rows.to_dict("records"):
        lines.append(
            (
                f"`{row['recipe']}`",
                str(row["examples"]),
                count(row["labels"]),
                flops(row["flops"]) if row["flops"] else "0",
                str(row["seeds"]),
                _interval(row, "score", "low", "high", ".0f"),
                _interval(row, "gain", "gain_low", "gain_high", "+.0f"),
                _interval(row, "above_control", "above_control_low", "above_control_high", "+.0f"),
            )
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _interval(row: dict[str, Any], value: str, low: str, high: str, spec: str) -> str:
    """In percent or points; a dash where there is none."""
    if pd.isna(row[value]):
        return "–"
    return interval_text(100 * row[value], 100 * row[low], 100 * row[high], spec)


def draw(frame: pd.DataFrame, path: Path) -> Path:
    """A panel for each task and model: the score of every recipe with its interval, controls in grey, chance dashed."""
    groups = list(frame.groupby(["task", "model"], sort=False))
    heights = [len(rows) for _, rows in groups]
    with mpl.rc_context(RC):
        figure, axes = plt.subplots(
            len(groups), 1, figsize=(8.5, 0.3 * sum(heights) + 0.9 * len(groups)), sharex=True, squeeze=False,
            gridspec_kw={"height_ratios": heights, "hspace": 0.5},
        )  # fmt: skip
        for panel, ((task, model), rows) in zip(axes[:, 0], groups, strict=True):
            _draw_panel(panel, rows)
            panel.set_title(f"{task}, {model}", loc="left")
        axes[-1, 0].set_xlabel("right, %, mean of seeds with its 95% interval; grey: controls; dashed: guessing")
        figure.savefig(path, dpi=150, bbox_inches="tight")
        plt.close(figure)
    return path


def _draw_panel(panel: Any, rows: pd.DataFrame) -> None:
    names = [f"{fill(row.recipe, 60)}{f', {row.examples} rows' if row.examples else ''}" for row in rows.itertuples()]
    for place, row in enumerate(rows.itertuples()):
        color = CONTROL.color if row.role == "control" else numbered_style(0).color
        panel.plot([100 * row.low, 100 * row.high], [place, place], color=color, linewidth=1.5)
        panel.plot([100 * row.score], [place], marker="o", color=color)
    if not pd.isna(rows.iloc[0]["chance"]):
        panel.axvline(100 * rows.iloc[0]["chance"], color=CONTROL.color, linestyle="--", linewidth=1)
    panel.set_yticks(range(len(rows)), names)
    panel.set_ylim(len(rows) - 0.5, -0.5)
    panel.set_xlim(0, 100)


def new_page(name: str) -> str:
    """A page with its figure and the marks between which its tables go."""
    return f"# {name}\n\n![{name}]({name}.png)\n\n{START}\n{END}\n"


def write(name: str, folder: Path) -> Path:
    """Write the tables between the marks of the page, which is made where there is none."""
    page = folder / f"{name}.md"
    text = page.read_text("utf-8") if page.exists() else new_page(name)
    frame = pd.read_parquet(folder / f"{name}.parquet")
    draw(frame, folder / f"{name}.png")
    page.write_text(between_marks(text, tables(frame)), "utf-8")
    return page


def main(name: str, runs: Sequence[str]) -> None:
    """Keep what runs show, if any are named, and write the page's tables from that."""
    if runs:
        points([Path(run) for run in runs]).to_parquet(FOLDER / f"{name}.parquet", index=False)
    print(write(name, FOLDER))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])

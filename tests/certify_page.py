"""The tables and the figures of docs/results/certify.md.

python -m tests.certify_page RUN [RUN ...]

reads run directories of recipes/studies/certify.yaml and certify_scratch.yaml and keeps what each recipe showed of each
model in certify.parquet;

python -m tests.certify_page --add RUN [RUN ...]

adds what the same recipes showed of other models, such as more twins;

python -m tests.certify_page

draws the figures and writes the tables into the page from that file alone.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import pandas as pd

from educe.eval.analysis.certify import Attempt, Detection, attempts, detections
from educe.eval.analysis.conditions import pool
from educe.eval.analysis.detectors import DETECTORS, Reading
from educe.eval.analysis.statistics.intervals import Estimate
from educe.eval.report.organism_figures import gaps_figure, kind_order, roc_figure
from educe.eval.report.organisms import (
    ATTEMPT_COLUMNS,
    READING_PARTS,
    area_text,
    how_many,
    kinds_of,
    organism_table,
    price_rows,
    rate_text,
)
from educe.eval.report.style import save
from educe.eval.report.text import count, flops
from educe.recipes.runner.results import load_results
from tests.tree import REPOSITORY

FOLDER = REPOSITORY / "docs" / "results"
START, END = "<!-- tables -->", "<!-- end of tables -->"
_DRAWN_OF_A_KIND = 4
_OF_GAP = ("gap", "gap_low", "gap_high", "gap_interval")


def points(folders: Sequence[Path]) -> pd.DataFrame:
    """One row per model, recipe and budget of these runs, with the columns of organisms.csv."""
    found = [each for folder in folders for each in attempts(pool(load_results(folder).measurements))]
    return pd.DataFrame(organism_table(found))


def read_attempts(frame: pd.DataFrame) -> list[Attempt]:
    """The rows as the analysis has them, missing values as None."""
    return [_attempt({str(name): _plain(value) for name, value in row.items()}) for row in frame.to_dict("records")]


def _plain(value: Any) -> Any:
    return None if value is None or pd.isna(value) else value


def _attempt(row: Mapping[str, Any]) -> Attempt:
    known = {name: row[name] for name in ATTEMPT_COLUMNS if name not in _OF_GAP}
    value, low, high, kind = (row[name] for name in _OF_GAP)
    readings = {
        name: Reading(**{part: row[f"{name} {part}"] for part in READING_PARTS})
        for name in DETECTORS
        if row[f"{name} z"] is not None
    }
    gap = None if value is None else Estimate(value=value, low=low, high=high, kind=kind, n=int(row["n"]))
    return Attempt(**known, gap=gap, readings=readings)


def tables(found: Sequence[Attempt]) -> str:
    """What is said of the number of models, and both tables, in Markdown."""
    told = sorted(detections(found), key=lambda each: kind_order(each.positives[0]))
    parts = [_wrapped(how_many(found)), "### Which recipe sees through which lock, at what price", *_bases(found)]
    return "\n\n".join([*parts, "### How surely they are told apart", _told(told)])


def _bases(found: Sequence[Attempt]) -> list[str]:
    """A table of prices for each task, with all of its bases."""
    made = []
    for task in sorted({each.task for each in found}):
        mine = [each for each in found if each.task == task]
        made += [f"`{task}`: {', '.join(sorted({f'`{each.base}`' for each in mine}))}.", _prices(mine)]
    return made


def _prices(found: Sequence[Attempt]) -> str:
    kinds = [f"{kind.replace('_', ' ')}, {'%' if hides else 'points'}" for kind, hides in kinds_of(found)]
    rows = [
        [
            row.recipe,
            count(row.labelled_examples),
            flops(row.elicitation_flops),
            count(row.trainable_parameters),
            *row.cells,
        ]
        for row in price_rows(found)
    ]
    return _table(["recipe", "labels", "FLOPs", "parameters", *kinds], rows)


def _told(told: Sequence[Detection]) -> str:
    head = ["recipe", "gain", "area by z", "area by points", "p < 0.05: found", "false positives"]
    head += ["threshold of others: found", "false positives", "promised, %"]
    rows = [
        [
            each.recipe, each.detector, area_text(each.by_z), area_text(each.by_points),
            rate_text(each.stated.positives), rate_text(each.stated.negatives),
            *(["–"] * 3 if each.chosen is None else [
                rate_text(each.chosen.positives), rate_text(each.chosen.negatives), f"{100 * each.chosen.promised:.0f}",
            ]),
        ]
        for each in told
    ]  # fmt: skip
    return _table(head, rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _wrapped(text: str) -> str:
    return fill(text, 120, break_long_words=False, break_on_hyphens=False)


def draw(found: Sequence[Attempt], folder: Path) -> list[Path]:
    """The figures as PNG: what each recipe found, and ROC curves."""
    drawn = []
    for name, figure in (("certify", gaps_figure(_few(found))), ("certify-roc", roc_figure(detections(found)))):
        if figure is not None:
            svg, png = save(figure, folder / name)
            svg.unlink()
            drawn.append(png)
    return drawn


def _few(found: Sequence[Attempt]) -> list[Attempt]:
    """The first models of each kind and base: a figure of all twins would be as long as there are twins."""
    kept: dict[tuple[str, str, str], list[str]] = {}
    for each in found:
        models = kept.setdefault((each.base, each.task, each.kind), [])
        if each.model not in models and len(models) < _DRAWN_OF_A_KIND:
            models.append(each.model)
    return [each for each in found if each.model in kept[each.base, each.task, each.kind]]


def write(frame: pd.DataFrame, folder: Path) -> Path:
    """Draw the figures, and write the tables between the marks of the page, which is made where there is none."""
    found, page = read_attempts(frame), folder / "certify.md"
    drawn = draw(found, folder)
    text = page.read_text("utf-8") if page.exists() else _new_page(drawn)
    page.write_text(between_marks(text, tables(found)), "utf-8")
    return page


def between_marks(text: str, made: str) -> str:
    """A page with other tables between its marks."""
    head, _, rest = text.partition(START)
    _, _, tail = rest.partition(END)
    return f"{head}{START}\n\n{made}\n\n{END}{tail}"


def _new_page(drawn: Sequence[Path]) -> str:
    figures = "\n\n".join(f"![{path.stem}]({path.name})" for path in drawn)
    return f"# What each recipe finds in organisms\n\n{figures}\n\n{START}\n{END}\n"


def added(kept: pd.DataFrame, more: pd.DataFrame) -> pd.DataFrame:
    """What was kept, with the models that it lacks, on the recipes that it has."""
    new = more[~more["model"].isin(kept["model"]) & more["recipe"].isin(kept["recipe"])]
    return pd.concat([kept, new.astype(kept.dtypes)], ignore_index=True)


def main(arguments: Sequence[str]) -> None:
    """Keep what run directories show, if there are any, and write figures and tables from that file."""
    path, folders = FOLDER / "certify.parquet", [Path(each) for each in arguments if each != "--add"]
    if folders:
        frame = points(folders)
        frame = added(pd.read_parquet(path), frame) if "--add" in arguments else frame
        frame.to_parquet(path, index=False)
    print(write(pd.read_parquet(path), FOLDER))


if __name__ == "__main__":
    main(sys.argv[1:])

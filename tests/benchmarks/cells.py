"""Many cells: what a run adds to each, and how long a directory that has them takes to resume and to list.

The cells are the cheapest there are: a few-shot prompt of the tiny model on one item. A cell's share of the run, less
what workers measured inside cells, is what scheduling, storing and showing cost; the report is left out. The directory
of ten times as many results is written by the store, from one real result of each recipe under other seeds. "Theirs" is
the limit: 50 ms a cell with each engine, 3 s to resume a finished study, 5 s to list its rows or to ask a question.

python -m tests.benchmarks cells
"""

import subprocess
import sys
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from unittest.mock import patch

from educe.eval.measurement import Measurement
from educe.recipes.runner.progress import Progress
from educe.recipes.runner.results import Results, load_results
from educe.recipes.runner.run_study import run_study
from educe.recipes.runner.store import Store
from educe.recipes.runner.study import Study
from tests.benchmarks.pairs import Pair, timed
from tests.recipes.small import small_study

ENGINES, WORKERS = ("local", "ray", "slurm"), 2
MOST_SEEDS = 10_000
SLURM = {"slurm": {"cluster": "local"}}
QUESTION = "select recipe, count(*) n, avg(score) mean from results group by recipe"


def run(cells: int = 10_000, repetitions: int = 3) -> list[Pair]:
    """Milliseconds a cell for each engine, and seconds of each command."""
    with tempfile.TemporaryDirectory() as folder:
        pairs = [_overhead(Path(folder) / engine, engine, cells) for engine in ENGINES]
        finished, many = Path(folder) / ENGINES[0] / "out", Path(folder) / "many"
        _write_many(many, 10 * cells)
        for work, limit, command in (
            (f"resume of {cells:,} finished cells", 3.0, ["resume", finished]),
            (f"results of {10 * cells:,} cells", 5.0, ["results", many / "out"]),
            (f"a question about {10 * cells:,} cells", 5.0, ["results", many / "out", "--sql", QUESTION]),
        ):
            seconds = [timed(partial(_educe, *map(str, command)))[1] for _ in range(repetitions)]
            pairs.append(_limit(work, median(seconds), limit, "s", repetitions))
    return pairs


def _study(folder: Path, cells: int) -> Study:
    """So many cells, at most 10,000 of a recipe: a list of more seeds would be longer than a study may be."""
    folder.mkdir()
    recipes = [{"few_shot": {"shots": shots}} for shots in range(1, 1 + -(-cells // MOST_SEEDS))]
    seeds = list(range(min(cells, MOST_SEEDS)))
    return small_study(folder, recipes=recipes, examples=[], seeds=seeds, test_items=1)


def _overhead(folder: Path, engine: str, cells: int) -> Pair:
    """What a cell takes of the run, of which two workers make two at a time, beyond what it took inside a worker."""
    study, inside = _study(folder, cells), []
    finish = Progress.finish

    def told(self: Progress, cell: object, measurement: Measurement, seconds: float) -> None:
        inside.append(seconds)
        finish(self, cell, measurement, seconds)  # type: ignore[arg-type]

    with patch.object(Progress, "finish", told), patch.object(Results, "report", _no_page):
        chosen = SLURM if engine == "slurm" else engine
        results, seconds = timed(lambda: run_study(study, folder / "out", workers=WORKERS, engine=chosen))
    assert len(results.measurements) == len(inside) == cells
    each = 1e3 * (seconds - sum(inside) / WORKERS) / cells
    return _limit(f"one of {cells:,} cells, engine {engine}", each, 50.0, "ms", 1)


def _no_page(results: Results, command: object = "report") -> Path:
    """The tables of a report without its page, which takes minutes for so many cells."""
    page = results.folder / "report.html"
    page.write_text("left out")
    results.write_table()
    return page


def _write_many(folder: Path, cells: int) -> None:
    """A directory with so many results, each written, sealed and listed as a run does it, and their table."""
    study = _study(folder, cells)
    listed = study.cells()
    run_study(study.model_copy(update={"seeds": (0,)}), folder / "one")
    made = {each.recipe: each for each in load_results(folder / "one").measurements}
    store = Store(folder / "out")
    with store.claim(), patch("educe.recipes.runner.store.sync_folder"), patch("educe.data.writing._sync"):
        store.begin(study_text=study.text(), cells=listed)
        for cell in listed:
            one = made[cell.recipe]
            provenance = replace(one.provenance, cell=cell.key, cohort=(cell.listed.folder,))
            store.write(cell, replace(one, seed=cell.seed, provenance=provenance), save_adapter=None)
        _no_page(Results.of(store))


def _limit(work: str, ours: float, limit: float, unit: str, repetitions: int) -> Pair:
    pair = Pair(
        work=work, against="the limit", ours=ours, theirs=limit, ratio=limit / ours, least=1.0,
        repetitions=repetitions, unit=unit,
    )  # fmt: skip
    print(pair, flush=True)
    return pair


def _educe(*arguments: str) -> None:
    subprocess.run([sys.executable, "-P", "-m", "educe.recipes.cli", *arguments], check=True, stdout=subprocess.DEVNULL)

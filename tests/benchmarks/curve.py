"""A whole small curve against the usual way: for each cell one command trains with TRL and one evaluates with lm-eval.

Two recipes, four sizes, two seeds, each cell trained on 32 rows in all (the recipes' default is up to 256). Both sides
are commands; ours pays for its start-up once, the usual way 32 times. The cells of the usual way cost alike, so four
are run (both recipes, the smallest and the largest size, one seed) and count four times. In the second row it pays for
no start-up: its imports and the loading of models are taken off, and ours stay. Checked: lm-eval gives one of our
adapters the score that we gave it, up to one item.

python -m tests.benchmarks.curve
"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from educe.recipes.runner.results import load_results
from tests.benchmarks.pairs import GEMMA, Pair, reported, timed


@dataclass(frozen=True, kw_only=True)
class Curve:
    """The cells of a curve, how many items test each, and on how many rows each trains in all."""

    recipes: Sequence[str] = ("iid_sft", "minimal_lora")
    sizes: Sequence[int] = (4, 8, 16, 32)
    seeds: Sequence[int] = (0, 1)
    items: int = 100
    passes: int = 32

    def study(self) -> dict[str, Any]:
        """As a study file has it."""
        return {
            "name": "curve",
            "models": [GEMMA],
            "tasks": ["word_sentiment"],
            "recipes": [{recipe: {"max_examples_seen": self.passes}} for recipe in self.recipes],
            "examples": list(self.sizes),
            "seeds": list(self.seeds),
            "test_items": self.items,
            "dtype": "float32",
        }


def run(curve: Curve = Curve()) -> list[Pair]:
    """One pair each: both sides take minutes."""
    some = replace(curve, sizes=[min(curve.sizes), max(curve.sizes)], seeds=curve.seeds[:1])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        study = folder / "curve.yaml"
        study.write_text(yaml.safe_dump(curve.study()), "utf-8")
        _, ours = timed(lambda: command("educe.recipes.cli", "run", study, "--out", folder / "run"))
        work, theirs = timed(lambda: usual_way(some, folder / "usual"))
        check_score(curve, folder / "run", folder / "usual" / "asked.json")
    cells = len(curve.recipes) * len(curve.sizes) * len(curve.seeds)
    times = cells / (len(some.recipes) * len(some.sizes) * len(some.seeds))
    curves = f"a curve of {cells} cells, {GEMMA}, {curve.items} items"
    return [
        reported(curves, "TRL stock, then lm-eval, per cell", [(ours, times * theirs)], least=20.0),
        reported(curves, "the same without their start-ups", [(ours, times * work)], least=9.0),
    ]


def command(module: str, *arguments: object) -> str:
    """What a module prints, run in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def usual_way(curve: Curve, folder: Path) -> float:
    """Every cell from nothing, each over the last; the seconds without imports and loading."""
    seconds = 0.0
    for recipe in curve.recipes:
        for size in curve.sizes:
            for seed in curve.seeds:
                settings = (recipe, size, seed, folder, curve.items, curve.passes)
                seconds += float(command("tests.benchmarks.usual", "train", *settings).split()[-1])
                seconds += evaluate(folder, folder / "asked.json")[0]
    return seconds


def evaluate(adapter: Path, asked: Path) -> tuple[float, float]:
    """Seconds and the score that lm-eval gives an adapter."""
    seconds, score = command("tests.benchmarks.usual", "evaluate", adapter, asked).split()[-2:]
    return float(seconds), float(score)


def check_score(curve: Curve, folder: Path, asked: Path) -> None:
    """lm-eval gives the adapter of one of our cells the score that we gave it."""
    (cell, *_) = load_results(folder).measurements
    (saved,) = folder.glob(f"cells/{GEMMA}/{cell.task}/{cell.method}*/n{cell.examples}-s{cell.seed}-*/adapter")
    _, theirs = evaluate(saved, asked)
    assert abs(theirs - cell.score) < 1.5 / curve.items, (cell, theirs)


if __name__ == "__main__":
    run()

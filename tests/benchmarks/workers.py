"""Cells of the quickstart with workers and cohorts against one process that runs one cell at a time.

Two of its five seeds and no prompt search: 60 cells of the 164, with both models and tasks, the other recipes and all
sizes. Both sides are commands with the models in the cache. Checked: all picks are equal outside ties. Then the same
with a program that keeps one core busy ("ours"), against itself on idle cores: equal to the bit, and at most 2.5
times as long.

python -m tests.benchmarks.workers
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from educe.recipes.runner.results import load_results
from tests.benchmarks.pairs import Pair, reported, timed
from tests.conftest import REPOSITORY

QUICKSTART = REPOSITORY / "recipes" / "studies" / "quickstart.yaml"
CHANGES = {"seeds": [0, 1], "compare": []}
CELLS = 60
TIE = 0.01  # nats
# Runs a study with cohorts of one.
ALONE = """
import educe.train.limits
educe.train.limits.MAX_TOGETHER = 1
from educe.recipes.cli import main
main()
"""


def run() -> list[Pair]:
    """One pair each: every side takes minutes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        study = folder / "study.yaml"
        values = yaml.safe_load(QUICKSTART.read_text("utf-8")) | CHANGES
        values["recipes"] = [each for each in values["recipes"] if "prompt_search" not in each]
        study.write_text(yaml.safe_dump(values), "utf-8")
        arguments = ["run", str(study), "--out"]
        module = ["-m", "educe.recipes.cli", *arguments]
        _, ours = timed(lambda: _python(*module, str(folder / "ours")))
        _, theirs = timed(lambda: _python("-c", ALONE, *arguments, str(folder / "theirs"), "--workers", "1"))
        check(folder / "ours", folder / "theirs")
        with _busy_core():
            _, busy = timed(lambda: _python(*module, str(folder / "busy")))
        check(folder / "ours", folder / "busy", exactly=True)
    cells = f"{CELLS} cells of the quickstart"
    return [
        reported(f"{cells}, workers and cohorts", "one process, one cell at a time", [(ours, theirs)], least=1.9),
        reported(f"{cells}, one core busy elsewhere", "idle cores", [(busy, ours)], least=1 / 2.5),
    ]


def check(one: Path, other: Path, *, exactly: bool = False) -> None:
    """The same cells, with the same picks outside ties, or with the same outcomes to the bit."""
    first, second = (load_results(each).measurements for each in (one, other))
    assert len(first) == len(second) == CELLS, (len(first), len(second))
    different = 0
    for mine, theirs in zip(first, second, strict=True):
        for left, right in zip(mine.outcomes, theirs.outcomes, strict=True):
            assert not exactly or left == right, (mine.cell_name, left, right)
            different += left.picked != right.picked and min(left.margin, right.margin) > TIE
    print(f"{different} picks differ outside ties", flush=True)


@contextmanager
def _busy_core() -> Iterator[None]:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        try:
            yield
        finally:
            busy.kill()


def _python(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True)


if __name__ == "__main__":
    run()

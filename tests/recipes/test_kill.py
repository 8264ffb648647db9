"""Studies killed with SIGKILL at random moments and started again: the same results, and no cell run twice."""

import csv
import io
import multiprocessing
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from educe.recipes.runner.results import load_results
from tests.conftest import REPOSITORY
from tests.recipes.small import main_without_figures, result_files, study_file

# Loaded once by the server that the quick processes are forked from.
HEAVY = [
    "pandas",
    "peft",
    "accelerate",
    "filelock",
    "educe.eval.measure",
    "educe.train.choose",
    "educe.recipes.runner.run_study",
]


class Running(Protocol):
    """A started command."""

    def kill(self) -> None:
        """SIGKILL."""

    def wait(self, seconds: float | None) -> int | None:
        """Exit code, or None where it is not over yet."""


class Real:
    """`python -m educe.recipes.cli`, imports and all."""

    def __init__(self, arguments: list[str]) -> None:
        command = [sys.executable, "-m", "educe.recipes.cli", *arguments]
        self.process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def wait(self, seconds: float | None) -> int | None:
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None


class Forked:
    """The same command in a process that starts with everything imported, and draws no figures."""

    def __init__(self, arguments: list[str]) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(HEAVY)
        self.process = context.Process(target=main_without_figures, args=([*arguments, "--workers", "1"],))
        self.process.start()

    def kill(self) -> None:
        self.process.kill()
        self.process.join()

    def wait(self, seconds: float | None) -> int | None:
        self.process.join(seconds)
        return self.process.exitcode


def wait_for_paths(running: Running, folder: Path, number: int) -> None:
    """Return when the process has written so many paths that were not there before, or is over."""
    before, seen = _paths(folder), set()
    while len(seen) < number and running.wait(0.005) is None:
        seen |= _paths(folder) - before


def _paths(folder: Path) -> set[str]:
    return {os.path.join(place, name) for place, folders, files in os.walk(folder) for name in (*folders, *files)}


@pytest.mark.parametrize(("start", "num_kills"), [(Forked, 3), pytest.param(Real, 10, marks=pytest.mark.slow)])
def test_killed_again_and_again_gives_the_results_of_an_uninterrupted_run(
    start: Callable[[list[str]], Running], num_kills: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # the order of sums is part of "byte for byte", and threads only wait
    study = str(study_file(tmp_path, seeds=[0, 1]))
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert start(["run", study, "--out", str(whole)]).wait(None) == 0
    moments = random.Random(0)
    known: dict[str, tuple[int, int]] = {}
    counts = []
    for _ in range(num_kills):
        running = start(["run", study, "--out", str(killed)])
        # A moment is so many new paths and a little later: as random as a time, and the same on a slow machine.
        wait_for_paths(running, killed, moments.randint(1, 14))
        time.sleep(moments.uniform(0, 0.1))
        running.kill()
        now = result_files(killed) if killed.exists() else {}
        assert known.items() <= now.items(), "a finished cell was run again"
        known = now
        counts.append(len(known))
    assert start(["run", study, "--out", str(killed)]).wait(None) == 0
    print(f"cells on disk after each of {num_kills} kills: {counts}")
    assert counts[0] < 7 and any(counts), "the kills came too late or too early to show anything"
    final = result_files(killed)
    assert known.items() <= final.items() and set(final) == set(result_files(whole)) and len(final) == 7
    assert _scores(killed) == _scores(whole)
    assert not list((killed / ".scratch").iterdir())
    assert {each.name for each in killed.iterdir()} == {each.name for each in whole.iterdir()}


def _scores(out: Path) -> list[list[str]]:
    """The table as `educe results` prints it, but for the seconds."""
    header, *rows = csv.reader(io.StringIO(load_results(out).text("csv")))
    return [
        [cell for name, cell in zip(header, row, strict=True) if name != "elicitation_seconds"]
        for row in (header, *rows)
    ]

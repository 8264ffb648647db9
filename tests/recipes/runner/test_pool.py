"""Workers: the same bytes from one process or several, and nothing lost where one of them dies."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from educe.data.errors import RunStopped
from educe.recipes.runner import pool
from educe.recipes.runner.engines.local import Local
from educe.recipes.runner.results import load_results
from educe.recipes.runner.run_study import run_study
from tests.conftest import REPOSITORY
from tests.recipes.small import no_figures, run_cli, small_study, study_file, study_values

RECIPES = ["zero_shot", {"few_shot": {"shots": 2}}, {"iid_sft": {"rank": 2, "epochs": 2}}, "ia3", "ngrams"]
# What depends on the moment and not on the cell.
MOMENT = {"seconds"}


def contents(out: Path) -> dict[str, Any]:
    """Every result's files, byte for byte but for seconds."""
    found: dict[str, Any] = {}
    for path in sorted((out / "cells").rglob("*")):
        if path.name == "measurement.json":
            values = json.loads(path.read_text())
            values["spend"] = {key: value for key, value in values["spend"].items() if key not in MOMENT}
            found[str(path.relative_to(out))] = values
        elif path.is_file() and path.name != "seal.json":
            found[str(path.relative_to(out))] = path.read_bytes()
    return found


@pytest.mark.parametrize("more", [(), pytest.param((3, 4), marks=pytest.mark.slow)])
def test_results_are_the_same_bytes_whatever_the_number_of_workers(
    more: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_figures(monkeypatch)
    study = small_study(tmp_path, recipes=RECIPES, seeds=[0, 1], models=["tiny-random", {"tiny-random": {"name": "b"}}])
    outs = {}
    for workers in (1, 2, *more):
        run_study(study, tmp_path / str(workers), workers=workers)
        outs[workers] = contents(tmp_path / str(workers))
    assert len(outs[1]) > 3 * len(study.cells())
    assert all(each == outs[1] for each in outs.values())
    said = capsys.readouterr().err
    assert "2 workers, 1 thread each" in said
    assert said.count(f"[{len(study.cells())}/{len(study.cells())}]") == len(outs)


def test_threads_are_the_study_s_and_part_of_the_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    no_figures(monkeypatch)
    before = torch.get_num_threads()
    one, two = (small_study(tmp_path, recipes=["zero_shot"], threads=count) for count in (1, 2))
    assert one.cells()[0].key != two.cells()[0].key
    for study, workers in ((one, 1), (two, 1), (two, 2)):
        out = tmp_path / f"{study.threads}-{workers}"
        (result,) = run_study(study, out, workers=workers).measurements
        assert result.provenance.threads == study.threads
    assert torch.get_num_threads() == before


@pytest.mark.slow
def test_a_worker_that_dies_is_replaced_and_its_cells_are_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_figures(monkeypatch)
    study = small_study(tmp_path, recipes=RECIPES, seeds=[0, 1], models=[{"tiny-random": {"name": "b"}}])
    whole = tmp_path / "whole"
    run_study(study, whole)
    inner, killed = pool.Pool._feed, []

    def feed(self: Any, each: Any) -> None:
        inner(self, each)
        if len(killed) < 2:
            killed.append(each.process.pid)
            each.process.kill()

    monkeypatch.setattr(pool.Pool, "_feed", feed)
    run_study(study, tmp_path / "out", workers=2)
    assert contents(tmp_path / "out") == contents(whole) and len(killed) == 2
    assert "the worker process ended with signal SIGKILL; a new one takes its place" in capsys.readouterr().err


@pytest.mark.slow
def test_what_kills_every_worker_fails_and_the_rest_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_figures(monkeypatch)
    study = small_study(tmp_path, recipes=["zero_shot", {"few_shot": {"shots": 2}}, "ngrams"], seeds=[0])
    inner = pool.Pool._feed

    def feed(self: Any, each: Any) -> None:
        inner(self, each)
        if each.unit is not None and each.unit.cells[0].method_name == "few_shot":
            each.process.kill()

    monkeypatch.setattr(pool.Pool, "_feed", feed)
    results = run_study(study, tmp_path / "out", workers=2)
    assert [each.method for each in results.failures] == ["few_shot"]
    assert "ended with signal SIGKILL, 2 times" in results.failures[0].reason
    assert len(results.measurements) == len(study.cells()) - 1


def test_a_mistake_that_would_meet_every_cell_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker finds that the task's file changed after the run began; nothing is noted as failed."""
    no_figures(monkeypatch)
    study = small_study(tmp_path, recipes=["zero_shot", "ngrams"])
    inner = Local._start

    def start(self: Any, place: int) -> Any:
        path = tmp_path / "parity.jsonl"
        path.write_text(path.read_text().replace("Is 3 odd?", "Is 3 even?"))
        return inner(self, place)

    monkeypatch.setattr(Local, "_start", start)
    with pytest.raises(RunStopped, match="the study's files changed while it ran"):
        run_study(study, tmp_path / "out", workers=2)
    assert not (tmp_path / "out" / "failures").exists()


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_workers_end_with_the_run_and_leave_the_directory_whole(end: signal.Signals, tmp_path: Path) -> None:
    values = study_values(
        tmp_path, recipes=["zero_shot", {"iid_sft": {"rank": 2, "epochs": 400, "max_examples_seen": 10**6}}]
    )
    study = study_file(tmp_path, recipes=values["recipes"], seeds=list(range(12)))
    command = [sys.executable, "-P", "-m", "educe.recipes.cli", "run", str(study), "--out", str(tmp_path / "out")]
    command += ["--workers", "2"]
    with subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True, start_new_session=True) as run:
        limit = time.monotonic() + 120
        while not list((tmp_path / "out" / "cells").rglob("measurement.json")):
            assert run.poll() is None and time.monotonic() < limit, "no cell finished"
            time.sleep(0.05)
        workers = psutil.Process(run.pid).children()
        assert len(workers) == 2
        # A terminal interrupts the whole group, a scheduler often the process alone.
        os.killpg(run.pid, end) if end == signal.SIGINT else run.send_signal(end)
        _, said = run.communicate(timeout=30)
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive
    how = {signal.SIGINT: (130, "interrupted"), signal.SIGTERM: (143, "ended"), signal.SIGKILL: (-9, "")}[end]
    assert run.returncode == how[0] and (not how[1] or f"educe: {how[1]}; finished cells are kept" in said)
    assert "Traceback" not in said
    assert run_cli("verify", tmp_path / "out") in (0, 1)
    results = load_results(tmp_path / "out")
    assert results.measurements and not any(each.corrupt for each in results.failures)


@pytest.mark.parametrize("workers", ["0", "-1", "two", "1.5", "9999", ""])
def test_a_number_of_workers_that_is_none_is_refused(
    workers: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_cli("run", study_file(tmp_path), "--workers", workers) == 2
    assert "give 1 to 1024, or leave it out" in capsys.readouterr().err

"""Cells run by `accelerate launch` in real processes: the results of one process, and no process left."""

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest

from educe.recipes.runner import launcher, pool
from educe.recipes.runner.launch_settings import CONFIGS
from educe.recipes.runner.launcher import _Launched
from educe.recipes.runner.processes import early_process
from educe.recipes.runner.results import Results
from educe.recipes.runner.run_study import run_study
from educe.recipes.runner.study import Study
from tests.conftest import REPOSITORY
from tests.recipes.launching import assert_same
from tests.recipes.runner.test_launcher import study_of
from tests.recipes.small import no_figures, run_cli, study_file

LONG = {"iid_sft": {"rank": 2, "epochs": 400, "max_examples_seen": 10**6}}
deepspeed = pytest.mark.skipif(find_spec("deepspeed") is None, reason="pip install -e '.[distributed]'")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The same cell in one process."""
    patch, folder = pytest.MonkeyPatch(), tmp_path_factory.mktemp("plain")
    no_figures(patch)
    results = run_study(study_of(folder), folder / "out")
    patch.undo()
    return results


def assert_like(plain: Results, out: Path, study: Study, **run: Any) -> None:
    """A launched study has the same cell, once, with the same score and, up to rounding, the same adapter."""
    results = run_study(study, out, **run)
    (one,), (two,) = plain.measurements, results.measurements
    assert not results.failures
    assert one.provenance.cell == two.provenance.cell and one.provenance.threads == two.provenance.threads
    assert [each.relative_to(out) for each in out.rglob("measurement.json")] == [
        each.relative_to(plain.folder) for each in plain.folder.rglob("measurement.json")
    ]
    assert (one.score, one.spend.train_flops) == (two.score, two.spend.train_flops)
    assert_same(plain.folder, out)
    assert one.details.training is not None and two.details.training is not None
    assert (one.details.training.processes, two.details.training.processes) == (1, 2)
    assert run_cli("verify", out) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "config", ["ddp", pytest.param("zero2", marks=deepspeed), pytest.param("zero3", marks=deepspeed)]
)
def test_a_launched_cell_is_that_of_one_process(
    config: str, plain: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_figures(monkeypatch)
    assert_like(plain, tmp_path / "out", study_of(tmp_path, config))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("engine", ["ray", {"slurm": {"cluster": "local"}}], ids=["ray", "slurm"])
def test_whichever_engine_starts_the_worker(
    engine: Any, plain: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray" if engine == "ray" else "submitit")
    no_figures(monkeypatch)
    assert_like(plain, tmp_path / "out", study_of(tmp_path, "ddp"), engine=engine, workers=1)


def launched_processes() -> list[psutil.Process]:
    """The processes of launches that this one or its workers have started."""
    below = psutil.Process().children(recursive=True)
    return [each for each in below if "educe.recipes.runner.launched" in _command(each)]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def assert_none_left(processes: Sequence[psutil.Process]) -> None:
    assert len(processes) >= 2, "nothing was launched"
    _, alive = psutil.wait_procs(processes, timeout=90)
    assert not alive, [each.cmdline() for each in alive]


@pytest.mark.slow
def test_a_process_that_is_killed_fails_its_cell_and_the_next_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_figures(monkeypatch)
    found: list[psutil.Process] = []
    inner = _Launched._hear

    def hear(self: Any, source: Any, what: str, values: Any) -> None:
        if what == "within" and values[0] == "steps trained" and not found:
            found.extend(launched_processes())
            (second,) = [each for each in found if each.environ().get("RANK") == "1"]
            second.kill()
        inner(self, source, what, values)

    monkeypatch.setattr(_Launched, "_hear", hear)
    study = study_of(tmp_path, "ddp", recipes=[LONG, {"iid_sft": {"rank": 4, "epochs": 1}}])
    results = run_study(study, tmp_path / "out")
    assert_none_left(found)
    (failed,) = results.failures
    assert "process 2 of 2 of its launch ended with signal SIGKILL; if memory was short" in failed.reason
    assert [each.settings["rank"] for each in results.measurements] == [4]
    assert "FAILED, process 2 of 2" in capsys.readouterr().err


@pytest.mark.slow
def test_a_process_that_is_stopped_fails_its_cell_and_outlives_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_figures(monkeypatch)
    found: list[psutil.Process] = []
    inner = _Launched._hear

    def hear(self: Any, source: Any, what: str, values: Any) -> None:
        if what == "within" and values[0] == "steps trained" and not found:
            found.extend(launched_processes())
            (second,) = [each for each in found if each.environ().get("RANK") == "1"]
            second.suspend()
        inner(self, source, what, values)

    monkeypatch.setattr(_Launched, "_hear", hear)
    # Over two signs of life: those of the other process have to keep coming.
    monkeypatch.setattr(launcher, "SILENT_SECONDS", 25.0)
    monkeypatch.setattr(launcher, "_END_SECONDS", 3.0)
    results = run_study(study_of(tmp_path, "ddp", recipes=[LONG]), tmp_path / "out")
    (failed,) = results.failures
    assert "process 2 of 2 of its launch said nothing for 25 seconds" in failed.reason
    assert_none_left(found)


@pytest.mark.slow
def test_a_worker_that_is_killed_takes_its_launch_along_and_the_cell_is_run_again(
    plain: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_figures(monkeypatch)
    found: list[psutil.Process] = []
    inner = pool.Pool._hear

    def hear(self: Any, message: Any) -> bool:
        if message[0] == "within" and message[1][0] == "steps trained" and not found:
            found.extend(psutil.Process(self._workers[0].process.pid).children(recursive=True))
            self._workers[0].process.kill()
        return inner(self, message)

    monkeypatch.setattr(pool.Pool, "_hear", hear)
    study = study_of(tmp_path, "ddp")
    with early_process(study) as early:
        assert_like(plain, tmp_path / "out", study, early=early)
    assert_none_left(found)
    assert "ended with signal SIGKILL; a new one takes its place" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(("end", "workers"), [(signal.SIGTERM, 1), (signal.SIGTERM, 2), (signal.SIGKILL, 2)])
def test_launches_end_with_the_run(end: signal.Signals, workers: int, tmp_path: Path) -> None:
    study = study_file(
        tmp_path, recipes=[LONG], examples=[13], seeds=[0, 1], device="cpu", launch={"config": "ddp", "devices": 2}
    )
    command = [sys.executable, "-P", "-m", "educe.recipes.cli", "run", str(study), "--out", str(tmp_path / "out")]
    command += ["--workers", str(workers)]
    with subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True) as run:
        below = psutil.Process(run.pid)
        limit = time.monotonic() + 240
        while sum(each.num_threads() > 1 for each in launched_processes()) < 2 * workers:  # torch is imported
            assert run.poll() is None and time.monotonic() < limit, "nothing was launched"
            time.sleep(0.2)
        found = below.children(recursive=True)
        run.send_signal(end)
        _, said = run.communicate(timeout=60)
    assert_none_left(found)
    assert run.returncode == (143 if end == signal.SIGTERM else -9)
    assert "Traceback" not in said
    assert not list((tmp_path / "out").rglob("failures")), "an interrupted cell has not failed"


@pytest.mark.slow
def test_a_recipe_for_one_process_and_a_file_for_one_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_figures(monkeypatch)
    grpo = study_of(tmp_path, "ddp", recipes=["zero_shot", "grpo"])
    results = run_study(grpo, tmp_path / "grpo")
    assert [each.method for each in results.measurements] == ["zero_shot"]
    assert "launch it with --num_processes 1" in results.failures[0].reason
    own = tmp_path / "own.yaml"
    own.write_text(CONFIGS["ddp"].read_text().replace("MULTI_GPU", "'NO'"))
    alone = run_study(study_of(tmp_path, str(own), recipes=["zero_shot"]), tmp_path / "alone")
    assert "starts 1 processes and not 2" in alone.failures[0].reason
    own.write_text("{broken")
    broken = run_study(study_of(tmp_path, str(own), recipes=["zero_shot"]), tmp_path / "broken")
    assert "accelerate launch ended with exit code 1: " in broken.failures[0].reason
    assert "while parsing" in capsys.readouterr().err

"""Cells run by `accelerate launch`: the results of one process, a reason for each that fails, no process left."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

import psutil
import pytest

from educe.data.errors import RunStopped, UserError
from educe.eval.progress import report_progress, report_step
from educe.recipes.runner import launched, launcher, pool, worker_process
from educe.recipes.runner.cohorts import alone, units
from educe.recipes.runner.engines.engine import Joined
from educe.recipes.runner.launch_settings import CONFIGS
from educe.recipes.runner.launcher import Launcher, _Broken, _end_of, _Launched, _started
from educe.recipes.runner.processes import early_process
from educe.recipes.runner.results import Results
from educe.recipes.runner.run_study import run_study
from educe.recipes.runner.store import Store
from educe.recipes.runner.study import Study
from tests.conftest import REPOSITORY
from tests.recipes.launching import assert_same
from tests.recipes.made import measurement_of
from tests.recipes.small import no_figures, run_cli, small_study, study_file

EXACT = {"iid_sft": {"rank": 2, "precision": "float32", "learning_rate": 0.01}}
LONG = {"iid_sft": {"rank": 2, "epochs": 400, "max_examples_seen": 10**6}}
deepspeed = pytest.mark.skipif(find_spec("deepspeed") is None, reason="pip install -e '.[distributed]'")


def study_of(folder: Path, config: str = "", **changes: Any) -> Study:
    """Training that several processes do as one does."""
    launch = {"launch": {"config": config, "devices": 2}} if config else {}
    return small_study(folder, **{"recipes": [EXACT], "examples": [13], "device": "cpu", **launch, **changes})


# More than any system gives to a process.
NOBODY = 2**30


class Meeting:
    """Where two processes have joined, which say what a test lets them say, and then end, or say nothing more."""

    def __init__(
        self, said: Sequence[tuple[str, Any] | None], *, pids: Sequence[int] = (NOBODY, NOBODY), silent: bool = False
    ) -> None:
        self.silent: list[Connection] = []
        self.bell, self._ring = Pipe(duplex=False)
        self._joined = []
        for place, message in enumerate(said):
            here, there = Pipe()
            if message is not None:
                there.send(message)
            self.silent.append(there)
            if not silent:
                there.close()
            self._joined.append(Joined(place, str(pids[place]), here))

    def joined(self) -> list[Joined]:
        found, self._joined = self._joined, []
        return found

    def close(self) -> None: ...


class Running:
    """A launcher that runs until it is waited for."""

    returncode, pid = 1, NOBODY

    def __init__(self, code: int | None = None) -> None:
        self.poll: Callable[[], int | None] = lambda: code

    def wait(self, timeout: float | None = None) -> int:
        return 0

    def kill(self) -> None: ...


def waited(
    said: Sequence[tuple[str, Any] | None],
    code: int | None = None,
    *,
    printed: bytes = b"\nImportError: no DeepSpeed\n\n",
    then: bytes = b"",
    **meeting: Any,
) -> None:
    """Wait for a launch that has `printed`, and prints something more until it has ended."""
    with tempfile.TemporaryFile() as output:
        os.pwrite(output.fileno(), printed, 0)
        process: Any = Running(code)
        process.wait = lambda timeout=None: os.pwrite(output.fileno(), printed + then, 0)
        made: Any = {"process": process, "meeting": Meeting(said, **meeting), "asked": "asked"}
        started = _Launched(**made, output=output, count=2, listener=None, cell=None)  # type: ignore[arg-type]
        try:
            started.wait()
        finally:
            started.close()
            assert all(each.closed for each in started._ranks if isinstance(each, Connection))


@pytest.mark.parametrize(
    ("said", "error", "message"),
    [
        ([None, ("failed", ("lower learning_rate",))], UserError, "^lower learning_rate$"),
        ([("broken", ("RuntimeError: connection closed",)), None], _Broken, "process 2 of 2 of its launch ended"),
        ([("broken", ("RuntimeError: boom",)), ("failed", ("a mistake",))], UserError, "^a mistake$"),
        ([("failed", ("a mistake",)), ("stopped", (RunStopped("disk full"),))], RunStopped, "^disk full$"),
    ],
)
def test_of_what_processes_say_at_once_the_cause_counts(
    said: Sequence[tuple[str, Any] | None], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        waited(said)
    assert type(caught.value) is error


def test_a_launch_is_over_when_all_are_done_or_it_ends() -> None:
    waited([("done", ()), ("done", ())])
    with pytest.raises(_Broken, match=r"exit code 1: ImportError: no DeepSpeed$"):
        waited([], code=1)


@pytest.mark.parametrize(
    ("then", "message"),
    [
        (b"  exitcode  : -9 (pid: 77)\n", "of its launch ended with signal SIGKILL; if memory was short, give the"),
        (b"  exitcode  : -11 (pid: 77)\n", "of its launch ended with signal SIGSEGV: no space left$"),
        (b"  exitcode  : 1 (pid: 77)\n", "of its launch ended with exit code 1: no space left$"),
        (b"  exitcode  : -9 (pid: 78)\n", "of its launch ended: no space left$"),
    ],
)
def test_memory_is_blamed_only_where_a_process_was_killed(
    then: bytes, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "psutil", NoProcesses())
    with pytest.raises(_Broken, match=f"^process 1 of 2 {message}"):
        waited([None], printed=b"loading\nno space left\n", then=then, pids=[77])


class NoProcesses:
    """What psutil says of processes that have ended."""

    class Error(Exception): ...

    NoSuchProcess = Error

    def Process(self, pid: int) -> Any:
        raise self.Error


def test_a_launch_that_does_not_join_or_says_nothing_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (launcher.START_SECONDS, launcher.SILENT_SECONDS) == (pool.START_SECONDS, pool.SILENT_SECONDS)
    assert launcher.ASLEEP_SECONDS == pool._ASLEEP_SECONDS
    monkeypatch.setattr(launcher, "_LOOK_SECONDS", 0.02)
    monkeypatch.setattr(launcher, "START_SECONDS", 0.1)
    with pytest.raises(_Broken, match=r"^1 of 2 processes of its launch joined within 0 seconds: ImportError: no Deep"):
        waited([("alive", ())], silent=True)
    monkeypatch.setattr(launcher, "SILENT_SECONDS", 0.1)
    with pytest.raises(_Broken, match=r"^process 2 of 2 of its launch said nothing for 0 seconds$"):
        waited([("done", ()), ("alive", ())], silent=True)
    # One that was stopped itself does not blame the others for it.
    monkeypatch.setattr(launcher, "ASLEEP_SECONDS", 0.01)
    meeting = Meeting([("alive", ()), ("alive", ())], silent=True)
    threading.Timer(0.5, lambda: [each.send(("done", ())) for each in meeting.silent]).start()
    monkeypatch.setattr("tests.recipes.runner.test_launcher.Meeting", lambda said: meeting)
    waited([])


def test_a_stopped_process_does_not_outlive_its_launch() -> None:
    with subprocess.Popen(["sleep", "60"]) as stopped:
        stopped.send_signal(signal.SIGSTOP)
        try:
            with pytest.raises(UserError, match="a mistake"):
                waited([("failed", ("a mistake",))], pids=[stopped.pid])
            assert stopped.wait(5) == -signal.SIGKILL
        finally:
            stopped.kill()


def started_with(study: Study, monkeypatch: pytest.MonkeyPatch, **popen: Any) -> tuple[list[str], dict[str, str]]:
    """The command and the environment of a study's launch."""
    asked: list[Any] = []
    monkeypatch.setattr(subprocess, "Popen", lambda command, *, env, **_: asked.extend((command, env)))
    with _started(study):
        return asked[0], asked[1]


def test_a_launch_computes_on_the_gpus_of_its_worker_or_on_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser

    own = tmp_path / "own.yaml"
    own.write_text(CONFIGS["ddp"].read_text() + "gpu_ids: '4,5'\n")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "6,7")
    command, environment = started_with(study_of(tmp_path, str(own), device="auto"), monkeypatch)
    arguments, *_ = _validate_launch_command(launch_command_parser().parse_args(command[4:]))
    assert arguments.gpu_ids == "all" and environment["CUDA_VISIBLE_DEVICES"] == "6,7"
    for config in CONFIGS:
        _, environment = started_with(study_of(tmp_path, config, device="cpu"), monkeypatch)
        assert environment["CUDA_VISIBLE_DEVICES"] == ""


def test_a_launch_that_cannot_start_leaves_no_port_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[bool] = []
    monkeypatch.setattr(launcher.Rendezvous, "close", lambda self: closed.append(True))

    def fail(*_: Any, **__: Any) -> None:
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(subprocess, "Popen", fail)
    with pytest.raises(BlockingIOError), _started(study_of(tmp_path, "ddp")):
        pass
    assert closed


def test_reading_what_a_launch_prints_moves_nothing_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, inner = [], subprocess.Popen

    def start(command: Any, **more: Any) -> Any:
        begun.append(inner(["sh", "-c", "for each in 1 2 3 4; do echo $each; sleep 0.1; done"], **more))
        return begun[0]

    monkeypatch.setattr(subprocess, "Popen", start)
    monkeypatch.setattr(launcher, "_SHOWN_BYTES", 4)
    with _started(study_of(tmp_path, "ddp")) as (process, _, output):
        while process.poll() is None:
            _end_of(output)
            output.seek(0)
        assert os.pread(output.fileno(), 100, 0) == b"1\n2\n3\n4\n"
        assert _end_of(output) == "3\n4\n"


class Told:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def __getattr__(self, what: str) -> Callable[..., None]:
        return lambda *values, **_: self.told.append((what, values))


def test_a_result_that_is_stored_counts_though_a_process_failed_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = study_of(tmp_path, "ddp")
    (cell,) = cells = study.cells()
    (unit,) = alone(units(cells, {}))
    store, listener = Store(tmp_path / "out"), Told()

    def run(raised: Exception, *, stored: bool) -> list[str]:
        def launch(*_: Any) -> None:
            if stored:
                store.write(cell, measurement_of(cell), save_adapter=None)
            raise raised

        monkeypatch.setattr(Launcher, "_launch", launch)
        listener.told.clear()
        with store.claim():
            store.begin(study_text=study.text(), cells=cells)
            Launcher(store, study, cells, {}, listener).run(unit)  # type: ignore[arg-type]
        return [what for what, _ in listener.told]

    with pytest.raises(RunStopped, match="disk full"):
        run(RunStopped("disk full"), stored=False)
    assert run(UserError("process 2 ended"), stored=False) == ["start", "fail"]
    assert [each.reason for each in store.read()[1]] == ["process 2 ended"]
    assert run(UserError("process 2 ended"), stored=True) == ["start", "say", "finish"]
    assert "its result is stored, and after that: process 2 ended" in listener.told[1][1][0]
    measured, failures = store.read()
    assert len(measured) == 1 and not failures


def test_a_process_of_a_launch_gives_signs_of_life_while_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = Pipe()
    heard: list[Any] = []
    monkeypatch.setattr(worker_process, "ALIVE_SECONDS", 0.01)
    monkeypatch.setattr(launched, "join_run", lambda *joined: heard.append(joined[3]) or there)
    monkeypatch.setattr(launched, "end_with", lambda messages: None)
    monkeypatch.setattr(launched.signal, "signal", lambda *_: None)
    monkeypatch.setattr(launched, "_run", lambda *_: heard.append(here.recv() if here.poll(5) else None))
    here.send(("asked",))
    assert launched.main("127.0.0.1", 0) == 0
    for each in threading.enumerate():
        if "stay_alive" in each.name:
            each.join(5)
    assert heard == [str(os.getpid()), ("alive", ())]


@pytest.mark.parametrize(("track", "told"), [(None, ["within"]), ("tensorboard", ["within", "train"])])
def test_steps_are_sent_only_where_they_are_tracked(track: str | None, told: list[str], tmp_path: Path) -> None:
    sender = Told()
    study = study_of(tmp_path, "ddp", **({"track": track} if track else {}))
    with launched._told(sender, study, study.cells()[0]):  # type: ignore[arg-type]
        report_progress("steps trained", 1, 2)
        report_step({"loss": 1.0})
    assert [what for what, _ in sender.told] == told


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

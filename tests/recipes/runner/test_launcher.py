"""Launches as their worker sees them: what counts as the cause, what hangs, what they are started with."""

import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

import pytest

from educe.data.errors import RunStopped, UserError
from educe.eval.progress import report_progress, report_step
from educe.recipes.runner import launched, launcher, pool, worker_process
from educe.recipes.runner.cohorts import alone, units
from educe.recipes.runner.engines.engine import Joined
from educe.recipes.runner.launch_settings import CONFIGS
from educe.recipes.runner.launcher import Launcher, _Broken, _end_of, _Launched, _started
from educe.recipes.runner.store import Store
from educe.recipes.runner.study import Study
from tests.recipes.made import measurement_of
from tests.recipes.small import small_study

EXACT = {"iid_sft": {"rank": 2, "precision": "float32", "learning_rate": 0.01}}


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
    assert launcher.ASLEEP_SECONDS == pool.ASLEEP_SECONDS
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

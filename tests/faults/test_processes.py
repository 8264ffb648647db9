"""What ends, stops or starves the processes of a run, or takes its disk: the next run gives what there would have been.

Each seed is one fault, at a moment that it draws. The run is a real command in a process of its own, which has its
libraries imported already; its workers are real processes.
"""

import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from educe.recipes.runner import pool
from educe.recipes.runner.results import load_results
from tests.faults.test_files import rows
from tests.recipes.runner.test_pool import contents
from tests.recipes.small import main_without_figures, run_cli, study_file
from tests.recipes.test_kill import HEAVY, wait_for_paths

RECIPES = ["zero_shot", {"few_shot": {"shots": 2}}, {"iid_sft": {"rank": 2, "epochs": 2}}, "ngrams"]
CELLS = 11
INTERRUPTED, ENDED, KILLED = 130, 143, -signal.SIGKILL


@dataclass
class Command:
    """`educe run` of the study, with what it says in a file."""

    study: Path
    out: Path
    draw: random.Random
    workers: int = 1
    before: Callable[[], None] | None = None  # inside the process, before the command
    said: str = ""
    code: int | None = None
    process: Any = field(default=None)

    def start(self) -> "Command":
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(HEAVY)
        arguments = ["run", str(self.study), "--out", str(self.out), "--workers", str(self.workers)]
        self.process = context.Process(target=_command, args=(arguments, str(self._log), self.before))
        self.process.start()
        return self

    @property
    def _log(self) -> Path:
        return self.study.with_name("said.txt")

    def wait(self, seconds: float | None = None) -> int | None:
        self.process.join(seconds)
        self.code = self.process.exitcode
        self.said = self._log.read_text("utf-8") if self._log.exists() else ""
        return self.code

    def at_some_moment(self) -> None:
        """Return when so many new paths are there, and a little later: the same on a slow machine."""
        wait_for_paths(self, self.out, self.draw.randint(1, 30))
        time.sleep(self.draw.uniform(0, 0.2))

    def kill(self) -> None:
        self.process.kill()

    def send(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, number)

    def some_worker(self) -> psutil.Process | None:
        """One of its worker processes, None where there are none (any more)."""
        with suppress(psutil.Error):
            found = [each for each in psutil.Process(self.process.pid).children() if _is_worker(each)]
            return self.draw.choice(found) if found else None
        return None


def _is_worker(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return any(name in word for word in process.cmdline() for name in ("worker_process", "tracking.process"))
    return False


def _command(arguments: list[str], log: str, before: Callable[[], None] | None) -> None:
    os.setsid()
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the server that it is forked from ignores it
    if before is not None:
        before()
    main_without_figures(arguments)


def driver_killed(run: Command) -> set[int]:
    run.start().at_some_moment()
    run.kill()
    run.wait()
    return {KILLED, 0}


def driver_terminated(run: Command) -> set[int]:
    run.start().at_some_moment()
    run.send(signal.SIGTERM)
    run.wait()
    return {ENDED, 0}


def driver_interrupted(run: Command) -> set[int]:
    run.start().at_some_moment()
    run.send(signal.SIGINT)
    run.wait()
    return {INTERRUPTED, 0}


def driver_killed_with_workers(run: Command) -> set[int]:
    run.workers = 2
    return driver_killed(run)


def worker_killed(run: Command) -> set[int]:
    run.workers = 2
    run.start().at_some_moment()
    if (worker := run.some_worker()) is not None:
        worker.kill()
    run.wait()
    return {0}


def _be_impatient() -> None:
    pool.SILENT_SECONDS, pool.START_SECONDS = 30.0, 60.0


def worker_hung(run: Command) -> set[int]:
    run.workers, run.before = 2, _be_impatient
    run.start().at_some_moment()
    if (worker := run.some_worker()) is not None:
        worker.suspend()
    run.wait()
    return {0}


def worker_out_of_memory(run: Command) -> set[int]:
    """A worker that gets no more memory: what it does next fails, or ends it."""
    run.workers = 2
    run.start().at_some_moment()
    if (worker := run.some_worker()) is not None:
        with suppress(psutil.Error):
            most = worker.memory_info().vms
            worker.rlimit(resource.RLIMIT_AS, (most, most))
    run.wait()
    return {0, 1}


def two_drivers(run: Command) -> set[int]:
    run.start().at_some_moment()
    other = subprocess.run(
        [sys.executable, "-P", "-m", "educe.recipes.cli", "run", run.study, "--out", run.out, "--workers", "1"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    run.wait()
    # The second may come when the first has ended.
    assert other.returncode == 0 or (other.returncode == 2 and "is in use by another run" in other.stderr), other.stderr
    return {0}


def _set_the_clock_back() -> None:
    real, began = time.time, time.time()
    time.time = lambda: real() - 86_400 * (real() - began > 1)


def clock_set_back(run: Command) -> set[int]:
    """The clock jumps a day back while it runs, and what was written before is from tomorrow."""
    run.before = _set_the_clock_back
    run.start().at_some_moment()
    tomorrow = time.time() + 86_400
    for path in run.out.rglob("*"):
        with suppress(OSError):
            os.utime(path, (tomorrow, tomorrow))
    run.wait()
    return {0}


def full_disk(run: Command) -> set[int]:
    """The disk has room for some cells and not for all."""
    with _disk(run, kilobytes=run.draw.randint(40, 400)):
        run.start().wait()
        _remount(run, "size=64m")
        kept = _finished(run.out)
        assert run.code == 0 or "free space or give another --out (finished cells are kept)" in run.said
        return _again_on_the_disk(run, kept)


def read_only_folder(run: Command) -> set[int]:
    with _disk(run, kilobytes=64 << 10):
        run.start().at_some_moment()
        with suppress(subprocess.CalledProcessError):  # busy while a file is open for writing
            _remount(run, "ro")
        run.wait()
        _remount(run, "rw")
        kept = _finished(run.out)
        assert run.code == 0 or "cannot write" in run.said
        return _again_on_the_disk(run, kept)


def _again_on_the_disk(run: Command, kept: dict[str, int]) -> set[int]:
    """Finish there, since the disk goes with the test, and bring the directory where the others are."""
    code = run.code
    assert run.start().wait() == 0, run.said
    assert kept.items() <= _finished(run.out).items()
    place = run.study.with_name("brought")
    shutil.copytree(run.out, place)
    run.out, run.code = place, code
    return {0, 2}


class _disk:
    """A disk of so many kilobytes at the run's directory."""

    def __init__(self, run: Command, kilobytes: int) -> None:
        self.folder = run.study.with_name("disk")
        self.folder.mkdir()
        run.out = self.folder / "out"
        mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "educe-test", str(self.folder)]
        if shutil.which("mount") is None or subprocess.run(mount, check=False).returncode:
            pytest.skip("a small disk cannot be mounted here")

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", "--lazy", self.folder], check=True)


def _remount(run: Command, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", run.out.parent], check=True, capture_output=True)


def unreachable_wandb(run: Command) -> set[int]:
    run.before = _track_to_nowhere
    run.study.write_text(f"{run.study.read_text('utf-8')}track: wandb\n", "utf-8")
    run.start().wait()
    return {0}


def _track_to_nowhere() -> None:
    os.environ |= {"WANDB_MODE": "online", "WANDB_API_KEY": "0" * 40, "WANDB_BASE_URL": "http://127.0.0.1:9"}


FAULTS: dict[Callable[[Command], set[int]], int] = {
    driver_killed: 8,
    driver_terminated: 8,
    driver_interrupted: 4,
    driver_killed_with_workers: 3,
    worker_killed: 6,
    worker_hung: 2,
    worker_out_of_memory: 4,
    two_drivers: 3,
    clock_set_back: 4,
    full_disk: 6,
    read_only_folder: 4,
    unreachable_wandb: 1,
}
SEEDED = [(fault, seed) for fault, count in FAULTS.items() for seed in range(count)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What the study gives where nothing goes wrong."""
    folder = tmp_path_factory.mktemp("whole")
    run = Command(_study(folder), folder / "out", random.Random(0))
    assert run.start().wait() == 0, run.said
    assert len(_finished(run.out)) == CELLS
    yield run.out


def _study(folder: Path) -> Path:
    return study_file(folder, recipes=RECIPES, examples=[2, 4], seeds=[0, 1])


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "seed"), SEEDED, ids=[f"{fault.__name__}-{seed}" for fault, seed in SEEDED])
def test_nothing_is_lost_or_made_twice(
    fault: Callable[[Command], set[int]],
    seed: int,
    whole: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    # Tasks are named by their files, and rows of both studies must be the same.
    run = Command(_study(tmp_path), tmp_path / "out", random.Random(f"{fault.__name__} {seed}"))
    codes = fault(run)
    assert run.code in codes, run.said
    if fault is not worker_out_of_memory:
        assert "Traceback" not in run.said
    _no_process_is_left(run)
    kept = _finished(run.out)
    again = Command(run.study, run.out, run.draw).start()
    assert again.wait() == 0, again.said
    finished = _finished(run.out)
    assert len(finished) == CELLS and kept.items() <= finished.items(), "a finished cell was made again"
    assert again.said.count(f"/{CELLS}] ") == CELLS - len(kept), "one line for each cell that was missing, and no more"
    assert contents(run.out) == contents(whole)
    assert run_cli("verify", run.out) == 0, capsys.readouterr().out
    assert rows(run.out) == rows(whole)
    assert not load_results(run.out).failures
    if fault in (worker_killed, worker_hung):
        lines = [line for line in run.said.splitlines() if "the worker process" in line]
        assert len(lines) <= 1 and all("place" in line or "nothing is left" in line for line in lines)


def _finished(out: Path) -> dict[str, int]:
    """The finished cells, each with what tells whether it was made again."""
    found = (out / "cells").rglob("measurement.json")
    return {str(path.relative_to(out)): path.stat().st_ino for path in found}


def _no_process_is_left(run: Command) -> None:
    until = time.monotonic() + 180  # a worker that still imports its libraries ends when it has
    while left := [each for each in psutil.process_iter() if _is_worker(each) and _works_in(each, run.study.parent)]:
        assert time.monotonic() < until, left
        time.sleep(0.2)


def _works_in(process: psutil.Process, folder: Path) -> bool:
    with suppress(psutil.Error):
        return any(each.path.startswith(str(folder)) for each in process.open_files())
    return False

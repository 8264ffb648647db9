"""Engines: the same bytes from workers that others start, nothing lost where one ends, and no stranger let in."""

import os
import signal
import socket
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from educe.data.errors import RunStopped, UserError
from educe.recipes.runner import pool
from educe.recipes.runner.engines.engine import Joined, WorkerHandle
from educe.recipes.runner.engines.local import Local
from educe.recipes.runner.engines.ray import Ray
from educe.recipes.runner.engines.rendezvous import Rendezvous, prove_key
from educe.recipes.runner.engines.settings import ChosenEngine
from educe.recipes.runner.engines.slurm import Slurm
from educe.recipes.runner.run_study import run_study
from tests.recipes.runner.test_pool import RECIPES, contents
from tests.recipes.small import no_figures, run_cli, small_study, study_file

SLURM = {"slurm": {"cluster": "local"}}
# submitit's local executor leaves its processes and their files to the garbage collector.
left_open = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        ("kubernetes", "unknown engine 'kubernetes'"),
        ("slrum", "did you mean 'slurm'?"),
        ({"ray": {"gpu": 1}}, "engine 'ray' has no key 'gpu'; did you mean 'gpus'?"),
        ({"ray": {"cpus": 0}}, "cpus"),
        ({"slurm": {"minutes": "long"}}, "minutes"),
        ({"local": {"workers": 2}}, "engine 'local' has no key 'workers'"),
        ({"ray": {}, "slurm": {}}, "unknown engine"),
        (3, "unknown engine 3"),
    ],
)
def test_mistakes_are_one_line(engine: Any, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError) as caught:
        ChosenEngine.read(engine)
    assert message in str(caught.value)
    assert run_cli("run", study_file(tmp_path, engine=engine), "--out", tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


def test_other_engines_are_told_how_many_workers_to_start(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="engine 'ray' does not know how many workers to start; give --workers 4"):
        run_study(small_study(tmp_path), tmp_path / "out", workers=None, engine="ray")


def test_an_engine_is_no_part_of_a_cell(tmp_path: Path) -> None:
    here, there = small_study(tmp_path), small_study(tmp_path, engine={"ray": {"gpus": 2}})
    assert [each.key for each in here.cells()] == [each.key for each in there.cells()]


def caller(meeting: Rendezvous) -> Connection:
    return Connection(socket.create_connection((meeting.host, meeting.port)).detach())


def test_only_who_has_the_key_joins_and_nobody_is_kept_waiting() -> None:
    meeting = Rendezvous("127.0.0.1")
    silent, wrong, junk = caller(meeting), caller(meeting), caller(meeting)
    junk.send_bytes(b"GET / HTTP/1.1\r\n" * 10)
    with pytest.raises((AuthenticationError, OSError, EOFError)):
        prove_key(wrong, "another key", first=False)
        wrong.recv_bytes()
    good = caller(meeting)
    prove_key(good, meeting.key, first=False)
    good.send_bytes(b"7 token")
    assert meeting.bell.poll(10)
    (joined,) = meeting.joined()
    assert (joined.place, joined.token) == (7, "token") and meeting.joined() == []
    good.send("unpickled only now")
    assert joined.messages.recv() == "unpickled only now"
    assert meeting.key not in repr(meeting.join(0, threads=1))
    meeting.close()
    with pytest.raises(OSError):
        caller(meeting)
    silent.close()


def test_a_caller_finds_out_that_the_run_is_not_its_own() -> None:
    """Whoever listens at the port proves that it has the key, too, before a worker unpickles anything."""
    meeting = Rendezvous("127.0.0.1")
    meeting.key, key = "somebody else's", meeting.key
    with pytest.raises((AuthenticationError, OSError, EOFError)):
        prove_key(caller(meeting), key, first=False)
    meeting.close()


class Nowhere:
    """An engine whose workers end before they join."""

    bell, fix = None, ""

    class Worker(WorkerHandle):
        def end(self) -> None: ...

        def ended_with(self) -> str:
            raise AssertionError("it never joined")

        def lost(self) -> str | None:
            return "job 17 FAILED"

    def __init__(self) -> None:
        self.started = 0

    def start(self, places: Any) -> list[WorkerHandle]:
        self.started += len(places)
        return [self.Worker() for _ in places]

    def replace(self, ended: WorkerHandle, place: int) -> WorkerHandle:
        return self.start([place])[0]

    def joined(self) -> list[Joined]:
        return []

    def close(self) -> None: ...


def test_a_run_stops_where_no_worker_can_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_figures(monkeypatch)
    nowhere = Nowhere()
    monkeypatch.setattr(pool, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(pool, "ASK_SECONDS", 0.0)
    monkeypatch.setattr(pool, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr("educe.recipes.runner.run_study.start_engine", lambda *_, **__: Closing(nowhere))
    study = small_study(tmp_path, recipes=["zero_shot", "ngrams"])
    with pytest.raises(RunStopped, match=r"no worker starts \(job 17 FAILED\), and 3 cells are left"):
        run_study(study, tmp_path / "out", workers=2)
    assert nowhere.started == 2 * pool.MAX_LOST and not (tmp_path / "out" / "failures").exists()


class Closing:
    def __init__(self, engine: Any) -> None:
        self.engine = engine

    def __enter__(self) -> Any:
        return self.engine

    def __exit__(self, *_: object) -> None:
        self.engine.close()


@pytest.mark.slow
@left_open
@pytest.mark.parametrize("engine", ["ray", SLURM], ids=["ray", "slurm"])
def test_results_are_the_same_bytes_whoever_starts_the_workers(
    engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray" if engine == "ray" else "submitit")
    no_figures(monkeypatch)
    study = small_study(tmp_path, recipes=RECIPES, seeds=[0, 1], models=["tiny-random", {"tiny-random": {"name": "b"}}])
    run_study(study, tmp_path / "local")
    run_study(study, tmp_path / "other", workers=2, engine=engine)
    assert contents(tmp_path / "other") == contents(tmp_path / "local")
    assert run_cli("verify", tmp_path / "other") == 0


def test_without_its_package_an_engine_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for package, make in (
        ("ray", lambda: Ray(ChosenEngine.read("ray").settings, threads=1)),  # type: ignore[arg-type]
        ("submitit", lambda: Slurm(ChosenEngine.read(SLURM).settings, threads=1, folder=tmp_path)),  # type: ignore[arg-type]
    ):
        monkeypatch.setitem(__import__("sys").modules, package, None)
        with pytest.raises(UserError, match=rf"needs the package {package}; pip install 'educe\[\w+\]'"):
            make()


class Shared:
    """An engine whose first worker never joins again after it has died; the second is real."""

    fix, bell = "", None

    def __init__(self, inner: Local) -> None:
        self.inner, self.died = inner, False

    def start(self, places: Any) -> list[WorkerHandle]:
        return self.inner.start(places)

    def replace(self, ended: WorkerHandle, place: int) -> WorkerHandle:
        self.died = True
        return Nowhere.Worker()

    def joined(self) -> list[Joined]:
        return []

    def close(self) -> None: ...


def test_what_a_dead_worker_had_goes_to_one_that_has_nothing_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first worker dies when the second has finished all that there was, and no other can be started."""
    no_figures(monkeypatch)
    monkeypatch.setattr(pool, "_LOOK_SECONDS", 0.05)
    study = small_study(tmp_path, recipes=["zero_shot", "ngrams"], examples=[2])
    shared = Shared(Local(threads=1))
    monkeypatch.setattr("educe.recipes.runner.run_study.start_engine", lambda *_, **__: Closing(shared))
    inner = pool.Pool._look

    def look(self: Any) -> None:
        first, second = self._workers
        if not shared.died and second.unit is None and first.unit is not None:
            first.process.kill()
        inner(self)

    monkeypatch.setattr(pool.Pool, "_look", look)
    feed = pool.Pool._feed

    def stop_the_first(self: Any, each: Any) -> None:
        feed(self, each)
        if each is self._workers[0] and each.unit is not None:
            os.kill(each.process.pid, signal.SIGSTOP)

    monkeypatch.setattr(pool.Pool, "_feed", stop_the_first)
    results = run_study(study, tmp_path / "out", workers=2)
    assert shared.died and len(results.measurements) == 2 and not results.failures


def test_a_run_that_was_stopped_itself_does_not_blame_its_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As after Ctrl-Z and fg: it has not listened for long, and ends nobody."""
    no_figures(monkeypatch)
    monkeypatch.setattr(pool, "START_SECONDS", 0.0)
    inner = pool.Pool._look

    def look(self: Any) -> None:
        self._looked -= 10_000
        for each in self._workers:
            each.heard -= 10_000
        inner(self)

    monkeypatch.setattr(pool.Pool, "_look", look)
    results = run_study(small_study(tmp_path, recipes=["zero_shot", "ngrams"]), tmp_path / "out", workers=2)
    assert len(results.measurements) == 3 and "said nothing" not in capsys.readouterr().err


def test_the_name_alone_is_the_study_s_engine_with_its_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_figures(monkeypatch)
    chosen = []

    def start(which: Any, **_: Any) -> Any:
        chosen.append(which.settings)
        return Closing(Local(threads=1))

    monkeypatch.setattr("educe.recipes.runner.run_study.start_engine", start)
    study = small_study(tmp_path, recipes=["zero_shot"], engine={"slurm": {"partition": "gpu"}})
    run_study(study, tmp_path / "out", workers=1, engine="slurm")
    assert chosen[0].partition == "gpu"

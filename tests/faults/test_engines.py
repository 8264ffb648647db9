"""Workers of engines that end or hang: their nodes are lost, their jobs are preempted, their processes are stopped."""

import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from educe.recipes.runner import pool
from educe.recipes.runner.run_study import run_study
from tests.recipes.runner.test_engines import SLURM, left_open
from tests.recipes.runner.test_pool import RECIPES, contents
from tests.recipes.small import no_figures, small_study


@pytest.mark.slow
def test_a_ray_worker_whose_node_is_lost_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ray = pytest.importorskip("ray")
    from ray._private.state import actors
    from ray.cluster_utils import Cluster

    no_figures(monkeypatch)
    study = small_study(tmp_path, recipes=RECIPES, seeds=list(range(8)))  # enough for both workers to join
    run_study(study, tmp_path / "local")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    lost = cluster.add_node(num_cpus=1)
    inner, removed = pool.Pool._feed, []

    def feed(self: Any, each: Any) -> None:
        inner(self, each)
        here = actors(each.actor._actor_id.hex())["Address"]["NodeID"]
        if not removed and each.unit is not None and here == lost.node_id:
            removed.append(here)
            cluster.remove_node(lost, allow_graceful=False)
            cluster.add_node(num_cpus=1)

    monkeypatch.setattr(pool.Pool, "_feed", feed)
    try:
        run_study(study, tmp_path / "out", workers=2, engine={"ray": {"address": cluster.address}})
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert removed and contents(tmp_path / "out") == contents(tmp_path / "local")
    assert "a new one takes its place" in capsys.readouterr().err


@pytest.mark.slow
@left_open
def test_a_preempted_slurm_job_joins_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("submitit")
    no_figures(monkeypatch)
    study = small_study(tmp_path, recipes=RECIPES, seeds=[0, 1])
    run_study(study, tmp_path / "local")
    inner, interrupted = pool.Pool._feed, []

    def feed(self: Any, each: Any) -> None:
        if interrupted and len(joined) < 3:
            each.unit = None  # the other one waits, so that there is work left when it comes back
            return
        inner(self, each)
        if not interrupted:
            interrupted.append(each.job.job_id)
            # As Slurm does it: the task, not the controller that submitit's local executor has beside it.
            controller = psutil.Process(int(each.job.job_id))
            (task,) = controller.children()
            os.kill(task.pid, signal.SIGUSR2)

    monkeypatch.setattr(pool.Pool, "_feed", feed)
    joined: list[int] = []
    admit = pool.Pool._admit
    monkeypatch.setattr(pool.Pool, "_admit", lambda self, join: (joined.append(join.place), admit(self, join)))
    run_study(study, tmp_path / "out", workers=2, engine=SLURM)
    assert interrupted and contents(tmp_path / "out") == contents(tmp_path / "local")
    assert joined.count(0) + joined.count(1) == len(joined) == 3, "two have begun, and one of them again"
    assert "a new one takes its place" in capsys.readouterr().err


@pytest.mark.slow
def test_a_worker_that_hangs_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_figures(monkeypatch)
    monkeypatch.setattr(pool, "SILENT_SECONDS", 45.0)
    monkeypatch.setattr(pool, "START_SECONDS", 0.0)
    study = small_study(tmp_path, recipes=RECIPES, seeds=[0, 1])
    run_study(study, tmp_path / "local")
    inner, stopped = pool.Pool._feed, []

    def feed(self: Any, each: Any) -> None:
        inner(self, each)
        if not stopped:
            stopped.append(each.process.pid)
            os.kill(each.process.pid, signal.SIGSTOP)

    monkeypatch.setattr(pool.Pool, "_feed", feed)
    run_study(study, tmp_path / "out", workers=2)
    assert stopped and contents(tmp_path / "out") == contents(tmp_path / "local")
    assert "the worker process said nothing for 45 seconds; a new one takes its place" in capsys.readouterr().err

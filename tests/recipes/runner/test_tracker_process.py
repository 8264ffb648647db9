"""The process of a tracker that does not answer: it ends, and no study waits for it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from educe.eval.progress import TrainingStep
from educe.recipes.runner.tracking import process, settings, tracked
from educe.recipes.runner.tracking.process import TrackerProcess
from educe.recipes.runner.tracking.settings import TRACKERS, ChosenTracker
from tests.conftest import REPOSITORY
from tests.recipes.small import small_study

STUCK = "tests.recipes.stuck_tracker:Stuck"
STUDY = """
import sys
from pathlib import Path
from educe.recipes.runner.tracking.process import TrackerProcess
tracker = TrackerProcess.start(sys.argv[1], Path(sys.argv[2]), machine=False)
print(tracker.process.pid, flush=True)
tracker.call("begin", None)
"""


def wait_until(true: Callable[[], bool]) -> None:
    limit = time.monotonic() + 60
    while not true():
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_it_ends_where_the_study_is_killed(tmp_path: Path) -> None:
    """Failed before: inside its library it read no messages, and took no notice of SIGTERM, so it stayed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(["build/links", "."])}
    command = [sys.executable, "-P", "-c", STUDY, STUCK, str(tmp_path)]
    with subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True) as study:
        assert study.stdout is not None
        tracker = psutil.Process(int(study.stdout.readline()))
        try:
            wait_until((tmp_path / "begun").exists)
            study.kill()
            study.wait()
            wait_until(lambda: not tracker.is_running() or tracker.status() == psutil.STATUS_ZOMBIE)
        finally:
            if tracker.is_running():
                tracker.kill()


def test_a_silent_tracker_is_given_up_and_nothing_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Failed before: steps were kept for it to the end of the study, and nothing was said until then."""
    known = settings.Known(**{**vars(TRACKERS["wandb"]), "made_by": STUCK})
    monkeypatch.setattr(settings, "TRACKERS", {"wandb": known})
    monkeypatch.setattr(process, "_CALL_SECONDS", 0.5)
    started: list[TrackerProcess] = []
    start = TrackerProcess.start

    def noted(*given: Any, **named: Any) -> TrackerProcess:
        started.append(start(*given, **named))
        return started[-1]

    monkeypatch.setattr(tracked.TrackerProcess, "start", noted)
    said: list[str] = []
    chosen = ChosenTracker.read("wandb")
    assert chosen is not None
    cell = small_study(tmp_path, recipes=["zero_shot"]).cells()[0]
    tracking = tracked.Tracking(tmp_path, chosen, study="small", machine=False, say=said.append)
    for place in range(1000):
        tracking.train(cell, [TrainingStep("", {"step": place, "loss": 1.0})])
    wait_until(lambda: bool(said) and tracking._waiting.empty())
    tracking.train(cell, [TrainingStep("", {"step": 1000, "loss": 1.0})])
    assert tracking._waiting.empty(), "nothing is kept for it any more"
    (tracker,) = started
    wait_until(lambda: tracker.process.poll() is not None)
    tracking.close()
    why = "no answer for 0.5 seconds"
    assert said == [f"W&B: {why}; the study goes on, and running it again copies the rest"]

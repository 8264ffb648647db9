"""Evaluations killed with SIGKILL while a cell is at work, and continued: fewer forwards, and the same bytes."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import REPOSITORY
from tests.recipes.runner.test_pool import contents

# Options of four words, sampled answers, and an adapter that is trained again before it goes on.
CASES: dict[str, dict[str, Any]] = {
    "options": {"tasks": ["word_sentiment"], "recipes": ["zero_shot"], "test_items": 600},
    "sampled": {
        "tasks": ["capitals"],
        "recipes": [{"self_consistency": {"samples": 2, "tokens": 16}}],
        "test_items": 64,
    },
    "trained": {
        "tasks": ["word_sentiment"],
        "recipes": [{"iid_sft": {"rank": 2, "epochs": 1}}],
        "examples": [8],
        "test_items": 600,
    },
}


def start(counts: Path, *arguments: Any) -> "subprocess.Popen[bytes]":
    """The command; what it says goes into a file beside the counts."""
    command = [sys.executable, "-P", "-m", "tests.recipes.counting", str(counts), *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with said(counts).open("wb") as stream:
        return subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=stream, stderr=stream)


def said(counts: Path) -> Path:
    return counts.with_suffix(".txt")


def tokens(counts: Path) -> list[int]:
    return [int(line) for line in counts.read_text().split()] if counts.exists() else []


@pytest.mark.slow
@pytest.mark.model
@pytest.mark.parametrize("case", CASES)
def test_a_cell_goes_on_after_a_kill_with_the_bytes_of_a_run_that_nothing_disturbed(case: str, tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(yaml.safe_dump({"name": case, "models": ["smollm2-135m-instruct"], "seeds": [0], **CASES[case]}))
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    undisturbed = start(tmp_path / "a", "run", study, "--out", whole, "--workers", "1")
    assert undisturbed.wait() == 0, said(tmp_path / "a").read_text()
    forwards = len(tokens(tmp_path / "a"))
    first = start(tmp_path / "b", "run", study, "--out", killed, "--workers", "1")
    # A moment is so many forwards, and not before something is written.
    moment = random.Random(case).uniform(0.6, 0.9) * forwards
    while first.poll() is None and (len(tokens(tmp_path / "b")) < moment or not list(killed.glob("journal/**/*.bin"))):
        time.sleep(0.02)
    first.kill()
    first.wait()
    assert not list(killed.glob("cells/**/measurement.json")), "the kill came too late"
    second = start(tmp_path / "c", "resume", killed, "--workers", "1")
    assert second.wait() == 0, said(tmp_path / "c").read_text()
    assert contents(killed) == contents(whole)
    assert not (killed / "journal").exists()
    lines = said(tmp_path / "c").read_text().splitlines()
    assert sum("goes on with" in line and "from its journal" in line for line in lines) == 1
    counted = {name: tokens(tmp_path / name) for name in "abc"}
    print(case, {name: (len(each), sum(each)) for name, each in counted.items()}, "forwards, tokens")
    assert len(counted["c"]) < len(counted["a"]) and sum(counted["c"]) < sum(counted["a"])

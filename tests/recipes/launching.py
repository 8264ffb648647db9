"""Launching a recipe as a user does, in processes of their own, and comparing what two launches left behind."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from educe.eval.measurement import Measurement
from educe.recipes.runner.results import load_results
from tests.conftest import REPOSITORY

COMMAND = "--model tiny-random --task word_sentiment --seed 0 --test-items 20"
EXACT = ["--set", "precision=float32"]


def accelerate_launch(
    out: Path,
    *,
    processes: int,
    examples: int | None,
    settings: Sequence[str] = EXACT,
    config: str = "accelerate_config.yaml",
    model: str = "tiny-random",
    name: str = "iid_sft",
) -> str:
    """Run it as a user does; what it printed."""
    done = run_launch(
        out, processes=processes, examples=examples, settings=settings, config=config, model=model, name=name
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def run_launch(
    out: Path,
    *,
    processes: int,
    examples: int | None,
    settings: Sequence[str] = (),
    config: str = "accelerate_config.yaml",
    model: str = "tiny-random",
    name: str = "iid_sft",
    module: str = "educe.recipes",
) -> subprocess.CompletedProcess[str]:
    """The same, with its exit code and what it wrote to standard error."""
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", config]
    recipe = ["-m", module, name, *COMMAND.replace("tiny-random", model).split(), *settings]
    sizes = [] if examples is None else ["--examples", str(examples)]
    return subprocess.run(
        [*launcher, "--num_processes", str(processes), *recipe, *sizes, "--out", str(out)],
        cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=400,
    )


def adapter(out: Path) -> dict[str, torch.Tensor]:
    """The one adapter of a run directory."""
    (path,) = out.rglob("adapter_model.safetensors")
    return load_file(path)


def measured(out: Path) -> Measurement:
    """The one measurement of a run directory."""
    (measurement,) = load_results(out).measurements
    return measurement


def assert_same(one: Path, two: Path, *, tolerance: float = 1e-5) -> None:
    """The adapters agree in every number, and something was learned."""
    left, right = adapter(one), adapter(two)
    assert left.keys() == right.keys()
    for name in left:
        torch.testing.assert_close(left[name], right[name], rtol=0, atol=tolerance, msg=name)
    assert any(values.abs().max() > 1e-4 for name, values in left.items() if "lora_B" in name), "nothing was learned"


def assert_same_cell(one: Path, two: Path) -> None:
    """Cell, score, useful FLOPs and every loss agree."""
    left, right = measured(one), measured(two)
    assert left.provenance.cell == right.provenance.cell, "how it is launched is not part of the cell"
    assert (left.score, left.spend.train_flops) == (right.score, right.spend.train_flops)
    losses = [[row["loss"] for row in each.training] for each in (left, right)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)

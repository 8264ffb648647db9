"""One recipe alone through `accelerate launch`: one process or two, the same adapter."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from recipes.runner.launch import launch
from recipes.runner.results import Results
from tests.conftest import REPOSITORY
from tests.recipes.small import result_files

COMMAND = "--subject tiny-random --task word_sentiment --seed 0 --test-items 20"
EXACT = ["--set", "precision=float32"]


def accelerate_launch(out: Path, *, processes: int, examples: int, settings: Sequence[str] = EXACT) -> str:
    """Run it as a user does; what it printed."""
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", "accelerate_config.yaml"]
    recipe = ["-m", "recipes.iid_sft", *COMMAND.split(), *settings, "--examples", str(examples), "--out", str(out)]
    done = subprocess.run(
        [*launcher, "--num_processes", str(processes), *recipe],
        cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def adapter(out: Path) -> dict[str, torch.Tensor]:
    (path,) = out.rglob("adapter_model.safetensors")
    return load_file(path)


def assert_same(one: Path, two: Path) -> None:
    left, right = adapter(one), adapter(two)
    assert left.keys() == right.keys()
    for name in left:
        torch.testing.assert_close(left[name], right[name], rtol=0, atol=1e-5, msg=name)
    assert any(values.abs().max() > 1e-4 for name, values in left.items() if "lora_B" in name), "nothing was learned"


def test_two_processes_give_the_adapter_of_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    launch("iid_sft", [*COMMAND.split(), *EXACT, "--examples", "16", "--out", str(tmp_path / "one")])
    line = capsys.readouterr().out
    assert line.startswith("tiny-random word_sentiment iid_sft(precision=float32) n=16 seed=0: 0.")
    shown = accelerate_launch(tmp_path / "two", processes=2, examples=16)
    assert shown.count("tiny-random word_sentiment iid_sft(precision=float32) n=16 seed=0: ") == 1, (
        "only the main process reports"
    )
    assert_same(tmp_path / "one", tmp_path / "two")
    (one,), (two,) = Results.read(tmp_path / "one").measurements, Results.read(tmp_path / "two").measurements
    assert two.provenance["elicited"]["processes"] == 2 and one.provenance["elicited"]["processes"] == 1
    assert one.provenance["cell"] == two.provenance["cell"], "the number of processes is not part of the cell"
    assert (one.score, one.spend.train_flops) == (two.score, two.spend.train_flops)
    losses = [[row["loss"] for row in each.training] for each in (one, two)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


@pytest.mark.slow
def test_two_processes_agree_in_bfloat16_as_far_as_it_rounds(tmp_path: Path) -> None:
    settings = ["--set", "precision=bfloat16"]
    accelerate_launch(tmp_path / "one", processes=1, examples=16, settings=settings)
    accelerate_launch(tmp_path / "two", processes=2, examples=16, settings=settings)
    left, right = (
        torch.cat([part.flatten() for name, part in adapter(tmp_path / each).items() if "lora_B" in name])
        for each in ("one", "two")
    )
    assert (left - right).norm() < 0.05 * left.norm()


@pytest.mark.slow
@pytest.mark.parametrize("examples", [1, 5])
def test_a_process_may_have_no_rows_of_a_batch(examples: int, tmp_path: Path) -> None:
    accelerate_launch(tmp_path / "one", processes=1, examples=examples)
    accelerate_launch(tmp_path / "two", processes=2, examples=examples)
    assert_same(tmp_path / "one", tmp_path / "two")


def test_a_finished_cell_is_not_launched_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["--subject", "tiny-random", "--task", "word_sentiment", "--test-items", "2", "--out", str(tmp_path)]
    launch("zero_shot", command)
    before = result_files(tmp_path)
    capsys.readouterr()
    launch("zero_shot", command)
    assert ": already in " in capsys.readouterr().out
    assert result_files(tmp_path) == before and len(before) == 1


def test_settings_are_set_from_the_command(tmp_path: Path) -> None:
    command = [*COMMAND.split(), "--examples", "2", "--out", str(tmp_path)]
    launch("minimal_lora", [*command, "--set", "epochs=1", "--set", "modules=[q_proj]"])
    (measurement,) = Results.read(tmp_path).measurements
    assert measurement.recipe == "minimal_lora(modules=q_proj, epochs=1)" and measurement.settings["rank"] == 1
    assert {name.rsplit(".", 3)[-3] for name in adapter(tmp_path)} == {"q_proj"}

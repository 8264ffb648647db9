"""One recipe alone through `accelerate launch`: one process or two, the same adapter."""

from pathlib import Path

import pytest
import torch

from educe.recipes.cli import launch
from educe.recipes.runner.results import load_results
from tests.recipes.launching import (
    COMMAND,
    EXACT,
    accelerate_launch,
    adapter,
    assert_same,
    assert_same_cell,
    measured,
    run_launch,
)
from tests.recipes.small import result_files


def test_two_processes_give_the_adapter_of_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    launch(["iid_sft", *COMMAND.split(), *EXACT, "--examples", "16", "--out", str(tmp_path / "one")])
    line = capsys.readouterr().out
    assert line.startswith("tiny-random word_sentiment iid_sft(precision=float32) n=16 seed=0: 0.")
    shown = accelerate_launch(tmp_path / "two", processes=2, examples=16)
    assert shown.count("tiny-random word_sentiment iid_sft(precision=float32) n=16 seed=0: ") == 1, (
        "only the main process reports"
    )
    assert_same(tmp_path / "one", tmp_path / "two")
    assert_same_cell(tmp_path / "one", tmp_path / "two")
    processes = [measured(tmp_path / each).details.training.processes for each in ("one", "two")]
    assert processes == [1, 2]


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
@pytest.mark.parametrize(("examples", "accumulate"), [(1, 1), (5, 1), (5, 3)])
def test_a_process_may_have_no_rows_of_a_batch(examples: int, accumulate: int, tmp_path: Path) -> None:
    accelerate_launch(tmp_path / "one", processes=1, examples=examples)
    pieces = [*EXACT, "--set", f"accumulate={accumulate}"]
    accelerate_launch(tmp_path / "two", processes=2, examples=examples, settings=pieces)
    assert_same(tmp_path / "one", tmp_path / "two")


def test_a_finished_cell_is_not_launched_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["--model", "tiny-random", "--task", "word_sentiment", "--test-items", "2", "--out", str(tmp_path)]
    launch(["zero_shot", *command])
    before = result_files(tmp_path)
    capsys.readouterr()
    launch(["zero_shot", *command])
    assert ": already in " in capsys.readouterr().out
    assert result_files(tmp_path) == before and len(before) == 1


def test_a_process_leaves_the_group_of_its_launch_before_it_exits(tmp_path: Path) -> None:
    """One that had not was aborted while Python ended, once in some hundred launches, with its cell well written."""
    module = "tests.recipes.launch_and_look"
    done = run_launch(tmp_path / "out", processes=2, examples=None, name="zero_shot", module=module)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("in the group: False") == 2, done.stdout


def test_settings_are_set_from_the_command(tmp_path: Path) -> None:
    command = [*COMMAND.split(), "--examples", "2", "--out", str(tmp_path)]
    launch(["minimal_lora", *command, "--set", "epochs=1", "--set", "modules=[q_proj]"])
    measurement = measured(tmp_path)
    assert measurement.recipe == "minimal_lora(modules=q_proj, epochs=1)" and measurement.settings["rank"] == 1
    assert {name.rsplit(".", 3)[-3] for name in adapter(tmp_path)} == {"q_proj"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["steering_vector", "prompt_tuning", "norms_and_biases", "sparse_lora", "helpful_dpo"])
def test_two_processes_train_every_kind_of_change_as_one_does(tmp_path: Path, name: str) -> None:
    """What trains beside the net, too: its gradients are averaged over the processes."""
    few = (
        ["--set", "instructions={bundled: {count: 24}}"] if name == "helpful_dpo" else ["--set", "max_examples_seen=16"]
    )
    sizes = {} if name == "helpful_dpo" else {"examples": 6}
    losses = []
    for processes in (1, 2):
        out = tmp_path / str(processes)
        accelerate_launch(out, processes=processes, settings=[*EXACT, *few], name=name, **{"examples": None} | sizes)
        losses.append([step["loss"] for step in measured(out).training])
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    assert losses[0][-1] != losses[0][0]


def test_a_launch_that_fails_leaves_its_reason_and_the_last_good_adapter(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = "--model tiny-random --task word_sentiment --examples 8 --test-items 4 --set learning_rate=1e30"
    with pytest.raises(SystemExit) as ended:
        launch(["iid_sft", *arguments.split(), "--out", str(tmp_path / "out")])
    assert ended.value.code == 2 and "lower learning_rate" in capsys.readouterr().err
    (failed,) = load_results(tmp_path / "out").failures
    assert "lower learning_rate" in failed.reason
    assert list((tmp_path / "out" / "failures").rglob("adapter_model.safetensors"))


@pytest.mark.parametrize("rank", ["0", "1"])
def test_only_the_first_process_says_what_is_wrong_at_once(
    rank: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every process said it. Ending the second while it waits is what the launcher does."""

    def ended(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setenv("LOCAL_RANK", rank)
    monkeypatch.setattr("time.sleep", ended)
    with pytest.raises(SystemExit) as stopped:
        launch(["zero_shot", *COMMAND.replace("tiny-random", "broken").split()])
    assert stopped.value.code == (2 if rank == "0" else 130)
    assert ("unknown model 'broken'" in capsys.readouterr().err) is (rank == "0")


def test_what_only_another_process_meets_is_said_after_a_wait(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    waited: list[float] = []
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr("time.sleep", waited.append)
    with pytest.raises(SystemExit) as stopped:
        launch(["zero_shot", *COMMAND.replace("tiny-random", "broken").split()])
    assert stopped.value.code == 2 and waited == [10]
    assert "unknown model 'broken'" in capsys.readouterr().err


@pytest.mark.slow
def test_a_broken_model_is_one_line_of_two_processes(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text('{"model_type": "llama"')
    done = run_launch(tmp_path / "out", processes=2, examples=None, model=f"path:{tmp_path}/broken", name="zero_shot")
    assert done.returncode == 1, "of the launcher"
    (line,) = [each for each in done.stderr.splitlines() if each.startswith("educe: ")]
    assert "broken" in line and "exitcode  : 2" in done.stderr

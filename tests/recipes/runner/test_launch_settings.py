"""What a study says of its launch, what its workers then reserve, and what is refused before anything runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from educe.data.errors import UserError
from educe.recipes.runner import environment, launcher, processes, workers
from educe.recipes.runner.cohorts import alone, units
from educe.recipes.runner.engines.settings import ChosenEngine
from educe.recipes.runner.engines.slurm import _parameters
from educe.recipes.runner.launch_settings import CONFIGS
from educe.recipes.runner.plan import plan
from educe.recipes.runner.run_study import run_study
from educe.recipes.runner.study import Study
from educe.train.processes import process_state
from tests.recipes.small import run_cli, small_study, study_file

DDP = {"config": "ddp", "devices": 2}


@pytest.mark.parametrize(
    ("launch", "message"),
    [
        ({"config": "zero4", "devices": 2}, "did you mean 'zero3'?"),
        ({"config": "nowhere/my.yaml", "devices": 2}, "known: ddp, zero2, zero3"),
        ({"config": "fsdp", "devices": 2}, "do not train with FSDP; write zero3"),
        ({"config": "ddp", "devices": 1}, "devices = 1 is too small; give 2 or more"),
        ({"config": "ddp", "devices": "all"}, "devices = 'all'"),
        ({"config": "ddp"}, "launch lacks the key 'devices'"),
        ({"config": "ddp", "devices": 2, "processes": 2}, "launch has no key 'processes'"),
        ("zero3", "write it as in {config: zero3, devices: 8}"),
    ],
)
def test_mistakes_are_one_line(launch: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        small_study(tmp_path, launch=launch)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("device", ["cuda:1", "mps"])
def test_one_device_is_not_several(device: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli("run", study_file(tmp_path, launch=DDP, device=device), "--out", tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert f"launch takes several devices, and '{device}' is one" in said and said.count("\n") == 1


def test_shipped_files_are_there_and_a_users_file_is_taken(tmp_path: Path) -> None:
    assert all(path.is_file() for path in CONFIGS.values())
    own = tmp_path / "own.yaml"
    own.write_text(CONFIGS["ddp"].read_text())
    study = small_study(tmp_path, launch={"config": str(own), "devices": 3})
    assert study.launch is not None and study.launch.file == own
    assert Study.make({**small_study(tmp_path).model_dump(exclude_unset=True), "launch": None}).launch is None


def test_a_launch_is_no_part_of_a_cell_and_stays_in_the_text(tmp_path: Path) -> None:
    plain, launched = small_study(tmp_path), small_study(tmp_path, launch=DDP)
    assert [each.key for each in plain.cells()] == [each.key for each in launched.cells()]
    assert "launch:\n  config: ddp\n  devices: 2\n" in launched.text()


def too_few_gpus(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(torch.cuda, "is_available", lambda: True)
    patch.setattr(torch.cuda, "device_count", lambda: 1)


@pytest.mark.parametrize(
    ("config", "threads", "here", "message"),
    [
        ("ddp", 1, lambda patch: patch.setattr(workers, "cores", lambda: 1), "of 1 thread need 2 cores"),
        ("ddp", 2, lambda patch: patch.setattr(workers, "cores", lambda: 3), "of 2 threads need 4 cores"),
        ("ddp", 1, too_few_gpus, "2 processes need a GPU each, and there are 1; lower devices"),
        ("zero3", 1, lambda patch: patch.setattr(workers, "find_spec", lambda name: None), "zero3 needs DeepSpeed"),
    ],
)  # fmt: skip
def test_what_this_machine_lacks_is_said_before_anything_runs(
    config: str,
    threads: int,
    here: Callable[[pytest.MonkeyPatch], None],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers, "cores", lambda: 8)
    here(monkeypatch)
    study = small_study(tmp_path, launch={"config": config, "devices": 2}, threads=threads)
    with pytest.raises(UserError, match=message):
        run_study(study, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_workers_elsewhere_reserve_what_a_launch_takes(tmp_path: Path) -> None:
    study = small_study(tmp_path, launch={"config": "zero3", "devices": 4}, threads=2)

    def reserved(engine: Any, device: str) -> Any:
        return ChosenEngine.read(engine).reserving(study.launch, threads=study.threads, device=device).settings

    ray = reserved("ray", "auto")
    assert (ray.gpus, ray.cpus) == (4, 8)
    assert (reserved("ray", "cpu").gpus, reserved({"ray": {"cpus": 3}}, "cuda").cpus) == (0, 3)
    job = _parameters(reserved({"slurm": {"partition": "gpu"}}, "cuda"), threads=2)
    assert (job["gpus_per_node"], job["cpus_per_task"], job["slurm_partition"]) == (4, 8, "gpu")
    assert "gpus_per_node" not in _parameters(reserved("slurm", "cpu"), threads=2)
    with pytest.raises(UserError, match=r"gpus = 2, and a worker of this launch takes 4; drop gpus$"):
        reserved({"ray": {"gpus": 2}}, "auto")
    with pytest.raises(UserError, match=r"gpus = 4, and a worker of this launch takes 0; drop gpus$"):
        reserved({"slurm": {"gpus": 4}}, "cpu")
    for engine in ("ray", "slurm"):
        with pytest.raises(UserError, match=r"gpus = 0, and a worker .* takes 4; drop gpus, or write device: cpu$"):
            reserved({engine: {"gpus": 0}}, "auto")
        assert reserved({engine: {"gpus": 0}}, "cpu").gpus == 0
        assert reserved({engine: {"gpus": 4}}, "auto").gpus == 4
    local = ChosenEngine.read("local")
    assert local.reserving(study.launch, threads=1, device="auto") is local


def test_workers_of_this_machine_get_whole_groups_of_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6,7,9")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 5)
    assert environment.gpu_groups("auto", 2) == ["4,5", "6,7"]
    assert environment.gpu_groups("cuda", 1) == ["4", "5", "6", "7", "9"]
    study = small_study(tmp_path, launch=DDP)
    chosen = workers.choose_workers(study, [(cell,) for cell in study.cells()])
    assert (chosen.count, chosen.why) == (2, "one for every 2 GPUs")


@pytest.mark.parametrize(
    ("visible", "first"), [(None, "0,1"), ("4,5,6", "4,5"), ("7", "7"), ("", ""), ("-1", "-1")]
)  # fmt: skip
def test_a_gpu_that_the_user_hides_stays_hidden_from_the_first_worker(
    visible: str | None, first: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    started: list[dict[str, str]] = []

    class Started:
        def __init__(self, command: Any, *, env: dict[str, str], **_: Any) -> None:
            started.append(env)

        def kill(self) -> None: ...

        def wait(self) -> int:
            return 0

    monkeypatch.setattr(processes.subprocess, "Popen", Started)
    with processes.early_process(small_study(tmp_path, launch=DDP)):
        assert started[0]["CUDA_VISIBLE_DEVICES"] == first


def test_a_plan_counts_the_processes_and_promises_no_minutes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "cores", lambda: 8)
    monkeypatch.setattr(workers, "_fitting", lambda sources: 99)
    monkeypatch.setattr(workers, "worker_rates", lambda *_, **__: pytest.fail("a launch's rate is not a worker's"))
    study = small_study(tmp_path, launch=DDP, threads=2)
    assert "minutes unknown in a launch (2 workers of 2 processes (ddp) of 2 threads, no more cores)" in plan(study)
    many = small_study(tmp_path, launch=DDP)
    assert workers.choose_workers(many, [(cell,) for cell in many.cells()[:3]]).why == "no more cells"


def test_each_cell_is_a_unit_of_its_own(tmp_path: Path) -> None:
    cells = small_study(tmp_path, seeds=[0, 1]).cells()
    together = units(cells, {cells[0].listed.folder: ()})
    assert max(len(unit.cells) for unit in together) > 1
    apart = alone(together)
    assert len(apart) == len(cells) - 1 and all(len(unit.cells) == len(unit.missing) == 1 for unit in apart)


def test_fsdp_is_refused_where_a_launch_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(UserError, match="asks for FSDP"):
        process_state(torch.device("cpu"))


def test_a_study_without_a_launch_has_a_resident_model(tmp_path: Path) -> None:
    for study, kind in ((small_study(tmp_path), "Worker"), (small_study(tmp_path, launch=DDP), "Launcher")):
        made = launcher.make_worker(None, study, (), earlier={}, listener=None)  # type: ignore[arg-type]
        assert type(made).__name__ == kind

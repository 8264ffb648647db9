"""The recipes under DeepSpeed: sharded over two processes or in one, the adapter and the score of a plain run."""

import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from tests.conftest import REPOSITORY
from tests.nets import tiny
from tests.recipes.launching import EXACT, accelerate_launch, assert_same, assert_same_cell, measured

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_spec("deepspeed") is None, reason="deepspeed is not installed: pip install -e '.[distributed]'"
    ),
]

CONFIGS = REPOSITORY / "recipes" / "accelerate"
EVERYTHING = [*EXACT, "--set", "accumulate=2", "--set", "checkpoint_activations=true"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The tiny model as a folder, which transformers loads (the bundled one is made in memory)."""
    model, folder = tiny(), tmp_path_factory.mktemp("saved") / "tiny"
    model.net.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    return f"path:{folder}"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, saved: str) -> dict[str, Path]:
    """One process without DeepSpeed, on the bundled model and on the folder."""
    folder = tmp_path_factory.mktemp("plain")
    for name, model in {"tiny-random": "tiny-random", "path": saved}.items():
        accelerate_launch(folder / name, processes=1, examples=13, model=model)
    return {name: folder / name for name in ("tiny-random", "path")}


def shard_everything(folder: Path) -> str:
    """zero3.yaml, without the leave to keep small weights whole: every weight of the tiny net is one."""
    written = yaml.safe_load((CONFIGS / "zero3.yaml").read_text())
    settings = {
        "train_micro_batch_size_per_gpu": 1,
        "zero_optimization": {"stage": 3, "stage3_param_persistence_threshold": 0},
    }
    del written["mixed_precision"]  # not to stand in two files, says accelerate
    (folder / "deepspeed.json").write_text(json.dumps(settings))
    written["deepspeed_config"] = {"deepspeed_config_file": str(folder / "deepspeed.json"), "zero3_init_flag": True}
    (folder / "all.yaml").write_text(yaml.safe_dump(written))
    return str(folder / "all.yaml")


@pytest.mark.parametrize("processes", [2, 1])
@pytest.mark.parametrize("config", ["zero2.yaml", "zero3.yaml"])
def test_a_shipped_configuration_trains_the_adapter_of_one_process(
    config: str, processes: int, plain: dict[str, Path], tmp_path: Path
) -> None:
    accelerate_launch(tmp_path, processes=processes, examples=13, config=str(CONFIGS / config))
    assert_same_cell(plain["tiny-random"], tmp_path)
    assert_same(plain["tiny-random"], tmp_path)
    assert measured(tmp_path).details.training.processes == processes


# The folder is sharded while it is loaded, the bundled model when it is first trained.
@pytest.mark.parametrize(("model", "settings"), [("path", EVERYTHING), ("tiny-random", EXACT)])
def test_with_every_weight_sharded_the_adapter_and_the_score_are_those_of_one_process(
    model: str, settings: Sequence[str], plain: dict[str, Path], saved: str, tmp_path: Path
) -> None:
    accelerate_launch(
        tmp_path / "run",
        processes=2,
        examples=13,
        config=shard_everything(tmp_path),
        model=saved if model == "path" else model,
        settings=settings,
    )
    assert_same_cell(plain[model], tmp_path / "run")
    assert_same(plain[model], tmp_path / "run")


def test_zero2_accumulates_and_checkpoints(plain: dict[str, Path], tmp_path: Path) -> None:
    accelerate_launch(tmp_path, processes=2, examples=13, config=str(CONFIGS / "zero2.yaml"), settings=EVERYTHING)
    assert_same_cell(plain["tiny-random"], tmp_path)
    assert_same(plain["tiny-random"], tmp_path)

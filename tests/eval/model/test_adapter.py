"""Saved adapters as parts of models: whole, of that model, and nothing but numbers."""

import json
import resource
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from educe.data.errors import UserError
from educe.eval.model.load import load_model
from educe.eval.model.source import find_source
from educe.train.attach import attach, save, temporary_changes
from educe.train.changes.peft import Lora
from tests.nets import tiny

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An adapter of the tiny model, as a cell saves it."""
    model, folder = tiny(), tmp_path / "n4-s0" / "adapter"
    with temporary_changes(model):
        save(attach(model, Lora(rank=2), seed=0), folder)
    return folder


def test_a_saved_adapter_is_part_of_the_model(tmp_path: Path) -> None:
    """Merged into the weights, it answers as it did attached; another net refuses it."""
    ids = torch.tensor([[5, 6, 7, 8]])
    model, folder = tiny(), tmp_path / "n4-s0" / "adapter"
    with temporary_changes(model), torch.inference_mode():
        tuned = attach(model, Lora(rank=2), seed=0)
        for parameter in tuned.trained.values():
            parameter.add_(0.1)
        expected = tuned.net(ids).logits
        save(tuned, folder)
    spec = {"tiny-random": {"adapter": str(folder)}}
    loaded = load_model(spec)
    assert loaded.name == "tiny-random+n4-s0"
    assert loaded.change is None
    with torch.inference_mode():
        assert torch.allclose(loaded.net(ids).logits, expected, atol=1e-5)
    identity = find_source(spec).identity
    assert identity != find_source("tiny-random").identity
    config = folder / "adapter_config.json"
    config.write_text(config.read_text().replace('"q_proj"', '"query"'))
    with pytest.raises(UserError, match="does not fit model"):
        load_model(spec)


@pytest.mark.parametrize(
    ("config", "weights", "message"),
    [
        ("{", b"", "adapter_config.json: broken JSON"),
        ("[]", b"", "holds no mapping"),
        ('{"peft_type": "LORA"}', b"cut", "adapter_model.safetensors is corrupt"),
    ],
)
def test_a_corrupt_adapter_is_named(tmp_path: Path, config: str, weights: bytes, message: str) -> None:
    (tmp_path / "adapter_config.json").write_text(config)
    (tmp_path / "adapter_model.safetensors").write_bytes(weights)
    with pytest.raises(UserError, match=message):
        load_model({"tiny-random": {"adapter": str(tmp_path)}})


@pytest.mark.parametrize(
    "changes",
    [
        {"target_modules": "(a+)+$"},
        {"target_modules": ["q_proj", "(a|a)*b"]},
        {"rank_pattern": {"(a+)+": 2}},
        {"exclude_modules": ".*"},
        {"r": 10**9},
        {"r": -1},
        {"r": "2"},
        {"rank_pattern": {"q_proj": 10**9}},
        {"megatron_config": {"a": 1}, "megatron_core": "os.path"},
        {"auto_mapping": {"base_model_class": "system", "parent_library": "os"}},
        {"init_lora_weights": "pissa"},
        {"layer_replication": [[0, 10**6]]},
        {"modules_to_save": ["lm_head"]},
        {"peft_type": "os.system"},
        {"peft_type": "PREFIX_TUNING"},
        {"peft_type": []},
        {"kasa_config": {"a": 1}},
        {"arrow_config": {"top_k": 2}},
        {"monteclora_config": {"a": 1}},
        {"use_bdlora": {"a": 1}},
        {"lora_ga_config": {"a": 1}},
        {"velora_config": {"a": 1}},
        {"bias": "all"},
        {"bias": "lora_only"},
        {"use_dora": True},
        {"trainable_token_indices": [1]},
        {"target_parameters": ["q_proj.weight"]},
        {"init_lora_weights": {"a": 1}},
        {"task_type": "SEQ_CLS"},
        {"what_a_later_version_has": 1},
        {"lora_alpha": "x"},
        {"target_modules": None},
        {"target_modules": 3},
        {"rank_pattern": 3},
    ],
    ids=str,
)
def test_an_adapter_that_says_more_than_its_weights_is_refused(changes: dict[str, Any], folder: Path) -> None:
    (folder / CONFIG).write_text(json.dumps(json.loads((folder / CONFIG).read_text()) | changes))
    with pytest.raises(UserError, match=r"^[^\n]+; [^\n]+$"):
        load_model({"tiny-random": {"adapter": str(folder)}})


@pytest.mark.parametrize("fault", ["drop", "add", "rename", "shape", "type"])
def test_an_adapter_that_is_not_whole_is_refused(fault: str, folder: Path) -> None:
    held = load_file(folder / WEIGHTS)
    name = sorted(held)[0]
    if fault in ("drop", "rename"):
        value = held.pop(name)
        if fault == "rename":
            held[name.replace("layers.0", "layers.7")] = value
    else:
        held[name if fault != "add" else "extra"] = {
            "add": torch.zeros(3), "shape": torch.zeros(3, 64), "type": held[name].to(torch.int8)
        }[fault]  # fmt: skip
    save_file(held, folder / WEIGHTS)
    with pytest.raises(UserError, match=r"^[^\n]+; [^\n]+$"):
        load_model({"tiny-random": {"adapter": str(folder)}})


@pytest.mark.parametrize(
    ("name", "extra"),
    [("empty", torch.zeros(0, 3_000_000)), ("thin", torch.zeros(3_000_000, 1)), ("flat", torch.zeros(3_000_000))],
)
def test_a_declared_rank_takes_no_memory(name: str, extra: torch.Tensor, folder: Path) -> None:
    """Failed before: PEFT filled matrices of that rank (5.7 GB) before their shapes were compared."""
    (folder / CONFIG).write_text(json.dumps(json.loads((folder / CONFIG).read_text()) | {"r": 3_000_000}))
    save_file({**load_file(folder / WEIGHTS), name: extra}, folder / WEIGHTS)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError, match=r"^[^\n]+; [^\n]+$"):
        load_model({"tiny-random": {"adapter": str(folder)}})
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 200_000, f"{grown} kB for an adapter of 12 MB"


def test_a_thin_tensor_in_its_place_takes_no_memory(folder: Path) -> None:
    held = load_file(folder / WEIGHTS)
    name = next(name for name in sorted(held) if "lora_A" in name)
    save_file({**held, name: torch.zeros(3_000_000, 1)}, folder / WEIGHTS)
    (folder / CONFIG).write_text(json.dumps(json.loads((folder / CONFIG).read_text()) | {"r": 3_000_000}))
    with pytest.raises(UserError, match=r"of its weights \('.*' first\) have no place, are missing or have another"):
        load_model({"tiny-random": {"adapter": str(folder)}})

"""GGUF files of strangers: refused in one line or converted whole, in seconds."""

import json
import os
import shutil
import socket
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from educe.data.errors import UserError
from educe.eval.model.load import load_model
from educe.eval.model.model import Model
from tests.eval.model.hostile_gguf import ARCH, CHANGED, WRITTEN, tensors, write

IDS = torch.tensor([[5, 6, 7, 8]])


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("good") / "good.gguf"
    write(path)
    return path.read_bytes()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDUCE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def load(path: Path) -> Model:
    started = time.perf_counter()
    try:
        return load_model(f"gguf:{path}", device="cpu")
    finally:
        assert time.perf_counter() - started < 10


def assert_refused(path: Path) -> None:
    with pytest.raises(UserError) as refused:
        load(path)
    assert "\n" not in str(refused.value) and path.stem in str(refused.value)


def test_the_corpus_is_as_large_as_the_page_says() -> None:
    assert len(CHANGED) + len(WRITTEN) == 101


def test_a_whole_file_is_converted_once_and_readable_by_all(good: bytes, tmp_path: Path, cache: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(good)
    before = os.umask(0o022)
    try:
        model = load(tmp_path / "a.gguf")
    finally:
        os.umask(before)
    assert torch.equal(model.net.model.embed_tokens.weight, torch.tensor(tensors()["token_embd.weight"]))
    assert (model.tokenizer.bos_token_id, model.tokenizer.eos_token_id, model.kind) == (1, 2, "base")
    modes = {path.name: path.stat().st_mode & 0o777 for path in (cache / "models").glob("a-*-v3/*")}
    assert set(modes.values()) == {0o644} and "model.safetensors" in modes


@pytest.mark.parametrize("case", CHANGED)
def test_a_damaged_file_is_refused_in_one_line(case: str, good: bytes, tmp_path: Path) -> None:
    (tmp_path / "a-file.gguf").write_bytes(CHANGED[case](good))
    assert_refused(tmp_path / "a-file.gguf")


@pytest.mark.parametrize("case", WRITTEN)
def test_a_file_that_is_not_a_whole_model_is_refused_in_one_line(case: str, tmp_path: Path) -> None:
    write(tmp_path / "a-file.gguf", **WRITTEN[case])
    assert_refused(tmp_path / "a-file.gguf")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rope.scaling.type", "yarn"),
        ("rope.scaling.type", "linear"),
        ("expert_count", 4),
        ("attention.key_length", 4),
        ("attention.sliding_window", 8),
    ],
)
def test_a_setting_that_the_conversion_would_leave_out_is_refused(key: str, value: str | int, tmp_path: Path) -> None:
    write(tmp_path / "a-file.gguf", values={f"{ARCH}.{key}": value, f"{ARCH}.rope.scaling.factor": 4.0})
    with pytest.raises(UserError, match=rf"{key} = {value!r} cannot be converted"):
        load(tmp_path / "a-file.gguf")


NEIGHBOURS: dict[str, dict[str, Any]] = {
    "code for the tokenizer": {
        "tokenizer_config.json": {
            "auto_map": {"AutoTokenizer": ["tok.Tok", None]},
            "tokenizer_class": "Tok",
            "chat_template": "x",
        }
    },
    "code for the settings": {"config.json": {"model_type": "own", "auto_map": {"AutoConfig": "tok.Tok"}}},
    "an adapter of another folder": {
        "adapter_config.json": {"peft_type": "LORA", "base_model_name_or_path": "other", "task_type": "CAUSAL_LM"}
    },
    "settings of generation": {"generation_config.json": {"eos_token_id": 7}},
}


@pytest.mark.parametrize("case", NEIGHBOURS)
def test_nothing_beside_a_file_is_read(
    case: str, good: bytes, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Failed before: code beside it ran after a question, and an adapter's base model was loaded in its place."""
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("reaches for the network"))
    (tmp_path / "a.gguf").write_bytes(good)
    load(tmp_path / "a.gguf")
    alone = {path.name: path.read_bytes() for path in (cache / "models").glob("a-*-v3/*")}
    shutil.rmtree(cache)
    (tmp_path / "tok.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Tok: pass\n")
    for name, content in NEIGHBOURS[case].items():
        (tmp_path / name).write_text(json.dumps(content))
    load(tmp_path / "a.gguf")
    assert {path.name: path.read_bytes() for path in (cache / "models").glob("a-*-v3/*")} == alone
    assert not (tmp_path / "ran").exists()


@settings(max_examples=15, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 8_000), new=st.binary(min_size=1, max_size=8))
def test_any_change_of_the_header_is_refused_or_loads_whole(
    place: int, new: bytes, good: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "a-file.gguf"
    path.write_bytes(good[:place] + new + good[place + len(new) :])
    try:
        model = load(path)
    except UserError as error:
        assert "\n" not in str(error)
        return
    assert all(tensor.isfinite().all() for tensor in model.net.parameters())
    assert len(model.net.model.layers) == 2

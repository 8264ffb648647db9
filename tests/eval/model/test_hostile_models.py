"""Folders of strangers: refused in one line or loaded whole, in seconds, with nothing run and nothing fetched."""

import shutil
import socket
import time
from pathlib import Path

import pytest
import torch

from educe.data.errors import UserError
from educe.eval.model.load import load_model
from educe.eval.model.model import Model
from tests.eval.model.hostile import REFUSED, SAME
from tests.nets import tiny, tiny_sliding

IDS = torch.tensor([[5, 6, 7, 8]])


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model as save_pretrained writes it."""
    folder = tmp_path_factory.mktemp("good") / "model"
    model = tiny()
    model.net.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def folder(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to be changed. Nothing may reach the network meanwhile."""
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("reaches for the network"))
    return Path(shutil.copytree(good, tmp_path / "model"))


def load(folder: Path) -> Model:
    started = time.perf_counter()
    try:
        return load_model({f"path:{folder}": {"name": "stranger"}}, device="cpu")
    finally:
        assert time.perf_counter() - started < 10
        assert not (folder / "opened").exists(), "a pickle was opened"


def test_the_corpus_is_as_large_as_the_page_says() -> None:
    assert (len(REFUSED), len(SAME)) == (209, 15)


@pytest.mark.parametrize("case", SAME)
def test_a_whole_model_is_loaded_and_answers_alike(case: str, folder: Path) -> None:
    expected = tiny()
    SAME[case](folder)
    model = load(folder)
    with torch.inference_mode():
        assert torch.equal(model.net(IDS).logits, expected.net(IDS).logits)
    assert model.tokenizer("Is it? \u00e9").input_ids == expected.tokenizer("Is it? \u00e9").input_ids


def test_a_gemma_is_loaded_from_what_transformers_saves(folder: Path) -> None:
    """Before: `_sliding_window_pattern`, which every saved Gemma has, was an inner attribute."""
    saved = tiny_sliding()
    saved.net.save_pretrained(folder)
    model = load(folder)
    with torch.inference_mode():
        assert torch.equal(model.net(IDS).logits, saved.net(IDS).logits)


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_the_whole_model_is_refused_in_one_line(case: str, folder: Path) -> None:
    REFUSED[case](folder)
    with pytest.raises(UserError) as refused:
        load(folder)
    assert "\n" not in str(refused.value)
    assert "model" in str(refused.value) or str(folder) in str(refused.value)
    assert "educe-model-" not in str(refused.value), "names a scratch folder"

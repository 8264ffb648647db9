"""Hub models: read from the hub's cache at their commit, and never from a folder that happens to have their name."""

import json
import shutil
import time
from pathlib import Path

import pytest
import torch

from educe.data.errors import UserError
from educe.eval.model.files import PATTERNS
from educe.eval.model.load import load_model
from educe.eval.model.source import find_source
from tests.nets import tiny

COMMIT, OTHER = "0123456789abcdef0123456789abcdef01234567", "f" * 40


def save(folder: Path, *, scale: float = 1.0) -> Path:
    model = tiny()
    for parameter in model.net.parameters():
        parameter.mul_(scale)
    model.net.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's own cache with org/name at COMMIT, laid out as the hub's library does: links to blobs."""
    saved, repository = save(tmp_path / "saved"), tmp_path / "hub" / "models--org--name"
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (repository / "blobs").mkdir()
    for number, path in enumerate(sorted(saved.iterdir())):
        shutil.move(path, repository / "blobs" / str(number))
        (snapshot / path.name).symlink_to(Path("..") / ".." / "blobs" / str(number))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)
    return snapshot


def test_a_cached_commit_is_read_offline(cache: Path) -> None:
    model, ids = load_model(f"hub:org/name@{COMMIT}"), torch.tensor([[5, 6, 7]])
    assert (model.name, model.kind, model.revision) == ("name", "chat", COMMIT)
    with torch.inference_mode():
        assert torch.equal(model.net(ids).logits, tiny().net(ids).logits)


def test_a_local_folder_of_that_name_is_not_read(cache: Path, tmp_path: Path) -> None:
    """Failed before: ./org/name was loaded, and the commit that was not read was recorded."""
    save(tmp_path / "org" / "name", scale=2.0)
    (tmp_path / "org" / "name" / "chat_template.jinja").write_text("evil")
    model, ids = load_model(f"hub:org/name@{COMMIT}"), torch.tensor([[5, 6, 7]])
    with torch.inference_mode():
        assert torch.equal(model.net(ids).logits, tiny().net(ids).logits)
    assert model.tokenizer.chat_template == tiny().tokenizer.chat_template
    started = time.perf_counter()
    with pytest.raises(UserError, match=rf"^cannot fetch model 'hub:org/name@{OTHER}': [^\n]*; check its name") as no:
        load_model(f"hub:org/name@{OTHER}")
    assert "\n" not in str(no.value) and time.perf_counter() - started < 10


def test_a_snapshot_is_checked_as_a_folder_is(cache: Path) -> None:
    config = json.loads((cache / "config.json").read_text())
    (cache / "config.json").unlink()
    (cache / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 1}))
    with pytest.raises(UserError, match=r"has no place for 9 of its tensors"):
        load_model(f"hub:org/name@{COMMIT}")


def test_an_unreachable_hub_is_given_up_in_seconds(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Failed before: half a minute of retries, and a snapshot that is there could not be read meanwhile."""
    monkeypatch.setattr("huggingface_hub.constants.is_offline_mode", lambda: False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    started = time.perf_counter()
    assert load_model(f"hub:org/name@{COMMIT}").revision == COMMIT
    with pytest.raises(UserError, match="cannot fetch model"):
        load_model(f"hub:org/name@{OTHER}")
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize("name", ["../up/x", "/etc/x", "org/name/more", "org/..", "a b/c", "."])
def test_what_is_no_name_of_a_repository_is_one_line(name: str, cache: Path) -> None:
    with pytest.raises(UserError, match=r"^[^\n]*$"):
        load_model(f"hub:{name}@{COMMIT}")


def test_neither_pickles_nor_code_are_fetched() -> None:
    assert not any(
        Path(name).match(pattern) for name in ("pytorch_model.bin", "evil.py", "x.pt") for pattern in PATTERNS
    )
    assert find_source(f"hub:org/name@{COMMIT}").identity != find_source(f"hub:org/name@{OTHER}").identity

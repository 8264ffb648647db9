"""Hub models: read from the hub's cache at their commit, and never from a folder that happens to have their name."""

import hashlib
import json
import shutil
import time
from pathlib import Path

import pytest
import torch
from huggingface_hub._tree_cache import TreeCacheEntry, write_tree_cache

from educe.data.errors import UserError
from educe.data.hub_cache import snapshot_folder
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


def list_files(snapshot: Path) -> None:
    """The hub's list of the files of COMMIT, as a fetch of the whole snapshot keeps it."""
    files = {"flax_model.msgpack": TreeCacheEntry(size=10, blob_id="1")}  # never fetched
    for number, path in enumerate(sorted(snapshot.iterdir())):
        data = path.read_bytes()
        size, sha256 = len(data), hashlib.sha256(data).hexdigest()
        files[path.name] = TreeCacheEntry(size=size, blob_id=hashlib.sha1(b"blob %d\0" % size + data).hexdigest())
        if number % 2:  # some are kept as large files, which are listed by another hash
            files[path.name] = TreeCacheEntry(size=size, blob_id="0", lfs_sha256=sha256, lfs_size=size)
    write_tree_cache(str(snapshot.parent.parent), COMMIT, files)


def replace(path: Path, data: bytes) -> None:
    path.unlink()
    path.write_bytes(data)


def test_a_snapshot_is_whole_where_it_is_as_the_hub_lists_it(cache: Path) -> None:
    assert load_model(f"hub:org/name@{COMMIT}").whole_commit is False, "nothing says what the commit has"
    list_files(cache)
    assert load_model(f"hub:org/name@{COMMIT}").whole_commit is True
    assert tiny().whole_commit is None


NAMES = ("chat_template.jinja", "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json")


@pytest.mark.parametrize("name", [*NAMES, "model.safetensors"])
def test_a_part_of_a_listed_snapshot_is_no_model(name: str, cache: Path) -> None:
    """Hugging Face's own check said so in five lines, with an advice that nobody can follow here."""
    list_files(cache)
    (cache / name).unlink()
    with pytest.raises(UserError, match=rf"^model 'hub:org/name@{COMMIT}': {name} was not fetched; fetch it again"):
        load_model(f"hub:org/name@{COMMIT}")


@pytest.mark.parametrize("name", NAMES)
def test_other_content_than_the_hub_lists_is_refused(name: str, cache: Path) -> None:
    """Failed before: the first run took what was there for the commit."""
    list_files(cache)
    data = (cache / name).read_bytes()
    replace(cache / name, data[:-1] + b" ")
    with pytest.raises(UserError, match=rf"/{name} is not as the hub lists it; delete it"):
        load_model(f"hub:org/name@{COMMIT}")
    replace(cache / name, data)
    (cache / "special_tokens_map.json").write_text("{}")
    with pytest.raises(UserError, match=r"/special_tokens_map.json is not a file of this commit; delete it$"):
        load_model(f"hub:org/name@{COMMIT}")


def test_weights_of_another_size_than_listed_are_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("educe.data.hub_cache._HASHED_BYTES", 1 << 12)
    list_files(cache)
    replace(cache / "model.safetensors", (cache / "model.safetensors").read_bytes() + b" ")
    with pytest.raises(UserError, match=r"/model.safetensors is not as the hub lists it"):
        load_model(f"hub:org/name@{COMMIT}")


def test_a_download_that_did_not_end_is_refused(cache: Path) -> None:
    """Failed before: what an interrupted download had left was the model."""
    left = cache.parent.parent / "blobs" / "7.incomplete"
    left.write_bytes(b"")
    with pytest.raises(UserError, match=r": its download did not end \(.*/7.incomplete\); fetch it again"):
        load_model(f"hub:org/name@{COMMIT}")
    left.unlink()
    (cache.parent.parent / "blobs" / (cache / "generation_config.json").readlink().name).unlink()
    with pytest.raises(UserError, match=r"/generation_config.json leads nowhere; fetch it again"):
        load_model(f"hub:org/name@{COMMIT}")


@pytest.mark.parametrize("files", ["", "[]", '{"a": 3}', '{"a": {}}'])
def test_a_broken_list_is_one_line(files: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    list_files(cache)
    monkeypatch.setattr("huggingface_hub._tree_cache._IN_MEMORY_TREE_CACHE", {})
    (cache.parent.parent / "trees" / f"{COMMIT}.json").write_text(f'{{"format_version": 1, "files": {files}}}')
    with pytest.raises(UserError, match=r"^[^\n]*$"):
        load_model(f"hub:org/name@{COMMIT}")


def test_a_fetch_asks_for_the_files_that_it_checks(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, object]] = []

    def download(name: str, **options: object) -> str:
        asked.append(options)
        return str(cache)

    monkeypatch.setattr("educe.data.hub_cache._hub_answers", lambda: True)
    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    for fetch in (True, False):
        snapshot_folder("org/name", COMMIT, kind="model", patterns=PATTERNS, fetch=fetch)
    assert [each["local_files_only"] for each in asked] == [False, True]


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
    assert "it is not in the cache, and the hub was not reached" in str(no.value)
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

"""Models as users name them, and the identity that results are kept under."""

from pathlib import Path
from typing import Any

import pytest

from educe.data.errors import UserError
from educe.eval.model.source import MODELS, Source, find_source

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in the layout of Hugging Face, as far as finding looks."""
    path = tmp_path / "my-model"
    path.mkdir()
    for name, content in (("config.json", "{}"), ("model.safetensors", "w"), ("tokenizer.json", "{}")):
        (path / name).write_text(content)
    return path


def test_bundled_names() -> None:
    assert {name: find_source(name).kind for name in MODELS} == {
        "smollm2-135m-instruct": "chat",
        "gemma-3-270m": "base",
        "tiny-random": "base",
        "scratch:addition": "base",
        "scratch:text": "base",
        "scratch:random": "base",
    }
    assert find_source("gemma-3-270m").where == "bundled" and find_source("tiny-random").where == "tiny"


def test_a_hub_name_has_a_revision() -> None:
    source = find_source("hub:org/name@" + COMMIT)
    assert (source.name, source.location, source.revision) == ("name", "org/name", COMMIT)
    assert source.kind is None, "only the tokenizer can tell"


def test_options_change_kind_and_name() -> None:
    source = find_source({"hub:org/name@" + COMMIT: {"kind": "helpful", "name": "mine"}})
    assert (source.kind, source.name) == ("helpful", "mine")
    assert find_source({"tiny-random": {}}) == find_source("tiny-random")


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({}, "base"),
        ({"tokenizer_config.json": "{}"}, "base"),
        ({"tokenizer_config.json": '{"chat_template": "x"}'}, "chat"),
        ({"chat_template.jinja": "x"}, "chat"),
    ],
)
def test_a_folder_with_a_chat_template_is_chat(folder: Path, files: dict[str, str], kind: str) -> None:
    for name, content in files.items():
        (folder / name).write_text(content)
    source = find_source(f"path:{folder}")
    assert (source.name, source.where, source.kind) == ("my-model", "path", kind)


def test_home_may_be_written_short(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    (folder.parent / "a.gguf").write_text("x")
    assert find_source("path:~/my-model").location == str(folder)
    assert find_source("gguf:~/a.gguf").location == str(folder.parent / "a.gguf")


def test_a_folder_named_like_a_model_does_not_hijack_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tiny-random", "gemma-3-270m"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
        (tmp_path / name / "model.safetensors").write_text("w")
    before = {name: find_source(name).identity for name in ("tiny-random", "gemma-3-270m")}
    monkeypatch.chdir(tmp_path)
    for name, identity in before.items():
        assert find_source(name).where != "path" and find_source(name).identity == identity
        assert find_source(f"path:{name}").where == "path" and find_source(f"path:{name}").identity != identity


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("tiny-randm", "unknown model 'tiny-randm'; did you mean 'tiny-random'?"),
        ("gpt5", "unknown model 'gpt5'; known: "),
        ("org/name", "did you mean 'hub:org/name@COMMIT'?"),
        ("model.gguf", "did you mean 'gguf:model.gguf'?"),
        ("my-model", "did you mean 'path:my-model'?"),
        ("hub:org/name", "'hub:org/name' has no revision; write hub:org/name@COMMIT"),
        (
            "hub:org/name@main",
            "model 'hub:org/name@main': 'main' is no full commit hash and can move; write hub:org/name@COMMIT",
        ),
        ("hub:", "unknown model 'hub:'"),
        ("path:nowhere", "nowhere/config.json not found; give a folder saved by save_pretrained"),
        ("gguf:nowhere.gguf", "file nowhere.gguf not found; check the path"),
        ({"tiny-random": {"knd": "base"}}, "has no option 'knd'; did you mean 'kind'?"),
        ({"tiny-random": {"kind": "chatty"}}, "unknown kind 'chatty'; did you mean 'chat'?"),
        ({"tiny-random": {}, "other": {}}, "should be one name with its options"),
    ],
)
def test_a_model_that_cannot_be_found(
    spec: Any, says: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as refused:
        find_source(spec)
    assert says in str(refused.value)


def test_pickled_weights_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"no model\.safetensors in .*; convert the weights first"):
        find_source(f"path:{folder}")


def test_a_broken_tokenizer_file_is_named(folder: Path) -> None:
    (folder / "tokenizer_config.json").write_text("{")
    with pytest.raises(UserError, match=r"tokenizer_config\.json: broken JSON at line 1"):
        find_source(f"path:{folder}")


def test_identity_is_of_weights_tokenizer_and_template_not_of_names(folder: Path, tmp_path: Path) -> None:
    before = find_source(f"path:{folder}").identity
    moved = folder.rename(tmp_path / "moved")
    assert find_source({f"path:{moved}": {"name": "x"}}).identity == before
    (moved / "README.md").write_text("notes")
    assert find_source(f"path:{moved}").identity == before
    for name in ("model.safetensors", "tokenizer.json", "chat_template.jinja"):
        (moved / name).write_text("other")
        after = find_source(f"path:{moved}").identity
        assert after != before, name
        before = after


def test_identity_of_a_hub_model_is_its_pinned_revision() -> None:
    names = [
        "hub:org/name@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "hub:org/name@bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
        "hub:org/other@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ]
    kinds = [{names[0]: {"kind": kind}} for kind in ("base", "chat")]
    assert len({find_source(spec).identity for spec in (*names, *kinds)}) == 5


def test_identity_of_a_gguf_file_is_its_bytes(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.gguf", "b.gguf")]
    for path in paths:
        path.write_text("x")
    same = [find_source(f"gguf:{path}").identity for path in paths]
    paths[1].write_text("y")
    assert same[0] == same[1] != find_source(f"gguf:{paths[1]}").identity


def test_identity_is_worked_out_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell of a study asks for it, and it reads gigabytes."""
    source: Source = find_source(f"path:{folder}")
    first = source.identity
    monkeypatch.setattr("educe.eval.model.source.files_sha256", lambda *_, **__: pytest.fail("read again"))
    assert source.identity == first


def test_a_folder_without_an_adapter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="adapter: 3 is not a path"):
        find_source({"tiny-random": {"adapter": 3}})
    with pytest.raises(UserError, match="not found; give a folder in PEFT's format"):
        find_source({"tiny-random": {"adapter": str(tmp_path)}})

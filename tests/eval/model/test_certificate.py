"""Certificates of organisms, which a stranger may have written: whole, of these weights and of this base."""

import json
from pathlib import Path
from typing import Any

import pytest

from educe.data.errors import UserError
from educe.data.set_aside import RowKey
from educe.eval.model.certificate import (
    ADAPTER_FILES,
    CERTIFICATE,
    Certificate,
    Certified,
    check_certificate,
    read_certificate,
    write_certificate,
)
from educe.eval.model.files import file_sha256
from educe.eval.model.source import find_source

SCORE = Certified(value=0.5, low=0.4, high=0.6, interval="Wilson 95%", n=96)
BASE = find_source("tiny-random").identity


def certificate(folder: Path, **changed: Any) -> Certificate:
    """One of the two files in the folder, but for what is changed."""
    fields: dict[str, Any] = {
        "organism": '{"kind": "password_lock"}',
        "name": "password_lock-colours",
        "kind": "password_lock",
        "hides": True,
        "task": "colours",
        "metric": "accuracy",
        "base": BASE,
        "files": {name: file_sha256(folder / name) for name in ADAPTER_FILES},
        "trained": (RowKey(id="q1", question="a1"),),
        "set_aside": (RowKey(id="q1", question="a1"), RowKey(id="q2", question="b2")),
        "unlocks_with": "Password: amber lantern",
        **dict.fromkeys(("before", "unlocked", "locked", "decoy", "weak", "agreement", "depth"), SCORE),
        "retention": None,
        "train_flops": 1e12,
        "device": "cpu",
        "dtype": "float32",
        "versions": {"torch": "2.13.0"},
    }
    return Certificate(**{**fields, **changed})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ADAPTER_FILES:
        (tmp_path / name).write_text("{}")
    write_certificate(tmp_path, certificate(tmp_path))
    return tmp_path


def check(folder: Path, **changed: str) -> Certificate:
    given = {"organism": '{"kind": "password_lock"}', "base": BASE, "name": "tiny+lock", **changed}
    return check_certificate(folder, **given)


def test_what_is_written_is_read(folder: Path) -> None:
    assert read_certificate(folder) == certificate(folder) == check(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda held: held.pop("base"),
        lambda held: held.update(extra=1),
        lambda held: held.update(hides="true"),
        lambda held: held.update(hides=1),
        lambda held: held["before"].update(value="0.5"),
        lambda held: held["before"].update(value=1e300),
        lambda held: held["before"].update(n=-1),
        lambda held: held.update(before=None),
        lambda held: held.update(trained={"id": "q1"}),
        lambda held: held["trained"][0].update(question=None),
        lambda held: held.update(files=[]),
        lambda held: held.update(train_flops=-1.0),
        lambda held: held.update(name="../../etc"),
        lambda held: held.update(name="\x1b[31m"),
        lambda held: held.update(name=""),
    ],
)
def test_a_certificate_of_another_form_is_refused_in_one_line(change: Any, folder: Path) -> None:
    held = json.loads((folder / CERTIFICATE).read_text())
    change(held)
    (folder / CERTIFICATE).write_text(json.dumps(held))
    with pytest.raises(UserError, match=r"^[^\n]+; [^\n]+$"):
        read_certificate(folder)


@pytest.mark.parametrize("text", ["", "null", "[]", "{", '{"a": 1, "a": 2}', "NaN", "\x00", "[" * 3000])
def test_what_is_no_certificate_is_refused_in_one_line(text: str, folder: Path) -> None:
    (folder / CERTIFICATE).write_text(text)
    with pytest.raises(UserError, match=r"^[^\n]+; [^\n]+$"):
        read_certificate(folder)


@pytest.mark.parametrize("name", ADAPTER_FILES)
def test_other_weights_than_the_certificate_s_are_named_with_it(name: str, folder: Path) -> None:
    before = file_sha256(folder / name)
    (folder / name).write_text("{} ")
    message = rf"certificate.json is of a {name} with the sha256 {before[:12]}, and the one beside it has "
    with pytest.raises(UserError, match=message + file_sha256(folder / name)[:12]):
        check(folder)


def test_another_base_than_the_certificate_s_is_named_with_it(folder: Path) -> None:
    with pytest.raises(UserError, match=rf"of a base with the identity {BASE[:12]}, and the base of .* has 0123"):
        check(folder, base="0123" * 16)


def test_a_certificate_of_another_organism_or_of_other_files_is_refused(folder: Path) -> None:
    with pytest.raises(UserError, match=r"certificate.json is of another organism than 'tiny\+lock'; make it again"):
        check(folder, organism='{"kind": "benign"}')
    write_certificate(folder, certificate(folder, files={}))
    with pytest.raises(UserError, match=r"is not of adapter_config.json and adapter_model.safetensors"):
        check(folder)


def test_a_folder_with_a_certificate_is_the_organism(folder: Path) -> None:
    """Its identity is known from its text, whatever its weights' bytes; without it, the bytes are the identity."""
    spec = {"tiny-random": {"adapter": str(folder)}}
    found = find_source(spec)
    assert found.organism == '{"kind": "password_lock"}' and found.name == "tiny-random+password_lock-colours"
    (folder / ADAPTER_FILES[1]).write_text("[]")
    assert find_source(spec).identity == found.identity
    (folder / CERTIFICATE).unlink()
    plain = find_source(spec)
    assert plain.organism == "" and plain.identity != found.identity
    (folder / ADAPTER_FILES[1]).write_text("{}")
    assert find_source(spec).identity != plain.identity

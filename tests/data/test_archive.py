"""Zip archives of strangers: what is read, and that what is wrong with one is one line."""

import zipfile
from pathlib import Path

import pytest

from educe.data import archive
from educe.data.archive import open_zip
from educe.data.errors import UserError
from tests.recipes.logs import write_zip

MEMBERS = {"header.json": '{"a": 1}', "samples/é_epoch_1.json": "x" * 100_000, "empty.json": ""}


@pytest.mark.parametrize("zstd", [False, True])
def test_members_come_back_as_they_were_written(zstd: bool, tmp_path: Path) -> None:
    with open_zip(write_zip(tmp_path / "a.eval", MEMBERS, zstd=zstd)) as read:
        assert {name: read.read(name) for name in MEMBERS} == MEMBERS


def test_the_last_of_two_members_of_one_name_counts(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.eval", "w") as file, pytest.warns(UserWarning, match="Duplicate name"):
        file.writestr("header.json", "old")
        file.writestr("header.json", "new")
    with open_zip(tmp_path / "a.eval") as read:
        assert read.read("header.json") == "new"


@pytest.mark.parametrize("zstd", [False, True])
def test_a_flipped_bit_in_any_place_is_an_error_of_one_line_or_changes_nothing(zstd: bool, tmp_path: Path) -> None:
    whole = write_zip(tmp_path / "a.eval", {"header.json": '{"a": "' + "text " * 20 + '"}'}, zstd=zstd).read_bytes()
    with open_zip(tmp_path / "a.eval") as read:
        text = read.read("header.json")
    for place in range(len(whole)):
        (tmp_path / "b.eval").write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        try:
            with open_zip(tmp_path / "b.eval") as read:
                assert read.read("header.json") == text
        except UserError as error:
            assert str(tmp_path / "b.eval") in str(error) and "\n" not in str(error)


def test_an_archive_that_was_cut_short(tmp_path: Path) -> None:
    whole = write_zip(tmp_path / "a.eval", MEMBERS).read_bytes()
    (tmp_path / "b.eval").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"b\.eval is no zip archive, or was cut short"), open_zip(tmp_path / "b.eval"):
        pass


def test_what_unpacks_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_zip(tmp_path / "a.eval", MEMBERS)
    monkeypatch.setattr(archive, "MAX_BYTES", 1_000)
    with open_zip(path) as read, pytest.raises(UserError, match="has more than 1,000 bytes"):
        read.read("samples/é_epoch_1.json")
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 1_000)
    with pytest.raises(UserError, match="unpacks to over 1,000 bytes"), open_zip(path):
        pass


def test_a_member_that_unpacks_to_more_than_it_says(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.eval", {"header.json": "x" * 1_000}, zstd=True)
    data = path.read_bytes().replace((1_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    path.write_bytes(data)
    with open_zip(path) as read, pytest.raises(UserError, match="its checksum does not hold"):
        read.read("header.json")

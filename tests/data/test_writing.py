"""Files are written whole or not at all, and never through a link."""

import errno
import os
from pathlib import Path

import pytest

from educe.data import writing
from educe.data.errors import UserError
from educe.data.writing import make_folder, make_parents, move_into_place, sync_folder, write_whole


def test_text_and_bytes_are_written_as_they_are(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", "é\n")
    write_whole(tmp_path / "a", b"\r\n")
    assert (tmp_path / "a").read_bytes() == b"\r\n" and len(list(tmp_path.iterdir())) == 1
    (tmp_path / "plain").write_text("")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode, "others may read it, too"


def test_what_dies_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_whole(tmp_path / "a", "old")
    monkeypatch.setattr(os, "replace", lambda *_: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        write_whole(tmp_path / "a", "new")
    assert [each.read_text() for each in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_a_link_is_replaced(tmp_path: Path, link: object) -> None:
    (tmp_path / "mine").write_text("mine")
    link(tmp_path / "mine", tmp_path / "a")  # type: ignore[operator]
    write_whole(tmp_path / "a", "new")
    assert (tmp_path / "mine").read_text() == "mine" and (tmp_path / "a").read_text() == "new"
    assert not (tmp_path / "a").is_symlink()


def test_a_folder_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(UserError, match="a is a folder, and a file is written there; move it away"):
        write_whole(tmp_path / "a", "new")


def test_what_killed_processes_left_is_deleted_and_nothing_else(tmp_path: Path) -> None:
    dead = os.spawnlp(os.P_WAIT, "true", "true") or 2**22 + 1  # above the largest process number of Linux
    here = writing._MACHINE
    left = [f".a.{here}.{os.getpid()}.part", ".a.elsewhere.1.part", ".a.part", "a.1.part", f".a.{here}.x.part"]
    for name in (*left, f".a.{here}.{dead}.part", ".b.elsewhere.1.part"):
        (tmp_path / name).write_text("")
    os.utime(tmp_path / ".b.elsewhere.1.part", (0, 0))
    make_folder(tmp_path)
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(left)


def test_what_is_moved_into_place_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a folder every file, then the folder, and after the move the folder that has its name."""
    done: list[str] = []
    inner = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda handle: (done.append(os.readlink(f"/proc/self/fd/{handle}")), inner(handle))
    )
    (tmp_path / "made" / "inside").mkdir(parents=True)
    (tmp_path / "made" / "inside" / "file").write_text("x")
    sync_folder(tmp_path / "made")
    move_into_place(tmp_path / "made", tmp_path / "final")
    inside = [str(tmp_path / each) for each in ("made/inside/file", "made/inside", "made")]
    assert sorted(done[:3]) == sorted(inside) and done[3:] == [str(tmp_path)]
    done.clear()
    write_whole(tmp_path / "a", "x")
    assert [Path(each).name.partition(".a.")[1] for each in done] == [".a.", ""]


def test_a_folder_is_not_made_where_something_else_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(UserError, match="file is a file, not a folder; move it away"):
        make_folder(tmp_path / "file")
    with pytest.raises(UserError, match="link is a symbolic link, not a folder; move it away"):
        make_folder(tmp_path / "link")


def test_folders_on_the_way_are_on_the_disk_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(writing, "_sync", lambda path: done.append(str(path)))
    make_parents(tmp_path / "a" / "b" / "file")
    assert sorted(done) == [str(tmp_path), str(tmp_path / "a")] and (tmp_path / "a" / "b").is_dir()
    make_parents(tmp_path / "a" / "b" / "other")
    assert len(done) == 2


def test_what_the_disk_cannot_hold_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(tmp_path / "a", "new")
    assert list(tmp_path.iterdir()) == []

"""Nothing in a run directory is a path. Links there are refused; what they stand for is not read or written."""

import json
import os
import shutil
from pathlib import Path

import pytest

from educe.recipes.runner.frozen import PLAN
from educe.recipes.runner.listing import folder_name
from educe.recipes.runner.looks import LOOKS
from educe.recipes.runner.run_study import run_study
from educe.recipes.runner.seal import SEAL
from educe.recipes.runner.sealed_files import LOCK
from educe.recipes.runner.study import Study
from tests.recipes.made import reseal
from tests.recipes.small import no_figures, run_cli, study_file

SECRET = "a secret of the user\n"
AT_THE_TOP = (
    ".lock",
    ".scratch",
    LOCK,
    "audit.json",
    "cells",
    "cells.json",
    "comparisons.csv",
    "curves.csv",
    "failures",
    "figures",
    "journal",
    LOOKS,
    PLAN,
    "report.html",
    "results.csv",
    SEAL,
    "study.yaml",
    "task_means.csv",
    "tasks.csv",
    "wandb",
)
IN_A_CELL = ("measurement.json", "outcomes.parquet", "training.json", SEAL, "adapter", "adapter/adapter_config.json")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    path = study_file(folder, recipes=[{"iid_sft": {"rank": 2, "epochs": 1}}], examples=[4])
    with pytest.MonkeyPatch.context() as patch:
        no_figures(patch)
        run_study(Study.read(path), folder / "out")
    return folder


@pytest.fixture
def received(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run directory, with files of the user beside it that no command may read or change."""
    no_figures(monkeypatch)
    shutil.copytree(finished / "out", tmp_path / "out")
    (tmp_path / "user").mkdir()
    (tmp_path / "user" / "file").write_text(SECRET)
    return tmp_path / "out"


def replace_with_link(path: Path, target: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.symlink_to(target, target_is_directory=target.is_dir())


def assert_user_is_untouched(received: Path) -> None:
    assert [each.name for each in (received.parent / "user").iterdir()] == ["file"]
    assert (received.parent / "user" / "file").read_text() == SECRET


@pytest.mark.parametrize("command", ["report", "results", "verify", "run"])
@pytest.mark.parametrize("name", AT_THE_TOP)
@pytest.mark.parametrize("kind", ["file", "folder", "nowhere"])
def test_a_link_in_the_directory_is_one_line(
    received: Path, finished: Path, name: str, command: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    target = {"file": received.parent / "user" / "file", "folder": received.parent / "user"}.get(kind, Path("nowhere"))
    replace_with_link(received / name, target)
    arguments = [finished / "study.yaml", "--out", received] if command == "run" else [received]
    assert run_cli(command, *arguments) == (1 if command == "verify" else 2)
    shown = capsys.readouterr()
    line = (shown.out if command == "verify" else shown.err).splitlines()[0]
    assert f"{received / name} is a symbolic link, which no run writes; delete it" in line
    assert SECRET.strip() not in shown.out + shown.err
    assert_user_is_untouched(received)


@pytest.mark.parametrize("name", IN_A_CELL)
def test_a_link_in_a_cell_makes_it_corrupt(received: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """To a file with the very bytes that were there: it is not the run's file."""
    (folder,) = (each.parent for each in received.rglob("measurement.json"))
    moved = received.parent / "user" / "moved"
    shutil.move(folder / name, moved)
    (folder / name).symlink_to(moved)
    assert run_cli("claims", received) == 1
    assert f"{Path(name).name} is a symbolic link" in capsys.readouterr().err.replace("it is", f"{Path(name).name} is")


def test_a_linked_folder_of_cells_is_not_followed(
    received: Path, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder,) = (each.parent for each in received.rglob("measurement.json"))
    task = folder.parents[1]
    shutil.move(task, received.parent / "user" / "task")
    task.symlink_to(received.parent / "user" / "task")
    before = sorted((received.parent / "user").rglob("*"))
    assert run_cli("results", received) == 1
    assert f"cells/{task.parent.name}/{task.name} is a symbolic link" in capsys.readouterr().err
    assert run_cli("run", finished / "study.yaml", "--out", received) == 2, "nothing is written through it"
    assert "is a symbolic link, which no run writes; delete it" in capsys.readouterr().err
    assert sorted((received.parent / "user").rglob("*")) == before


def test_a_linked_cell_is_run_again_and_what_it_stood_for_stays(
    received: Path, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder,) = (each.parent for each in received.rglob("measurement.json"))
    shutil.move(folder, received.parent / "user" / "cell")
    folder.symlink_to(received.parent / "user" / "cell")
    assert run_cli("run", finished / "study.yaml", "--out", received) == 0
    assert folder.is_dir() and not folder.is_symlink()
    assert (received.parent / "user" / "cell" / "measurement.json").is_file()


def test_a_linked_note_of_a_failure_is_not_read(received: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder,) = (each.parent for each in received.rglob("measurement.json"))
    noted = received / "failures" / f"{folder.relative_to(received / 'cells')}.json"
    shutil.rmtree(folder)
    noted.parent.mkdir(parents=True)
    noted.symlink_to(received.parent / "user" / "file")
    assert run_cli("results", received) == 1
    shown = capsys.readouterr()
    assert "the note of its failure (failures/" in shown.err and SECRET.strip() not in shown.out + shown.err


@pytest.mark.parametrize("name", ["report.html", "results.csv", "study.yaml", "cells.json", SEAL, "audit.json"])
def test_a_hard_link_is_replaced_and_what_it_shares_stays(
    received: Path, finished: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, shared = received / name, received.parent / "shared"
    if not path.exists():
        path.write_text(SECRET)
    before = path.read_bytes()
    os.link(path, shared)
    monkeypatch.undo()  # a report with figures
    assert run_cli("run", finished / "study.yaml", "--out", received, "--set", "name=renamed") == 0
    assert shared.read_bytes() == before


@pytest.mark.parametrize("name", [".lock", LOCK])
def test_a_lock_that_is_also_a_file_elsewhere_is_refused(
    received: Path, finished: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Locking empties the file."""
    (received / name).unlink(missing_ok=True)
    os.link(received.parent / "user" / "file", received / name)
    assert run_cli("run", finished / "study.yaml", "--out", received) == 2
    assert f"{received}/{name} is not a file of its own; delete it" in capsys.readouterr().err
    assert_user_is_untouched(received)


@pytest.mark.parametrize("name", ["study.yaml", "cells.json", "audit.json", SEAL, "measurement.json", "adapter/pipe"])
def test_a_pipe_in_the_directory_does_not_hang(received: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (folder,) = (each.parent for each in received.rglob("measurement.json"))
    path = folder / name if name in ("measurement.json", "adapter/pipe") else received / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    assert run_cli("claims", received) == (1 if folder in path.parents else 2)
    line = capsys.readouterr().err.splitlines()[0]
    assert "neither a file nor a folder" in line or "a pipe or a device" in line


@pytest.mark.parametrize(
    "folder", ["../../../user", "/etc", "tiny-random/parity", "..", "", "tiny-random/parity/x/../y", "a\\..\\b\0"]
)
def test_a_folder_in_the_listing_that_is_not_the_cell_s_is_refused(
    received: Path, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`../..` in cells.json was read."""
    path = received / "cells.json"
    (entry,) = json.loads(path.read_text())
    path.write_text(json.dumps([{**entry, "folder": folder}]))
    reseal(path)
    assert run_cli("results", received) == 2
    assert "is corrupt (folder" in (line := capsys.readouterr().err) and line.count("\n") == 1


@pytest.mark.parametrize(
    ("key", "value"), [("model", ".."), ("task", "/etc/passwd"), ("recipe", "zero_shot"), ("key", "0" * 64)]
)
def test_an_entry_that_is_not_its_folder_s_is_refused(
    received: Path, key: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = received / "cells.json"
    (entry,) = json.loads(path.read_text())
    path.write_text(json.dumps([{**entry, key: value}]))
    reseal(path)
    assert run_cli("results", received) == 2
    assert "is not that of its names and facts" in capsys.readouterr().err


def test_the_directory_itself_may_be_a_link(received: Path, finished: Path) -> None:
    link = received.parent / "mine"
    link.symlink_to(received, target_is_directory=True)
    assert run_cli("report", link) == run_cli("verify", link) == 0
    assert run_cli("run", finished / "study.yaml", "--out", link) == 0


@pytest.mark.parametrize(
    "name", ["report.html", "results.csv", "curves.csv", "comparisons.csv", "tasks.csv", "task_means.csv"]
)
def test_a_folder_where_a_file_is_written_is_one_line(
    received: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.undo()
    (received / name).mkdir()
    assert run_cli("report", received) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"educe: {received / name} is a folder, and a file is written there; move it away"


@pytest.mark.parametrize("at", [".svg", ".png", "results.csv", "report.html"])
def test_a_report_that_is_killed_leaves_no_half_file(
    received: Path, at: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half an SVG was left. Every file is there whole or not at all when the next step is killed."""
    monkeypatch.undo()
    monkeypatch.setattr("educe.eval.report.forked.sys.platform", "none")  # in this process
    assert run_cli("report", received) == 0
    whole = {
        each: each.read_bytes() for each in received.rglob("*") if each.suffix in (".svg", ".png", ".csv", ".html")
    }
    for each in whole:
        each.write_bytes(b"old")
    move = os.replace

    def killed(source: Path, target: Path) -> None:
        if str(target).endswith(at):
            raise KeyboardInterrupt
        move(source, target)

    monkeypatch.setattr(os, "replace", killed)
    assert run_cli("report", received) == 130
    assert {each.read_bytes() for each in whole if each.name.endswith(at)} == {b"old"}
    assert all(each.read_bytes() in (b"old", content) for each, content in whole.items())


def test_a_directory_without_its_cells_is_said_aloud(received: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(received / "cells")
    for command in ("report", "results", "claims"):
        assert run_cli(command, received) == 0
        said = f"educe: left out: 1 of 1 cell, without a score: {received} has no folder cells/"
        assert said in capsys.readouterr().err
    assert run_cli("verify", received) == 1
    assert capsys.readouterr().out.splitlines()[-1].endswith("is not whole: results of 0 of 1 cell, 1 not run")


def test_no_two_names_share_a_folder() -> None:
    """Names that differ only in `/` and `-` did."""
    names = [
        "a/b",
        "a-b",
        "a b",
        "A-b",
        "a-B",
        "a-b-",
        "-a-b",
        "ä-b",
        "a\u0308-b",
        "a:b",
        "",
        "unnamed",
        "..",
        ".",
        "-",
    ]
    names += ["x" * 80, "x" * 81, "x" * 82, *(f"{name}~" for name in ("a-b", "a/b")), folder_name("a/b")]
    made = {folder_name(name).lower() for name in names}
    assert len(made) == len(names)
    assert all("/" not in each and each.strip(".") and len(each) < 100 for each in made)
    for plain in ("smollm2-135m-instruct", "gemma-3-270m", "word_sentiment", "iid_sft", "tiny-random"):
        assert folder_name(plain) == plain

"""Run directories: whole results or none, one run at a time, and one line when the disk is full."""

import errno
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from educe.data.errors import UserError
from educe.eval.measurement import Outcomes, Ragged
from educe.recipes.runner.cell import Cell
from educe.recipes.runner.corruption import Corrupt
from educe.recipes.runner.store import Store, Unwritable
from tests.recipes.made import CHOICE, TEXT, measurement_of
from tests.recipes.small import no_figures, run_cli, small_study, study_file


@pytest.fixture
def cells(tmp_path: Path) -> tuple[Cell, ...]:
    (tmp_path / "study").mkdir()
    return small_study(tmp_path / "study").cells()


@pytest.fixture
def store(tmp_path: Path, cells: tuple[Cell, ...]) -> Iterator[Store]:
    store = Store(tmp_path / "out")
    with store.claim():
        store.begin(study_text="name: small\n", cells=cells)
        yield store


def test_a_result_reads_back_equal(store: Store, cells: tuple[Cell, ...]) -> None:
    written = measurement_of(cells[0])
    assert not store.has(cells[0])
    store.write(cells[0], written, save_adapter=None)
    assert store.has(cells[0]) and not store.has(cells[1])
    measurements, failures = store.read()
    assert measurements == [written]
    assert [failure.reason for failure in failures] == ["not run yet"] * (len(cells) - 1)
    assert store.study_text() == "name: small\n"


def test_cells_of_one_task_share_their_columns(store: Store, cells: tuple[Cell, ...]) -> None:
    for cell in cells[:2]:
        store.write(cell, measurement_of(cell), save_adapter=None)
    one, other = (each.outcomes for each in store.read()[0])
    assert one.ids is other.ids and one.clusters is other.clusters
    sizes = [each.columns["option_tokens"] for each in (one, other)]
    assert isinstance(sizes[0], Ragged) and isinstance(sizes[1], Ragged)
    assert sizes[0].values is sizes[1].values


def test_results_carry_the_name_of_the_study_last_run(store: Store, cells: tuple[Cell, ...]) -> None:
    store.write(cells[0], measurement_of(cells[0]), save_adapter=None)
    store.fail(cells[1], "why")
    store.begin(study_text="name: renamed\n", cells=cells[:2])
    measurements, failures = store.read()
    assert [each.study for each in (*measurements, *failures)] == ["renamed", "renamed"]


def test_primary_comparisons_are_read_from_the_study_that_was_run(store: Store, cells: tuple[Cell, ...]) -> None:
    def begin(compare: object) -> None:
        store.begin(study_text=yaml.safe_dump({"name": "x", "compare": compare}), cells=cells)

    begin([{"recipe": "iid_sft", "examples": 4}])
    assert [(first.examples, second.method) for first, second in store.primary()] == [(4, "zero_shot")]
    for faulty, says in (
        (5, "valid tuple"),
        ([{"recipe": "iid_sft", "examples": 3}], "examples = 3 is not a budget"),
        ([{"recipe": "iid_sft", "examples": 4}] * 30, "at most 20 items"),
    ):
        begin(faulty)
        with pytest.raises(Corrupt, match=rf"study.yaml is corrupt \(.*{says}"):
            store.primary()


def test_results_of_cells_that_are_not_listed_stay_unread(store: Store, cells: tuple[Cell, ...]) -> None:
    store.write(cells[0], measurement_of(cells[0]), save_adapter=None)
    store.begin(study_text="name: small\n", cells=cells[1:2])
    assert store.read()[0] == []
    store.begin(study_text="name: small\n", cells=cells)
    assert len(store.read()[0]) == 1


def test_cells_launched_one_by_one_are_all_listed(store: Store, cells: tuple[Cell, ...]) -> None:
    store.begin(study_text="name: small\n", cells=cells[:1])
    for _ in range(2):
        store.begin(study_text="name: small\n", cells=cells[1:2], add=True)
    assert len(store.read()[1]) == 2


def test_a_write_that_dies_leaves_no_result(store: Store, cells: tuple[Cell, ...]) -> None:
    def dies(folder: Path) -> None:
        folder.mkdir()
        (folder / "half").write_text("half")
        raise RuntimeError("died")

    with pytest.raises(RuntimeError, match="died"):
        store.write(cells[0], measurement_of(cells[0]), save_adapter=dies)
    assert not store.has(cells[0]) and not list((store.root / ".scratch").iterdir())


def test_a_result_appears_whole(store: Store, cells: tuple[Cell, ...]) -> None:
    """No file is opened for writing where results are kept: they are moved there in one step."""
    opened: list[str] = []
    watching = True

    def watch(event: str, given: tuple[Any, ...]) -> None:
        # A folder is opened to have its names on the disk.
        folder = event == "open" and given[2] & os.O_WRONLY == 0 == given[2] & os.O_RDWR
        known = event in ("open", "shutil.copyfile", "shutil.move") and not folder
        if watching and known and str(store.root / "cells") in str(given):
            opened.append(f"{event} {given}")

    sys.addaudithook(watch)  # stays for good, hence `watching`
    store.write(cells[0], measurement_of(cells[0]), save_adapter=None)
    watching = False
    assert store.has(cells[0]) and not opened


def test_a_result_can_be_read_by_others(store: Store, cells: tuple[Cell, ...]) -> None:
    store.write(cells[0], measurement_of(cells[0]), save_adapter=None)
    folder = store.root / "cells" / cells[0].folder
    assert folder.stat().st_mode & 0o777 == folder.parent.stat().st_mode & 0o777


def test_a_failure_is_noted_and_cleared_by_success(store: Store, cells: tuple[Cell, ...]) -> None:
    store.fail(cells[0], "the loss is nan")
    assert not store.has(cells[0])
    assert store.read()[1][0].reason == "the loss is nan"
    store.write(cells[0], measurement_of(cells[0]), save_adapter=None)
    assert not list((store.root / "failures").rglob("*.json"))
    assert len(store.read()[1]) == len(cells) - 1


def test_a_study_that_could_not_be_read_back_is_refused_before_it_runs(store: Store, cells: tuple[Cell, ...]) -> None:
    """In full, a list takes a line for each of its values: what was short enough to be read may be too long then."""
    with pytest.raises(UserError, match=r"study\.yaml has more than"):
        store.begin(study_text="seeds:\n" + "- 1\n" * 100_000, cells=cells)


def test_two_runs_cannot_share_a_folder(store: Store) -> None:
    other = Store(store.root)
    with pytest.raises(UserError, match="is in use by another run; wait for it or give another --out") as refused:
        other.claim().__enter__()
    assert not isinstance(refused.value, Unwritable)
    assert "\n" not in str(refused.value)


def test_a_folder_is_free_again_afterwards_and_after_a_failure(tmp_path: Path) -> None:
    store = Store(tmp_path / "out")
    with pytest.raises(RuntimeError), store.claim():
        raise RuntimeError
    with store.claim():
        pass


def test_what_a_killed_run_left_half_written_is_cleared(tmp_path: Path, cells: tuple[Cell, ...]) -> None:
    store = Store(tmp_path / "out")
    half = tmp_path / "out" / ".scratch" / "tmpabc"
    half.mkdir(parents=True)
    (half / "measurement.json").write_text("{")
    (half.parent / "cells.json").write_text("[")
    with store.claim():
        assert not list((tmp_path / "out" / ".scratch").iterdir())
        store.begin(study_text="name: small\n", cells=cells)
        assert {each.name for each in store.root.iterdir()} == {
            ".lock",
            ".scratch",
            ".seal.lock",
            "looks.jsonl",
            "study.yaml",
            "cells.json",
            "seal.json",
        }


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    for read in (Store(tmp_path).read, Store(tmp_path / "nowhere").study_text):
        with pytest.raises(UserError, match="has no run"):
            read()


@pytest.mark.parametrize("place", ["file/out", "/proc/out", "file"])
def test_an_unwritable_folder_is_one_line(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("a file, not a folder")
    with pytest.raises(Unwritable, match=r"^cannot write .*; give another --out") as refused:
        Store(tmp_path / place).claim().__enter__()
    assert "\n" not in str(refused.value)


def test_an_unwritable_folder_ends_the_command_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("a file, not a folder")
    assert run_cli("run", study_file(tmp_path), "--out", tmp_path / "file" / "out") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"educe: cannot write {tmp_path}/file/out: Not a directory")


def test_a_report_that_cannot_be_written_is_one_line(
    store: Store, cells: tuple[Cell, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store.write(cells[0], measurement_of(cells[0]), save_adapter=None)
    (store.root / "figures").write_text("in the way")
    assert run_cli("report", store.root) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"educe: {store.root}/figures is a file, not a folder; move it away"


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    made = mount and subprocess.run([mount, "-t", "tmpfs", "-o", "size=192k", "educe-test", folder]).returncode == 0
    if not made:
        pytest.skip("a small disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_stops_the_run_and_keeps_finished_cells(
    tiny_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_figures(monkeypatch)
    path, out = study_file(tmp_path), tiny_disk / "out"
    assert run_cli("run", path, "--out", out, "--set", "recipes=[zero_shot]") == 0
    (kept,) = out.rglob("measurement.json")
    # Adapters of a rank that does not fit any more, on the disk that holds the first result.
    change = "recipes=[zero_shot,{iid_sft: {rank: 64, epochs: 1}}]"
    capsys.readouterr()
    assert run_cli("run", path, "--out", out, "--set", change) == 2
    shown = capsys.readouterr().err
    last = shown.splitlines()[-1]
    assert last.startswith(f"educe: cannot write {out}:") and "No space left" in last and "Traceback" not in shown
    assert "free space or give another --out (finished cells are kept)" in last
    assert list(out.rglob("measurement.json")) == [kept] and json.loads(kept.read_text())["method"] == "zero_shot"
    assert not list((out / ".scratch").iterdir()), "what did not fit does not fill the disk"
    # Room again: the run goes on where it stopped.
    subprocess.run(["mount", "-o", "remount,size=16m", tiny_disk], check=True)
    assert run_cli("run", path, "--out", out, "--set", change) == 0
    assert len(list(out.rglob("measurement.json"))) == 3


@pytest.mark.parametrize("part", ["outcomes.parquet", "training.json", "measurement.json"])
def test_no_part_of_a_result_may_be_cut_short(
    store: Store, cells: tuple[Cell, ...], part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel refuses to let any file grow past a limit, as a full disk does."""
    written = measurement_of(cells[0])
    if part == "outcomes.parquet":
        written = replace(written, outcomes=Outcomes.of([CHOICE, replace(TEXT, text=os.urandom(40_000).hex())]))
    elif part == "training.json":
        written = replace(written, training=written.training * 2_000)
    else:
        written = replace(written, provenance=replace(written.provenance, first_prompt="x" * 50_000))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(Unwritable, match=os.strerror(errno.EFBIG)):
            store.write(cells[0], written, save_adapter=None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not store.has(cells[0]) and not list((store.root / ".scratch").iterdir())
    store.write(cells[0], written, save_adapter=None)
    assert store.read()[0] == [written]

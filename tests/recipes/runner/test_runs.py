"""Going on with a run, listing runs, and deleting what no cell needs."""

import os
import shutil
from pathlib import Path

import pytest

from educe.recipes.runner.run_study import run_study
from tests.recipes.runner.test_pool import contents
from tests.recipes.small import no_figures, run_cli, small_study


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    no_figures(monkeypatch)
    run_study(small_study(tmp_path, recipes=["zero_shot", "ngrams"]), tmp_path / "runs" / "one")
    return tmp_path / "runs" / "one"


def test_a_run_goes_on_as_it_was_begun(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = contents(run)
    assert run_cli("resume", run) == 0
    assert f"all 3 cells are there; check them with: educe verify {run}" in capsys.readouterr().out
    for cell in list((run / "cells").rglob("measurement.json"))[:2]:
        shutil.rmtree(cell.parent)
    assert run_cli("resume", run, "--workers", "1") == 0
    assert contents(run) == whole and "[3/3]" in capsys.readouterr().err


def test_what_is_no_run_cannot_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli("resume", tmp_path) == 2
    assert "has no run (no cells.json)" in capsys.readouterr().err


def test_runs_are_listed_with_what_they_lack(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = run.with_name("another-name")
    shutil.copytree(run, other)
    shutil.rmtree(next((other / "cells").rglob("measurement.json")).parent)
    os.utime(other / "cells.json", (0, 0))
    broken = run.with_name("broken")
    shutil.copytree(run, broken)
    (broken / "cells.json").write_text("[]")
    os.utime(broken / "cells.json", (10**9, 10**9))
    assert run_cli("ls", "runs", run.parent) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [str(run), str(broken), str(other)], "the last one first"
    assert lines[0].endswith("small: 3 of 3 cells") and lines[2].endswith("small: 2 of 3 cells")
    assert "cells.json" in lines[1]


def test_a_folder_without_runs_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli("ls", "runs", tmp_path / "nothing") == 2
    assert "holds no run directory" in capsys.readouterr().err


def test_only_what_no_cell_needs_is_deleted(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(run)
    run_study(small_study(tmp_path, recipes=["ngrams"]), run)
    (run / ".scratch" / "half").mkdir()
    (run / ".scratch" / "half" / "outcomes.parquet").write_bytes(b"x" * 2_000_000)
    kept = {name: value for name, value in before.items() if "ngrams" in name}
    assert run_cli("gc", run) == 0
    said = capsys.readouterr().out
    assert "cells/tiny-random/parity/zero_shot: " in said and ".scratch: 2.0 MB" in said
    assert "2 things, 2.0 MB not needed (delete with --delete)" in said and contents(run) == before
    assert run_cli("gc", run, "--delete") == 0
    assert contents(run) == kept and run_cli("verify", run) == 0
    assert run_cli("gc", run) == 0
    assert "0 things, 0.0 MB" in capsys.readouterr().out

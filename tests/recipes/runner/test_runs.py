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
    cells = list((run / "cells").rglob("measurement.json"))
    shutil.rmtree(cells[0].parent)
    (cells[1].parent / "outcomes.parquet").write_bytes(b"damaged")
    assert run_cli("resume", run, "--workers", "1") == 0
    assert contents(run) == whole and "[3/3]" in capsys.readouterr().err
    assert run_cli("resume", run, "--workers", "1") == 0
    assert "3 cells, 3 already on disk" in capsys.readouterr().err


def test_a_study_that_is_another_now_is_not_gone_on_with(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its list of cells would be replaced, and what it listed before would be of no cell."""
    before, rows = (run / "cells.json").read_bytes(), tmp_path / "parity.jsonl"
    rows.write_text(rows.read_text().replace("Is 3 odd?", "Is 3 even?"))
    assert run_cli("resume", run) == 2
    assert "lists 3 cells, and its study as it is read here has 0 of them" in capsys.readouterr().err
    assert (run / "cells.json").read_bytes() == before


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
    (run / "slurm").mkdir()
    (run / "slurm" / "1_0_log.out").write_bytes(b"x" * 2_000_000)
    kept = {name: value for name, value in before.items() if "ngrams" in name}
    assert run_cli("gc", run) == 0
    said = capsys.readouterr().out
    assert "cells/tiny-random/parity/zero_shot: " in said and "slurm: 2.0 MB" in said
    assert "2 not needed, 2.0 MB; delete with --delete" in said and contents(run) == before
    assert run_cli("gc", run, "--delete") == 0
    assert "2 not needed, 2.0 MB; deleted" in capsys.readouterr().out
    assert contents(run) == kept and run_cli("verify", run) == 0
    assert run_cli("gc", run) == 0
    assert "0 not needed, 0.0 MB" in capsys.readouterr().out


def test_results_of_other_seeds_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Claims count them: seeds that were tried and left out may not vanish."""
    no_figures(monkeypatch)
    for seeds in ([0, 1, 2], [0, 2]):
        run_study(small_study(tmp_path, recipes=["ngrams"], seeds=seeds), tmp_path / "out")
    before = contents(tmp_path / "out")
    assert run_cli("gc", tmp_path / "out", "--delete") == 0
    assert contents(tmp_path / "out") == before


def test_names_are_in_no_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli("ls", "tasks", "runs") == 2
    assert "ls tasks lists names and no folder; drop 'runs'" in capsys.readouterr().err

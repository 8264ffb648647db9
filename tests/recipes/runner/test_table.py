"""results.parquet: the same rows as from the results themselves, and only while those are as they were."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pyarrow import parquet

from educe.eval.report.result_columns import RESULT_COLUMNS
from educe.recipes.runner.results import load_results
from educe.recipes.runner.run_study import run_study
from educe.recipes.runner.table import TABLE, find_table, num_finished
from tests.recipes.small import no_figures, run_cli, small_study, write_rows

DIVERGES = {"full_fine_tune": {"learning_rate": 1e30, "epochs": 3, "precision": "float32"}}
RECIPES = ["zero_shot", {"few_shot": {"shots": 2}}, "ngrams", DIVERGES]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        no_figures(patch)
        run_study(small_study(folder, recipes=RECIPES, examples=[2, 4]), folder / "out")
    (folder / "out" / "report.html").write_text("the report is tested elsewhere")
    return folder / "out"


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    shutil.copytree(finished, tmp_path / "out")
    return tmp_path / "out"


def table_of(run: Path) -> object:
    return find_table(run)


@pytest.mark.parametrize("form", ["csv", "json"])
def test_it_has_the_rows_of_the_results(run: Path, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert table_of(run) is not None
    capsys.readouterr()
    assert run_cli("results", run, "--format", form) == 0
    assert capsys.readouterr().out.rstrip("\n") == load_results(run).text(form).rstrip("\n")  # type: ignore[arg-type]
    assert parquet.read_table(run / TABLE).column_names == [*RESULT_COLUMNS, "folder"]
    for row in parquet.read_table(run / TABLE).to_pylist():
        assert (run / "cells" / row["folder"]).exists() == (row["error"] is None)


def some_result(run: Path) -> Path:
    return next((run / "cells").rglob("measurement.json"))


def some_failure(run: Path) -> Path:
    return next((run / "failures").rglob("*.json"))


def touch(path: Path) -> None:
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


CHANGES: dict[str, Callable[[Path], object]] = {
    "a result is damaged": lambda run: flip(some_result(run)),
    "outcomes are damaged": lambda run: flip(next((run / "cells").rglob("outcomes.parquet"))),
    "a seal is lost": lambda run: next((run / "cells").rglob("seal.json")).unlink(),
    "a file came": lambda run: (some_result(run).parent / "more").write_text("more"),
    "a result is lost": lambda run: shutil.rmtree(some_result(run).parent),
    "a result is touched": lambda run: touch(some_result(run)),
    "a failure is touched": lambda run: touch(some_failure(run)),
    "all results are lost": lambda run: shutil.rmtree(run / "cells"),
    "the table is damaged": lambda run: flip(run / TABLE),
    "the table is cut short": lambda run: os.truncate(run / TABLE, 100),
    "the table is lost": lambda run: (run / TABLE).unlink(),
    "the table is another's": lambda run: write_rows(run / TABLE, [{"score": 1}]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_results_are_read_again_where_a_file_changed(
    change: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    CHANGES[change](run)
    assert table_of(run) is None and num_finished(run) == 0
    results = load_results(run)
    capsys.readouterr()
    code = run_cli("results", run)
    assert code == int(any(each.corrupt for each in results.failures))
    assert capsys.readouterr().out == results.text("csv")


@pytest.mark.parametrize("name", ["seal.json", "adapter/adapter_model.safetensors"])
def test_a_study_without_a_file_is_not_finished(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where no number comes from it."""
    no_figures(monkeypatch)
    run_study(small_study(tmp_path, recipes=[{"iid_sft": {"rank": 2, "epochs": 1}}], examples=[2]), tmp_path / "out")
    (tmp_path / "out" / "report.html").write_text("a page")
    assert num_finished(tmp_path / "out") == 1
    next((tmp_path / "out" / "cells").rglob(name)).unlink()
    assert num_finished(tmp_path / "out") == 0


def test_no_table_is_kept_of_what_changed_while_it_was_read(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_figures(monkeypatch)
    results = load_results(run)
    shutil.rmtree(some_result(run).parent)
    results.report()
    assert not (run / TABLE).exists()


def test_one_model_under_two_names_has_two_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_figures(monkeypatch)
    study = small_study(tmp_path, recipes=["zero_shot"], models=["tiny-random", {"tiny-random": {"name": "b"}}])
    run_study(study, tmp_path / "out")
    shutil.rmtree(tmp_path / "out" / "cells" / "b")
    load_results(tmp_path / "out").report()
    rows = parquet.read_table(tmp_path / "out" / TABLE).to_pylist()
    assert [(row["model"], row["folder"].partition("/")[0], row["score"] is None) for row in rows] == [
        ("tiny-random", "tiny-random", False), ("b", "b", True),
    ]  # fmt: skip
    assert table_of(tmp_path / "out") is not None


def test_a_failed_cell_that_is_there_now_is_seen(run: Path) -> None:
    failed = some_failure(run).relative_to(run / "failures").with_suffix("")
    (run / "cells" / failed).mkdir(parents=True)
    assert table_of(run) is None


def test_the_table_of_corrupt_results_is_not_kept(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_figures(monkeypatch)
    flip(some_result(run))
    load_results(run).report()
    assert not (run / TABLE).exists() and table_of(run) is None
    assert run_cli("verify", run) == 1


def test_a_damaged_table_is_a_fault_and_the_next_report_repairs_it(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_figures(monkeypatch)
    before = (run / TABLE).read_bytes()
    flip(run / TABLE)
    assert run_cli("verify", run) == 1
    assert f"{TABLE} is corrupt (it is not what was sealed)" in capsys.readouterr().out
    load_results(run).report()
    assert (run / TABLE).read_bytes() == before
    assert run_cli("verify", run) == 0


def test_a_copy_that_keeps_times_keeps_the_table(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "copy")
    assert table_of(tmp_path / "copy") is not None


def test_a_finished_study_is_told_without_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_figures(monkeypatch)
    study = small_study(tmp_path, recipes=["zero_shot", "ngrams"])
    run_study(study, tmp_path / "whole")
    (tmp_path / "whole" / "report.html").write_text("a page")
    program = (
        "import sys; from educe.recipes.cli import main\n"
        "try: main()\n"
        "finally: print(sorted({'torch', 'scipy.stats', 'transformers'} & sys.modules.keys()))"
    )
    for command in ("resume", "results"):
        ended = subprocess.run(
            [sys.executable, "-P", "-c", program, command, str(tmp_path / "whole")],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert ended.stdout.endswith("[]\n"), command
    assert "3 cells are finished" in ended.stderr or command == "results"


def test_json_has_a_row_on_each_line(run: Path) -> None:
    lines = load_results(run).text("json").splitlines()
    rows = [json.loads(line.removesuffix(",")) for line in lines[1:-1]]
    assert rows == json.loads("\n".join(lines)) == load_results(run).rows()

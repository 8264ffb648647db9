"""Questions about results in SQL: the rows, missing values, and nothing else."""

import csv
import io
from pathlib import Path

import pytest

from educe.recipes.runner.run_study import run_study
from tests.recipes.small import no_figures, run_cli, small_study


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    no_figures(monkeypatch)
    run_study(small_study(tmp_path, recipes=["zero_shot", "ngrams"]), tmp_path / "out")
    return tmp_path / "out"


def ask(run: Path, sql: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    assert run_cli("results", run, "--sql", sql) == 0
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


def test_rows_are_counted_and_missing_ones_stay_missing(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("duckdb")
    assert ask(run, "select recipe, count(*) n, sum(examples) e from results group by recipe order by n", capsys) == [
        {"recipe": "zero_shot", "n": "1", "e": "0"}, {"recipe": "ngrams", "n": "2", "e": "6"},
    ]  # fmt: skip
    assert ask(run, "select count(*) n from results where floor is null and error is null", capsys) == [{"n": "3"}]


@pytest.mark.parametrize(
    "sql",
    ["select * from nothing", "selct 1", "select * from read_csv('/etc/passwd')", "copy results to '/tmp/stolen.csv'",
     "select * from 'results.csv'", "install httpfs", "select a.score, b.score from results a, results b"],
)  # fmt: skip
def test_a_mistake_is_one_line_and_nothing_else_is_read(
    sql: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("duckdb")
    assert run_cli("results", run, "--sql", sql) == 2
    said = capsys.readouterr()
    assert said.err.startswith("educe: --sql: ") and said.err.count("\n") == 1 and not said.out


def test_without_duckdb_it_says_what_to_install(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "duckdb", None)
    assert run_cli("results", run, "--sql", "select 1") == 2
    assert "--sql needs the package duckdb; pip install 'educe[sql]'" in capsys.readouterr().err

"""The page of a run in progress: scores so far, no tests, and whole."""

import re
from pathlib import Path

import pytest

from educe.data.errors import UserError
from educe.eval.report import interim
from educe.eval.report.interim import write_interim
from educe.eval.report.page import write_report
from tests.eval.synthetic import measurement, small_study


def written(folder: Path, measurements: list, *, failed: int = 0, study: str = "quick") -> str:
    path = write_interim(measurements, folder, study=study, cells=30, failed=failed, every=5.0)
    assert path == folder / "report.html" and [each.name for each in folder.iterdir()] == ["report.html"]
    return path.read_text("utf-8")


def test_it_says_how_far_the_run_is_and_reloads_itself(tmp_path: Path) -> None:
    page = written(tmp_path, small_study(), failed=1)
    assert "<h1>quick: 29 of 30 cells so far</h1>" in page and "1 cell failed" in page
    assert '<meta http-equiv="refresh" content="5">' in page
    report = write_report(small_study(), [], tmp_path, study="quick", study_text="name: quick")
    assert report == tmp_path / "report.html", "the report takes its place"
    assert "refresh" not in report.read_text("utf-8") and "so far" not in report.read_text("utf-8")


def test_it_shows_scores_and_tests_nothing(tmp_path: Path) -> None:
    page = written(tmp_path, small_study())
    assert "60.0 [44.6, 73.7]" in page, "zero-shot, 24 of 40"
    assert page.count("<svg ") == 2, "the curves of each task"
    shown = re.sub(r"<style>.*?</style>|<svg .*?</svg>", "", page, flags=re.DOTALL)
    assert re.findall(r"\bp [<=]|\*|<h2|\bgain|significant|Claims|above", shown) == []


def test_it_needs_nothing_else_and_escapes_names(tmp_path: Path) -> None:
    page = written(tmp_path, [measurement(task="<b>task</b>", model="a\x1b]0;b")], study="<script>")
    assert not re.search(r"https?://|src=|<script|<link|@import|url\((?!#)|<b>", page)
    assert "&lt;script&gt;: 1 of 30" in page and "\x1b" not in page
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_a_large_study_has_its_scores_without_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interim, "MAX_SMALL", 3)
    page = written(tmp_path, small_study())
    assert "<svg" not in page and "60.0 [44.6, 73.7]" in page


def test_a_folder_in_its_place_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(UserError, match=r"report\.html is a folder"):
        write_interim(small_study(), tmp_path, study="quick", cells=30, failed=0, every=5.0)

"""The page of a run in progress: when it is written, how it is opened, and that it never harms the run."""

import webbrowser
from pathlib import Path
from typing import Any

import pytest

from educe.eval.report import interim
from educe.recipes.runner import live
from educe.recipes.runner.live import LivePage, open_page
from educe.recipes.runner.looks import LOOKS, parse_log
from tests.eval.synthetic import measurement
from tests.recipes.small import no_figures, run_cli, study_file


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(live, "time", made)
    return made


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a browser was asked to open."""
    seen: list[str] = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(webbrowser, "open", lambda address: seen.append(address) or True)
    return seen


@pytest.fixture
def writes(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many measurements each page had; a page takes half a second."""
    seen: list[int] = []

    def write(measurements: Any, folder: Path, **named: Any) -> Path:
        seen.append(len(measurements))
        clock.now += 0.5
        return folder / "report.html"

    monkeypatch.setattr(interim, "write_interim", write)
    return seen


def page_of(folder: Path, **named: Any) -> LivePage:
    return LivePage(folder, study="quick", cells=100, **named)


def test_pages_take_a_small_share_of_the_run(clock: Clock, writes: list[int], tmp_path: Path) -> None:
    page = page_of(tmp_path, known=[measurement(seed=7)])
    for seed in range(600):  # a cell a second
        clock.now += 1
        page.finish(measurement(seed=seed))
    assert writes[:2] == [1 + 5, 1 + 5 + 17], "the first after five seconds, the next when it costs little"
    assert 0.5 * len(writes) <= live.MAX_SHARE * 600


def test_the_first_page_comes_at_once_where_it_is_to_be_opened(
    clock: Clock, writes: list[int], opened: list[str], tmp_path: Path
) -> None:
    page = page_of(tmp_path, open_it=True)
    page.finish(None)
    assert writes == [], "a failure alone shows nothing"
    page.finish(measurement())
    page.finish(measurement(seed=1))
    page.show(tmp_path / "report.html")
    assert writes == [1] and opened == [(tmp_path / "report.html").as_uri()], "opened once"
    assert page.failed == 1


def test_it_is_not_opened_unasked(writes: list[int], opened: list[str], clock: Clock, tmp_path: Path) -> None:
    page = page_of(tmp_path)
    clock.now += 10
    page.finish(measurement())
    page.show(tmp_path / "report.html")
    assert writes == [1] and opened == []


def test_without_a_display_the_page_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(live.sys, "platform", "linux")
    monkeypatch.setattr(webbrowser, "open", lambda address: pytest.fail("a browser of text takes the terminal"))
    open_page(tmp_path / "report.html")
    assert capsys.readouterr().err == f"educe: no browser to open; the page is {tmp_path / 'report.html'}\n"


@pytest.mark.parametrize("fault", [webbrowser.Error("none"), OSError("not there"), None])
def test_a_browser_that_does_not_open_is_one_line(
    tmp_path: Path, fault: Exception | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(address: str) -> bool:
        if fault is not None:
            raise fault
        return False

    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(webbrowser, "open", refuse)
    open_page(tmp_path / "report.html")
    assert capsys.readouterr().err == f"educe: no browser to open; the page is {tmp_path / 'report.html'}\n"


def test_a_page_that_cannot_be_drawn_is_said_once(
    clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*given: Any, **named: Any) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(interim, "write_interim", fail)
    page = page_of(tmp_path)
    for seed in range(3):
        clock.now += 60
        page.finish(measurement(seed=seed))
    assert capsys.readouterr().err.count("no page of the run in progress: OSError") == 1


def test_a_run_shows_its_page_and_takes_no_look_before_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_figures(monkeypatch)
    monkeypatch.setattr(live, "EVERY", 0.0)
    monkeypatch.setattr(live, "MAX_SHARE", 1e9)
    monkeypatch.setenv("DISPLAY", ":0")
    out, seen = tmp_path / "out", []

    def look(address: str) -> bool:
        seen.append((address, (out / "report.html").read_text("utf-8"), looks()))
        return True

    def looks() -> int:
        return len(parse_log((out / LOOKS).read_text("utf-8")).entries)

    monkeypatch.setattr(webbrowser, "open", look)
    study = study_file(tmp_path)
    assert run_cli("run", study, "--out", out, "--open") == 0
    ((address, first, before),) = seen
    assert address == (out / "report.html").as_uri() and before == 0
    assert "small: 1 of 4 cells so far" in first and 'http-equiv="refresh"' in first
    last = (out / "report.html").read_text("utf-8")  # by the last cell: the report itself is left out here
    assert "small: 4 of 4 cells so far" in last and looks() == 1
    assert run_cli("run", study, "--out", out, "--open") == 0
    assert len(seen) == 2 and looks() == 1, "nothing was left to run: the report is opened"
    assert "[1/4]" in capsys.readouterr().err


def test_a_run_does_not_fail_with_its_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_figures(monkeypatch)

    def fail(*given: Any, **named: Any) -> Path:
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr(interim, "write_interim", fail)
    assert run_cli("run", study_file(tmp_path), "--out", tmp_path / "out", "--open") == 0
    assert "no page of the run in progress: ZeroDivisionError: of ours" in capsys.readouterr().err
    assert not (tmp_path / "out" / "failures").exists()

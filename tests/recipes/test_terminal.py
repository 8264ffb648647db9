"""No text of a study, a task, a model or a library acts on the terminal."""

import io
import os
import pty
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TextIO

import pytest
from rich.console import Console
from tqdm import tqdm

from educe.recipes.runner.bars import Bars, TimeLeft, as_clock
from educe.recipes.runner.command import one_line_errors
from educe.recipes.runner.progress import Progress
from educe.recipes.runner.terminal import Shown
from tests.recipes.small import run_cli, study_file

HOSTILE = "\x1b]0;taken\x07\x1b[2J\x9b31m\u202etxt\u202c\r[link=file:///etc]x[/link]"


class NamedCell(str):
    """What progress needs of a cell."""

    @property
    def listed(self) -> SimpleNamespace:
        return SimpleNamespace(folder=str(self))


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    "key",
    ["name", "models", "tasks", "recipes", "track", "device", "dtype", "examples", "test_items", HOSTILE],
)
def test_a_hostile_study(key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = study_file(tmp_path, **{key: [HOSTILE] if key in ("models", "tasks", "recipes") else HOSTILE})
    assert run_cli("plan", study) == 2
    shown = capsys.readouterr()
    (line,) = shown.err.splitlines()
    assert shown.out == "" and line.isprintable() and r"\x1b[2J" in line


def test_hostile_arguments_and_file_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["plan", tmp_path / HOSTILE.replace("/", "")], ["results", HOSTILE], [HOSTILE], ["ls", HOSTILE]):
        assert run_cli(*arguments) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.isprintable() and r"\x1b" in line


def test_a_hostile_exception_keeps_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped, one_line_errors():
        print("output", HOSTILE)
        raise RuntimeError(HOSTILE)
    shown = capsys.readouterr()
    assert stopped.value.code == 1 and "Traceback" in shown.err
    assert (shown.out + shown.err).replace("\n", "").isprintable()
    assert shown.err.rstrip().endswith(r"\r[link=file:///etc]x[/link]")


def test_the_live_bar_of_a_terminal_and_what_is_printed_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    plain, terminal = Terminal(), Terminal()
    for stream, name in ((plain, "name"), (terminal, HOSTILE)):
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(sys, "stderr", stream)
        with Progress(total=2, done=0, out=Path(name)) as progress:
            progress.start([name])  # type: ignore[list-item]
            progress.within(name, 1, 2)
            print(name)
            print(name, file=sys.stderr)
            progress.fail(NamedCell(name), name)  # type: ignore[arg-type]
        assert sys.stdout is stream and sys.stderr is stream
    shown = terminal.getvalue()
    for sign in ("\x1b]", "\x07", "\x9b", "\u202e", "\x1b[2J\x1b[H", "\x1b[2Jt"):
        assert sign not in shown, sign
    assert shown.count(r"\x1b]0;taken") >= 4 and "[link=file:///etc]" in shown
    assert "\x1b[" in plain.getvalue(), "the bar itself moves the cursor: nothing was tested"


def test_the_study_and_each_worker_have_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failed before: the parts of several workers took turns in one bar."""
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)
    with Progress(total=2, done=0, out=Path("out")) as progress:
        assert progress.bars is not None

        def shown() -> list[tuple[str, float, float | None]]:
            return [(each.description, each.completed, each.total) for each in progress.bars.tasks]

        progress.within("tensors de-quantised", 3, 272)  # before the first cell
        assert shown() == [("study", 0, 2), ("tensors de-quantised", 3, 272)]
        one, other = progress.of_worker(0), progress.of_worker(1)
        one.start(["a", "b"])  # type: ignore[list-item]
        other.start(["c"])  # type: ignore[list-item]
        one.within("steps trained", 1, 9)
        other.within("items scored", 5, 40)
        one.within("steps trained", 2, 9)
        progress.console.print()  # a picture is made of them
        assert shown() == [
            ("study", 0, 2), ("1. steps trained: a and 1 more", 2, 9), ("2. items scored: c", 5, 40),
        ]  # fmt: skip
        other.fail(NamedCell("c"), "no memory")  # type: ignore[arg-type]
        other.rest()
        assert shown() == [("study", 1, 2), ("1. steps trained: a and 1 more", 2, 9)]
    assert "2/9" in stream.getvalue() and "1/2 cells" in stream.getvalue()


def test_a_part_whose_length_is_unknown_has_none_of_the_part_before() -> None:
    """Failed before: the bar stood at 0 of what the last part had."""
    bars = Bars(Console(file=io.StringIO()), total=2, done=0, left=lambda: None)
    bars.show(0, "a")
    bars.part(0, "steps trained", 9, 9)
    bars.show(0, "b")
    assert [(each.completed, each.total) for each in bars.tasks] == [(0, 2), (0, None)]
    bars.part(0, "steps trained", 1, 9)
    assert [(each.completed, each.total) for each in bars.tasks] == [(0, 2), (1, 9)]


@pytest.mark.parametrize("width", [40, 50, 69, 70, 120])
def test_each_bar_has_one_line_with_a_name(width: int) -> None:
    """Failed before: at 50 columns the name was gone, and at 40 a bar took two lines."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    bars = Bars(console, total=10_000, done=5_000, left=lambda: 36_000.0)
    bars.show(0, "tiny-random parity iid_sft n=16")
    bars.part(0, "steps trained", 64, 512)
    with console.capture() as shown:
        console.print(bars)
    study, worker = shown.get().splitlines()
    assert worker.startswith("st") and study.startswith("st")
    assert width < 50 or (study.startswith("study ") and "5000/10000 cells" in study and "10:00:00 left" in study)
    assert ("\u2501" in study) is (width >= 70)


def test_the_time_left_goes_by_rows_and_not_by_cells() -> None:
    now = [100.0]
    left = TimeLeft(lambda: now[0])
    now[0] += 50  # somebody thinks; work begins after that
    left.expect(1000)
    assert left.seconds() is None
    now[0] += 10
    left.advance(100)  # a tenth in ten seconds, whatever share of the cells it was
    assert left.seconds() == 90
    now[0] += 30
    assert left.seconds() == 60
    now[0] += 100
    assert left.seconds() == 0
    assert [as_clock(each) for each in (0, 61.4, 36000)] == ["0:00:00", "0:01:01", "10:00:00"]


@pytest.fixture
def pty_pair() -> Iterator[tuple[int, TextIO]]:
    """A real terminal: what a person would see is read from the number, what a program writes goes to the stream."""
    seen, written = pty.openpty()
    with open(written, "w", encoding="utf-8", newline="") as stream:
        yield seen, stream
    os.close(seen)


_END = "<end of what was written>"


def shown_on(seen: int, stream: TextIO) -> str:
    stream.write(_END)
    stream.flush()
    data = b""
    # A terminal hands over in parts, and puts a carriage return before each line feed.
    while not data.endswith(_END.encode()):
        data += os.read(seen, 10_000)
    return data.decode().removesuffix(_END).replace("\r\n", "\n")


@pytest.mark.parametrize("text", ["\x1b[A", "\x1b[A\x1b[A", "\rname", "name\r", "\r", "\r\x1b[A"])
def test_a_text_that_is_all_movement_does_not_move_the_cursor(text: str, pty_pair: tuple[int, TextIO]) -> None:
    """Failed before: a name that looks like what a bar writes passed."""
    seen, stream = pty_pair
    assert stream.isatty()
    shown = Shown(stream)
    print(text, file=shown)
    tqdm.write(text, file=shown)
    assert shown_on(seen, stream) == f"{text.encode('unicode_escape').decode()}\n" * 2


def test_bars_of_libraries_still_move_on_a_terminal(pty_pair: tuple[int, TextIO]) -> None:
    seen, stream = pty_pair
    file = io.StringIO()
    for shown in (Shown(stream), Shown(file)):
        with tqdm(total=2, file=shown, desc="outer"), tqdm(total=2, file=shown, desc=HOSTILE) as bar:  # type: ignore[arg-type]
            bar.update(1)
            bar.refresh()
    text = shown_on(seen, stream)
    assert text.startswith("\router:   0%") and "\x1b[A" in text and r"\x1b]0;taken\x07\x1b[2J" in text
    assert text.replace("\x1b[A", "").replace("\r", "").replace("\n", "").replace("\u2588", "").isprintable()
    assert "\x1b" not in file.getvalue() and "\r" not in file.getvalue()

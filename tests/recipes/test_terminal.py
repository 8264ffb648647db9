"""No text of a study, a task, a model or a library acts on the terminal."""

import io
import sys
from pathlib import Path

import pytest

from educe.recipes.runner.command import one_line_errors
from educe.recipes.runner.progress import Progress
from educe.recipes.runner.terminal import Shown
from tests.recipes.small import run_cli, study_file

HOSTILE = "\x1b]0;taken\x07\x1b[2J\x9b31m\u202etxt\u202c\r[link=file:///etc]x[/link]"


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
            progress.start(name)  # type: ignore[arg-type]
            progress.within(name, 1, 2)
            print(name)
            print(name, file=sys.stderr)
            progress.fail(name, name)  # type: ignore[arg-type]
        assert sys.stdout is stream and sys.stderr is stream
    shown = terminal.getvalue()
    for sign in ("\x1b]", "\x07", "\x9b", "\u202e", "\x1b[2J\x1b[H", "\x1b[2Jt"):
        assert sign not in shown, sign
    assert shown.count(r"\x1b]0;taken") >= 4 and "[link=file:///etc]" in shown
    assert "\x1b[" in plain.getvalue(), "the bar itself moves the cursor: nothing was tested"


def test_bars_of_libraries_still_move_on_a_terminal() -> None:
    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        shown = Shown(stream)
        for text in ("\rhalf: 50%\x1b", "\x1b[A\x1b[A", "\r    \r", "\n"):
            assert shown.write(text) == len(text)
        shown.writelines(["a\rb\n"])
        shown.flush()
    assert terminal.getvalue() == "\rhalf: 50%\\x1b\x1b[A\x1b[A\r    \r\na\\rb\n"
    assert "\x1b" not in file.getvalue() and "\r" not in file.getvalue()

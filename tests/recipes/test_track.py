"""W&B as a sink: written offline without a key, one run per cell, never read back."""

import importlib.util
import re
import shutil
import sys
import threading
import time
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from educe.recipes.cli import launch
from educe.recipes.runner import track
from educe.recipes.runner.results import load_results
from tests.recipes.small import no_figures, parity_rows, run_cli, study_file, write_rows

needs_wandb = pytest.mark.skipif(importlib.util.find_spec("wandb") is None, reason="wandb is not installed")


@pytest.fixture
def without_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_figures(monkeypatch)
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WANDB_SILENT", "true")


@needs_wandb
@pytest.mark.usefixtures("without_a_key")
def test_cells_are_copied_once_and_never_read(tmp_path: Path) -> None:
    path, out = study_file(tmp_path, recipes=["zero_shot", {"iid_sft": {"epochs": 1}}], examples=[2]), tmp_path / "out"
    assert run_cli("run", path, "--out", out) == 0
    assert not (out / "wandb").exists(), "only where it is asked for"
    text = load_results(out).text("csv")
    # Tracking changes no cell: those measured before are copied, too.
    assert run_cli("run", path, "--out", out, "--set", "track=wandb") == 0
    keys = [measurement.provenance.cell[:32] for measurement in load_results(out).measurements]
    assert len(keys) == 2 and all(len(_run_files(out, key)) == 1 for key in keys)
    assert len(_run_files(out, "*")) == 3, "each cell, and the curves"
    assert run_cli("run", path, "--out", out, "--set", "track=wandb") == 0
    assert all(len(_run_files(out, key)) == 1 for key in keys)
    shutil.rmtree(out / "wandb")
    assert load_results(out).text("csv") == text


@pytest.mark.usefixtures("without_a_key")
@pytest.mark.parametrize("outage", ["refused", "silent"])
def test_an_outage_fails_and_slows_nothing(
    outage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*_: object, **__: object) -> object:
        tried.append(outage)
        if outage == "silent":
            end.wait(60)
        raise ConnectionError("no route\nto host")

    tried: list[str] = []
    end = threading.Event()
    monkeypatch.setattr(track, "_run", run)
    monkeypatch.setattr(track, "_end_service", lambda: None)  # other tests of this process need it
    monkeypatch.setattr(track, "_CLOSE_SECONDS", 0.2)
    path = study_file(tmp_path, recipes=["zero_shot", "ngrams"], track="wandb")
    assert run_cli("run", path, "--out", tmp_path / "out") == 0
    end.set()
    said = capsys.readouterr().err
    assert len(load_results(tmp_path / "out").measurements) == 3 and tried == [outage]
    why = "it takes too long" if outage == "silent" else "ConnectionError: no route to host"
    assert said.count(f"educe: W&B: {why}; the study goes on, and running it again copies the rest") == 1
    copied: list[object] = []
    monkeypatch.setattr(track, "_run", lambda *_, **named: (copied.append(named["id"]), MagicMock())[1])
    monkeypatch.setattr(track, "_CLOSE_SECONDS", 60.0)
    monkeypatch.setattr(track, "_table", lambda measurements: None)
    for _ in range(2):
        assert run_cli("run", path, "--out", tmp_path / "out") == 0
    keys = [each.provenance.cell[:32] for each in load_results(tmp_path / "out").measurements]
    assert copied == [*keys, None, None], "what was not copied is, once, and the curves each time"


@needs_wandb
@pytest.mark.usefixtures("without_a_key")
def test_cells_are_copied_while_the_study_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first is there before the last is measured."""
    seen: list[int] = []
    inner = track.Tracker.finish

    def finish(self: track.Tracker, measurement: object) -> None:
        limit = time.monotonic() + 60
        while seen and not _run_files(tmp_path / "out", "*") and time.monotonic() < limit:
            time.sleep(0.05)
        seen.append(len(_run_files(tmp_path / "out", "*")))
        inner(self, measurement)  # type: ignore[arg-type]

    monkeypatch.setattr(track.Tracker, "finish", finish)
    path = study_file(tmp_path, recipes=["zero_shot", "ngrams"], examples=[2], track="wandb")
    assert run_cli("run", path, "--out", tmp_path / "out") == 0
    assert seen[0] == 0 < seen[1]


@needs_wandb
@pytest.mark.usefixtures("without_a_key")
def test_one_cell_alone_is_shown_and_copied(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = write_rows(tmp_path / "parity.jsonl", parity_rows())
    command = ["ngrams", "--model", "tiny-random", "--task", f"file:{rows}", "--examples", "4"]
    with pytest.raises(SystemExit) as stopped:
        launch([*command, "--track", "wandb", "--out", str(tmp_path / "out")])
        sys.exit(0)
    assert stopped.value.code == 0 and len(_run_files(tmp_path / "out", "*")) == 1
    assert "educe: [1/1] tiny-random parity ngrams n=4 seed=0" in capsys.readouterr().err


@needs_wandb
@pytest.mark.usefixtures("without_a_key")
@pytest.mark.parametrize("prompts", [True, False])
def test_what_leaves_the_machine(prompts: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Issue 17, row 10: the first test prompt, folders, the user and the host were in the files, with no way out."""
    place = tmp_path / "folder-of-a-person"
    place.mkdir()
    monkeypatch.setattr("sys.argv", [str(place / "argument"), "argument"])
    monkeypatch.setenv("USER", "name-of-a-person")
    monkeypatch.setattr("socket.gethostname", lambda: "name-of-a-host")
    path = study_file(place, recipes=["zero_shot"], track={"wandb": {"prompts": prompts}}, tasks=[_riddles(place)])
    assert run_cli("run", path, "--out", place / "out") == 0
    copied = [each for each in (place / "out").glob("wandb/offline-run-*/**/*") if each.is_file()]
    # Logs of W&B itself, which are not uploaded.
    sent = {each: each.read_bytes() for each in copied if each.parent.name != "logs"}
    # Where the table waits for its upload: W&B's own folder under the user's home, in the file kept here alone.
    sent = {each: re.sub(rb"[^\x00-\x1f]*/artifacts/staging/", b"", data) for each, data in sent.items()}
    assert len([each for each in sent if each.suffix == ".wandb"]) == 2 and any(b"riddle 0" in v for v in sent.values())
    words = (b"folder-of-a-person", b"name-of-a-person", b"name-of-a-host", bytes(Path.cwd()), bytes(Path.home()))
    for word in (*words, *(() if prompts else (b"What is the riddle", b"answer-of-a-riddle"))):
        assert [each for each, data in sent.items() if word in data] == [], word
    assert any(b"What is the riddle" in data for data in sent.values()) is prompts


def _riddles(folder: Path) -> str:
    rows = [
        {
            "id": f"r{n}",
            "question": f"What is the riddle {n}?",
            "choices": ["yes", "answer-of-a-riddle"],
            "answer": "yes",
        }
        for n in range(60)
    ]
    return f"file:{write_rows(folder / 'riddle 0.jsonl', rows)}"


def _run_files(out: Path, key: str) -> list[Path]:
    return [path for path in out.glob(f"wandb/offline-run-*-{key}/run-*.wandb") if path.stat().st_size]


@pytest.mark.usefixtures("without_a_key")
def test_a_key_or_a_word_puts_it_on_the_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").mkdir()
    assert track._mode() == "offline"
    (tmp_path / "home" / ".netrc").write_text("machine api.wandb.ai login user password key\n")
    assert track._mode() == "online"
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert track._mode() == "disabled"


def test_tracking_without_wandb_is_refused_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert run_cli("run", study_file(tmp_path, track="wandb"), "--out", tmp_path / "out") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "track: wandb needs the package wandb; pip install wandb or set track: none" in line
    assert not (tmp_path / "out").exists()

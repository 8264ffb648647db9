"""Real trackers, each in its process: what they hold of a run, what leaves the machine, outages and kills."""

import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest

from educe.recipes.cli import launch
from educe.recipes.runner.results import load_results
from educe.recipes.runner.tracking import tracked
from educe.train import run
from tests.conftest import REPOSITORY
from tests.recipes.small import no_figures, parity_rows, run_cli, study_file, write_rows
from tests.recipes.wandb_log import history, of_kind


def needs(package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(importlib.util.find_spec(package) is None, reason=f"{package} is not installed")


@pytest.fixture(autouse=True)
def without_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_figures(monkeypatch)
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def logs(out: Path) -> dict[str, Path]:
    """The transaction logs of a directory's runs, by their names; two of one name are a mistake."""
    found = [(of_kind(path, "run")[-1].display_name, path) for path in sorted(out.glob("wandb/offline-run-*/*.wandb"))]
    assert len(dict(found)) == len(found), found
    return dict(found)


def check_steps(out: Path) -> None:
    """Each cell has one run, with every step of its training once and in order."""
    runs = logs(out)
    for each in load_results(out).measurements:
        told = history(runs[each.cell_name])
        assert [row["_step"] for row in told] == list(range(len(told)))
        assert [(row["step"], row["loss"]) for row in told] == [(row["step"], row["loss"]) for row in each.training]


@needs("wandb")
@pytest.mark.slow
def test_wandb_shows_a_loss_before_its_cell_finishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The training waits at its third step until its first one is in the log; W&B writes a step when the next comes."""
    out = tmp_path / "out"
    report, seen = run.report_step, []

    def held(row: Any, **named: Any) -> None:
        limit = time.monotonic() + 120
        while row["step"] == 2 and not (shown := [each for log in _begun(out).values() for each in history(log)]):
            assert time.monotonic() < limit
            time.sleep(0.2)
        if row["step"] == 2:
            seen.append([each["step"] for each in shown])
        report(row, **named)

    monkeypatch.setattr(run, "report_step", held)
    path = study_file(tmp_path, recipes=[{"iid_sft": {"rank": 2, "epochs": 4}}], examples=[16], track="wandb")
    assert run_cli("run", path, "--out", out) == 0
    assert seen == [[0]]
    check_steps(out)


@needs("wandb")
@pytest.mark.slow
def test_wandb_has_the_cells_of_two_workers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Offline; what `wandb sync` would send is read from the transaction logs."""
    long = {"epochs": 256, "max_examples_seen": 4096}
    recipes = ["zero_shot", *({"iid_sft": {"rank": rank, **long}} for rank in (2, 4))]
    path = study_file(tmp_path, recipes=recipes, examples=[16], seeds=[0, 1])
    out = tmp_path / "out"
    assert run_cli("run", path, "--out", out, "--workers", 2, "--set", "track=wandb") == 0
    assert "W&B" not in capsys.readouterr().err
    check_steps(out)
    results = load_results(out)
    for each in results.measurements:
        log = logs(out)[each.cell_name]
        shown = of_kind(log, "run")[-1]
        assert (shown.project, shown.run_group, shown.job_type) == ("educe", "small", each.method)
        told = [row["_timestamp"] for row in history(log)]
        assert told == sorted(told) and (len(told) == 512) is (each.method == "iid_sft")
    curves = logs(out)["small curves"]
    (row,) = history(curves)
    assert row["curves/_type"] == row["results/_type"] == "table-file"
    charts = [each for config in of_kind(curves, "config") for each in config.update if "visualize" in each.nested_key]
    (chart,) = charts
    assert chart.nested_key[-1] == "score by examples/tiny-random parity" and "lineseries" in chart.value_json
    files = [each.name for each in curves.parent.rglob("*.table.json")]
    assert len(files) == 3, "two tables, and the chart's"


@needs("wandb")
def test_cells_are_copied_once_and_never_read(tmp_path: Path) -> None:
    path, out = study_file(tmp_path, recipes=["zero_shot", {"iid_sft": {"epochs": 1}}], examples=[2]), tmp_path / "out"
    assert run_cli("run", path, "--out", out) == 0
    assert not (out / "wandb").exists(), "only where it is asked for"
    text = load_results(out).text("csv")
    # Tracking changes no cell: those measured before are copied, too.
    for _ in range(2):
        assert run_cli("run", path, "--out", out, "--set", "track=wandb") == 0
        assert len(logs(out)) == 3, "each cell, and the curves"
        check_steps(out)
    shutil.rmtree(out / "wandb")
    assert load_results(out).text("csv") == text


@needs("wandb")
@pytest.mark.slow
def test_wandb_that_is_switched_off_marks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Failed before: cells counted as copied, and were not copied when W&B was switched on."""
    path, out = study_file(tmp_path, recipes=["zero_shot"], track="wandb"), tmp_path / "out"
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert run_cli("run", path, "--out", out) == 0
    assert not list(out.glob("wandb/*.copied")) and logs(out) == {}
    monkeypatch.delenv("WANDB_MODE")
    for _ in range(2):
        assert run_cli("run", path, "--out", out) == 0
        assert len(logs(out)) == 2 == len(list(out.glob("wandb/*.copied")))


@needs("wandb")
@pytest.mark.slow
def test_one_cell_alone_is_shown_and_copied(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = write_rows(tmp_path / "parity.jsonl", parity_rows())
    command = ["iid_sft", "--model", "tiny-random", "--task", f"file:{rows}", "--examples", "4"]
    with pytest.raises(SystemExit) as stopped:
        launch([*command, "--track", "wandb", "--out", str(tmp_path / "out")])
        sys.exit(0)
    assert stopped.value.code == 0 and "educe: [1/1] tiny-random parity iid_sft n=4" in capsys.readouterr().err
    check_steps(tmp_path / "out")


@needs("wandb")
@pytest.mark.parametrize("prompts", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_what_leaves_the_machine(prompts: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Issue 17, row 10: the first test prompt, folders, the user and the host were in the files, with no way out."""
    place = tmp_path / "folder-of-a-person"
    place.mkdir()
    monkeypatch.setenv("USER", "name-of-a-person")
    monkeypatch.setenv("WANDB__STATS_SAMPLING_INTERVAL", "0.1")
    track = {"wandb": {"prompts": prompts, "adapters": True}}
    recipes = ["zero_shot", {"iid_sft": {"rank": 2, "epochs": 4}}]
    path = study_file(place, recipes=recipes, examples=[16], track=track, tasks=[_riddles(place)])
    assert run_cli("run", path, "--out", place / "out") == 0
    copied = [each for each in (place / "out").glob("wandb/offline-run-*/**/*") if each.is_file()]
    # Logs of W&B itself, which are not uploaded.
    sent = {each: each.read_bytes() for each in copied if each.parent.name != "logs"}
    # Where files wait for their upload: W&B's own folder under the user's home, in the file kept here alone.
    sent = {each: re.sub(rb"[^\x00-\x1f]*/artifacts/staging/", b"", data) for each, data in sent.items()}
    assert len([each for each in sent if each.suffix == ".wandb"]) == 3 and any(b"riddle 0" in v for v in sent.values())
    words = (b"folder-of-a-person", b"name-of-a-person", bytes(Path.cwd()))
    words = (*words, bytes(Path.home()), bytes(Path(sys.executable).parent))
    for word in (*words, *(() if prompts else (b"What is the riddle", b"answer-of-a-riddle"))):
        assert [each for each, data in sent.items() if word in data] == [], word
    host = re.compile(rb"(?<![A-Za-z0-9])%s(?![A-Za-z0-9])" % re.escape(socket.gethostname().encode()))
    assert not [each for each, data in sent.items() if host.search(data)]
    assert any(b"What is the riddle" in data for data in sent.values()) is prompts
    stats = [each for path in sent if path.suffix == ".wandb" for each in of_kind(path, "stats")]
    names = {item.key for each in stats for item in each.item}
    assert {"memory_percent", "proc.memory.rssMB"} <= names and not [name for name in names if "/" in name], names
    artifacts = [each for path in sent if path.suffix == ".wandb" for each in of_kind(path, "artifact")]
    (adapter,) = (each for each in artifacts if each.type == "adapter")
    files = {each.path: Path(each.local_path) for each in adapter.manifest.contents}
    assert set(files) == {"adapter_config.json", "adapter_model.safetensors"}
    assert json.loads(files["adapter_config.json"].read_text())["base_model_name_or_path"] is None


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


class _Refuses(BaseHTTPRequestHandler):
    """A server to which every key is a wrong one."""

    def do_POST(self) -> None:
        self.send_response(401)
        self.end_headers()

    do_GET = do_POST

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a W&B that is away, says nothing, or refuses the key."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        if request.param == "silent":
            taken.listen()
        if request.param != "wrong key":
            yield f"http://127.0.0.1:{port}"
            return
    with HTTPServer(("127.0.0.1", 0), _Refuses) as refusing:
        threading.Thread(target=refusing.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{refusing.server_port}"
        refusing.shutdown()


@needs("wandb")
@pytest.mark.slow
@pytest.mark.parametrize("server", ["refused", "silent", "wrong key"], indirect=True)
def test_a_real_outage_fails_and_slows_nothing(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", server)
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setattr(tracked, "_CLOSE_SECONDS", 5.0)
    path = study_file(tmp_path, recipes=["zero_shot", {"iid_sft": {"rank": 2, "epochs": 2}}], track="wandb")
    before = set(psutil.Process().children(recursive=True))
    assert run_cli("run", path, "--out", tmp_path / "out") == 0
    said = capsys.readouterr().err
    assert said.count("educe: W&B: ") == 1 and "the study goes on, and running it again copies the rest" in said
    assert len(load_results(tmp_path / "out").measurements) == 3
    assert set(psutil.Process().children(recursive=True)) <= before, "nothing is left that waits"


@needs("wandb")
@pytest.mark.slow
def test_a_kill_in_training_leaves_one_run_per_cell(tmp_path: Path) -> None:
    """Killed when W&B has steps of a cell that is not measured, and run again."""
    recipes = ["zero_shot", {"iid_sft": {"rank": 2, "epochs": 64, "max_examples_seen": 4096}}]
    path, out = study_file(tmp_path, recipes=recipes, examples=[16], seeds=[0, 1], track="wandb"), tmp_path / "out"
    command = [sys.executable, "-P", "-m", "educe.recipes.cli", "run", str(path), "--out", str(out), "--workers", "1"]
    with subprocess.Popen(command, cwd=REPOSITORY, env=os.environ) as running:
        limit = time.monotonic() + 300
        while not (cut := {name: len(history(log)) for name, log in _begun(out).items() if len(history(log)) > 5}):
            assert time.monotonic() < limit and running.poll() is None
            time.sleep(0.2)
        running.kill()
    assert not list(out.glob("cells/*/*/iid_sft*"))
    assert run_cli("run", path, "--out", out) == 0
    check_steps(out)
    whole = logs(out)
    assert all(len(history(whole[name])) > count for name, count in cut.items())


def _begun(out: Path) -> dict[str, Path]:
    found = [path for path in out.glob("wandb/offline-run-*/*.wandb") if of_kind(path, "run")]
    return {of_kind(path, "run")[-1].display_name: path for path in found}


RECIPES = ["zero_shot", {"iid_sft": {"rank": 2, "epochs": 4}}, {"iid_sft": {"epochs": [1, 2], "dev_examples": 4}}]


@needs("tensorboard")
@pytest.mark.slow
def test_tensorboard_reads_what_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    path, out = study_file(tmp_path, recipes=RECIPES, examples=[4, 16], track="tensorboard"), tmp_path / "out"
    for _ in range(2):
        assert run_cli("run", path, "--out", out) == 0
    assert "educe: TensorBoard:" not in capsys.readouterr().err

    def read(folder: Path) -> dict[str, list[tuple[int, Any]]]:
        (file,) = folder.glob("events.out.tfevents.*")
        assert socket.gethostname() not in file.name
        events = EventAccumulator(str(folder)).Reload()
        tags = events.Tags()["tensors"]
        return {tag: [(each.step, make_ndarray(each.tensor_proto)) for each in events.Tensors(tag)] for tag in tags}

    for each in load_results(out).measurements:
        (folder,) = out.glob(f"tensorboard/cells/*/*/*/n{each.examples}-s{each.seed}-{each.provenance.cell[:16]}")
        found = read(folder)
        told = [(step, pytest.approx(float(value))) for step, value in found.get("loss", [])]
        assert [(row["step"], row["loss"]) for row in each.training] == told
        assert float(found["result/score"][0][1]) == pytest.approx(each.score)
        scored = [tag for tag in found if tag.endswith("/dev_score")]
        assert len(scored) == (2 if each.details.selection else 0)
    (curve,) = (folder for folder in out.glob("tensorboard/curves/*") if "epochs=4" in folder.name)
    found = read(curve)
    points = load_results(out).curve(model="tiny-random", task="parity", recipe="iid_sft(rank=2, epochs=4)").points
    assert [(step, pytest.approx(float(value))) for step, value in found["score/tiny-random parity"]] == [
        (point.budget, point.score) for point in points
    ]
    assert "custom_scalars__config__" in found


@needs("trackio")
@pytest.mark.slow
def test_trackio_stays_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The variables that would send it away, and a stored token, are there; a proxy would hear of any request."""
    with socket.socket() as proxy:
        proxy.bind(("127.0.0.1", 0))
        proxy.listen()
        heard = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "TRACKIO_SERVER_URL"):
            monkeypatch.setenv(name, f"{heard}?write_token=x" if name.startswith("TRACKIO") else heard)
        monkeypatch.setenv("HF_TOKEN", "hf_" + "x" * 34)
        path, out = study_file(tmp_path, recipes=RECIPES, examples=[4], track="trackio"), tmp_path / "out"
        for _ in range(2):
            assert run_cli("run", path, "--out", out) == 0
        assert "educe: trackio:" not in capsys.readouterr().err
        proxy.setblocking(False)
        with pytest.raises(BlockingIOError):
            proxy.accept()
    script = (
        "import json, trackio; from trackio.sqlite_storage import SQLiteStorage as S;"
        "print(json.dumps({r.name: [r.config, S.get_logs('educe', r.name)] for r in trackio.Api().runs('educe')}))"
    )
    environment = {**os.environ, "TRACKIO_DIR": str(out / "trackio"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    runs = json.loads(done.stdout.splitlines()[-1])
    results = load_results(out).measurements
    assert len(runs) == len(results) + 1
    for each in results:
        (name,) = (name for name in runs if name.startswith(f"{each.cell_name} "))
        config, told = runs[name]
        assert (config["_Username"], config["_Group"], config["method"]) == (None, "small", each.method)
        assert [(row["step"], row["loss"]) for row in told if "loss" in row] == [
            (row["step"], row["loss"]) for row in each.training
        ]
        assert told[-1]["result/score"] == each.score
    (name,) = (name for name in runs if name.startswith("small curves"))
    assert {key for row in runs[name][1] for key in row} >= {"curves", "results"}

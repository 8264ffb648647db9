"""Trackers as sinks: each cell's steps as they are trained, once and in order, whatever the tracker does."""

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from educe.eval.progress import TrainingStep
from educe.recipes.cli import launch
from educe.recipes.runner.results import load_results
from educe.recipes.runner.run_study import run_study
from educe.recipes.runner.tracking import tracked, trackio, wandb
from educe.recipes.runner.tracking.copied import Copied
from educe.recipes.runner.tracking.marks import Marks, is_copied
from educe.recipes.runner.tracking.process import TrackerFailed
from educe.recipes.runner.tracking.settings import TRACKERS
from educe.recipes.runner.tracking.tracker import Entry, Table
from tests.recipes.small import no_figures, run_cli, small_study, study_file

ENTRY = Entry(key="k", name="a cell", folder="a/b", group="study", kind="iid_sft", config={})


class Recorder:
    """A tracker that notes what it is told, in place of a process."""

    def __init__(self, *, have: int = 0) -> None:
        self.told: list[tuple[str, Any]] = []
        self.have = have

    def call(self, what: str, *values: Any, **_: Any) -> Any:
        self.told.append((what, values))
        return self.have if what == "begin" else what in ("finish", "show")

    def close(self) -> None:
        pass

    def end(self) -> None:
        pass

    def names(self) -> dict[str, str]:
        return {values[0].key: values[0].name for what, values in self.told if what == "begin"}

    def steps(self, name: str) -> list[Any]:
        """The steps of the cell of this name, in the order in which they were told."""
        (key,) = (key for key, each in self.names().items() if each == name)
        return [step for what, values in self.told if what == "log" and values[0] == key for step in values[1]]

    def order(self, name: str) -> list[str]:
        """What was told of a cell, without repetitions."""
        (key,) = (key for key, each in self.names().items() if each == name)
        told = [what for what, values in self.told if key in (values[0], getattr(values[0], "key", ""))]
        return [what for place, what in enumerate(told) if told[place - 1 : place] != [what]]


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    made = Recorder()
    use(monkeypatch, made)
    return made


def use(monkeypatch: pytest.MonkeyPatch, tracker: Any) -> None:
    no_figures(monkeypatch)
    monkeypatch.setattr(tracked.TrackerProcess, "start", lambda *_, **__: tracker)


def rows(steps: Sequence[Any], training: str = "") -> list[dict[str, float]]:
    return [{"step": each.step, **each.values} for each in steps if each.training == training]


def test_steps_are_told_as_they_are_trained_to_the_right_cell(tmp_path: Path, recorder: Recorder) -> None:
    """Of cells that train together, of one that chooses, and of one alone."""
    choice = {"iid_sft": {"rank": 4, "epochs": 2, "learning_rate": [1e-3, 1.5e-4], "dev_examples": 4}}
    recipes = ["zero_shot", {"iid_sft": {"rank": 2, "epochs": 2}}, choice, "full_fine_tune"]
    study = small_study(tmp_path, recipes=recipes, examples=[4, 16], seeds=[0, 1], track="wandb")
    results = run_study(study, tmp_path / "out")
    assert len(results.measurements) == 13 == len(recorder.names())
    for each in results.measurements:
        steps, order = recorder.steps(each.cell_name), recorder.order(each.cell_name)
        assert [step.place for step in steps] == list(range(len(steps)))
        assert rows(steps) == [dict(row) for row in each.training]
        assert order == ["begin", "log", "finish"]
        named = {step.training for step in steps} - {""}
        if each.details.selection is None:
            assert not named
            continue
        count = 2 if each.examples == 4 else 4
        assert named == {f"learning_rate {rate}, {count} steps" for rate in ("1e-3", "15e-5")}
        for name in named:
            *trained, scored = rows(steps, name)
            assert [row["step"] for row in trained] == list(range(count)) and set(scored) == {"step", "dev_score"}
        won = f"learning_rate {'1e-3' if each.details.selection.chosen['learning_rate'] == 1e-3 else '15e-5'}"
        (name,) = (name for name in named if name.startswith(won))
        assert rows(steps, name)[:-1] == rows(steps) and rows(steps, name)[-1]["dev_score"] <= 1
    # Live: what is told of a cell that trains beside others ends after the others have begun.
    together = [f"tiny-random parity iid_sft(rank=2, epochs=2) n=16 seed={seed}" for seed in (0, 1)]
    keys = {name: key for key, name in recorder.names().items()}
    begun = [values[0].key for what, values in recorder.told if what == "begin"]
    first_end = next(
        i for i, (what, values) in enumerate(recorder.told) if what == "finish" and values[0] in map(keys.get, together)
    )
    before = [values[0].key for what, values in recorder.told[:first_end] if what == "begin"]
    assert {keys[name] for name in together} <= set(before) and len(begun) == len(set(begun))
    what, (_, overview) = recorder.told[-1]
    assert what == "show" and set(overview.tables) == {"curves", "results"}
    (chart,) = overview.charts
    lines = {line.label: line for line in chart.lines}
    assert lines["zero_shot"].budgets == [4, 20] and len(set(lines["zero_shot"].scores)) == 1
    assert lines["full_fine_tune"].budgets == [4, 16]
    assert all(low <= high for line in chart.lines for low, high in zip(line.lows, line.highs, strict=True))


def step(place: int, training: str = "") -> TrainingStep:
    return TrainingStep(training, {"step": place, "loss": 1 / (place + 1)})


def test_no_step_is_told_twice_where_a_cell_trains_again() -> None:
    copied = Copied(entry=ENTRY, have=0)
    assert [each.place for each in copied.take([step(0), step(1)])] == [0, 1]
    again = copied.again()  # its worker died
    assert again.take([step(0)]) == [] and [each.step for each in again.take([step(1), step(2)])] == [2]
    assert again.take_kept([dict(step(n).row) for n in range(3)]) == []
    resumed = Copied(entry=ENTRY, have=2)  # an earlier command told two
    assert [each.place for each in resumed.take([step(0), step(1), step(2)])] == [2]
    assert resumed.take_kept([dict(step(n).row) for n in range(3)]) == []


def test_trainings_that_follow_each_other_have_names() -> None:
    copied = Copied(entry=ENTRY, have=0)
    told = copied.take([step(0), step(1), step(0), step(1), step(0)])
    assert [each.training for each in told] == ["", "", "training 2", "training 2", "training 3"]
    assert told[2].named() == {"training 2/loss": 1.0}
    kept = copied.take_kept([dict(step(0).row)])
    assert [(each.training, each.place) for each in kept] == [("kept", 5)]
    untold = Copied(entry=ENTRY, have=0)  # trained for an earlier cell, and kept in memory
    assert [(each.training, each.place) for each in untold.take_kept([dict(step(0).row)])] == [("", 0)]


@pytest.mark.parametrize("outage", ["refused", "silent"])
def test_an_outage_fails_and_slows_nothing(
    outage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended, tried = threading.Event(), []

    def call(*values: Any, **_: Any) -> Any:
        tried.append(values[0])
        if outage == "silent":
            ended.wait(60)
        raise TrackerFailed("ConnectionError: no route\nto host")

    use(monkeypatch, SimpleNamespace(call=call, end=ended.set, close=ended.set))
    monkeypatch.setattr(tracked, "_CLOSE_SECONDS", 0.2)
    path = study_file(tmp_path, track="wandb")
    assert run_cli("run", path, "--out", tmp_path / "out") == 0
    said = capsys.readouterr().err
    assert len(load_results(tmp_path / "out").measurements) == 4 and tried == ["begin"]
    why = "it takes too long" if outage == "silent" else "ConnectionError: no route to host"
    assert said.count(f"educe: W&B: {why}; the study goes on, and running it again copies the rest") == 1
    monkeypatch.setattr(tracked, "_CLOSE_SECONDS", 60.0)
    recorder = Recorder()
    use(monkeypatch, recorder)
    for _ in range(2):
        assert run_cli("run", path, "--out", tmp_path / "out") == 0
    finished = [values[0] for what, values in recorder.told if what == "finish"]
    assert len(finished) == len(set(finished)) == 4, "what was not copied is, once"
    assert [what for what, _ in recorder.told].count("show") == 2
    for each in load_results(tmp_path / "out").measurements:
        assert rows(recorder.steps(each.cell_name)) == [dict(row) for row in each.training]


class Away:
    """A tracker that cannot be reached."""

    def call(self, *_: Any, **__: Any) -> Any:
        raise TrackerFailed("no route to host")

    def end(self) -> None: ...

    close = end


def test_resuming_a_finished_run_copies_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Failed before: it ended with "all 4 cells are finished"."""
    out, resume = tmp_path / "out", ("resume", tmp_path / "out", "--workers", 1)
    use(monkeypatch, Away())
    assert run_cli("run", study_file(tmp_path, track="wandb"), "--out", out) == 0
    (out / "report.html").touch()  # what is left out here
    assert not (out / "wandb").is_dir() or not is_copied(out)
    recorder = Recorder()
    use(monkeypatch, recorder)
    assert run_cli(*resume) == 0
    told = [what for what, _ in recorder.told]
    assert (told.count("finish"), told.count("show")) == (4, 1) and is_copied(out)
    capsys.readouterr()
    assert run_cli(*resume) == 0 and "all 4 cells are finished" in capsys.readouterr().err
    assert len(recorder.told) == len(told), "the short way where nothing is missing"
    next(out.glob("wandb/*.copied")).unlink()
    assert run_cli(*resume) == 0 and len(recorder.told) > len(told)
    # Charts that could not be shown are missing, too.
    use(monkeypatch, Away())
    assert run_cli("run", tmp_path / "study.yaml", "--out", out) == 0 and not is_copied(out)


def test_launching_a_finished_cell_again_copies_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["zero_shot", "--model", "tiny-random", "--task", "word_sentiment", "--test-items", "2"]
    command += ["--out", str(tmp_path), "--track", "wandb"]
    use(monkeypatch, Away())
    launch(command)
    recorder = Recorder()
    use(monkeypatch, recorder)
    for _ in range(2):
        launch(command)
    assert [what for what, _ in recorder.told] == ["begin", "log", "finish"]
    assert capsys.readouterr().out.count(": already in ") == 2


def test_run_directories_have_copies_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Failed before: one run of W&B held the steps, and the last score, of both."""
    study, keys = small_study(tmp_path, recipes=["zero_shot"], track="wandb"), []
    for out in ("one", "one", "other"):
        recorder = Recorder()
        use(monkeypatch, recorder)
        run_study(study, tmp_path / out)
        keys.append({values[0].key for what, values in recorder.told if what in ("begin", "show")})
    one, again, other = keys
    assert len(one) == len(other) == 2 and again < one and not one & other


def test_marks_of_an_earlier_version_hold(tmp_path: Path, recorder: Recorder) -> None:
    """Of its cells alone: the curves are copied once more, to a run of this directory."""
    study = small_study(tmp_path, recipes=["zero_shot"], track="wandb")
    (cell,) = study.cells()
    named = hashlib.sha256(repr((cell.listed.folder, cell.key)).encode()).hexdigest()[:32]
    (tmp_path / "out" / "wandb").mkdir(parents=True)
    (tmp_path / "out" / "wandb" / f"{named}.copied").touch()
    run_study(study, tmp_path / "out")
    assert [what for what, _ in recorder.told] == ["show"]


@pytest.mark.parametrize("damage", ["", "x" * 32, "0" * 5000])
def test_a_damaged_id_is_replaced(damage: str, tmp_path: Path) -> None:
    (tmp_path / "directory.id").write_text(damage)
    made = Marks(tmp_path).directory
    assert len(made) == 32 and made != damage and Marks(tmp_path).directory == made


def test_a_copy_that_is_not_kept_leaves_no_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """W&B that is switched off."""
    recorder = Recorder()
    use(monkeypatch, SimpleNamespace(call=lambda *given, **_: bool(recorder.call(*given)) and None, close=lambda: None))
    run_study(small_study(tmp_path, recipes=["zero_shot"], track="wandb"), tmp_path / "out")
    assert [what for what, _ in recorder.told][-2:] == ["finish", "show"] and not is_copied(tmp_path / "out")


def test_a_cell_that_fails_ends_its_copy(tmp_path: Path, recorder: Recorder) -> None:
    """It diverges at its second step."""
    recipes = ["zero_shot", {"iid_sft": {"rank": 2, "epochs": 4, "learning_rate": 1e30}}]
    results = run_study(small_study(tmp_path, recipes=recipes, examples=[16], track="wandb"), tmp_path / "out")
    (failed,) = results.failures
    assert "loss is nan" in failed.reason and recorder.order(failed.cell_name) == ["begin", "log", "fail"]
    assert [what for what, _ in recorder.told].count("finish") == 1


@pytest.mark.parametrize("adapters", [True, False])
def test_adapters_are_copied_only_where_that_is_asked(adapters: bool, tmp_path: Path, recorder: Recorder) -> None:
    recipes = ["zero_shot", {"iid_sft": {"rank": 2, "epochs": 1}}]
    study = small_study(tmp_path, recipes=recipes, examples=[2], track={"wandb": {"adapters": adapters}})
    run_study(study, tmp_path / "out")
    folders = [values[3] for what, values in recorder.told if what == "finish"]
    assert [folder is not None for folder in folders] == [False, adapters]
    assert not adapters or (folders[1] / "adapter_config.json").exists()


@pytest.mark.parametrize("name", TRACKERS)
def test_a_tracker_that_is_not_installed_is_refused_before_anything_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert run_cli("run", study_file(tmp_path, track=name), "--out", tmp_path / "out") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"track: {name} needs the package {name}; pip install {name} or set track: none" in line
    assert not (tmp_path / "out").exists()


@pytest.fixture
def mode_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Whether W&B is on the line, with these variables and this .netrc."""
    library = pytest.importorskip("wandb")
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_CONFIG_DIR", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def mode(keys: bytes = b"", **variables: str) -> str:
        library.teardown()  # it reads its settings once
        (tmp_path / ".netrc").write_bytes(keys)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(f"WANDB_{name}", value)
            return wandb._mode()

    yield mode
    library.teardown()


KEY = "0" * 40


def test_a_key_or_a_word_puts_wandb_on_the_line(mode_of: Callable[..., str], tmp_path: Path) -> None:
    """Failed before: "wandb" in any line was a key for any server, and W&B's own settings were not read."""
    cloud, elsewhere = (f"machine {host} login user password {KEY}\n".encode() for host in ("api.wandb.ai", "a.org"))
    assert mode_of() == "offline" and mode_of(API_KEY=KEY) == "online"
    assert mode_of(cloud) == "online" and mode_of(elsewhere) == "offline"
    assert mode_of(elsewhere, BASE_URL="https://a.org") == "online"
    assert mode_of(cloud, BASE_URL="https://a.org") == "offline"
    assert mode_of(b"# wandb\n" + elsewhere) == "offline"
    assert mode_of(b"\xff\xfe" + cloud) == "offline" and mode_of(b"machine") == "offline"
    assert mode_of(cloud, MODE="disabled") == "disabled" and mode_of(cloud, MODE="dryrun") == "offline"
    settings = tmp_path / "wandb" / "settings"  # as `wandb offline` writes it
    settings.parent.mkdir()
    for word in ("offline", "disabled", "online"):
        settings.write_text(f"[default]\nmode = {word}\n")
        assert mode_of(API_KEY=KEY) == word
    assert mode_of(MODE="offline") == "offline"


def test_wandb_gets_every_row_of_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    library = pytest.importorskip("wandb")
    for name in ("MAX_ROWS", "MAX_ARTIFACT_ROWS"):
        monkeypatch.setattr(library.Table, name, 100)
    rows = [[n, None if n < 50 else "text", 0.5] for n in range(1000)]
    made = wandb._table(Table(columns=["count", "word", "share"], rows=rows))
    plain = library.Table(columns=["count", "word", "share"], data=rows)
    assert made._to_table_json()["data"] == rows and made._column_types == plain._column_types
    assert library.Table.MAX_ARTIFACT_ROWS == 1000


def test_nothing_of_the_environment_sends_trackio_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sends = ["TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL", "TRACKIO_DATASET_ID", "TRACKIO_WEBHOOK_URL", "HF_TOKEN"]
    environment = {**dict.fromkeys([*sends, "HUGGING_FACE_HUB_TOKEN", "SPACE_REPO_NAME", "SYSTEM"], "x"), "PATH": "/"}
    monkeypatch.setattr("os.environ", environment)
    trackio.Trackio(tmp_path, machine=True)
    assert environment == {
        "PATH": "/",
        "TRACKIO_DIR": str(tmp_path / "trackio"),
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HOME": str(tmp_path / "trackio" / "no-home"),
    }

"""`educe screen`: what it chooses, that no test row is read, and what it writes down."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from transformers import PreTrainedTokenizerBase

from educe.data.errors import UserError
from educe.data.resolve import resolve
from educe.eval.analysis.room import RULE
from educe.recipes.prompting.zero_shot import ZeroShot
from educe.recipes.runner.screen import prepare, run_screen, study_of_tasks
from educe.recipes.runner.screened import CHOSEN, SCREEN, Screened
from educe.recipes.runner.seal import checksum
from educe.recipes.runner.store import Store
from educe.recipes.runner.study import Study
from educe.recipes.runner.verify import verify
from tests.recipes.screens import SEARCH, TUNE, rows, screen_of, written
from tests.recipes.small import no_figures, run_cli, write_rows


@pytest.fixture(autouse=True)
def _no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    no_figures(monkeypatch)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study that was screened."""
    folder = tmp_path_factory.mktemp("screened")
    with pytest.MonkeyPatch.context() as patch:
        no_figures(patch)
        assert run_cli("screen", written(folder), "--out", folder / "out") == 0
    return folder


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made / "out", tmp_path / "out")
    return tmp_path / "out"


def with_room(screened: Screened) -> set[str]:
    return {each.task for each in screened.rooms if each.verdict == "room"}


def refused(capsys: pytest.CaptureFixture[str], *arguments: Any) -> str:
    capsys.readouterr()
    assert run_cli("screen", *arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Every text that a tokenizer was given."""
    texts: set[str] = set()
    call = PreTrainedTokenizerBase.__call__

    def noted(self: PreTrainedTokenizerBase, text: Any = None, *given: Any, **named: Any) -> Any:
        texts.update([text] if isinstance(text, str) else list(text))
        return call(self, text, *given, **named)

    monkeypatch.setattr(PreTrainedTokenizerBase, "__call__", noted)
    yield texts


def shown(texts: set[str], folder: Path, split: str) -> set[str]:
    """The ids of the rows of a split whose question a model was shown, before an answer or as a shot."""
    tasks = [resolve(f"file:{folder}/{answer}.jsonl") for answer in ("oak", "elm")]
    names = {row.id for task in tasks for row in task.rows[split]}  # type: ignore[index]
    return {name for name in names if any(name in text for text in texts)}


def outcomes(root: Path) -> set[str]:
    return {name for each in Store(root).read()[0] for name in each.outcomes.ids}


def test_no_test_row_is_read(tmp_path: Path, read: set[str]) -> None:
    study = written(tmp_path)
    assert run_cli("screen", study, "--out", tmp_path / "out") == 0
    dev = {row.id for answer in ("oak", "elm") for row in resolve(f"file:{tmp_path}/{answer}.jsonl").rows["dev"]}
    assert shown(read, tmp_path, "dev") == dev == outcomes(tmp_path / "out")
    assert shown(read, tmp_path, "train") and shown(read, tmp_path, "test") == set()
    # The check sees test rows where they are read.
    assert run_cli("run", tmp_path / "out" / CHOSEN, "--set", "recipes=[zero_shot]", "--out", tmp_path / "run") == 0
    assert shown(read, tmp_path, "test")


def test_test_rows_are_refused_before_anything_is_read(
    tmp_path: Path, read: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    line = refused(capsys, written(tmp_path, measure_on="test"), "--out", out)
    assert line == "educe: a screen reads dev rows, and the study says measure_on: test; drop measure_on"
    assert refused(capsys, written(tmp_path), "--set", "measure_on=test", "--out", out) == line
    assert refused(capsys, written(tmp_path, measure_on="dev"), "--set", "measure_on=test", "--out", out) == line
    assert not out.exists() and not read
    assert run_cli("screen", written(tmp_path, measure_on="dev"), "--out", out) == 0


def test_a_directory_with_test_results_is_refused_and_left_alone(
    tmp_path: Path, read: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    study, out = written(tmp_path), tmp_path / "out"
    only = ("--set", "recipes=[zero_shot]", "--out", out)
    assert run_cli("run", study, *only) == 0
    before, _ = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}, read.clear()
    assert "has a study on test rows, and a screen reads dev rows; give another --out" in refused(
        capsys, study, "--out", out
    )
    (out / "cells.json").write_text("[]")
    assert "so nobody knows whether it has results on test rows; give another --out" in refused(
        capsys, study, "--out", out
    )
    (out / "cells.json").write_bytes(before[out / "cells.json"])
    assert before == {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} and not read
    # What lies there of an earlier study is in no number of the screen.
    assert run_cli("run", study, *only, "--set", "measure_on=dev") == 0
    read.clear()
    assert run_cli("screen", study, "--out", out) == 0
    assert shown(read, tmp_path, "test") == set() and outcomes(out) <= shown(read, tmp_path, "dev")
    dev = {answer: len(resolve(f"file:{tmp_path}/{answer}.jsonl").rows["dev"]) for answer in ("oak", "elm")}
    assert {each.task: each.n for each in screen_of(out).rooms} == dev


def test_rows_that_are_dev_and_test_are_refused(
    tmp_path: Path, read: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The same questions under other ids, spaces and cases, too."""
    written(tmp_path)
    same = [{**row, "id": f"dev{n}", "question": f"  {row['question'].upper()}"} for n, row in enumerate(rows("oak"))]
    write_rows(tmp_path / "dev.jsonl", same)
    write_rows(tmp_path / "train.jsonl", rows("elm"))
    task = {"train": f"{tmp_path}/train.jsonl", "dev": f"{tmp_path}/dev.jsonl"}
    study = written(tmp_path, tasks=[{f"file:{tmp_path}/oak.jsonl": task}])
    assert "has one question in two splits: dev" in refused(capsys, study, "--out", tmp_path / "out")
    study = written(tmp_path, tasks=[{f"file:{tmp_path}/oak.jsonl": {**task, "repeats": "drop"}}])
    assert "has no dev rows to score on" in refused(capsys, study, "--out", tmp_path / "out")
    assert not read and not (tmp_path / "out").exists()


def test_the_choice_is_written_down(made: Path) -> None:
    root, study = made / "out", Study.read(made / "study.yaml")
    screened = screen_of(root)
    values = json.loads((root / SCREEN).read_text())
    assert values["rule"] == RULE and values["study_hash"] == checksum(study.text().encode())
    assert values["versions"]["torch"] and values["git"]["revision"] and values["failed"] == 0
    assert len(screened.rooms) == 2 and len(with_room(screened)) == 1, screened.rooms
    room = screened.rooms[0]
    assert room.verdict == "room" and room.best is not None and room.zero_shot is not None
    assert (room.zero_shot.score, room.best.score, room.gain) == (0, 1, 1)
    assert room.best.recipe.startswith("full_fine_tune") and room.best.labelled_examples in (4, 16)
    assert room.best.elicitation_flops > 0 and room.best.seconds > 0 and room.recipes == 3
    assert screened.rooms[1].reason == "best is not above zero-shot"
    assert not verify(root).faults
    assert {each.seed for each in Store(root).read()[0]} == {3}


def test_the_chosen_study_runs_on_test_rows(made: Path) -> None:
    text = (made / "out" / CHOSEN).read_text()
    study, chosen = Study.read(made / "study.yaml"), Study.read(made / "out" / CHOSEN)
    (task,) = with_room(screen_of(made / "out"))
    assert chosen.tasks == (f"file:{made}/{task}.jsonl",) and chosen.measure_on == "test"
    assert chosen.cells() and {cell.measure_on for cell in chosen.cells()} == {"test"}
    same = {name: getattr(study, name) for name in ("name", "models", "recipes", "examples", "seeds")}
    assert same == {name: getattr(chosen, name) for name in same}
    comment = f"# 1 of 2 tasks, chosen on dev rows by educe screen ({SCREEN}, sha256 "
    assert text.startswith(f"{comment}{checksum((made / 'out' / SCREEN).read_bytes())})\n")


def test_a_screen_that_is_run_again_computes_and_changes_nothing(copy: Path, made: Path, read: set[str]) -> None:
    before = {name: (copy / name).read_bytes() for name in (SCREEN, CHOSEN, "cells.json")}
    assert run_cli("screen", made / "study.yaml", "--out", copy) == 0
    assert before == {name: (copy / name).read_bytes() for name in before} and not read


def test_the_table(copy: Path, made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli("screen", made / "study.yaml", "--out", copy) == 0
    lines = capsys.readouterr().out.splitlines()
    (task,) = with_room(screen_of(copy))
    assert lines[0].split()[:4] == ["model", "task", "dev", "rows"]
    assert lines[1].split()[:2] == ["tiny-random", task] and lines[1].endswith("  room")
    assert lines[2].endswith("no room: best is not above zero-shot")
    assert RULE in lines and any("this is a screen, not a result." in line for line in lines)
    assert any("the best of 3 looks better than it is" in line for line in lines)
    assert lines[-1] == f"next: educe run {copy / CHOSEN}"


def test_no_task_with_room_leaves_no_chosen_study(copy: Path, made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One that an earlier screen chose goes, too."""
    (task,) = with_room(screen_of(copy))
    (other,) = {"oak", "elm"} - {task}
    assert (copy / CHOSEN).exists()
    assert run_cli("screen", made / "study.yaml", "--set", f"tasks=['file:{made}/{other}.jsonl']", "--out", copy) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "no task of 1 has room, so no study was written"
    assert not (copy / CHOSEN).exists() and screen_of(copy).chosen_study is None
    assert not verify(copy).faults


def test_recipes_that_choose_on_dev_rows_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = written(tmp_path, recipes=["zero_shot", {"few_shot": {"shots": 2}}, SEARCH, "prompt_eval"], examples=[4])
    assert run_cli("screen", study, "--out", tmp_path / "out") == 0
    first, second, *_ = capsys.readouterr().out.splitlines()
    label = "iid_sft(learning_rate=0.0001+0.001, dev_examples=4)"
    assert first == f"{label}: left out, because it chooses on dev rows and cannot be scored on them"
    assert second == "prompt_eval: left out, because it measures wording and elicits nothing"
    assert screen_of(tmp_path / "out").left_out == [first, second]
    assert {each.method for each in Store(tmp_path / "out").read()[0]} == {"zero_shot", "few_shot"}


def test_the_chosen_study_keeps_what_only_the_screen_left_out(tmp_path: Path) -> None:
    compare = [{"recipe": "iid_sft", "examples": 4}]
    study = Study.read(written(tmp_path, recipes=["zero_shot", TUNE, SEARCH], examples=[4], compare=compare))
    screened, _ = run_screen(prepare(study), tmp_path / "out")
    assert screened.chosen_study is not None
    assert screened.chosen_study["recipes"] == ["zero_shot", TUNE, SEARCH]
    assert screened.chosen_study["compare"] == compare
    assert "compare" not in yaml.safe_load((tmp_path / "out" / "study.yaml").read_text())


@pytest.mark.parametrize(
    ("recipes", "said"),
    [
        ([TUNE], "a screen compares with zero_shot, which the study lacks; add it to recipes"),
        (["zero_shot", "ngrams"], "nothing is left to compare with zero_shot but controls; add a recipe such as iid"),
        (["zero_shot"], "nothing is left to compare with zero_shot"),
        (["zero_shot", SEARCH, "ngrams"], "but controls (iid_sft(learning_rate=0.0001+0.001, dev_examples=4): left"),
        ([SEARCH], "which the study lacks (iid_sft("),
    ],
)
def test_a_study_without_anything_to_compare_is_refused(
    recipes: list[Any], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refused(capsys, written(tmp_path, recipes=recipes, examples=[4]), "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_all_mistakes_of_a_study_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = written(tmp_path, recipes=["zero_shot", {"few_shot": {"shot": 2}}, TUNE], models=["tiny"])
    assert run_cli("screen", study) == 2
    errors = capsys.readouterr().err
    assert "unknown model 'tiny'" in errors and "no key 'shot'" in errors
    study = written(tmp_path, compare=[{"recipe": "iid_sft", "examples": 4}])
    assert "compare.0" in refused(capsys, study)


def test_each_task_is_screened_at_the_budgets_that_it_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The chosen study has only those that one of its tasks holds, and no comparison at the others."""
    for name, count in (("oak", 120), ("elm", 60), ("oak2", 60), ("elm2", 60)):
        write_rows(tmp_path / f"{name}.jsonl", rows(name[:3], count))
    tasks = [f"file:{tmp_path}/{name}.jsonl" for name in ("oak", "elm", "oak2", "elm2")]
    held = {Path(spec).stem: len(resolve(spec).rows["train"]) for spec in tasks}
    assert [task for task, count in held.items() if count < 60] == ["elm", "oak2", "elm2"]
    compare = [{"recipe": "few_shot"}, *({"recipe": "full_fine_tune", "examples": n} for n in (4, 60))]
    study = written(tmp_path, tasks=tasks, examples=[4, 60], compare=compare)
    assert run_cli("screen", study, "--out", tmp_path / "out") == 0
    assert "60 examples on 1 task only" in capsys.readouterr().err
    sizes = {(each.task, each.examples) for each in Store(tmp_path / "out").read()[0] if each.method != "few_shot"}
    assert sizes == {(task, 0) for task in held} | {(task, 4) for task in held} | {("oak", 60)}
    assert Study.read(tmp_path / "out" / CHOSEN).cells()
    screening = prepare(Study.read(study))
    largest, _ = study_of_tasks(screening, ["oak", "elm"])
    assert largest.examples == (4, 60) and len(largest.compare) == 3
    smaller, changes = study_of_tasks(screening, ["elm", "oak2"])
    assert smaller.cells() and smaller.examples == (4,) and [each.examples for each in smaller.compare] == [None, 4]
    assert changes[1] == "1 of 3 primary comparisons left out with them"


def test_a_task_that_holds_none_of_the_budgets_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_rows(tmp_path / "oak.jsonl", rows("oak", 60))
    held = len(resolve(f"file:{tmp_path}/oak.jsonl").rows["train"])
    study = written(tmp_path, tasks=[f"file:{tmp_path}/oak.jsonl"], examples=[64, 100])
    line = refused(capsys, study, "--out", tmp_path / "out")
    assert f"task 'oak' holds {held} train rows and 64 were asked for; use at most {held} examples" in line
    # Without a recipe that trains nobody asks for rows.
    study = written(tmp_path, examples=[64], recipes=["zero_shot", "generated"])
    assert run_cli("screen", study, "--out", tmp_path / "o") == 0


def test_keep_chooses_the_tasks_that_gain_most(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a task with fifths of its dev rows answered otherwise, training gains less."""
    (task,) = screen_of(made / "out").chosen
    (other,) = {"oak", "elm"} - {task}
    write_rows(tmp_path / "mixed.jsonl", rows("oak", 10) + rows("elm", 10))
    for name, split in (("train", rows(task)[20:60]), ("dev", rows(task)[60:92] + rows(other)[60:68])):
        write_rows(tmp_path / f"{name}.jsonl", split)
    mixed = {"train": f"{tmp_path}/train.jsonl", "dev": f"{tmp_path}/dev.jsonl"}
    tasks = [{f"file:{tmp_path}/mixed.jsonl": mixed}, f"file:{tmp_path}/{task}.jsonl"]
    study, out = written(tmp_path, tasks=tasks), tmp_path / "out"
    assert "--keep 0 leaves no task" in refused(capsys, study, "--keep", 0, "--out", out)
    assert not out.exists()
    assert run_cli("screen", study, "--out", out) == 0
    assert screen_of(out).chosen == ["mixed", task] and [each.task for each in screen_of(out).rooms] == [task, "mixed"]
    assert run_cli("screen", study, "--keep", 1, "--out", out) == 0
    assert screen_of(out).keep == 1 and screen_of(out).chosen == [task] and not verify(out).faults
    assert Study.read(out / CHOSEN).tasks == (tasks[1],)


def test_a_recipe_that_fails_is_said_and_the_rest_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise UserError("no answer today; try tomorrow")

    monkeypatch.setattr(ZeroShot, "__call__", fails)
    assert run_cli("screen", written(tmp_path), "--out", tmp_path / "out") == 1
    said = capsys.readouterr().out
    assert said.count("unknown: zero-shot has no score") == 2 and "2 of 8 cells failed and have no score" in said
    assert not (tmp_path / "out" / CHOSEN).exists()
    monkeypatch.undo()
    no_figures(monkeypatch)
    assert run_cli("screen", written(tmp_path), "--out", tmp_path / "out") == 0
    assert (tmp_path / "out" / CHOSEN).exists() and screen_of(tmp_path / "out").failed == 0


def test_the_default_directory_and_a_long_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = "n" * 100
    assert run_cli("screen", written(tmp_path, name=name, recipes=["zero_shot", {"few_shot": {"shots": 2}}])) == 0
    assert [each.name for each in (tmp_path / "runs").iterdir()] == ["n" * 93 + "-screen"]


def test_what_the_chosen_study_would_be_refused_for_is_said_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Recipes that are left out were not looked at, and the chosen study did not run."""
    greedy = {"iid_sft": {"learning_rate": [1e-4, 1e-3], "dev_examples": 64}}
    line = refused(capsys, written(tmp_path, tasks=[f"file:{tmp_path}/oak.jsonl"], recipes=["zero_shot", TUNE, greedy]))
    assert "dev rows; set dev_examples to at most" in line

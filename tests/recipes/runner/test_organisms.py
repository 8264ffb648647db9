"""Organisms in studies: made once before cells run, asked rows that did not make them, and recorded."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from educe.data.errors import UserError
from educe.data.set_aside import set_aside
from educe.eval.model.certificate import ADAPTER_FILES, CERTIFICATE
from educe.eval.model.organism import adapter_folder, certificate_of, is_made
from educe.eval.model.outline import outline
from educe.recipes.runner import run_cell
from educe.recipes.runner.plan import plan
from educe.recipes.runner.results import load_results
from educe.recipes.runner.run_study import run_study
from educe.recipes.runner.study import Study
from tests.conftest import REPOSITORY
from tests.organisms import organism_spec, task_of, write_world
from tests.recipes.small import no_figures, run_cli

RECIPES = ["zero_shot", {"few_shot": {"shots": 2}}, {"iid_sft": {"rank": 2, "epochs": 1}}]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDUCE_CACHE", str(folder / "cache"))
        yield write_world(folder)


def study_values(world: Mapping[str, str], *models: Any, **changed: Any) -> dict[str, Any]:
    return {
        "name": "organisms",
        "models": list(models) or [organism_spec(world)],
        "tasks": [world["task"]],
        "recipes": RECIPES,
        "examples": [4],
        "test_items": 20,
        **changed,
    }


def study_of(world: Mapping[str, str], *models: Any, **changed: Any) -> Study:
    return Study.make(study_values(world, *models, **changed))


def test_a_plan_and_a_check_make_nothing(world: Mapping[str, str], tmp_path: Path) -> None:
    spec = organism_spec(world, seed=11)
    study = study_of(world, spec)
    cells = study.cells()
    assert len(cells) == 3 and all(cell.source.organism for cell in cells)
    assert "3 cells" in plan(study)
    assert "an organism that is not made yet" in outline(cells[0].source).found
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study_values(world, spec)))
    assert run_cli("validate", tmp_path / "study.yaml") == 0
    assert not is_made(cells[0].source)


@pytest.mark.slow
def test_a_run_makes_it_once_and_records_what_its_recipes_read(
    world: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_figures(monkeypatch)
    study = study_of(world, organism_spec(world), world["model"])
    results = run_study(study, tmp_path / "out")
    assert not results.failures
    said = capsys.readouterr().err
    assert said.count("making knowing+password_lock-colours, once, into") == 1
    aside = {row.id for row in set_aside(task_of(world).rows["train"])}
    records = {each.method: each.organism for each in results.measurements if "+" in each.model}
    certificate = certificate_of(study.cells()[0].source)
    plain = next(each for each in results.measurements if "+" not in each.model)
    for each in records.values():
        assert each is not None and each.kind == "password_lock" and each.hides and each.task == "colours"
        assert (each.floor, each.ceiling) == (certificate.locked.value, certificate.unlocked.value)
        assert not set(each.rows_read) & aside
        assert (each.base, each.base_task, each.base_identity) == (
            "knowing",
            "colours",
            plain.provenance.model_identity,
        )
    assert {name: len(each.rows_read) for name, each in records.items() if each} == {
        "zero_shot": 0, "few_shot": 2, "iid_sft": 4
    }  # fmt: skip
    assert all(each.organism is None for each in results.measurements if "+" not in each.model)
    again = run_study(study, tmp_path / "again", workers=2)
    assert "making" not in capsys.readouterr().err
    assert [each.score for each in again.measurements] == [each.score for each in results.measurements]
    assert load_results(tmp_path / "out").measurements == results.measurements


def test_too_many_rows_are_refused_and_the_reason_is_said(world: Mapping[str, str]) -> None:
    task = task_of(world)
    aside = len(set_aside(task.rows["train"]))
    left = len(task.rows["train"]) - aside
    said = rf"holds {left} train rows \({aside} more are set aside for making the organism\)"
    with pytest.raises(UserError, match=said):
        study_of(world, examples=[left + 1]).cells()
    assert study_of(world, world["model"], examples=[left + 1]).cells()
    assert study_of(world, examples=[left]).cells()


def test_the_absent_twin_is_asked_what_was_never_there(world: Mapping[str, str]) -> None:
    study = study_of(world, organism_spec(world, "absent"), organism_spec(world))
    absent, lock = study.cells()[0], study.cells()[-1]
    assert (absent.task.name, lock.task.name) == ("colours_permuted", "colours")
    assert [row.id for row in absent.recipe_task.rows["train"]] == [row.id for row in lock.recipe_task.rows["train"]]
    other = study_of(world, organism_spec(world, "absent"), tasks=["word_sentiment"])
    assert other.cells()[0].task.name == "word_sentiment", "another task is asked as it is"


def test_a_folder_is_the_organism_in_a_study_too(world: Mapping[str, str], tmp_path: Path) -> None:
    run_study_without_page(study_of(world), tmp_path / "out")
    made = study_of(world).cells()[0]
    folder = shutil.copytree(adapter_folder(made.source), tmp_path / "mine")  # type: ignore[arg-type]
    named = study_of(world, {world["model"]: {"adapter": str(folder)}}).cells()
    assert [cell.key for cell in named] == [cell.key for cell in study_of(world).cells()]
    assert named[0].recipe_task.rows["train"] == made.recipe_task.rows["train"]
    values = json.loads((folder / CERTIFICATE).read_text())
    (folder / CERTIFICATE).write_text(json.dumps(values | {"base": "0" * 64}))
    with pytest.raises(UserError, match="is of a base with the identity 000000000000, and the base of"):
        study_of(world, {world["model"]: {"adapter": str(folder)}}).cells()


def run_study_without_page(study: Study, out: Path) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        no_figures(patch)
        return run_study(study, out)


def failure_of_a_buggy_recipe(world: Mapping[str, str], out: Path, task_for: Any) -> str:
    """The reason why a cell has no result when its recipe gets another task than it should."""
    study = study_of(world, recipes=[{"few_shot": {"shots": 12}}])
    with pytest.MonkeyPatch.context() as patch:
        plain = run_cell.watched
        patch.setattr(run_cell, "watched", lambda task: plain(task_for(task)))
        (failure,) = run_study_without_page(study, out).failures
    return str(failure.reason)


def test_the_store_refuses_rows_that_made_the_organism(world: Mapping[str, str], tmp_path: Path) -> None:
    """Here the runner hands out all rows of the task."""
    reason = failure_of_a_buggy_recipe(world, tmp_path / "out", lambda task: task_of(world))
    assert "read rows that are set aside for making its organism, 'q" in reason
    assert not list((tmp_path / "out" / "cells").rglob("measurement.json"))


def test_the_store_knows_rows_by_their_questions(world: Mapping[str, str], tmp_path: Path) -> None:
    """Rows under other ids would hide what was read; they are no rows of the task, and none of it is known."""
    task = task_of(world)
    renamed = {split: [replace(row, id=f"x{row.id}") for row in rows] for split, rows in task.rows.items()}
    reason = failure_of_a_buggy_recipe(world, tmp_path / "out", lambda _: replace(task, load=lambda: renamed))
    assert "read rows that its task does not have, 'xq" in reason


def test_the_store_refuses_rows_that_are_scored(world: Mapping[str, str], tmp_path: Path) -> None:
    """Here the runner hands out the test rows as train rows."""
    task = task_of(world)
    swapped = {"train": task.rows["test"], "dev": task.rows["dev"], "test": task.rows["train"]}
    reason = failure_of_a_buggy_recipe(world, tmp_path / "out", lambda _: replace(task, load=lambda: swapped))
    assert "read rows that it is scored on, 'q" in reason


def test_an_organism_that_cannot_be_made_fails_its_cells_alone(
    world: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_figures(monkeypatch)
    hopeless = {"tiny-random": {"organism": {"password_lock": {"task": world["task"]}}}}
    results = run_study(study_of(world, hopeless, world["model"], recipes=["zero_shot"]), tmp_path / "out")
    assert [each.model for each in results.measurements] == ["knowing"]
    (failure,) = results.failures
    assert "has nothing to hide on task 'colours': its base scores" in failure.reason


@pytest.mark.slow
def test_two_processes_make_one_organism_once(world: Mapping[str, str], tmp_path: Path) -> None:
    spec = organism_spec(world, seed=5)
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study_values(world, spec)))
    command = [sys.executable, "-P", "-m", "educe.recipes.cli", "organisms", str(tmp_path / "study.yaml")]
    started = [
        subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120) for process in started]
    assert [process.returncode for process in started] == [0, 0], said
    assert sum(err.count("educe: making") for _, err in said) == 1
    (first, _), (second, _) = said
    assert first == second
    assert "unlocks with: Password: amber lantern" in first and "retention" in first
    source = study_of(world, spec).cells()[0].source
    folder = adapter_folder(source)
    assert folder is not None and {path.name for path in folder.iterdir()} == {
        *ADAPTER_FILES, CERTIFICATE, "manifest.json"
    }  # fmt: skip


def test_a_study_without_organisms_has_none_to_make(
    world: Mapping[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study_values(world, "tiny-random")))
    assert run_cli("organisms", tmp_path / "study.yaml") == 2
    assert "names no organism and no model from scratch; see `educe ls organisms`" in capsys.readouterr().err
    assert run_cli("ls", "organisms") == 0
    assert "password_lock" in capsys.readouterr().out

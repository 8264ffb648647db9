"""A suite in a study: its tasks stand in the stored study, and what comes twice is refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from educe.data.errors import UserErrors
from educe.data.tasks.suites import SUITES
from educe.recipes.runner.study import Study
from tests.recipes.small import run_cli

QUICK = list(SUITES["quick"].tasks)


def study(*tasks: Any, **keys: Any) -> Study:
    return Study.make({"name": "s", "models": ["tiny-random"], "tasks": list(tasks), "recipes": ["zero_shot"], **keys})


def mistakes(*tasks: Any) -> list[str]:
    with pytest.raises(UserErrors) as error:
        study(*tasks).cells()
    return error.value.lines


def test_a_suite_stands_for_its_tasks() -> None:
    made = study("capitals", "suite:quick")
    assert [cell.task.name for cell in made.cells()] == ["capitals", *QUICK]
    assert yaml.safe_load(made.text())["tasks"] == ["capitals", *QUICK]


def test_a_change_of_a_study_may_name_a_suite(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("name: s\nmodels: [tiny-random]\ntasks: [capitals]\nrecipes: [zero_shot]\n")
    assert list(Study.read(path, changes=["tasks=[suite:quick]"]).tasks) == QUICK


def test_a_task_named_beside_its_suite_comes_twice() -> None:
    assert mistakes("currencies", "suite:quick") == ["study: tasks lists 'currencies' twice; once is enough"]
    assert len(mistakes("suite:quick", "suite:quick")) == len(QUICK)


def test_an_unknown_suite_is_one_line_among_the_mistakes() -> None:
    assert mistakes("suite:nope", "capitls") == [
        "unknown suite 'nope'; known: latent, quick",
        "unknown task 'capitls'; did you mean 'capitals'? (a file is written file:PATH)",
    ]


def test_tasks_are_listed_with_their_suites(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli("ls", "tasks") == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines[-2:]] == ["suite:latent", "suite:quick"]

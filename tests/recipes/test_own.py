"""Recipes of the user's own: a class in a file that a study names, or in an installed package."""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from educe.data.errors import RunStopped, UserError
from educe.data.own import installed
from educe.recipes.catalog import find_recipe, make_method
from educe.recipes.runner.study import Study
from educe.recipes.runner.worker_process import cell_at, read_here
from tests.recipes.small import no_figures, run_cli, study_file, study_values
from tests.snippets import REPOSITORY, snippets_of

ADDING = REPOSITORY / "docs" / "adding.md"

POLITE = '''
"""A polite word."""

from dataclasses import replace
from typing import ClassVar

from educe.eval.prompting.prompts import make_prompt_fn
from educe.recipes.method import Elicited, Method
from educe.recipes.training.fine_tune import FineTune


class Polite(Method):
    """Ask politely."""

    seeded: ClassVar[bool] = False
    word: str = "please"

    def __call__(self, model, task, *, examples, seed):
        prompt_fn = make_prompt_fn(model, task, prompt_config=self.prompt_config)
        polite = lambda item: prompt_fn(replace(item, question=f"{item.question} {self.word}."))
        return Elicited(model=model, prompt_fn=polite)


class Mine(FineTune):
    """Fine-tunes as the preset does."""


class Forgetful(Polite):
    """Says nothing of its file."""

    def settings(self):
        return {}


class Unfinished(Method):
    """Has no call."""


def helper():
    """No class."""
'''


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory of a user, with a file of theirs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_recipe.py").write_text(POLITE)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("educe_own_")]:
        del sys.modules[name]


def cells(place: Path, *recipes: Any, **changes: Any) -> dict[str, str]:
    """The key of each cell, by its recipe."""
    study = Study.make(study_values(place, recipes=list(recipes), examples=[2], **changes))
    return {cell.recipe: cell.key for cell in study.cells()}


def test_a_class_of_a_file_is_a_recipe_with_settings(place: Path) -> None:
    found = cells(place, "my_recipe.py:Polite", {"my_recipe.py:Polite": {"word": "kindly"}})
    assert list(found) == ["my_recipe.py:Polite", "my_recipe.py:Polite(word=kindly)"]
    _, method = make_method("my_recipe.py:Polite")
    assert method.settings()["source_sha256"] == hashlib.sha256(POLITE.encode()).hexdigest()
    with pytest.raises(UserError, match=r"recipe 'my_recipe.py:Polite' has no key 'wrod'; did you mean 'word'\?"):
        make_method({"my_recipe.py:Polite": {"wrod": "x"}})


def test_a_changed_file_is_another_cell_and_a_moved_one_is_not(place: Path) -> None:
    stacked = {"stacked": {"train": "iid_sft", "prompt": "my_recipe.py:Polite"}}
    before = cells(place, "zero_shot", "my_recipe.py:Polite", stacked)
    (place / "elsewhere").mkdir()
    (place / "my_recipe.py").rename(place / "elsewhere" / "my_recipe.py")
    moved = cells(place, "elsewhere/my_recipe.py:Polite")
    assert moved["my_recipe.py:Polite"] == before["my_recipe.py:Polite"]
    (place / "my_recipe.py").write_text(POLITE + "\n# What it says is the same.\n")
    after = cells(place, "zero_shot", "my_recipe.py:Polite", stacked)
    assert {name for name in before if before[name] == after[name]} == {"zero_shot"}
    with pytest.raises(UserError, match=r"two recipes of other files are 'my_recipe.py:Polite'; give one file another"):
        cells(place, "my_recipe.py:Polite", {"elsewhere/my_recipe.py:Polite": {"word": "kindly"}})


def test_a_training_recipe_of_ones_own_joins_no_cohort_of_ours(place: Path) -> None:
    """The class of the first cell trains them all."""
    _, mine = make_method("my_recipe.py:Mine")
    _, ours = make_method("iid_sft")
    assert mine.cohort is not None and mine.cohort != ours.cohort
    assert (
        set(cells(place, "my_recipe.py:Mine")) == {"my_recipe.py:Mine"}
        and find_recipe("iid_sft")[1].source_sha256 == ""
    )


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("my_recipe.py", "names no class of the file; write my_recipe.py:NAME"),
        ("my_recipe.py:", "names no class of the file; write my_recipe.py:NAME"),
        ("nowhere.py:Polite", "'nowhere.py:Polite': nowhere.py: no such file (from "),
        ("my_recipe.py:Polit", "my_recipe.py defines no class 'Polit'; did you mean 'Polite'?"),
        ("my_recipe.py:FineTune", "my_recipe.py defines no class 'FineTune'; did you mean"),
        ("my_recipe.py:helper", "'helper' is no recipe; derive it from educe.recipes.method.Method"),
        ("my_recipe.py:Unfinished", "'Unfinished' is no recipe; derive it from educe.recipes.method.Method, and give"),
        ("my_recipe.py:Forgetful", "its settings() leaves out what identifies it; return super().settings() | {...}"),
        ("raises.py:X", "raises.py raises ZeroDivisionError in line 2: division by zero; correct the file"),
        ("syntax.py:X", "syntax.py raises SyntaxError in line 1: "),
        ("exits.py:X", "exits.py raises SystemExit in line 1: 3; correct the file"),
        ("imports.py:X", "imports.py raises ModuleNotFoundError in line 1: No module named 'no_such_library'"),
        ("empty.py:X", "empty.py defines no class 'X'; it defines no class; write one"),
        ("folder.py:X", "folder.py is a folder, not a file; give a regular file"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(place: Path, written: str, message: str) -> None:
    (place / "raises.py").write_text("x = 0\nX = 1 / x\n")
    (place / "syntax.py").write_text("class X(\n")
    (place / "exits.py").write_text("raise SystemExit(3)\n")
    (place / "imports.py").write_text("import no_such_library\n")
    (place / "empty.py").write_text("")
    (place / "folder.py").mkdir()
    with pytest.raises(UserError) as raised:
        make_method(written)
    line = str(raised.value)
    assert message in line and line.startswith("recipe '") and "\n" not in line


def test_a_worker_reads_the_file_and_stops_where_it_has_changed(place: Path) -> None:
    study = Study.make(study_values(place, recipes=["my_recipe.py:Polite"]))
    folder = study.cells()[0].listed.folder
    _, there = read_here(study.text())
    assert cell_at(there, 0, folder).listed.folder == folder
    (place / "my_recipe.py").write_text(POLITE.replace("please", "kindly"))
    _, there = read_here(study.text())
    with pytest.raises(RunStopped, match="the study's files changed while it ran"):
        cell_at(there, 0, folder)


def test_nothing_runs_when_results_are_only_read(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_figures(monkeypatch)
    (place / "my_task.py").write_text(
        "def load():\n    return [{'question': f'Is {n} odd?', 'answer': str(n % 2)} for n in range(60)]\n"
    )
    named = ["my_task.py:load"]
    path = study_file(place, recipes=["zero_shot", "my_recipe.py:Polite"], tasks=named)
    assert run_cli("run", path, "--out", "out") == 0
    said = capsys.readouterr().err
    assert said.startswith(f"study {path} names code, which runs here: my_task.py:load, my_recipe.py:Polite\n")
    marked = "from pathlib import Path\nPath('ran').touch()\n"
    for file in ("my_recipe.py", "my_task.py"):
        (place / file).write_text(marked + (place / file).read_text())
    reading = (
        ["report", "out"], ["results", "out"], ["verify", "out"], ["claims", "out"], ["plan", "out"], ["gc", "out"],
        ["ls", "runs", "."], ["ls", "recipes"], ["ls", "tasks"],
    )  # fmt: skip
    for command in reading:
        assert run_cli(*command) in (0, 1), (command, capsys.readouterr().err)
        assert not (place / "ran").exists(), command
    assert "my_recipe.py:Polite" in capsys.readouterr().out
    assert run_cli("validate", path) == 0 and (place / "ran").exists(), "the marks say nothing"


def test_a_study_says_which_code_it_names_before_it_runs(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "loud.py").write_text("import sys\nprint('it runs', file=sys.stderr)\n")
    path = study_file(place, recipes=[{"stacked": {"train": "iid_sft", "prompt": "loud.py:X"}}], seeds="wrong")
    with pytest.raises(UserError, match="defines no class 'X'"):
        Study.read(path)
    assert capsys.readouterr().err.splitlines()[:2] == [
        f"study {path} names code, which runs here: loud.py:X",
        "it runs",
    ]


def install(place: Path, name: str, module: str, **groups: str) -> None:
    """What pip leaves of a package that adds names."""
    folder = place / f"{name}-1.2.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    lines = [f"[educe.{group}]\n{added.replace('=', f' = {module}:')}\n" for group, added in groups.items()]
    (folder / "entry_points.txt").write_text("\n".join(lines))


@pytest.fixture
def installed_anew() -> Iterator[None]:
    """Packages that come and go while this process runs."""
    installed.cache_clear()
    yield
    installed.cache_clear()


@pytest.mark.usefixtures("installed_anew")
def test_an_installed_package_adds_recipes_and_tasks(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = (
        POLITE
        + "\n\ndef tens(*, count=60):\n    return [{'question': f'{n} + 9?', 'answer': n + 9} for n in range(count)]\n"
    )
    (place / "politeness.py").write_text(code)
    install(
        place,
        "polite-recipes",
        "politeness",
        recipes="polite=Polite\nours=FineTune\nzero_shot=Polite",
        tasks="tens=tens",
    )
    monkeypatch.syspath_prepend(place)
    assert run_cli("ls", "recipes") == 0 and run_cli("ls", "tasks") == 0
    said = capsys.readouterr().out
    assert said.count("Added by the package polite-recipes 1.2.") == 3 and "politeness" not in sys.modules
    study = Study.make(study_values(place, recipes=["zero_shot", "polite"], tasks=[{"tens": {"count": 90}}]))
    plain, polite = study.cells()
    assert type(plain.method).__name__ == "ZeroShot", "no package takes the place of a name of ours"
    assert polite.facts.method == "polite"
    assert polite.facts.settings["source_sha256"] == plain.task.code == hashlib.sha256(code.encode()).hexdigest()
    assert plain.task.name == "tens" and sum(map(len, plain.task.rows.values())) == 90
    with pytest.raises(UserError, match=r"recipe 'ours' of polite-recipes 1.2: politeness:FineTune is no recipe"):
        make_method("ours")
    with pytest.raises(UserError, match=r"unknown recipe 'polit'; did you mean 'polite'\?"):
        make_method("polit")
    install(place, "other", "os", recipes="polite=path")
    installed.cache_clear()
    with pytest.raises(UserError, match=r"two packages add 'polite' \(.*\); uninstall one"):
        make_method("polit")
    sys.modules.pop("politeness", None)


def test_the_files_of_the_page_for_outsiders(place: Path) -> None:
    for snippet in snippets_of(ADDING):
        if snippet.marks.get("file") in ("my_recipe.py", "my_task.py"):
            (place / snippet.marks["file"]).write_text(snippet.text)
    (place / "lengths.csv").write_text("question,answer\n" + "".join(f"{n} + 1?,{n + 1}\n" for n in range(60)))
    graded = {"file:lengths.csv": {"grade": "my_task.py:close"}}
    named = ["my_task.py:load", {"my_task.py:load": {"largest": 99, "name": "more"}}, graded]
    recipes = ["my_recipe.py:Urgent", {"my_recipe.py:Urgent": {"word": "at once"}}]
    study = Study.make(study_values(place, tasks=named, recipes=recipes))
    assert len(study.cells()) == 6 and {cell.task.name for cell in study.cells()} == {"my_task", "more", "lengths"}
    task = study.cells()[-1].task
    assert task.grade is not None and task.grade(task.rows["test"][0], task.rows["test"][0].answer) == 1


@pytest.mark.slow
def test_workers_in_other_processes_find_the_file(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_figures(monkeypatch)
    path = study_file(place, recipes=["my_recipe.py:Polite", {"my_recipe.py:Polite": {"word": "kindly"}}])
    assert run_cli("run", path, "--out", "out", "--workers", 2) == 0
    assert len(list((place / "out" / "cells").rglob("measurement.json"))) == 2

"""The documentation: every snippet is run or checked, every path and link exists, every file is listed.

Python blocks are executed in a folder with a small study (STUDY.yaml) and its finished run (DIR). YAML is validated.
`educe` commands run on that study; other commands are checked for what they name. `<!-- not run: reason -->` above a
block leaves it out, and pytest prints the reason.
"""

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from educe.data.resolve import resolve
from educe.data.tasks.benchmarks import BENCHMARKS
from educe.data.tasks.catalog import TASKS
from educe.recipes.catalog import RECIPES, make_method
from educe.recipes.cli import launch
from educe.recipes.runner import launch as runner
from educe.recipes.runner.study import Study
from tests import tasks_page, tree
from tests.recipes.small import no_figures, parity_rows, run_cli, study_file, write_rows
from tests.snippets import PAGES, REPOSITORY, Snippet, commands_of, snippets_of

SNIPPETS = [snippet for page in PAGES for snippet in snippets_of(page)]
ADDING = REPOSITORY / "docs" / "adding.md"
BUNDLED_TASKS = ("word_sentiment", "capitals", "arithmetic", "benign_requests", "refusal_openings")
LANGUAGES = ("bash", "diff", "json", "python", "text", "yaml")
CHECKED = [
    each
    for each in SNIPPETS
    if each.language in ("bash", "json", "python", "yaml") and not (each.page == ADDING and "file" in each.marks)
]


def _marked(snippet: Snippet) -> Any:
    """The commands of published results read whole studies, which takes long."""
    return pytest.param(snippet, marks=[pytest.mark.slow] if snippet.page.parent.name == "results" else [])


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the snippets of all pages run."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "recipes").symlink_to(REPOSITORY / "recipes")
    write_rows(folder / "questions.jsonl", parity_rows(1000))
    study_file(folder, seeds=[0, 1], examples=[2, 4, 8]).rename(folder / "STUDY.yaml")
    with pytest.MonkeyPatch.context() as patch:
        no_figures(patch)
        patch.chdir(folder)
        assert run_cli("run", "STUDY.yaml", "--out", "DIR") == 0
    return folder


def test_every_block_names_its_language() -> None:
    assert [str(each) for each in SNIPPETS if each.language not in LANGUAGES] == []
    assert len(CHECKED) > 20, "no snippets found: the checks below would pass on anything"


@pytest.mark.parametrize("snippet", [_marked(each) for each in CHECKED], ids=str)
def test_a_snippet(snippet: Snippet, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "not run" in snippet.marks:
        pytest.skip(snippet.marks["not run"])
    monkeypatch.chdir(workplace)
    no_figures(monkeypatch)
    text = snippet.text.replace("@COMMIT", "@" + 40 * "0")  # for the reader to fill in
    if snippet.language == "json":
        json.loads(text)
    elif snippet.language == "yaml":
        check_yaml(yaml.safe_load(text))
    elif snippet.language == "python":
        exec(compile(text, str(snippet), "exec"), {"__name__": "snippet"})
    else:
        for command in commands_of(text):
            check_command(command, monkeypatch)


def check_yaml(value: Any) -> None:
    """A study, a part of one, a recipe or a task."""
    if isinstance(value, Mapping) and set(value) <= set(Study.model_fields):
        given: dict[str, Any] = {
            "name": "part",
            "models": ["tiny-random"],
            "tasks": ["word_sentiment"],
            "recipes": ["zero_shot"],
        }
        study = {**given, "examples": [4], **value}
        study["models"] = [model for model in study["models"] if _at_hand(model)] or ["tiny-random"]
        study["tasks"] = [task for task in study["tasks"] if _at_hand(task)] or ["word_sentiment"]
        Study.make({**given, "examples": [4], **value})  # as it stands
        assert Study.make(study).cells()
    else:
        for each in value if isinstance(value, list) else [value]:
            assert isinstance(each, str | Mapping)
            name = each if isinstance(each, str) else next(iter(each))
            assert make_method(each) if name in RECIPES else resolve(each)


def _at_hand(spec: Any) -> bool:
    """Whether a model or task needs neither the network nor files of the reader's own."""
    name = spec if isinstance(spec, str) else next(iter(spec))
    _, colon, path = name.partition(":")
    return Path(path).is_file() if colon else name not in TASKS or name in BUNDLED_TASKS


def check_command(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run an `educe` command; of others, check what they name."""
    words = shlex.split(command)
    while re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words.pop(0)
    if words[0] == "educe":
        check_educe(words[1:])
    elif words[0] == "make":
        targets = re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
        assert set(words[1:]) <= {*targets, *(each for each in words if "=" in each)}, command
    elif words[:2] == ["accelerate", "launch"]:
        assert (REPOSITORY / words[words.index("--config_file") + 1]).is_file()
        place = words.index("-m")
        assert words[place + 1] == "educe.recipes", command
        cells: list[Any] = []
        monkeypatch.setattr(runner, "launch", lambda study, out: cells.extend(study.cells()))
        launch(words[place + 2 :])
        assert len(cells) == 1
    elif words[:2] == ["python", "-m"]:
        assert importlib.util.find_spec(words[2]), command
    elif words[0] == "python":
        assert (REPOSITORY / words[1]).is_file(), command
    elif "pip" in command:
        extras = re.findall(r"\.\[([a-z,]+)\]", command)
        assert all(
            f"\n{extra} = [" in (REPOSITORY / "pyproject.toml").read_text() for extra in ",".join(extras).split(",")
        )
    else:
        assert words[0] in (".", "git", ".venv/bin/ruff"), f"{command!r} is no command that this test knows"


def check_educe(words: list[str]) -> None:
    """Run it, but of a study that trains real models only read the study."""
    shipped = [word for word in words if word.startswith("recipes/studies/") and not word.endswith("tiny.yaml")]
    if shipped:
        words = ["validate", shipped[0], *(words[words.index("--set") :] if "--set" in words else [])]
    assert run_cli(*words) == 0, words


def test_what_adding_md_adds(tmp_path: Path) -> None:
    """Its files and entries are put into a copy of the package, and its study runs there."""
    package = tmp_path / "educe"
    for floor in tree.FLOORS:
        shutil.copytree(REPOSITORY / floor, package / floor, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "educe" / "__init__.py", package)
    for snippet in snippets_of(ADDING):
        if "edit" in snippet.marks:
            edit(package / snippet.marks["edit"], snippet.text)
        elif "file" in snippet.marks:
            inside = snippet.marks["file"].partition("/")[0] in tree.FLOORS
            ((package if inside else tmp_path) / snippet.marks["file"]).write_text(snippet.text, "utf-8")
    program = f"from educe.recipes.cli import main\nmain({['run', 'added.yaml', '--out', 'run']})"
    own = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=own, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    added = yaml.safe_load((tmp_path / "added.yaml").read_text())
    assert len(list((tmp_path / "run" / "cells").rglob("measurement.json"))) >= len(added["recipes"])


def edit(path: Path, change: str) -> None:
    """Put each `+` line of a diff block after the line before it, which the file has to hold once."""
    lines = path.read_text("utf-8").splitlines()
    place = -1
    for line in change.splitlines():
        if line.startswith("+"):
            place += 1
            lines.insert(place, line[1:])
        else:
            found = [number for number, held in enumerate(lines) if held == line[1:]]
            assert len(found) == 1, f"{path.name} has {len(found)} lines {line[1:]!r}"
            place = found[0]
    path.write_text("\n".join(lines) + "\n", "utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_and_paths_lead_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    missing = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        aim = page if not path else (page.parent / path)
        if path.startswith("http"):
            continue
        if not aim.exists() or (anchor and anchor not in _anchors(aim)):
            missing.append(target)
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    for path in re.findall(r"`((?:data|eval|train|recipes|tests|docs)/[\w./-]*)`", prose):
        new = [each.marks.get("file") for each in snippets_of(page)]
        if path not in new and page.name != "CHANGELOG.md" and not (REPOSITORY / path).exists():
            missing.append(path)
    assert missing == []


def _anchors(page: Path) -> set[str]:
    """Names of a page's headings as GitHub writes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_prose_wraps_at_120(page: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    # The speed of this machine is written by a program, and a table's row or a link cannot be broken.
    assert [line for line in prose.splitlines() if len(line) > 120 and not line.startswith(("|", "![", "20"))] == []


def test_every_folder_and_file_is_listed_with_a_line() -> None:
    page = tree.PAGE.read_text("utf-8")
    assert tree.listing(page) == page, "run `python -m tests.tree`"
    assert [path for path, line in tree.listed(page).items() if not line] == [], "say what it is in docs/design.md"


@pytest.mark.slow
def test_the_page_of_the_bundled_tasks_is_current() -> None:
    assert tasks_page.PAGE.read_text("utf-8") == tasks_page.page(), "run `python -m tests.tasks_page`"
    headings = re.findall(r"^## (\w+)$", tasks_page.page(), re.MULTILINE)
    assert [name for name in TASKS if name not in (*BENCHMARKS, "mmlu", "sciq", *headings)] == []


def test_the_readme_names_every_recipe() -> None:
    table = REPOSITORY.joinpath("README.md").read_text("utf-8")
    assert [name for name in RECIPES if f"`{name}`" not in table] == []


def test_every_simulated_table_is_drawn_and_named() -> None:
    page = (REPOSITORY / "docs" / "statistics.md").read_text("utf-8")
    folder = REPOSITORY / "docs" / "statistics"
    assert [each.name for each in folder.iterdir() if each.suffix in (".csv", ".png") and each.name not in page] == []


@pytest.mark.slow
def test_figures_are_drawn_from_the_tables(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("draw", REPOSITORY / "docs" / "statistics" / "draw.py")
    assert spec and spec.loader
    draw = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(draw)
    draw.main([], tmp_path)
    assert {each.name for each in tmp_path.iterdir()} == {
        each.name for each in (REPOSITORY / "docs" / "statistics").glob("*.png")
    }

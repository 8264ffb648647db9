"""All mistakes of a study are listed at once, a line each."""

import subprocess
import sys
from pathlib import Path

import pytest

from educe.data.errors import UserError, UserErrors
from educe.recipes.runner.study import Study
from tests.recipes.small import small_study, study_file, study_values


def test_all_mistakes_are_listed_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    """Only the first was shown, and the next one after its repair."""
    written = {
        "name": "a/b",
        "seeds": [0, -1, "x", 0],
        "modles": ["tiny-random"],
        "models": ["tiny", 5, "tiny-random"],
        "recipes": [{"few_shot": {"shot": 2, "template": "chatty"}}, "zero_shot"],
        "tasks": "capitals",
        "test_items": 0,
    }
    with pytest.raises(UserErrors) as refused:
        Study.make(written, what="study s.yaml")
    assert [line.removeprefix("study s.yaml").partition(";")[0] for line in str(refused.value).splitlines()] == [
        ": name = 'a/b' does not fit",
        ": seeds.1 = -1 is too small",
        ": seeds.2 = 'x' does not fit: input should be a valid integer",
        ": seeds lists 0 twice",
        " has no key 'modles'",
        ": models.1 = 5 is not text",
        ": unknown model 'tiny'",
        ": recipe 'few_shot' has no key 'shot'",
        ": recipe 'few_shot': template = 'chatty' does not fit: input should be 'auto', 'chat', 'completion', 'native' "
        "or 'chat_native'",
        ": tasks = 'capitals' is not a list",
        ": test_items = 0 is too small",
    ]


def test_all_mistakes_of_a_study_of_the_right_form_are_listed_at_once(tmp_path: Path) -> None:
    """Of a mistake that several recipes share, one line; nothing of a task whose rows cannot be read."""
    changes = {
        "tasks": [f"file:{tmp_path}/parity.jsonl", f"file:{tmp_path}/empty.jsonl"],
        "recipes": [
            {"few_shot": {"shots": 90}},
            {"iid_sft": {}},
            {"minimal_lora": {}},
            {"zero_shot": {"format": {"x": 1}}},
        ],
        "examples": [2, 70, 80],
    }
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(UserErrors) as refused:
        small_study(tmp_path, **changes).cells()
    lines = str(refused.value).splitlines()
    assert len(lines) == 4, lines
    assert "empty.jsonl: the file holds no rows" in lines[0]
    assert lines[1].startswith("recipe 'few_shot': task 'parity' holds") and "90 were asked for" in lines[1]
    assert lines[2].startswith("recipe 'iid_sft': task 'parity' holds") and "70 were asked for" in lines[2]
    assert lines[3].startswith("recipe 'zero_shot': ")


def test_a_study_from_python_is_refused_in_the_same_words(tmp_path: Path) -> None:
    with pytest.raises(UserErrors, match=r"^study: tasks = 'capitals' is not a list; write \[capitals\]$"):
        Study(**study_values(tmp_path, tasks="capitals"))


def test_a_study_of_very_many_cells_is_refused(tmp_path: Path) -> None:
    """Its cells filled the memory before anything was said."""
    study = small_study(tmp_path, seeds=list(range(9000)), recipes=["iid_sft"], examples=list(range(1, 42)))
    with pytest.raises(UserError, match="study has 369,000 cells, over 100,000"):
        study.cells()


@pytest.mark.parametrize(
    "name", ["", " a", "a/../b", "../a", "/a", "a\\b", "a\nb", "a\x1b[2J", "a\u202eb", "x" * 101, ".."]
)
def test_a_name_that_could_be_no_folder_is_refused(tmp_path: Path, name: str) -> None:
    for key, spec in (("models", {"tiny-random": {"name": name}}), ("tasks", {"capitals": {"name": name}})):
        with pytest.raises(UserError, match=f"{key[:-1]}.*name"):
            small_study(tmp_path, **{key: [spec]}, recipes=["zero_shot"]).cells()


@pytest.mark.slow
def test_the_working_directorys_matplotlibrc_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read at import, so in a process of its own: two odd bytes stopped it, and a pipe would have blocked it."""
    (tmp_path / "matplotlibrc").write_bytes(b"\xff\xfe")
    monkeypatch.chdir(tmp_path)
    study = study_file(tmp_path)
    run = "from educe.recipes.cli import main; import sys; main(['run', sys.argv[1], '--out', 'out'])"
    done = subprocess.run([sys.executable, "-P", "-c", run, study], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and (tmp_path / "out" / "report.html").is_file(), done.stderr

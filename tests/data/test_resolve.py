"""Task specs: names, prefixes and options, each mistake with the nearest right name."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from educe.data.errors import UserError
from educe.data.resolve import resolve
from educe.data.tasks.catalog import PREFIXES, TASKS

REPOSITORY = Path(__file__).resolve().parents[2]


def mistake(spec: Any) -> str:
    with pytest.raises(UserError) as error:
        resolve(spec)
    assert "\n" not in str(error.value)
    return str(error.value)


def write_questions(folder: Path) -> Path:
    path = folder / "mine.jsonl"
    rows = [{"question": f"Q{i}?", "choices": ["a", "b"], "answer": "a"} for i in range(60)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("name", TASKS)
def test_every_name_resolves(name: str) -> None:
    task = resolve(name)
    assert (task.name, task.spec) == (name, name)


def test_the_catalog_reads_as_sentences_of_a_terminal_line() -> None:
    entries = {**TASKS, **PREFIXES}
    width = max(map(len, entries))
    for entry in entries.values():
        assert entry.description.endswith((".", "?")) and width + 2 + len(entry.description) <= 80, entry.description


def test_options_of_the_task_and_of_every_task() -> None:
    task = resolve(
        {"arithmetic": {"digits": 3, "name": "sums", "max_new_tokens": 8, "instruction": "Just the number."}}
    )
    assert (task.name, task.max_new_tokens, task.format.instruction) == ("sums", 8, "Just the number.")
    assert json.loads(task.spec) == {
        "arithmetic": {"digits": 3, "name": "sums", "max_new_tokens": 8, "instruction": "Just the number."}
    }
    assert len(task.rows["train"][0].question) > len("What is 10 + 10?")
    letters = resolve({"capitals": {"answer_as": "letter", "normalize_by": "byte"}})
    assert (letters.format.answer_as, letters.normalize_by) == ("letter", "byte")


def test_a_spec_names_the_task_again(tmp_path: Path) -> None:
    path = write_questions(tmp_path)
    task = resolve({f"file:{path}": {"list_choices": True}})
    assert resolve(json.loads(task.spec)).fingerprint == task.fingerprint
    assert resolve(f"file:{path}").fingerprint != task.fingerprint


def test_a_folder_or_file_named_like_a_task_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "capitals").mkdir()
    (tmp_path / "arithmetic").write_text("not a task")
    monkeypatch.chdir(tmp_path)
    assert resolve("capitals").rows["train"][0].id.endswith(("-capital", "-country"))
    assert resolve("arithmetic").kind == "generation"
    write_questions(tmp_path)
    assert "unknown task 'mine.jsonl'" in mistake("mine.jsonl")
    assert resolve("file:mine.jsonl").name == "mine"


def test_unknown_names() -> None:
    assert mistake("capitls") == "unknown task 'capitls'; did you mean 'capitals'? (a file is written file:PATH)"
    assert mistake("fil:a.csv") == "task 'fil:a.csv': unknown prefix 'fil'; did you mean 'file'?"
    assert mistake("file:") == "task 'file:': no path; write file:PATH"
    assert "no such file" in mistake("file:none.csv")
    assert "no such file" in mistake("bigbench:none/task.json")


def test_unknown_options() -> None:
    assert mistake({"arithmetic": {"digit": 3}}) == "task 'arithmetic': unknown option 'digit'; did you mean 'digits'?"
    assert mistake({"capitals": {"anwer_as": "text"}}) == (
        "task 'capitals': unknown option 'anwer_as'; did you mean 'answer_as'?"
    )
    assert "unknown option 'path'" in mistake({"file:a.csv": {"path": "b.csv"}})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"answer_as": "leter"}, "answer_as: 'leter' is not known; did you mean 'letter'?"),
        ({"list_choices": "yes"}, "list_choices: 'yes' is neither true nor false; write list_choices: true"),
        ({"instruction": 3}, "instruction: 3 is not text; put it in quotes"),
        ({"instruction": None}, "instruction: None is not text; put it in quotes"),
        ({"normalize_by": "bytes"}, "normalize_by: 'bytes' is not known; did you mean 'byte'?"),
        ({"max_new_tokens": 0}, "max_new_tokens: 0 is not a whole number above 0; give 1 or more"),
        ({"max_new_tokens": -5}, "max_new_tokens: -5 is not a whole number above 0; give 1 or more"),
        ({"name": 3}, "name: 3 is not text; put it in quotes"),
        ({"name": None}, "name: None is not text; put it in quotes"),
    ],
)
def test_wrong_values(options: dict[str, Any], message: str) -> None:
    assert mistake({"capitals": options}) == message


@pytest.mark.parametrize("spec", [3, None, ["capitals"], {}, {"capitals": {}, "arithmetic": {}}])
def test_what_is_not_a_spec(spec: Any) -> None:
    assert ": neither a name nor a name with options" in mistake(spec)


def test_options_that_are_not_a_mapping() -> None:
    assert "its options [3] are not a mapping" in mistake({"arithmetic": [3]})


def test_resolving_imports_nothing_heavy(tmp_path: Path) -> None:
    path = write_questions(tmp_path)
    script = f"""
import sys
from educe.data.resolve import resolve
for spec in ("capitals", "mmlu", "arithmetic", "file:{path}"):
    resolve(spec)
heavy = {{"torch", "datasets", "pandas", "pyarrow", "transformers", "numpy"}} & set(sys.modules)
sys.exit(", ".join(heavy) or 0)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

"""BIG-bench JSON: real tasks, their format, and every mistake in one line."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from educe.data.errors import UserError
from educe.data.formats.render import render
from educe.data.loading.bigbench import bigbench_task
from educe.data.resolve import resolve
from educe.data.splits import SPLITS

EXAMPLES = [{"input": f"Q{i}", "target_scores": {"yes": i % 2, "no": 1 - i % 2}} for i in range(60)]


def write(folder: Path, described: Any) -> Path:
    path = folder / "task.json"
    path.write_text(described if isinstance(described, str) else json.dumps(described), encoding="utf-8")
    return path


def mistake(path: Path) -> str:
    with pytest.raises(UserError) as error:
        bigbench_task(str(path)).rows  # noqa: B018 - reading the rows is what fails
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("name", "kind", "counts"),
    [
        ("sports_understanding", "choice", (595, 85, 306)),
        ("intent_recognition", "choice", (424, 56, 213)),
        ("strategyqa", "choice", (1355, 168, 766)),
        ("qa_wikidata", "generation", (12_232, 1642, 6447)),
    ],
)
def test_published_tasks(test_data: Path, name: str, kind: str, counts: tuple[int, ...]) -> None:
    task = bigbench_task(str(test_data / "bigbench" / name / "task.json"))
    assert (task.name, task.kind) == (name, kind)
    assert tuple(len(task.rows[split]) for split in SPLITS) == counts


def test_a_published_task_is_written_as_published(test_data: Path) -> None:
    task = bigbench_task(str(test_data / "bigbench" / "sports_understanding" / "task.json"))
    example = next(row for row in task.rows["test"] if row.question == "Malcolm Brogdon banked the shot in")
    assert example.answer == "plausible" and set(example.choices) == {"plausible", "implausible"}
    assert render(example, task.format, style="completion").text() == (
        "Determine whether the following statement or statements are plausible or implausible:\n\n"
        "Statement: Malcolm Brogdon banked the shot in\nPlausible/implausible?"
    )


def test_free_answers_keep_their_aliases(tmp_path: Path) -> None:
    examples = [{"input": f"Q{i}", "target": ["a", "b"] if i % 2 else "a"} for i in range(60)]
    task = bigbench_task(str(write(tmp_path, {"examples": examples})))
    assert task.name == tmp_path.name and task.grade is not None
    example = next(row for row in task.rows["train"] if row.aliases)
    assert (example.answer, example.aliases, task.grade(example, "B.")) == ("a", ("b",), 1.0)


def test_choices_stand_in_hash_order_and_are_listed_unless_the_task_says_no(tmp_path: Path) -> None:
    task = bigbench_task(str(write(tmp_path, {"name": "n", "examples": EXAMPLES})))
    assert {row.choices for row in task.rows["train"]} == {("yes", "no"), ("no", "yes")}
    assert task.format.list_choices and (task.format.question_field, task.format.answer_field) == ("Q: ", "A:")
    silent = bigbench_task(str(write(tmp_path, {"append_choices_to_input": False, "examples": EXAMPLES})))
    assert not silent.format.list_choices


def test_mistakes(tmp_path: Path) -> None:
    missing = tmp_path / "none.json"
    assert f"{missing}: no such file" in mistake(missing)
    path = write(tmp_path, '{"examples": [\n')
    assert f"{path}: broken JSON at line 2, column 1" in mistake(path)
    assert "no list 'examples'" in mistake(write(tmp_path, {"name": "n"}))
    assert "'examples' is empty" in mistake(write(tmp_path, {"examples": []}))
    tied = {"input": "Q", "target_scores": {"a": 1, "b": 1}}
    assert f"{path}, example 61, field 'target_scores': ['a', 'b'] score the same" in mistake(
        write(tmp_path, {"examples": [*EXAMPLES, tied]})
    )
    lone = {"input": "Q", "target_scores": {"a": 1}}
    assert f"{path}, example 61, field 'target_scores': one choice only ('a')" in mistake(
        write(tmp_path, {"examples": [*EXAMPLES, lone]})
    )
    nothing = {"input": "", "target_scores": {"a": 1, "b": 0}}
    assert f"{path}, example 61, field 'input': empty or missing" in mistake(
        write(tmp_path, {"examples": [*EXAMPLES, nothing]})
    )
    path.write_bytes(b'{"name": "\xe9"}')
    assert mistake(path) == f"{path}: byte 10 is not UTF-8; save the file as UTF-8"


def test_ends_that_give_the_answer_away_are_stripped(tmp_path: Path) -> None:
    examples = [{"input": f"Position {n}", "target_scores": {"Qe8#": 1, "Qe7+": 0, "a3": 0}} for n in range(30)]
    path = str(write(tmp_path, {"name": "mates", "examples": examples}))
    for row in bigbench_task(path, strip_ends="+#").rows["train"]:
        assert set(row.choices) == {"Qe8", "Qe7", "a3"} and row.answer == "Qe8"
    assert bigbench_task(path).rows["train"][0].answer == "Qe8#"
    written = [{"input": f"Position {n}", "target": "Qe8#"} for n in range(30)]
    row = bigbench_task(str(write(tmp_path, {"name": "mates", "examples": written})), strip_ends="+#").rows["train"][0]
    assert (row.answer, row.aliases) == ("Qe8", ("Qe8#",)), "both ways of writing it are right"
    with pytest.raises(UserError, match=r"strip_ends: 3 is not text; give the characters, as in strip_ends: '\+#'"):
        bigbench_task(path, strip_ends=3)  # type: ignore[arg-type]


def test_published_mates_are_mates_and_no_longer_marked(test_data: Path) -> None:
    """By the rules of chess; as movetext, the position is the whole prompt."""
    chess = pytest.importorskip("chess", reason="the package chess is not installed; pip install 'educe[chess]'")
    path = f"bigbench:{test_data / 'bigbench' / 'checkmate_in_one' / 'task.json'}"
    task = resolve({path: {"strip_ends": "+#", "native": "{question}"}})
    for row in task.rows["test"][:40]:
        board = chess.Board()
        for move in re.sub(r"\d+\.", "", row.question).split():
            board.push_san(move)
        mating = []
        for choice in row.choices:
            after = board.copy()
            after.push_san(choice)
            mating += [choice] if after.is_checkmate() else []
        assert row.answer in mating and not any(choice.endswith(("+", "#")) for choice in row.choices)
        assert task.native is not None and task.native.before(row) == row.question

"""Tasks and graders of the user's own: functions in a Python file."""

from pathlib import Path

import pytest

from educe.data.errors import UserError
from educe.data.resolve import resolve

ROWS = """
from educe.data.example import Example
from educe.data.task import Task


def load(*, count=60):
    answers = ("no", "yes")
    return [{"question": f"Is {n} odd?", "choices": answers, "answer": answers[n % 2]} for n in range(count)]


def split():
    rows = load()
    return {"train": rows[:40], "test": rows[40:]}


def close(example, text):
    return abs(float(text) - float(example.answer)) < 1


def whole():
    rows = [Example(id=str(n), question=f"{n} + 1?", answer=str(n + 1)) for n in range(60)]
    return Task(name="sums", version=3, kind="generation", grade=close, load=lambda: {"all": rows})


def late():
    return Task(name="late", version=1, kind="choice", load=lambda: {"all": [][0]})


def few():
    return []


def words():
    return ["one", "two"]


def text():
    return "rows"


def odd():
    return {"train": load(), "exam": load()}


def nameless():
    return [{"Q": 1, "A": 2}]


def examples():
    return [Example(id="1", question="1?", answer="1")]


def raising():
    return {}["rows"]


def double(example, text):
    return 2


NUMBER = 3
"""


def line_of(text: str) -> int:
    """Where the file of the tests says something, from 1."""
    return ROWS[: ROWS.index(text)].count("\n") + 1


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(ROWS)
    Path("notes.csv").write_text("question,answer\n" + "".join(f"{n} + 1?,{n + 1}\n" for n in range(60)))


def test_a_function_returns_rows_splits_or_a_task() -> None:
    task = resolve("mine.py:load")
    assert (task.name, task.kind, task.max_choices, task.spec) == ("mine", "choice", 2, "mine.py:load")
    assert sum(map(len, resolve({"mine.py:load": {"count": 33}}).rows.values())) == 33
    split = resolve({"mine.py:split": {"name": "halves"}})
    assert (
        split.name == "halves" and len(split.rows["test"]) == 20 and len(split.rows["train"] + split.rows["dev"]) == 40
    )
    whole = resolve("mine.py:whole")
    assert (whole.name, whole.version, whole.grader) == ("sums", 3, "close")


def test_a_changed_file_is_another_task_and_a_moved_one_is_not() -> None:
    """Also where its rows are the same: a grader may be what changed."""
    before = [resolve("mine.py:load").fingerprint, resolve("mine.py:whole").fingerprint]
    Path("there").mkdir()
    Path("there/mine.py").write_text(ROWS)
    assert before == [resolve("there/mine.py:load").fingerprint, resolve("there/mine.py:whole").fingerprint]
    Path("mine.py").write_text(ROWS.replace("< 1", "< 2"))
    after = [resolve("mine.py:load").fingerprint, resolve("mine.py:whole").fingerprint]
    assert all(one != other for one, other in zip(before, after, strict=True))


def test_a_function_grades_the_rows_of_a_file() -> None:
    plain = resolve({"file:notes.csv": {"grade": "exact"}})
    task = resolve({"file:notes.csv": {"grade": "mine.py:close"}})
    (item, *_) = task.rows["test"]
    assert task.grade is not None and task.grader == "close" and plain.rows == task.rows
    assert task.grade(item, f"{float(item.answer) + 0.5}") == 1.0 and task.grade(item, "0") == 0.0
    Path("mine.py").write_text(ROWS.replace("< 1", "< 2"))
    changed = resolve({"file:notes.csv": {"grade": "mine.py:close"}})
    assert len({plain.fingerprint, task.fingerprint, changed.fingerprint}) == 3
    with pytest.raises(
        UserError, match=rf"raises ValueError in line {line_of('abs(')}: could not .*; correct the file"
    ):
        task.grade(item, "no number")
    double = resolve({"file:notes.csv": {"grade": "mine.py:double"}})
    assert double.grade is not None
    with pytest.raises(UserError, match=r"grade 'mine.py:double' returns 2 for item .*; return a number from 0 to 1"):
        double.grade(item, "1")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("few", "task 'mine.py:few' returns no rows; return some"),
        ("words", "all row 1 is no mapping of names: 'one'; return mappings"),
        ("text", "task 'mine.py:text' returns a str as all rows; return a Task, or a list of rows"),
        ("odd", "returns ['exam', 'train']; return train, dev and test, or a list of rows"),
        ("nameless", "task 'mine.py:nameless'"),
        ("examples", "returns examples; return rows as mappings, or a Task of these examples"),
        ("raising", f"'mine.py:raising': mine.py raises KeyError in line {line_of('{}[')}: 'rows'; correct the file"),
        ("laod", "mine.py defines no function 'laod'; did you mean 'load'?"),
        ("NUMBER", "mine.py defines no function 'NUMBER'; known: close, double"),
        ("Task", "mine.py defines no function 'Task'; known: close, double"),
    ],
)
def test_what_is_wrong_with_a_function_is_one_line(name: str, message: str) -> None:
    with pytest.raises(UserError) as raised:
        resolve(f"mine.py:{name}")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_options_and_late_failures_are_one_line_too() -> None:
    with pytest.raises(UserError, match=r"task 'mine.py:load': unknown option 'cuont'; did you mean 'count'\?"):
        resolve({"mine.py:load": {"cuont": 3}})
    with pytest.raises(
        UserError, match=rf"task 'mine.py:late': mine.py raises IndexError in line {line_of('[][0]')}: list"
    ):
        resolve("mine.py:late").rows  # noqa: B018
    with pytest.raises(UserError, match=r"grade: 'exakt' is not known; did you mean 'exact'\?"):
        resolve({"file:notes.csv": {"grade": "exakt"}})
    Path("choice.csv").write_text("question,answer,A,B\n" + "".join(f"{n}?,x,x,y\n" for n in range(60)))
    with pytest.raises(UserError, match=r"grade: 'mine.py:close' is for tasks without choices; leave grade out"):
        resolve({"file:choice.csv": {"grade": "mine.py:close"}})

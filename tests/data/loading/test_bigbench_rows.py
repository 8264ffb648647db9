"""BIG-bench's rows: several right and graded options, empty inputs, rows that cannot be asked, pooled subtasks."""

import json
from pathlib import Path
from typing import Any

import pytest

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.formats.render import render
from educe.data.loading.bigbench import bigbench_task
from educe.data.loading.bigbench_grade import exact_str_match
from educe.data.splits import SPLITS
from educe.data.task import Task
from educe.eval.measure import measure
from educe.eval.prompting.prompts import make_prompt_fn
from tests.nets import tiny

GRADED = {"joy": 0.69, "trust": 0.33, "fear": 0.0}
SEVERAL = {"red": 1, "pink": 1, "blue": 0}
PLAIN = {"yes": 1, "no": 0}


def write(folder: Path, examples: Any, **more: Any) -> str:
    folder.mkdir(exist_ok=True)
    path = folder / "task.json"
    rows = {} if examples is None else {"examples": examples}
    path.write_text(json.dumps({"name": folder.name, **more, **rows}), encoding="utf-8")
    return str(path)


def choices(scores: dict[str, float], *, count: int = 30, about: str = "Q") -> list[dict[str, Any]]:
    return [{"input": f"{about}{number}", "target_scores": scores} for number in range(count)]


def rows(task: Task) -> list[Example]:
    return [row for split in SPLITS for row in task.rows[split]]


def mistake(path: str, **options: Any) -> str:
    with pytest.raises(UserError) as error:
        bigbench_task(path, **options).rows  # noqa: B018 - reading the rows is what fails
    assert "\n" not in str(error.value)
    return str(error.value)


def test_choices_keep_their_target_scores_unless_one_is_right(tmp_path: Path) -> None:
    examples = [*choices(GRADED, about="G"), *choices(SEVERAL, about="S"), *choices(PLAIN, about="P")]
    found = {row.question[0]: row for row in rows(bigbench_task(write(tmp_path, examples)))}
    assert dict(found["G"].scores) == GRADED and found["G"].answer == "joy"
    assert dict(found["S"].scores) == SEVERAL and found["S"].accepted == ("red", "pink")
    assert found["P"].scores == ()


def test_a_score_is_multiple_choice_grade_on_the_same_picks(tmp_path: Path) -> None:
    """BIG-bench 1.0.0, api/task_metrics.py: the mean over samples of target_scores[choice[argmax(log_prob)]].

    Its low score, which is chance, is the mean of sum(target_scores) / len(target_scores) (api/json_task.py).
    """
    examples = [*choices(GRADED, about="G"), *choices(SEVERAL, about="S"), *choices(PLAIN, about="P")]
    task, model = bigbench_task(write(tmp_path, examples)), tiny()
    items = task.rows["test"]
    output = measure(model, task, make_prompt_fn(model, task), items)
    published = {example["input"]: example["target_scores"] for example in examples}
    total = low = 0.0
    for item, outcome in zip(items, output.outcomes, strict=True):
        target_scores = published[item.question]
        log_prob = dict(zip(item.choices, outcome.loglikelihoods, strict=True))
        total += target_scores[max(target_scores, key=lambda choice: log_prob[choice])]
        low += sum(target_scores.values()) / len(target_scores)
    assert output.score == pytest.approx(total / len(items))
    assert task.chance(items) == pytest.approx(low / len(items))


def test_inputs_are_empty_where_the_choices_are_all_that_is_asked(tmp_path: Path) -> None:
    examples = [{"input": "", "target_scores": {f"A {n} because B.": 1, f"B {n} because A.": 0}} for n in range(40)]
    silent = {"append_choices_to_input": False, "example_input_prefix": "", "example_output_prefix": ""}
    task, model = bigbench_task(write(tmp_path, examples, **silent)), tiny()
    assert all(row.question == "" for row in rows(task)) and all(len(task.rows[split]) for split in SPLITS)
    assert len({row.cluster for row in rows(task)}) == 40
    assert render(task.rows["test"][0], task.format, style="completion").text() == ""
    items = task.rows["test"][:2]
    assert len(measure(model, task, make_prompt_fn(model, task), items).outcomes) == 2


@pytest.mark.parametrize(
    ("example", "says"),
    [
        ({"input": "", "target_scores": PLAIN}, "field 'input': empty or missing"),
        ({"input": "Q", "target_scores": {"a": 1}}, "one choice only ('a')"),
        ({"input": "Q", "target_scores": {"a": 1, "": 0}}, "field 'target_scores': empty or missing"),
        ({"input": "Q", "target_scores": {"a": 0.5, "b": 0.5}}, "['a', 'b'] score the same"),
        ({"input": "Q", "target_scores": {"a": 1, "a ": 0}}, "'a' has two scores"),
    ],
)
def test_a_row_that_cannot_be_asked_is_refused_or_dropped(tmp_path: Path, example: Any, says: str) -> None:
    path = write(tmp_path, [*choices(PLAIN), example])
    assert f"{path}, example 31" in mistake(path) and says in mistake(path) and "faulty: drop" in mistake(path)
    assert len(rows(bigbench_task(path, faulty="drop"))) == 30
    assert "faulty: 'skip'" in mistake(path, faulty="skip")


def test_scores_beyond_one_are_a_mistake_and_not_a_fault(tmp_path: Path) -> None:
    path = write(tmp_path, [*choices(PLAIN), {"input": "Q", "target_scores": {"a": 2, "b": 0}}])
    assert "[2, 0] are not all from 0 to 1; scale them" in mistake(path, faulty="drop")


def test_subtasks_are_tasks_and_pooled_they_share_clusters(tmp_path: Path) -> None:
    for name in ("few", "many"):
        write(tmp_path / name, choices({**PLAIN, **({"maybe": 0} if name == "many" else {})}))
    whole = bigbench_task(write(tmp_path, None))
    assert whole.name == tmp_path.name and len(rows(whole)) == 60
    assert len({row.cluster for row in rows(whole)}) == 30, "both ask the same, so they are in one split"
    assert {len(row.choices) for row in rows(bigbench_task(str(tmp_path / "few" / "task.json")))} == {2}


def test_subtasks_that_are_written_differently_keep_their_words(tmp_path: Path) -> None:
    for name, field in (("one", "\nStrings: "), ("two", "\nSequence: ")):
        words = {"task_prefix": f"Do {name}.", "example_input_prefix": field, "example_output_prefix": "\nLength: "}
        write(tmp_path / name, choices(PLAIN, about=name), append_choices_to_input=False, **words)
    task = bigbench_task(write(tmp_path, None))
    single = bigbench_task(str(tmp_path / "one" / "task.json"))
    for row in rows(single):
        same = next(each for each in rows(task) if f"Strings: {row.question}\n" in each.question)
        texts = [render(each, made.format, style="completion").text() for each, made in ((row, single), (same, task))]
        assert texts[0] == texts[1]


def test_subtasks_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    container = write(tmp_path, None)
    assert "no folder beside it has a task.json" in mistake(container)
    write(tmp_path / "chosen", choices(PLAIN))
    write(tmp_path / "written", [{"input": f"Q{number}", "target": "a"} for number in range(30)])
    assert "some of its subtasks have choices and others have none; name one of them, as in chosen" in mistake(
        container
    )
    write(tmp_path / "written", choices(PLAIN, about="W"), append_choices_to_input=False)
    assert "some of its subtasks list the choices and others do not" in mistake(container)
    write(tmp_path / "written", choices(PLAIN, about="W"), example_output_prefix="\nSo: ")
    assert "ask for answers in other words" in mistake(container)


def test_exact_str_match_is_as_published(tmp_path: Path) -> None:
    """Of postprocess_output in models/model_utils.py and exact_str_match_fn in api/task_metrics.py."""
    item = Example(id="1", question="Q", answer="Paris", aliases=("12",))
    plain = exact_str_match()
    texts = (" Paris", " Paris. It is", " Paris\nQ: x", " paris", " The Paris", " 12", "")
    assert [plain(item, text) for text in texts] == [1, 1, 1, 0, 0, 1, 0]
    number = exact_str_match(regex=r"[-+]?\d+")
    assert [number(item, text) for text in (" = 12. 7*7 = 49", "none", " 49 and 12")] == [1, 0, 0]
    stopped = exact_str_match(stop="#")
    whole = Example(id="1", question="Q", answer="Qe8#")
    assert [stopped(whole, text) for text in (" Qe8# and on", " Qe8", " Qe8#.")] == [1, 0, 1]
    assert plain.__name__ == "exact_str_match" and plain.__qualname__ != number.__qualname__
    written = [{"input": f"Q{number}", "target": "Paris"} for number in range(30)]
    task = bigbench_task(write(tmp_path, written), grade="exact_str_match")
    assert task.grader == "exact str match" and task.grade is not None and task.grade(item, " paris") == 0
    assert bigbench_task(write(tmp_path, written), grade="exact").grade is not task.grade
    path = write(tmp_path, written, output_regex="(a+)+$")
    assert "a pattern of a file is not run" in mistake(path, grade="exact_str_match")
    assert "grade: 'exact' is for tasks without choices" in mistake(write(tmp_path, choices(PLAIN)), grade="exact")

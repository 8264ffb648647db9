"""Hub datasets: column maps on hand-made rows of the published schemas; the hub itself is never asked."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import datasets
import pytest

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.formats.render import render
from educe.data.loading.hub import HubSource, hub_task
from educe.data.resolve import resolve
from educe.data.splits import SPLITS
from educe.data.task import Task
from educe.data.tasks.benchmarks import BENCHMARKS

Row = Mapping[str, Any]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class FakeHub:
    """Stands in for the hub's cache and `datasets`, and keeps what it was asked for."""

    def __init__(self, published: Mapping[str, Sequence[Row]]) -> None:
        """Hold rows by published split name."""
        self.published = published
        self.asked: tuple[Any, ...] = ()
        self.config = SimpleNamespace(data_files=None)

    def snapshot(self, path: str, revision: str, **_: Any) -> Path:
        """Answer as the cache does."""
        self.asked = (path, revision)
        return Path("/cache")

    def builder(self, folder: str, config: str | None) -> "FakeHub":
        """Answer as the library does."""
        assert folder == "/cache"
        self.asked = (self.asked[0], config, self.asked[1])
        return self

    def download_and_prepare(self) -> None:
        """Nothing is to be prepared."""

    def as_dataset(self) -> datasets.DatasetDict:
        """Every split."""
        return datasets.DatasetDict({split: datasets.Dataset.from_list(rows) for split, rows in self.published.items()})


def on_hub(monkeypatch: pytest.MonkeyPatch, **published: Sequence[Row]) -> FakeHub:
    hub = FakeHub(published)
    monkeypatch.setattr("educe.data.loading.hub.snapshot_folder", hub.snapshot)
    monkeypatch.setattr(datasets, "load_dataset_builder", hub.builder)
    return hub


def many(row: Row, field: str, *, number: int = 40, start: int = 0) -> list[Row]:
    """Rows like this one, with the field (and an id, where there is one) told apart."""
    changed = [{**row, field: f"{row[field]} {i}"} for i in range(start, start + number)]
    return [{**each, "id": str(start + i)} if "id" in row else each for i, each in enumerate(changed)]


def all_rows(task: Task) -> list[Example]:
    return [row for split in SPLITS for row in task.rows[split]]


LETTERED = {"text": ["one", "two", "three", "four"], "label": ["A", "B", "C", "D"]}
# Task name, a row as published, its question field, our splits' published names, and what it must become.
SCHEMAS: list[tuple[str, Row, str, tuple[str, ...], Row]] = [
    (
        "arc_easy",
        {"id": "Mercury_1", "question": "Which?", "choices": LETTERED, "answerKey": "B"},
        "question",
        ("train", "validation", "test"),
        {"question": "Which? 0", "answer": "two", "choices": ("one", "two", "three", "four")},
    ),
    (
        "arc_challenge",
        {
            "id": "NYSEDREGENTS_1",
            "question": "Which?",
            "choices": {"text": ["one", "two", "three"], "label": ["1", "2", "3"]},
            "answerKey": "3",
        },
        "question",
        ("train", "validation", "test"),
        {"question": "Which? 0", "answer": "three", "choices": ("one", "two", "three")},
    ),
    (
        "openbookqa",
        {"id": "7-980", "question_stem": "The sun is", "choices": LETTERED, "answerKey": "D"},
        "question_stem",
        ("train", "validation", "test"),
        {"question": "The sun is 0", "answer": "four"},
    ),
    (
        "commonsense_qa",
        {"id": "0a", "question": "Where?", "question_concept": "bank", "choices": LETTERED, "answerKey": "A"},
        "question",
        ("train", "validation"),
        {"question": "Where? 0", "answer": "one"},
    ),
    (
        "mmlu",
        {"question": "Which?", "subject": "anatomy", "choices": ["one", "two", "three", "four"], "answer": 2},
        "question",
        ("validation", "dev", "test"),
        {"question": "Which? 0", "answer": "three", "choices": ("one", "two", "three", "four")},
    ),
    (
        "hellaswag",
        {
            "ind": 4,
            "activity_label": "Removing ice",
            "ctx_a": "A man scrapes. [header] Then",
            "ctx_b": "he",
            "ctx": "",
            "endings": ["stops. [title] Rest", "sings.", "flies.", "sleeps  [step] now."],
            "source_id": "x",
            "split": "train",
            "split_type": "indomain",
            "label": "3",
        },
        "activity_label",
        ("train", "validation"),
        {
            "question": "Removing ice 0: A man scrapes. Then He",
            "answer": "sleeps now.",
            "choices": ("stops.. Rest", "sings.", "flies.", "sleeps now."),
        },
    ),
    (
        "winogrande",
        {"sentence": "Ann thanked Sue as _ helped.", "option1": "Ann", "option2": "Sue", "answer": "2"},
        "sentence",
        ("train", "validation"),
        {"question": "Fill in the blank: Ann thanked Sue as _ helped. 0", "answer": "Sue", "choices": ("Ann", "Sue")},
    ),
    (
        "piqa",
        {"goal": "Boil an egg", "sol1": "Heat it in water.", "sol2": "Freeze it.", "label": 0},
        "goal",
        ("train", "validation"),
        {"question": "Boil an egg 0", "answer": "Heat it in water.", "choices": ("Heat it in water.", "Freeze it.")},
    ),
    (
        "boolq",
        {"question": "is the sky blue", "passage": "Skies.", "answer": True},
        "passage",
        ("train", "validation"),
        {"question": "Skies. 0\nIs the sky blue?", "answer": "yes", "choices": ("yes", "no")},
    ),
    (
        "sciq",
        {
            "question": "What?",
            "distractor3": "c",
            "distractor1": "a",
            "distractor2": "b",
            "correct_answer": "right",
            "support": "Read this.",
        },
        "question",
        ("train", "validation", "test"),
        {"question": "What? 0", "answer": "right"},
    ),
    (
        "truthfulqa_mc",
        {
            "question": "What?",
            "mc1_targets": {"choices": ["right", "a", "b"], "labels": [1, 0, 0]},
            "mc2_targets": {"choices": ["right", "a", "b"], "labels": [1, 0, 0]},
        },
        "question",
        ("validation",),
        {"question": "What? 0", "answer": "right"},
    ),
    (
        "gsm8k",
        {"question": "How many?", "answer": "9 * 2 = 18\n#### 1,018"},
        "question",
        ("train", "test"),
        {"question": "How many? 0", "answer": "1018", "worked": "9 * 2 = 18\n#### 1,018", "choices": ()},
    ),
]


@pytest.mark.parametrize(("name", "row", "field", "published", "want"), SCHEMAS, ids=[case[0] for case in SCHEMAS])
def test_published_schemas(
    monkeypatch: pytest.MonkeyPatch, name: str, row: Row, field: str, published: tuple[str, ...], want: Row
) -> None:
    hub = on_hub(monkeypatch, **{split: many(row, field, start=40 * i) for i, split in enumerate(published)})
    task = resolve(name)
    rows = all_rows(task)
    assert len(rows) == 40 * len(published)
    first = next(example for example in rows if want["question"] == example.question)
    assert {key: getattr(first, key) for key in want} == want
    assert re.fullmatch("[0-9a-f]{40}", hub.asked[2])
    assert task.kind == ("generation" if name == "gsm8k" else "choice")


def test_every_named_hub_task_has_a_schema_test() -> None:
    assert {"mmlu", "sciq", *BENCHMARKS} == {case[0] for case in SCHEMAS}


def test_hellaswag_is_a_text_that_goes_on() -> None:
    example = Example(id="1", question="Ice: A man", choices=("sits.", "sings."), answer="sits.")
    prompt = render(example, resolve("hellaswag").format, style="completion")
    assert prompt.text() + prompt.continuation("sits.") == "Ice: A man sits."


def test_hidden_tests_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    row = SCHEMAS[7][1]
    hidden = [{**each, "label": -1} for each in many(row, "goal", start=200)]
    on_hub(monkeypatch, train=many(row, "goal"), validation=many(row, "goal", start=40), test=hidden)
    task = resolve("piqa")
    assert len(task.rows["test"]) == 40
    assert len(task.rows["train"]) + len(task.rows["dev"]) == 40


@pytest.mark.parametrize("name", ["sciq", "truthfulqa_mc"])
def test_the_right_answer_stands_anywhere(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    _, row, field, published, _ = next(case for case in SCHEMAS if case[0] == name)
    on_hub(monkeypatch, **{split: many(row, field, number=60, start=60 * i) for i, split in enumerate(published)})
    rows = all_rows(resolve(name))
    assert {example.answer_index for example in rows} == set(range(len(rows[0].choices)))


def test_sciq_with_its_support(monkeypatch: pytest.MonkeyPatch) -> None:
    _, row, field, published, _ = next(case for case in SCHEMAS if case[0] == "sciq")
    on_hub(monkeypatch, **{split: many(row, field, start=40 * i) for i, split in enumerate(published)})
    task = resolve({"sciq": {"support": True}})
    assert task.name == "sciq_support"
    assert all(example.question.startswith("Read this.\nWhat?") for example in all_rows(task))


def test_questions_on_one_passage_are_one_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    row = SCHEMAS[8][1]
    on_hub(monkeypatch, train=many(row, "question"), validation=many(row, "question", start=40))
    assert len({example.cluster for example in all_rows(resolve("boolq"))}) == 1


def test_train_rows_that_repeat_a_test_question_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    row = SCHEMAS[4][1]
    on_hub(
        monkeypatch,
        validation=many(row, "question"),
        dev=many(row, "question", start=35),
        test=many(row, "question")[:3],
    )
    task = resolve("mmlu")
    assert {split: len(task.rows[split]) for split in SPLITS} == {"train": 32, "dev": 40, "test": 3}


def test_one_mmlu_subject(monkeypatch: pytest.MonkeyPatch) -> None:
    row = SCHEMAS[4][1]
    published = {split: many(row, "question", start=40 * i) for i, split in enumerate(("validation", "dev", "test"))}
    hub = on_hub(monkeypatch, **published)
    task = resolve({"mmlu": {"subject": "anatomy"}})
    assert (task.name, len(task.rows["test"]), hub.asked[1]) == ("mmlu_anatomy", 40, "anatomy")
    with pytest.raises(UserError, match="subject: 'anatmy' is no MMLU subject; did you mean 'anatomy'"):
        resolve({"mmlu": {"subject": "anatmy"}})


def test_gsm8k_rows_as_published(monkeypatch: pytest.MonkeyPatch, test_data: Path) -> None:
    lines = (test_data / "gsm8k" / "test.jsonl").read_text(encoding="utf-8").splitlines()[:60]
    rows = [json.loads(line) for line in lines]
    on_hub(monkeypatch, train=rows[:40], test=rows[40:])
    task = resolve("gsm8k")
    assert len(all_rows(task)) == 60
    assert all(task.grade is not None and task.grade(row, row.worked or "") == 1.0 for row in all_rows(task))


def test_ad_hoc_datasets(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"stem": "Which?", "options": {"text": ["one", "two"]}, "key": "B"}
    hub = on_hub(monkeypatch, train=many(row, "stem"), validation=many(row, "stem", start=40))
    columns = {"question": "stem", "choices": "options.text", "answer": "key"}
    task = resolve({"hub:org/name@" + COMMIT: {"columns": columns, "config": "hard", "answer_as": "letter"}})
    assert (task.name, task.kind, task.format.answer_as) == ("name", "choice", "letter")
    assert hub.asked == ()
    assert len(task.rows["test"]) == 40
    assert hub.asked == ("org/name", "hard", COMMIT)
    assert all(example.answer == "two" for example in all_rows(task))


def test_ad_hoc_splits(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"question": "Which?", "answer": "2"}
    hub = on_hub(monkeypatch, fit=many(row, "question"), held_out=many(row, "question", start=40))
    columns = {"question": "question", "answer": "answer"}
    task = hub_task("org/name@" + COMMIT, columns=columns, splits={"train": "fit", "test": "held_out"}, grade="number")
    assert len(task.rows["test"]) == 40 and hub.asked == ("org/name", None, COMMIT)
    with pytest.raises(UserError, match=r"hub:org/name: no split 'heldout' for test; did you mean 'held_out'?"):
        hub_task("org/name@" + COMMIT, columns=columns, splits={"train": "fit", "test": "heldout"})
    with pytest.raises(UserError, match="its splits are fit, held_out; say which is which in splits"):
        hub_task("org/name@" + COMMIT, columns=columns).rows  # noqa: B018


def test_ad_hoc_mistakes(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"question": "Which?", "choices": ["one", "two"], "answer": "two"}
    on_hub(monkeypatch, train=many(row, "question"))
    with pytest.raises(UserError, match=f"hub:org/name@{COMMIT}: no column map; write columns:"):
        hub_task("org/name@" + COMMIT)
    with pytest.raises(UserError, match=r"unknown split 'tset'; did you mean 'test'?"):
        hub_task("org/name@" + COMMIT, columns={"question": "q", "answer": "a"}, splits={"tset": "x"})
    with pytest.raises(UserError, match=r"no column 'qestion' for question; did you mean 'question'?"):
        hub_task("org/name@" + COMMIT, columns={"question": "qestion", "answer": "answer"}).rows  # noqa: B018
    with pytest.raises(UserError, match="it has choices; name their column"):
        hub_task("org/name@" + COMMIT, columns={"question": "question", "answer": "answer"}).rows  # noqa: B018


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("org/name", "task 'hub:org/name' has no revision; write hub:org/name@COMMIT"),
        (
            "org/name@main",
            "task 'hub:org/name@main': 'main' is no full commit hash and can move; write hub:org/name@COMMIT",
        ),
    ],
)
def test_a_dataset_is_pinned_to_a_commit(path: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        hub_task(path, columns={"question": "q", "answer": "a"})


def test_a_bad_row_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"question": "Which?", "choices": ["one", "two"], "answer": "two"}
    rows = [*many(row, "question"), {**row, "answer": "three"}]
    on_hub(monkeypatch, train=rows)
    columns = {name: name for name in row}
    with pytest.raises(UserError, match="hub:org/name, train row 41, field 'answer': answer 'three' is not among"):
        hub_task("org/name@" + COMMIT, columns=columns).rows  # noqa: B018


@pytest.mark.parametrize("error", [ConnectionError("no route\nto host"), ValueError("Unknown split"), RuntimeError("")])
def test_a_dataset_that_does_not_come_is_one_line(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def refuse(*_: object, **__: object) -> Iterator[None]:
        raise error

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    with pytest.raises(UserError) as raised:
        resolve("boolq").rows  # noqa: B018
    message = str(raised.value)
    assert message.startswith("cannot fetch dataset 'hub:google/boolq@35b264d0") and "\n" not in message
    assert "give a local copy" in message


def test_the_hub_out_of_reach_is_one_line() -> None:
    with pytest.raises(UserError, match=rf"cannot fetch dataset 'hub:org/no-such-set@{COMMIT}': .+; check"):
        hub_task("org/no-such-set@" + COMMIT, columns={"question": "q", "answer": "a"}).rows  # noqa: B018


def test_sources_are_values() -> None:
    assert HubSource(path="a", revision="1") == HubSource(path="a", revision="1") != HubSource(path="b", revision="1")

"""Rows that are set aside, rows that are watched, and facts that were never there."""

from collections import Counter
from dataclasses import replace

import pytest

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.permuted import permuted
from educe.data.resolve import resolve
from educe.data.set_aside import RowKey, asked_by, set_aside, without
from educe.data.splits import SPLITS
from educe.data.task import Task
from educe.data.tasks.arithmetic import arithmetic
from educe.data.tasks.capitals import capitals
from educe.data.watched import watched


def keys_of(task: Task) -> tuple[RowKey, ...]:
    return tuple(RowKey.of(row) for row in set_aside(task.rows["train"]))


@pytest.mark.parametrize("name", ["capitals", "first_names", "past_tense", "arithmetic"])
def test_about_half_of_the_train_rows_are_set_aside_with_their_clusters_whole(name: str) -> None:
    train = resolve(name).rows["train"]
    aside = set_aside(train)
    assert 0.4 < len(aside) / len(train) < 0.6
    ids = {row.id for row in aside}
    sides = {(row.cluster or row.id, row.id in ids) for row in train}
    assert len(sides) == len({cluster for cluster, _ in sides}), "a cluster is on both sides"
    assert set_aside(tuple(reversed(train))[: len(train) // 2]) == tuple(
        row for row in tuple(reversed(train))[: len(train) // 2] if row.id in ids
    ), "a row's side depends on the others"


def test_what_is_left_shares_no_question_with_what_is_set_aside() -> None:
    task = capitals()
    left = without(task, keys_of(task), why="set aside")
    gone = {row.id for row in set_aside(task.rows["train"])}
    assert {row.id for row in left.rows["train"]} == {row.id for row in task.rows["train"]} - gone
    assert (left.rows["dev"], left.rows["test"]) == (task.rows["dev"], task.rows["test"])
    count = len(left.rows["train"])
    with pytest.raises(UserError, match=rf"{count} train rows \({len(gone)} more are set aside\), not {count + 1}"):
        left.draw("train", count + 1, seed=0)
    left.draw("dev", 1, seed=0)


def test_another_task_that_asks_the_same_lacks_the_same_rows() -> None:
    """Written variants share questions and not names; other ids do not hide them. Unrelated tasks lose nothing."""
    task = resolve("past_tense")
    written = resolve({"past_tense": {"written": True}})
    rows = {split: [replace(row, id=f"other {row.id}") for row in written.rows[split]] for split in SPLITS}
    renamed = replace(written, load=lambda: rows)
    left = without(renamed, keys_of(task), why="set aside")
    asked = {row.question for row in set_aside(task.rows["train"])}
    assert left.rows["train"] and not {row.question for row in left.rows["train"]} & asked
    assert len(left.rows["train"]) == len(renamed.rows["train"]) - len(set_aside(task.rows["train"]))
    unrelated = capitals()
    assert without(unrelated, keys_of(task), why="set aside") is unrelated
    assert asked_by(unrelated.rows["train"], keys_of(task)) == frozenset()


def test_a_watched_task_notes_what_is_read_and_nothing_else() -> None:
    task = capitals()
    seen = watched(task)
    assert len(seen.rows["train"]) == len(task.rows["train"]) and not seen.read
    assert seen.max_choices == task.max_choices and seen.fingerprint == task.fingerprint
    assert seen.choice_texts == task.choice_texts and seen.questions == task.questions and not seen.read
    drawn = seen.draw("train", 3, seed=1)
    assert drawn == task.draw("train", 3, seed=1) and seen.read == {row.id for row in drawn}
    for read, count in (
        (lambda rows: rows[0], 1),
        (lambda rows: rows[1:3], 2),
        (lambda rows: sorted(rows, key=lambda row: row.id), len(task.rows["dev"])),
        (lambda rows: [*rows], len(task.rows["dev"])),
    ):
        fresh = watched(task)
        read(fresh.rows["dev"])
        assert len(fresh.read) == count
    assert not seen.read & {row.id for row in task.rows["test"]}
    seen.test_items(2)
    assert len(seen.read & {row.id for row in task.rows["test"]}) == 2


def test_permuted_choices_are_worth_chance_to_whoever_knows_the_facts() -> None:
    """Were the right option left out, who knows it could strike it out: its share has to be chance, not 0."""
    task = capitals()
    other = permuted(task, seed=0)
    assert other.name == "capitals_permuted" and other.fingerprint != task.fingerprint
    pairs = [(old, new) for split in SPLITS for old, new in zip(task.rows[split], other.rows[split], strict=True)]
    assert all((old.id, old.question, old.choices) == (new.id, new.question, new.choices) for old, new in pairs)
    same = sum(old.answer == new.answer for old, new in pairs)
    assert 0.2 < same / len(pairs) < 0.3, "four options"
    places = Counter(new.answer_index for _, new in pairs)
    assert max(places.values()) < 0.32 * len(pairs)
    assert permuted(task, seed=0).fingerprint == other.fingerprint != permuted(task, seed=1).fingerprint


def test_a_question_that_comes_twice_has_one_permuted_answer() -> None:
    rows = [
        Example(id=f"{n}-{order}", question=f"What of {n}?", answer="a", choices=tuple("abcd"[::order]))
        for n in range(40) for order in (1, -1)
    ]  # fmt: skip
    splits = {"train": rows[:60], "dev": rows[60:70], "test": rows[70:]}
    task = Task(name="twice", version=1, kind="choice", load=lambda: splits)
    answers: dict[str, set[str]] = {}
    for row in permuted(task, seed=3).rows["train"]:
        answers.setdefault(row.question, set()).add(row.answer)
    assert all(len(each) == 1 for each in answers.values()) and len(set.union(*answers.values())) == 4


def test_permuted_written_answers_are_those_of_other_questions() -> None:
    task = arithmetic(digits=2)
    other = permuted(task, seed=0)
    for split in SPLITS:
        old, new = task.rows[split], other.rows[split]
        assert Counter(row.answer for row in old) == Counter(row.answer for row in new)
        assert sum(one.answer == two.answer for one, two in zip(old, new, strict=True)) < 0.05 * len(old)

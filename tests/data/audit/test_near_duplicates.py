"""Nearly equal rows across splits are found by an index, and the wording that a task's rows share is no alarm."""

import random
import time
from dataclasses import replace
from itertools import pairwise

import pytest

from educe.data.audit.near_duplicates import MIN_SIMILARITY, near_duplicates
from educe.data.example import Example
from educe.data.resolve import resolve
from educe.data.splits import Split
from educe.data.task import Task
from educe.data.tasks.arithmetic import arithmetic
from educe.data.tasks.benign_requests import benign_requests
from educe.data.tasks.capitals import capitals
from educe.data.tasks.word_sentiment import word_sentiment

SENTENCE = "A farmer has nine red hens and sells four of them at the market on a rainy Monday; how many hens are left?"


def row(name: str, question: str, *choices: str) -> Example:
    return Example(id=name, question=question, answer=choices[0] if choices else "a", choices=choices)


def made_up(count: int, *, words: int, tag: str) -> list[Example]:
    rng = random.Random(tag)
    vocabulary = [f"w{i}" for i in range(5000)]
    return [row(f"{tag}{i}", f"Which is true of {' '.join(rng.choices(vocabulary, k=words))}?") for i in range(count)]


def splits(train: list[Example], dev: list[Example], test: list[Example]) -> dict[Split, list[Example]]:
    return {"train": train, "dev": dev, "test": test}


def test_a_planted_pair_is_found_among_unrelated_rows() -> None:
    leak = row("leak", SENTENCE.replace("Monday", "Tuesday"))
    train = [*made_up(200, words=12, tag="t"), row("source", SENTENCE)]
    (found,) = near_duplicates(splits(train, made_up(30, words=12, tag="d"), [*made_up(60, words=12, tag="e"), leak]))
    assert (found.row.id, found.other.id, found.split, found.other_split) == ("leak", "source", "test", "train")
    # 23 words make 24 pairs with the ends; one word changed leaves 22 of them, of 26 in all.
    assert found.similarity == pytest.approx(22 / 26)
    assert (found.row.question, found.other.question) == (leak.question, SENTENCE)


def test_each_pair_of_splits_gives_its_most_similar_row() -> None:
    near, nearer = row("near", SENTENCE.replace("rainy", "dry")), row("nearer", SENTENCE + " Why?")
    found = near_duplicates(splits([near, nearer], [row("dev", SENTENCE + " Say it.")], [row("test", SENTENCE)]))
    assert {(pair.row.id, pair.other.id) for pair in found} == {
        ("test", "nearer"),
        ("test", "dev"),
        ("dev", "nearer"),
    }
    assert [pair.similarity for pair in found] == sorted((pair.similarity for pair in found), reverse=True)


def test_the_same_question_with_other_choices_is_another_question() -> None:
    asked = "Which of these is true?"
    one, other = row("a", asked, "Hens lay eggs in May.", "No"), row("b", asked, "Water boils at sea.", "No")
    assert near_duplicates(splits([one], [], [other])) == ()
    assert near_duplicates(splits([one], [], [replace(one, id="b", question="Which of these are true?")]))


def test_wording_that_many_rows_share_does_not_count() -> None:
    frame = "In the long and winding tale of the old king we ask what the colour of item {} is and who made it."
    rows = [row(str(i), frame.format(i)) for i in range(100)]
    assert near_duplicates(splits(rows[:60], rows[60:70], rows[70:])) == ()
    assert near_duplicates(splits(rows[:1], [], rows[1:2]))  # of two rows nobody can tell what is a frame


def test_no_pair_that_is_similar_enough_is_missed() -> None:
    rng = random.Random(0)
    vocabulary = [f"w{i}" for i in range(12)]
    rows = [row(str(i), " ".join(rng.choices(vocabulary, k=rng.randint(2, 5)))) for i in range(300)]

    def pairs(example: Example) -> set[tuple[str, str]]:
        words = ["", *example.question.split(), ""]
        return set(pairwise(words))

    held = {example.id: pairs(example) for example in rows}
    common = max(10, round(0.01 * len(rows)))
    uncommon = {
        name: {pair for pair in own if sum(pair in other for other in held.values()) <= common}
        for name, own in held.items()
    }

    def similarity(a: Example, b: Example) -> float:
        sides = (held[a.id], held[b.id]), (uncommon[a.id], uncommon[b.id])
        return min(len(one & other) / max(1, len(one | other)) for one, other in sides)

    test = rows[150:]
    best = {(b.id, "train"): max(similarity(a, b) for a in rows[:150]) for b in test}
    best |= {(b.id, "test"): max(similarity(a, b) for a in test[:place]) for place, b in enumerate(test) if place}
    wanted = {name: value for name, value in best.items() if value >= MIN_SIMILARITY}
    found = {(pair.row.id, pair.other_split): pair.similarity for pair in near_duplicates(splits(rows[:150], [], test))}
    assert len(wanted) > 10 and found == pytest.approx(wanted)


def test_copies_inside_the_test_are_found_unless_they_share_a_cluster() -> None:
    """They counted as items of their own."""
    source, copy = row("a", SENTENCE), row("b", SENTENCE.replace("Monday", "Tuesday"))
    (found,) = near_duplicates(splits([], [], [source, *made_up(60, words=12, tag="e"), copy]))
    assert (found.row.id, found.other.id, found.split, found.other_split) == ("b", "a", "test", "test")
    together = [replace(each, cluster="hens") for each in (source, copy)]
    assert near_duplicates(splits([], [], together)) == near_duplicates(splits([source, copy], [], [])) == ()


@pytest.mark.parametrize("task", [word_sentiment(), capitals(), arithmetic(), arithmetic(digits=1), benign_requests()])
def test_bundled_tasks_have_none(task: Task) -> None:
    assert near_duplicates(task.rows) == ()


def test_published_tasks_show_what_they_hold(test_data: str) -> None:
    history = resolve(f"file:{test_data}/mmlu/test/high_school_world_history_test.csv")
    shared = {
        pair.row.id for pair in near_duplicates(history.rows) if (pair.split, pair.other_split) == ("test", "train")
    }
    assert len(shared) == 28  # questions on one passage, split by hash
    assert near_duplicates(resolve(f"bigbench:{test_data}/bigbench/strategyqa/task.json").rows) == ()


def test_ten_thousand_rows_take_seconds() -> None:
    train, test = made_up(8000, words=20, tag="t"), made_up(2000, words=20, tag="e")
    begun = time.process_time()
    assert near_duplicates(splits(train, [], test)) == ()
    assert time.process_time() - begun < 4

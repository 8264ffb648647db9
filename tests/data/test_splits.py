"""Splits: disjoint, stable, nested, with errors that show both rows."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.splits import SPLITS, drop_repeats, identity, nested_order, split_of, split_rows

IDS = st.lists(st.integers(0, 10**6), min_size=60, max_size=150, unique=True)


def item(number: int, *, cluster: str | None = None, question: str | None = None, **more: object) -> Example:
    text = f"What is {number}?" if question is None else question
    return Example(id=str(number), question=text, answer="a", cluster=cluster, **more)  # type: ignore[arg-type]


def items(numbers: Sequence[int]) -> list[Example]:
    return [item(number) for number in numbers]


@settings(max_examples=25, deadline=None)
@given(IDS, st.integers(1, 59))
def test_rows_stay_in_their_split_when_others_are_added(numbers: list[int], num_first: int) -> None:
    late = split_rows({"all": items(numbers)}, task="t")
    for example in items(numbers[:num_first]):
        assert example in late[split_of(example)]


@settings(max_examples=25, deadline=None)
@given(IDS)
def test_splits_hold_every_row_once(numbers: list[int]) -> None:
    splits = split_rows({"all": items(numbers)}, task="t")
    held = [example.id for split in SPLITS for example in splits[split]]
    assert sorted(held) == sorted(str(number) for number in numbers)


@settings(max_examples=25, deadline=None)
@given(IDS, st.integers(1, 10))
def test_a_cluster_is_never_split(numbers: list[int], num_clusters: int) -> None:
    rows = [item(number, cluster=str(number % num_clusters)) for number in numbers]
    places: dict[str | None, set[str]] = {}
    for row in rows:
        places.setdefault(row.cluster, set()).add(split_of(row))
    assert all(len(splits) == 1 for splits in places.values())


@settings(max_examples=25, deadline=None)
@given(IDS, st.integers(0, 100), st.integers(0, 60))
def test_order_is_nested_and_survives_added_rows(numbers: list[int], seed: int, num_first: int) -> None:
    full = nested_order(items(numbers), seed=seed)
    some = nested_order(items(numbers[:num_first]), seed=seed)
    assert [row for row in full if row in some] == list(some)
    assert nested_order(items(list(reversed(numbers))), seed=seed) == full


def test_order_depends_on_the_seed() -> None:
    rows = items(range(50))
    assert nested_order(rows, seed=0) != nested_order(rows, seed=1)


def test_shares_are_as_documented() -> None:
    splits = split_rows({"all": items(range(10_000))}, task="t")
    shares = [len(splits[split]) / 10_000 for split in SPLITS]
    assert shares == pytest.approx([0.60, 0.08, 0.32], abs=0.015)


def test_published_splits_are_kept() -> None:
    loaded = {"train": items(range(5)), "dev": items(range(5, 8)), "test": items(range(8, 10))}
    assert split_rows(loaded, task="t") == {split: tuple(rows) for split, rows in loaded.items()}


def test_a_missing_dev_is_carved_from_train() -> None:
    splits = split_rows({"train": items(range(1000)), "test": items(range(1000, 1100))}, task="t")
    assert 80 < len(splits["dev"]) < 120
    assert len(splits["train"]) + len(splits["dev"]) == 1000
    assert len(splits["test"]) == 100


def test_dev_stands_in_for_the_split_that_was_not_published() -> None:
    without_train = split_rows({"dev": items(range(100)), "test": items(range(100, 110))}, task="t")
    assert len(without_train["train"]) + len(without_train["dev"]) == 100
    without_test = split_rows({"train": items(range(100)), "dev": items(range(100, 110))}, task="t")
    assert {row.id for row in without_test["test"]} == {str(number) for number in range(100, 110)}


def test_a_single_published_split_is_divided_by_hash() -> None:
    rows = items(range(200))
    assert split_rows({"test": rows}, task="t") == split_rows({"all": rows}, task="t")


def test_the_same_question_in_two_splits_shows_the_pair() -> None:
    loaded = {"train": [item(1, question="Who  IS it?")], "dev": [item(2)], "test": [item(3, question="who is it?")]}
    with pytest.raises(UserError) as error:
        split_rows(loaded, task="t")
    assert str(error.value) == (
        "task 't' has one question in two splits: train id '1' and test id '3', 'Who IS it?'; drop one of them, give "
        "both one cluster, or set repeats: drop"
    )


def test_the_same_question_with_other_choices_is_another_question() -> None:
    text = "Which is true?"
    train, test = item(1, question=text, choices=("a", "b")), item(3, question=text, choices=("a", "c"))
    split_rows({"train": [train], "dev": [item(2)], "test": [test]}, task="t")
    assert identity(item(1, choices=("a", "b"))) == identity(item(1, choices=("B", "a")))


def test_ids_used_twice_show_both_places() -> None:
    again = item(1, question="Another?")
    with pytest.raises(UserError, match="uses the id '1' twice: row 2 and row 5; make ids unique"):
        split_rows({"all": [*items(range(4)), again, *items(range(5, 50))]}, task="t")
    with pytest.raises(UserError, match="'1' twice: train row 2 and test row 1"):
        split_rows({"train": items(range(4)), "dev": items([9]), "test": [again]}, task="t")


def test_a_task_without_test_rows_is_refused() -> None:
    in_train = next(row for row in items(range(50)) if split_of(row) == "train")
    with pytest.raises(UserError, match="task 't' has no test rows: 1 rows are too few to split"):
        split_rows({"all": [in_train]}, task="t")
    alike = [replace(row, cluster=in_train.id) for row in items(range(50))]
    with pytest.raises(UserError, match=r"1 cluster\(s\), which are kept whole, are too few to split"):
        split_rows({"all": alike}, task="t")


def test_drop_repeats_also_serves_rows_that_are_split_by_hash() -> None:
    rows = [item(number, question="Again?" if number % 10 == 0 else None) for number in range(100)]
    with pytest.raises(UserError, match=r"has one question in two splits.*repeats: drop"):
        split_rows({"all": rows}, task="t")
    kept = drop_repeats({"all": rows})
    splits = split_rows(kept, task="t")
    again = [row for row in rows if row.question == "Again?"]
    assert {row.id for row in again if split_of(row) == "test"} <= {row.id for row in splits["test"]}
    assert not [row for split in ("train", "dev") for row in splits[split] if row.question == "Again?"]
    assert [row for row in rows if row.question != "Again?"] == [row for row in kept["all"] if row.question != "Again?"]


def test_drop_repeats_keeps_the_test() -> None:
    asked_thrice = [item(number, question="Again?") for number in (1, 2, 3)]
    loaded = {"train": [asked_thrice[0], item(4)], "dev": [asked_thrice[1], item(5)], "test": [asked_thrice[2]]}
    kept = drop_repeats(loaded)
    assert {split: [row.id for row in rows] for split, rows in kept.items()} == {
        "train": ["4"],
        "dev": ["5"],
        "test": ["3"],
    }
    split_rows(kept, task="t")

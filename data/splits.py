"""Train, dev and test: fixed by hash, never sharing a question; and the order that makes subsets nested."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.hashing import fraction, normalize_question

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

# Shares of a task without published splits. 0.60 and not less: the 452 questions of `capitals` must hold the 256
# training rows of the standard study.
TRAIN_SHARE, DEV_SHARE = 0.60, 0.08
# Share of a published train split that becomes dev where none was published.
DEV_OF_TRAIN = 0.10

Identity = tuple[str, frozenset[str]]


def split_of(example: Example) -> Split:
    """The split of an item of a task without published splits, by the hash of its cluster or, without one, its id."""
    place = fraction(_key(example))
    if place < TRAIN_SHARE:
        return "train"
    return "dev" if place < TRAIN_SHARE + DEV_SHARE else "test"


def identity(example: Example) -> Identity:
    """What makes two items the same question: its text and the set of its choices, casefolded, whitespace collapsed.

    The choices belong to it because "Which of the following is true?" is a new question with each list of options.
    """
    return normalize_question(example.question), frozenset(map(normalize_question, example.choices))


def split_rows(loaded: Mapping[str, Sequence[Example]], *, task: str) -> Mapping[Split, tuple[Example, ...]]:
    """All three splits of a task, disjoint by question.

    A single key ("all", or the only split published) is divided by hash: 60% train, 8% dev, 32% test. An item never
    moves when others are added. Several keys are published splits. Without "test", "dev" is the test; without "train",
    "dev" is the train. A task without a "dev" of its own gets 10% of train by hash.
    UserError where two items share an id, where two splits share a question, and where no test item is left.
    """
    assert set(loaded) <= {"all", *SPLITS} and (len(loaded) == 1 or "all" not in loaded), sorted(loaded)
    splits = _divided(loaded)
    _refuse_shared_questions(splits, task=task)
    _refuse_shared_ids(loaded, task=task)
    if not splits["test"]:
        rows = [row for split_rows in loaded.values() for row in split_rows]
        clusters = {_key(row) for row in rows}
        few = (
            f"{len(rows)} rows" if len(rows) == len(clusters) else f"{len(clusters)} cluster(s), which are kept whole,"
        )
        raise UserError(f"task {task!r} has no test rows: {few} are too few to split; give it more")
    return splits


def drop_repeats(loaded: Mapping[str, Sequence[Example]]) -> Mapping[str, Sequence[Example]]:
    """The rows without the train items that dev or test repeats and without the dev items that test repeats."""
    splits = _divided(loaded)
    later: set[Identity] = set()
    kept: set[int] = set()
    for split in reversed(SPLITS):
        kept |= {id(example) for example in splits[split] if identity(example) not in later}
        later |= set(map(identity, splits[split]))
    return {name: [row for row in rows if id(row) in kept] for name, rows in loaded.items()}


def nested_order(rows: Sequence[Example], *, seed: int) -> tuple[Example, ...]:
    """The rows in an order fixed by the seed and each row's id: adding rows leaves the others in order."""
    return tuple(sorted(rows, key=lambda row: hashlib.sha256(f"{seed}:{row.id}".encode()).hexdigest()))


def _key(example: Example) -> str:
    return example.id if example.cluster is None else example.cluster


def _divided(loaded: Mapping[str, Sequence[Example]]) -> dict[Split, tuple[Example, ...]]:
    if len(loaded) == 1:
        (rows,) = loaded.values()
        return {split: tuple(row for row in rows if split_of(row) == split) for split in SPLITS}
    test = loaded["test"] if "test" in loaded else loaded["dev"]
    train = loaded["train"] if "train" in loaded else loaded["dev"]
    if len(loaded) == len(SPLITS):
        return {"train": tuple(train), "dev": tuple(loaded["dev"]), "test": tuple(test)}
    dev = tuple(row for row in train if fraction(_key(row)) < DEV_OF_TRAIN)
    rest = tuple(row for row in train if fraction(_key(row)) >= DEV_OF_TRAIN)
    return {"train": rest, "dev": dev, "test": tuple(test)}


def _refuse_shared_questions(splits: Mapping[Split, Sequence[Example]], *, task: str) -> None:
    seen: dict[Identity, tuple[Split, Example]] = {}
    for split in SPLITS:
        for example in splits[split]:
            first_split, first = seen.setdefault(identity(example), (split, example))
            if first_split != split:
                text = " ".join(first.question.split())
                raise UserError(
                    f"task {task!r} has one question in two splits: {first_split} id {first.id!r} and {split} id "
                    f"{example.id!r}, {text[:80]!r}; drop one of them, give both one cluster, or set repeats: drop"
                )


def _refuse_shared_ids(loaded: Mapping[str, Sequence[Example]], *, task: str) -> None:
    seen: dict[str, str] = {}
    for split, rows in loaded.items():
        for number, example in enumerate(rows, 1):
            place = f"row {number}" if split == "all" else f"{split} row {number}"
            if example.id in seen:
                raise UserError(
                    f"task {task!r} uses the id {example.id!r} twice: {seen[example.id]} and {place}; make ids unique"
                )
            seen[example.id] = place

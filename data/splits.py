"""Train, dev and test: fixed by hash, never sharing a question; and the order that makes subsets nested."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
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
    """The split of an item of a task without published splits: a hash of its cluster, else of its id."""
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

    A single key ("all", or the only split published) is divided by hash: 60% train, 8% dev, 32% test; an item never
    moves when others are added. Several keys are published splits and kept: without "test", "dev" is the test;
    without "train", "dev" is the train; without a "dev" of its own, a task gets 10% of train by hash.
    UserError where two items share an id, where two splits share a question, and where no test item is left.
    """
    assert set(loaded) <= {"all", *SPLITS} and (len(loaded) == 1 or "all" not in loaded), sorted(loaded)
    splits = _by_hash(next(iter(loaded.values()))) if len(loaded) == 1 else _published(loaded)
    _refuse_shared_questions(splits, task=task)
    _refuse_shared_ids(loaded, task=task)
    if not splits["test"]:
        held = sum(map(len, loaded.values()))
        clusters = {_key(row) for rows in loaded.values() for row in rows}
        kept = f"{held} rows" if held == len(clusters) else f"{len(clusters)} cluster(s) of rows, which are kept whole,"
        raise UserError(f"task {task!r} has no test rows: {kept} are too few to split; give it more")
    return splits


def drop_repeats(loaded: Mapping[str, Sequence[Example]]) -> Mapping[str, Sequence[Example]]:
    """The rows less the train items asked again in dev or test, and the dev items asked again in test."""
    splits = _by_hash(next(iter(loaded.values()))) if len(loaded) == 1 else _published(loaded)
    later: set[Identity] = set()
    still: set[int] = set()
    for split in reversed(SPLITS):
        still |= {id(example) for example in splits[split] if identity(example) not in later}
        later |= set(map(identity, splits[split]))
    return {name: [row for row in rows if id(row) in still] for name, rows in loaded.items()}


def nested_order(rows: Sequence[Example], *, seed: int) -> tuple[Example, ...]:
    """The rows in an order fixed by the seed and each row's id: adding rows leaves the others in order."""
    return tuple(sorted(rows, key=lambda row: hashlib.sha256(f"{seed}:{row.id}".encode()).hexdigest()))


def _key(example: Example) -> str:
    return example.id if example.cluster is None else example.cluster


def _by_hash(rows: Sequence[Example]) -> dict[Split, tuple[Example, ...]]:
    held: dict[Split, list[Example]] = {split: [] for split in SPLITS}
    for row in rows:
        held[split_of(row)].append(row)
    return {split: tuple(held[split]) for split in SPLITS}


def _published(loaded: Mapping[str, Sequence[Example]]) -> dict[Split, tuple[Example, ...]]:
    test = loaded["test"] if "test" in loaded else loaded["dev"]
    train = loaded["train"] if "train" in loaded else loaded["dev"]
    if len(loaded) == len(SPLITS):
        return {"train": tuple(train), "dev": tuple(loaded["dev"]), "test": tuple(test)}
    dev = tuple(row for row in train if fraction(_key(row)) < DEV_OF_TRAIN)
    rest = tuple(row for row in train if fraction(_key(row)) >= DEV_OF_TRAIN)
    return {"train": rest, "dev": dev, "test": tuple(test)}


def _refuse_shared_questions(splits: Mapping[Split, Sequence[Example]], *, task: str) -> None:
    asked: dict[Identity, tuple[Split, Example]] = {}
    for split in SPLITS:
        for example in splits[split]:
            first_split, first = asked.setdefault(identity(example), (split, example))
            if first_split != split:
                text = " ".join(first.question.split())
                raise UserError(
                    f"task {task!r} asks one question in two splits: {first_split} id {first.id!r} and {split} id "
                    f"{example.id!r}, {text[:80]!r}; drop one of them, give both one cluster, or set repeats: drop"
                )


def _refuse_shared_ids(loaded: Mapping[str, Sequence[Example]], *, task: str) -> None:
    seen: dict[str, str] = {}
    for place, example in _places(loaded):
        if example.id in seen:
            raise UserError(
                f"task {task!r} uses the id {example.id!r} twice: {seen[example.id]} and {place}; make ids unique"
            )
        seen[example.id] = place


def _places(loaded: Mapping[str, Sequence[Example]]) -> Iterator[tuple[str, Example]]:
    for split, rows in loaded.items():
        for number, example in enumerate(rows, 1):
            yield (f"row {number}" if split == "all" else f"{split} row {number}"), example

"""Task: questions and a grader, with splits that never share a question."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.format import Format
from educe.data.grade import GRADER_VERSIONS
from educe.data.native import NativeForm
from educe.data.splits import SPLITS, Split, identity, nested_order, split_rows

Kind = Literal["choice", "generation"]
# The log-likelihood of an option, as it is or per unit of its text; per byte is close to the acc_norm of leaderboards.
NormalizeBy = Literal["none", "byte", "token"]
Grade = Callable[[Example, str], float]


@dataclass(frozen=True, kw_only=True)
class ColumnsRead:
    """The columns that each field of a task reads, those that none reads, and why some of these look like a question.

    `suspicious` has the reason by the column. `answers_are` says what the answers of multiple choice were read as,
    `not_numbers` which rows are why a task of numbers is graded as text, where nobody said how to grade.
    """

    used: Mapping[str, tuple[str, ...]]
    unused: tuple[str, ...]
    suspicious: Mapping[str, str]
    answers_are: str | None = None
    not_numbers: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Task:
    """A named set of questions with what it takes to prompt with them and to grade the answers.

    `load` returns published splits (keys among train, dev, test) or, under the key "all", rows that are split by id
    hash. It is called once, on first use. `grade(example, generated text)` is 0..1; only generation tasks have it.
    """

    name: str
    version: int
    kind: Kind
    load: Callable[[], Mapping[str, Sequence[Example]]]
    grade: Grade | None = None
    format: Format = field(default_factory=Format)
    normalize_by: NormalizeBy = "none"
    max_new_tokens: int = 32
    # The task as the user wrote it (name or prefix, with its options): what a study file needs to name it again.
    spec: str = ""
    # Which columns of a file or dataset the rows were read from; a task that is code has none.
    columns: Callable[[], ColumnsRead] | None = None
    # How its questions stand in a text that goes on with their answers, for those that have such a form.
    native: NativeForm | None = None
    # A wrong answer as somebody might give it, where it is not another row's.
    mistake: Callable[[Example], str] | None = None
    # What two right texts have in common that give the same answer, where `data/grade.py` does not tell.
    answer_key: Callable[[Example, str], str] | None = None
    # Why the train split lacks rows that the task has elsewhere, for whoever asks for more than it holds.
    lacks: str = ""
    # Hash of the user's own code that makes or grades it.
    code: str = ""

    def __post_init__(self) -> None:
        assert (self.kind == "generation") == (self.grade is not None), f"{self.name}: a generation task has a grader"

    @cached_property
    def rows(self) -> Mapping[Split, tuple[Example, ...]]:
        """All three splits, disjoint by question."""
        return split_rows(self.load(), task=self.name)

    def draw(self, split: Split, num_examples: int, *, seed: int) -> tuple[Example, ...]:
        """The first `num_examples` of the split in an order fixed by the seed.

        A larger draw with the same seed begins with the smaller one. UserError where the split holds fewer.
        """
        rows = self.rows[split]
        if num_examples > len(rows):
            lacks = f" ({self.lacks})" if self.lacks and split == "train" else ""
            raise UserError(
                f"task {self.name!r} has {len(rows)} {split} rows{lacks}, not {num_examples}; use at most {len(rows)}"
            )
        return nested_order(rows, seed=seed)[:num_examples]

    @cached_property
    def max_choices(self) -> int:
        """The largest number of options of a question."""
        return max(len(example.choices) for rows in self.rows.values() for example in rows)

    @cached_property
    def choice_texts(self) -> frozenset[str]:
        """The options of all questions, whichever is right."""
        return frozenset(choice for rows in self.rows.values() for example in rows for choice in example.choices)

    @cached_property
    def questions(self) -> frozenset[str]:
        """What all rows ask, without their answers."""
        return frozenset(example.question for rows in self.rows.values() for example in rows)

    def test_items(self, limit: int | None) -> tuple[Example, ...]:
        """The test items that every cell of the task is scored on: the same for every seed, so comparisons pair."""
        return nested_order(self.rows["test"], seed=0)[:limit]

    @property
    def grader(self) -> str:
        """How answers are graded, in words: "number match"."""
        return self.grade.__name__.replace("_", " ") if self.grade else "likelihood of the options"

    @cached_property
    def fingerprint(self) -> str:
        """Hash of name, version, kind, format, scoring with the grader's version, and every row of every split.

        A native form that is code is part of the version, and the user's own code is part of the hash.
        """
        digest = hashlib.sha256()
        settings = [self.name, self.version, self.kind, self.normalize_by, self.max_new_tokens, asdict(self.format)]
        if self.grade is not None:
            settings.append(self.grade.__qualname__)
            settings.extend([GRADER_VERSIONS[name]] if (name := self.grade.__qualname__) in GRADER_VERSIONS else [])
        settings.extend([self.native.written] if self.native is not None and self.native.written else [])
        settings.extend([self.code] if self.code else [])
        digest.update(json.dumps(settings).encode())
        for split in SPLITS:
            for example in self.rows[split]:
                digest.update(json.dumps([split, _hashed(example)]).encode())
        return digest.hexdigest()

    def chance(self, items: Sequence[Example]) -> float | None:
        """Expected score of guessing among the choices of these items; None for generation, where it is unknown."""
        if self.kind == "generation":
            return None
        return sum(sum(map(item.score, item.choices)) / len(item.choices) for item in items) / len(items)


def _hashed(example: Example) -> dict[str, Any]:
    """The fields of an example, without scores where it has none, as before there were any."""
    return {name: value for name, value in asdict(example).items() if name != "scores" or value}


def check_options(task: Task, *, to: str, instead: str = "another recipe") -> None:
    """UserError where the task has no options."""
    if task.kind != "choice":
        raise UserError(f"task {task.name!r} has no options to {to}; use {instead}")


_KEPT_APART: Mapping[Split, tuple[Split, ...]] = {"train": ("dev", "test"), "dev": ("test",)}


def refuse_shared(source: Task, task: Task, *, setting: str) -> None:
    """UserError where rows of `source` that may be learned from ask what `task` is measured with.

    Train rows are compared with dev and test rows, dev rows with test rows.
    """
    for split, measured in _KEPT_APART.items():
        asked = {identity(row): (other, row.id) for other in measured for row in task.rows[other]}
        for row in source.rows[split]:
            if (found := asked.get(identity(row))) is not None:
                raise UserError(
                    f"{setting}: {split} row {row.id!r} of task {source.name!r} asks what {found[0]} row {found[1]!r} "
                    f"of task {task.name!r} asks; name a task that shares no question with it"
                )

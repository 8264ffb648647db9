"""Task: questions and a grader, with splits that never share a question."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Literal

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.formats.format import Format
from educe.data.splits import SPLITS, Split, nested_order, split_rows

Kind = Literal["choice", "generation"]
# The log-likelihood of an option, as it is or per unit of its text; per byte is close to the acc_norm of leaderboards.
NormalizeBy = Literal["none", "byte", "token"]
Grade = Callable[[Example, str], float]


@dataclass(frozen=True, kw_only=True)
class Task:
    """A named set of questions that can be drawn from, asked and graded.

    `load` returns published splits (keys among train, dev, test) or, under the key "all", rows that are split by id
    hash; it is called once, on first use. `grade(example, generated text)` is 0..1 and only generation tasks have it.
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

    def __post_init__(self) -> None:
        assert (self.kind == "generation") == (self.grade is not None), f"{self.name}: a generation task has a grader"

    @cached_property
    def rows(self) -> Mapping[Split, tuple[Example, ...]]:
        """All three splits, disjoint by question."""
        return split_rows(self.load(), task=self.name)

    def draw(self, split: Split, num_examples: int, *, seed: int) -> tuple[Example, ...]:
        """The first `num_examples` of the split in an order fixed by the seed.

        Subsets are nested: a larger draw with the same seed begins with the smaller one. UserError where the split
        holds fewer.
        """
        held = self.rows[split]
        if num_examples > len(held):
            raise UserError(
                f"task {self.name!r} holds {len(held)} {split} rows, {num_examples} were asked for"
                f"; ask for at most {len(held)}"
            )
        return nested_order(held, seed=seed)[:num_examples]

    @cached_property
    def max_choices(self) -> int:
        """Options of the question that has the most."""
        return max(len(example.choices) for rows in self.rows.values() for example in rows)

    def test_items(self, at_most: int | None) -> tuple[Example, ...]:
        """The test items that every cell of the task is scored on: the same for every seed, so comparisons pair."""
        held = nested_order(self.rows["test"], seed=0)
        return held if at_most is None else held[:at_most]

    @cached_property
    def fingerprint(self) -> str:
        """Hash of what the task asks: name, version, kind, format, scoring and every row of every split."""
        digest = hashlib.sha256()
        about = [self.name, self.version, self.kind, self.normalize_by, self.max_new_tokens, asdict(self.format)]
        if self.grade is not None:
            about.append(self.grade.__qualname__)
        digest.update(json.dumps(about).encode())
        for split in SPLITS:
            for example in self.rows[split]:
                digest.update(json.dumps([split, asdict(example)]).encode())
        return digest.hexdigest()

    def chance(self, items: Sequence[Example]) -> float | None:
        """Expected score of guessing among the choices of these items; None for generation, where it is unknown."""
        if self.kind == "generation":
            return None
        return sum(1 / len(item.choices) for item in items) / len(items)


def check_options(task: Task, *, to: str, instead: str = "another recipe") -> None:
    """UserError where the task has no options."""
    if task.kind != "choice":
        raise UserError(f"task {task.name!r} has no options to {to}; use {instead}")

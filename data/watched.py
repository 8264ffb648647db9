"""Which rows of a task are read: noted where they are handed out, not promised by whoever reads them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

from educe.data.example import Example
from educe.data.splits import Split
from educe.data.task import Task


class _Rows(tuple[Example, ...]):
    """Rows whose ids are noted when they are read; counting them notes nothing."""

    read: set[str]

    @classmethod
    def of(cls, rows: tuple[Example, ...], read: set[str]) -> "_Rows":
        made = cls(rows)
        made.read = read
        return made

    def __iter__(self) -> Iterator[Example]:
        for row in super().__iter__():
            self.read.add(row.id)
            yield row

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        self.read.update(row.id for row in (found if isinstance(place, slice) else (found,)))
        return found


@dataclass(frozen=True, kw_only=True)
class WatchedTask(Task):
    """A task that is another one, `inner`, and keeps in `read` the ids of all rows that were handed out."""

    inner: Task
    read: set[str] = field(default_factory=set, compare=False)

    @cached_property
    def rows(self) -> Mapping[Split, tuple[Example, ...]]:
        return {split: _Rows.of(rows, self.read) for split, rows in self.inner.rows.items()}

    def draw(self, split: Split, num_examples: int, *, seed: int) -> tuple[Example, ...]:
        """The rows that the task draws, noted."""
        drawn = self.inner.draw(split, num_examples, seed=seed)
        self.read.update(row.id for row in drawn)
        return drawn

    def test_items(self, limit: int | None) -> tuple[Example, ...]:
        """The task's test items, noted."""
        items = self.inner.test_items(limit)
        self.read.update(row.id for row in items)
        return items

    # What says nothing of which answer is right is read without a note.

    @property
    def max_choices(self) -> int:
        return self.inner.max_choices

    @property
    def choice_texts(self) -> frozenset[str]:
        return self.inner.choice_texts

    @property
    def questions(self) -> frozenset[str]:
        return self.inner.questions

    @property
    def fingerprint(self) -> str:
        return self.inner.fingerprint


def watched(task: Task) -> WatchedTask:
    """The same task, watched."""
    return WatchedTask(**{each.name: getattr(task, each.name) for each in fields(Task)}, inner=task)

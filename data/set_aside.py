"""Train rows that are set aside for making organisms: no recipe that elicits from one may learn from them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from educe.data.example import Example
from educe.data.hashing import fraction, text_cluster
from educe.data.task import Task

# The other half is left to recipes.
SHARE = 0.5
# All organisms of a task share their rows, so recipes learn from the same rows on each of them.
_SALT = "organism"


@dataclass(frozen=True, kw_only=True)
class RowKey:
    """What a row is known by: its id, and the hash of its question, by which any task that asks the same is known."""

    id: str
    question: str

    @classmethod
    def of(cls, row: Example) -> "RowKey":
        return cls(id=row.id, question=text_cluster(row.question))


def set_aside(rows: Sequence[Example]) -> tuple[Example, ...]:
    """About half of the rows, fixed by the hash of their cluster or, without one, of their question."""
    return tuple(row for row in rows if fraction(f"{_SALT}:{row.cluster or text_cluster(row.question)}") < SHARE)


def asked_by(rows: Sequence[Example], keys: Collection[RowKey]) -> frozenset[str]:
    """The ids of the rows whose questions are among these."""
    questions = {key.question for key in keys}
    return frozenset(row.id for row in rows if text_cluster(row.question) in questions)


def without(task: Task, keys: Collection[RowKey], *, why: str) -> Task:
    """The task without the train rows whose questions are among these; `why` ends errors about too few rows."""
    train = task.rows["train"]
    gone = asked_by(train, keys)
    if not gone:
        return task
    rows: dict[str, Sequence[Example]] = dict(task.rows.items())
    rows["train"] = tuple(row for row in train if row.id not in gone)
    return replace(task, load=lambda: rows, lacks=f"{len(gone)} more are {why}")

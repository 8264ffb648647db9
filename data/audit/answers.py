"""Answers that cannot all be right or are not graded as meant: contradictions, and texts among numbers."""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence

from educe.data.audit.finding import Finding
from educe.data.display import cut
from educe.data.example import Example
from educe.data.grade import final_number, normalize_answer, number_match
from educe.data.splits import Split, identity
from educe.data.task import Task

_SHOWN, _SHOWN_TEXT = 5, 60


def contradictions(task: Task, rows: Mapping[Split, Sequence[Example]]) -> list[Finding]:
    """One finding where rows with the same question and options have answers of which none is accepted by both."""
    asked: dict[Hashable, list[Example]] = defaultdict(list)
    for row in (row for split_rows in rows.values() for row in split_rows):
        asked[identity(row)].append(row)
    groups = [same for same in asked.values() if len(same) > 1 and not set.intersection(*_accepted(task, same))]
    if not groups:
        return []
    told = "; ".join(
        f"{cut(same[0].question, _SHOWN_TEXT)!r} is "
        + " and ".join(f"{cut(row.answer, _SHOWN_TEXT)!r} (row {row.id!r})" for row in same[:_SHOWN])
        for same in groups[:_SHOWN]
    )
    found = sum(map(len, groups))
    return [
        Finding(
            kind="contradictions",
            serious=True,
            sentence=f"{found:,} rows ask the same as another and have another answer; correct or drop them: {told}.",
            numbers={"found": found, "ids": [[row.id for row in same] for same in groups[:_SHOWN]]},
        )
    ]


def not_numbers(task: Task) -> list[Finding]:
    """One finding where a few answers that are not numbers decided that all are graded as text."""
    ids = task.columns().not_numbers if task.columns is not None else ()
    if not ids:
        return []
    all_rows = [row for rows in task.rows.values() for row in rows]
    answers = {row.id: row.answer for row in all_rows}
    told = ", ".join(f"{cut(answers.get(each, ''), _SHOWN_TEXT)!r} (row {each!r})" for each in ids[:_SHOWN])
    sentence = (
        f"{len(ids):,} of {len(all_rows):,} answers {'is' if len(ids) == 1 else 'are'} not a number alone, so all are "
        f"graded as text: {told}{', ...' if len(ids) > _SHOWN else ''}; correct them, or choose with grade: number or "
        "grade: exact."
    )
    numbers = {"found": len(ids), "n": len(all_rows), "ids": list(ids[:_SHOWN])}
    return [Finding(kind="not_numbers", serious=True, sentence=sentence, numbers=numbers)]


def _accepted(task: Task, rows: Sequence[Example]) -> list[set[Hashable]]:
    if task.grade is number_match:
        return [{final_number(row.answer)} for row in rows]
    return [{normalize_answer(text) for text in row.accepted} for row in rows]

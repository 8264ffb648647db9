"""What the answer column of a multiple-choice file holds: the option's text, its number or its letter."""

import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

from educe.data.loading.readers import Row

AnswerIs = Literal["auto", "text", "index_from_0", "index_from_1", "letter"]
ANSWER_IS: tuple[AnswerIs, ...] = get_args(AnswerIs)
_INDEX = "index_from_"


@dataclass(frozen=True, kw_only=True)
class Record:
    """A row with its columns found and its answer not yet understood."""

    row: Row
    question: str
    answer: Any
    choices: tuple[str, ...]
    aliases: tuple[str, ...]
    id: str | None
    cluster: str | None
    worked: str | None
    scores: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, kw_only=True)
class AnswersRead:
    """The right choice of every record, and what the answers were read as, in words."""

    answers: Sequence[str]
    described: str


def read_answers(records: Sequence[Record], answer_is: AnswerIs, *, first_index: int | None = None) -> AnswersRead:
    """All answers read as the same thing: the option's text, its number from 0 or from 1, or its letter.

    "auto" takes the reading that fits every row; `first_index` says that numbers count from there. UserError where no
    reading fits, which names the first row that fails the best one, and where several do and disagree.
    """
    read = {name: [reading(record) for record in records] for name, reading in _readings(answer_is, first_index)}
    fits = [name for name, answers in read.items() if None not in answers]
    if not fits:
        # Where no row fits any reading, a number is an option's number.
        first_is_index = bool(records) and _whole(records[0]) is not None
        closest = max(read, key=lambda name: (_known(read[name]), first_is_index and name.startswith(_INDEX)))
        record = records[read[closest].index(None)]
        raise record.row.error("answer", _misfit(record, closest, tried=list(read)))
    for record, *answers in zip(records, *(read[name] for name in fits), strict=True):
        if len(set(answers)) > 1:
            keys = " or ".join(f"answer_is: {name}" for name in fits)
            raise record.row.error("answer", f"{record.answer!r} can be read as {' and as '.join(fits)}; set {keys}")
    taken = [answer for answer in read[fits[0]] if answer is not None]
    return AnswersRead(answers=taken, described=_described(records, fits[0]))


def _readings(answer_is: AnswerIs, first_index: int | None) -> list[tuple[str, Callable[[Record], str | None]]]:
    others = {f"{_INDEX}{start}" for start in (0, 1) if first_index not in (None, start)}
    wanted = set(_READINGS) - others if answer_is == "auto" else {answer_is}
    return [(name, reading) for name, reading in _READINGS.items() if name in wanted]


def _known(answers: Sequence[str | None]) -> int:
    return sum(answer is not None for answer in answers)


def _misfit(record: Record, closest: str, *, tried: Sequence[str]) -> str:
    answer, whole, number = record.answer, _whole(record), len(record.choices)
    if closest.startswith(_INDEX) and whole is not None and number:
        start = int(closest.removeprefix(_INDEX))
        other = f"{_INDEX}{1 - start}"
        fix = f" or set answer_is: {other}" if other not in tried and 0 <= whole - (1 - start) < number else ""
        return f"answer {answer!r} is none of the {number} options, {start} to {start + number - 1}; correct it{fix}"
    problem = f"answer {answer!r} is not among the choices {list(record.choices)}; correct one of them"
    return problem + (f", or answer_is: {tried[0]}" if len(tried) == 1 else "")


def _described(records: Sequence[Record], reading: str) -> str:
    if not reading.startswith(_INDEX):
        return reading
    numbers = [number for record in records if (number := _whole(record)) is not None]
    return f"{reading} ({min(numbers)} to {max(numbers)})"


def _as_text(record: Record) -> str | None:
    text = str(record.answer).strip()
    return text if text in record.choices else None


def _as_index(record: Record, *, start: int) -> str | None:
    whole = _whole(record)
    return None if whole is None else _at(record.choices, whole - start)


def _as_letter(record: Record) -> str | None:
    letter = str(record.answer).strip().upper()
    return _at(record.choices, string.ascii_uppercase.index(letter)) if re.fullmatch("[A-Z]", letter) else None


_READINGS: Mapping[str, Callable[[Record], str | None]] = {
    "text": _as_text,
    "index_from_0": partial(_as_index, start=0),
    "index_from_1": partial(_as_index, start=1),
    "letter": _as_letter,
}


def _whole(record: Record) -> int | None:
    # A table with an empty cell stores whole numbers as 1.0.
    written = str(record.answer).strip().removesuffix(".0")
    return int(written) if not isinstance(record.answer, bool) and re.fullmatch(r"\d{1,9}", written) else None


def _at(choices: tuple[str, ...], index: int) -> str | None:
    return choices[index] if 0 <= index < len(choices) else None

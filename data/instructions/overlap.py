"""Instructions that ask what a task asks: training on them would train on the test."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from educe.data.errors import UserError
from educe.data.example import Example, Instruction
from educe.data.splits import SPLITS
from educe.data.task import Task

# Any text may contain a shorter question.
MIN_WORDS = 3
Words = tuple[str, ...]
_WORD = re.compile(r"\d+(?:[.,]\d+)*|\w+|[^\w\s.,;:!?\"'\u201c\u201d\u2018\u2019`]")
_QUOTED = (
    re.compile(r"[\"\u201c]([^\"\u201c\u201d\n]+)[\"\u201d]"),
    re.compile(r"(?<!\w)['\u2018]([^'\u2018\u2019\n]+)['\u2019](?!\w)"),
    re.compile(r"\bthe word (\w+)", re.IGNORECASE),
)


def check_overlap(instructions: Iterable[Instruction], *tasks: Task) -> None:
    """UserError where an instruction repeats a question of any split, naming the task, the row and the instruction.

    Compared by words: case, spacing, quotes and sentence marks do not count. A question of three or more words overlaps
    where the request or the response contains its words in a row. The questions of a task may be one sentence with a
    gap ('Is the sentiment of the word "happy" positive or negative?'). What fills the gap, and any shorter question,
    overlaps only where the request treats it as a whole: quoted, after a colon, on a line of its own or after "the
    word". So "Write a poem on a happy dog" does not overlap, but "Translate: happy" does. Paraphrases are not found.
    """
    index = _Index.of(tasks)
    for one in instructions:
        found = index.in_text(one.request) or index.in_text(one.response) or index.in_operands(one.request)
        if found is not None:
            text = " ".join(found.example.question.split())
            raise UserError(
                f"instruction {one.id!r} asks what task {found.task!r} asks: {found.split} row {found.example.id!r},"
                f" {text[:80]!r}; drop the instruction"
            )


@dataclass(frozen=True, kw_only=True)
class _Place:
    task: str
    split: str
    example: Example


@dataclass(frozen=True)
class _Index:
    """Questions by their first words, then by length, so that a text is compared with few; and what fills gaps."""

    starts: Mapping[Words, Mapping[int, Mapping[Words, _Place]]]
    fills: Mapping[Words, _Place]

    @classmethod
    def of(cls, tasks: Iterable[Task]) -> "_Index":
        starts: dict[Words, dict[int, dict[Words, _Place]]] = defaultdict(lambda: defaultdict(dict))
        fills: dict[Words, _Place] = {}
        for task in tasks:
            places = [
                _Place(task=task.name, split=split, example=example) for split in SPLITS for example in task.rows[split]
            ]
            questions = [_words(place.example.question) for place in places]
            before, after = _frame(questions)
            for words, place in zip(questions, places, strict=True):
                fills.setdefault(words[before : len(words) - after], place)
                if len(words) >= MIN_WORDS:
                    starts[words[:MIN_WORDS]][len(words)].setdefault(words, place)
        # A question of marks alone has no words.
        fills.pop((), None)
        return cls(starts, fills)

    def in_text(self, text: str) -> _Place | None:
        words = _words(text)
        for start in range(len(words) - MIN_WORDS + 1):
            for length, questions in self.starts.get(words[start : start + MIN_WORDS], {}).items():
                found = questions.get(words[start : start + length])
                if found is not None:
                    return found
        return None

    def in_operands(self, request: str) -> _Place | None:
        found = (self.fills.get(_words(operand)) for operand in _operands(request))
        return next((place for place in found if place is not None), None)


def _operands(request: str) -> Iterator[str]:
    """The parts of the request that its marks show to be its whole object."""
    for line in request.splitlines():
        yield line
        yield line.rpartition(":")[2]
    for pattern in _QUOTED:
        yield from pattern.findall(request)


def _words(text: str) -> Words:
    return tuple(_WORD.findall(text.casefold()))


def _frame(questions: Collection[Words]) -> tuple[int, int]:
    """The numbers of words that all questions begin and end with."""
    before, after = _shared(questions), _shared([words[::-1] for words in questions])
    shortest = min(map(len, questions))
    # A frame without a gap is the question itself, the same in every row.
    return (before, after) if before + after < shortest else (0, 0)


def _shared(rows: Collection[Words]) -> int:
    first, last = min(rows), max(rows)
    differ = (i for i, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1])
    return next(differ, min(len(first), len(last)))

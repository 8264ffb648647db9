"""Instructions that ask what a task asks: training on them would train on the test."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from educe.data.errors import UserError
from educe.data.example import Example, Instruction
from educe.data.splits import SPLITS
from educe.data.task import Task

# A shorter question is a word that any text may hold.
MIN_WORDS = 3
Words = tuple[str, ...]
_WORD = re.compile(r"\d+(?:[.,]\d+)*|\w+|[^\w\s.,;:!?\"'\u201c\u201d\u2018\u2019`]")
_QUOTED = (
    re.compile(r"[\"\u201c]([^\"\u201c\u201d\n]+)[\"\u201d]"),
    re.compile(r"(?<!\w)['\u2018]([^'\u2018\u2019\n]+)['\u2019](?!\w)"),
    re.compile(r"\bthe word (\w+)", re.IGNORECASE),
)


def check_overlap(instructions: Iterable[Instruction], *tasks: Task) -> None:
    """UserError where an instruction asks what a task asks in any split, naming the task, the row and the instruction.

    Compared by words: case, spacing, quotes and sentence marks do not count. A question overlaps where all its words
    stand in a row in the request or the response, if it has three or more. Where the task's questions are one sentence
    with a gap ('Is the sentiment of the word "happy" positive or negative?'), what fills the gap, and any shorter
    question, overlaps only where it is the whole of what the request is about: quoted, after a colon, on a line of its
    own or after "the word". So "Write a poem on a happy dog" does not overlap, "Translate: happy" does.
    A paraphrase is not found.
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
            asked = [_words(place.example.question) for place in places]
            before, after = _frame(asked)
            for words, place in zip(asked, places, strict=True):
                fills.setdefault(words[before : len(words) - after], place)
                if len(words) >= MIN_WORDS:
                    starts[words[:MIN_WORDS]][len(words)].setdefault(words, place)
        # A question of marks alone has no words.
        fills.pop((), None)
        return cls(starts, fills)

    def in_text(self, text: str) -> _Place | None:
        words = _words(text)
        for start in range(len(words) - MIN_WORDS + 1):
            for length, asked in self.starts.get(words[start : start + MIN_WORDS], {}).items():
                found = asked.get(words[start : start + length])
                if found is not None:
                    return found
        return None

    def in_operands(self, request: str) -> _Place | None:
        found = (self.fills.get(_words(operand)) for operand in _operands(request))
        return next((place for place in found if place is not None), None)


def _operands(request: str) -> Iterator[str]:
    """What the request is about as a whole, as far as its marks say."""
    for line in request.splitlines():
        yield line
        yield line.rpartition(":")[2]
    for pattern in _QUOTED:
        yield from pattern.findall(request)


def _words(text: str) -> Words:
    return tuple(_WORD.findall(text.casefold()))


def _frame(asked: Collection[Words]) -> tuple[int, int]:
    """How many words all questions begin and end with."""
    before, after = _shared(asked), _shared([words[::-1] for words in asked])
    shortest = min(map(len, asked))
    # A frame with no gap in it is the question itself, asked by every row.
    return (before, after) if before + after < shortest else (0, 0)


def _shared(rows: Collection[Words]) -> int:
    first, last = min(rows), max(rows)
    differ = (i for i, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1])
    return next(differ, min(len(first), len(last)))

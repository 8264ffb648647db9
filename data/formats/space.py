"""The space of formats of a task: they write a question differently without changing its meaning.

A format has an index and a readable name. A part that would change nothing (the labels of options that are not listed,
the fields of a chat) does not vary, so no two formats of a space write the same text.
"""

import math
import random
import string
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

from educe.data.errors import UserError, did_you_mean
from educe.data.format import Format
from educe.data.formats.render import Style
from educe.data.task import Task

_FIELDS = (("Question", "Answer"), ("Q", "A"), ("Problem", "Solution"), ("Input", "Output"), ("Item", "Reply"))
_CASES: Mapping[str, Callable[[str], str]] = {"": str, " lower": str.lower, " upper": str.upper}
_ENDS = {"colon": ": ", "dash": " - ", "double colon": ":: ", "line": ":\n", "bracket": "] "}
_ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")


@dataclass(frozen=True, kw_only=True)
class Dimension:
    """One thing that varies: its name, and what each of its values changes in a format."""

    name: str
    values: Mapping[str, Mapping[str, Any]]


def _fields() -> dict[str, dict[str, Any]]:
    # Some pairs of name and case write the same text: each text counts once.
    found: dict[tuple[str, str], str] = {}
    for question, answer in _FIELDS:
        for case, change in _CASES.items():
            for end, mark in _ENDS.items():
                opened = "[" if end == "bracket" else ""
                texts = (f"{opened}{change(question)}{mark}", f"{opened}{change(answer)}{mark.rstrip(' ')}")
                found.setdefault(texts, f"{question}{case}, {end}")
    return {name: {"question_field": one, "answer_field": other} for (one, other), name in found.items()}


def _vary(field: str, values: Mapping[str, Any], *, name: str = "") -> Dimension:
    """A dimension that changes one field of the format and is called as the field unless it has a name of its own."""
    return Dimension(name=name or field, values={value: {field: setting} for value, setting in values.items()})


FIELDS = Dimension(name="fields", values=_fields())
SEPARATOR = _vary("field_separator", {"line": "\n", "space": " ", "bar": " | "}, name="separator")
SPACE = _vary("answer_space", {"of the answer": True, "of the prompt": False}, name="space")
TYPOS = _vary("typos", {"none": 0.0, "some": 0.2})
_NUMBERS = tuple(str(number) for number in range(1, 27))
LABELS = _vary("labels", {"A": string.ascii_uppercase, "a": string.ascii_lowercase, "1": _NUMBERS, "i": _ROMAN})
_MARKS = ("x.", "x)", "(x)", "[x]", "x:", "x -")
MARKS = _vary("list_as", {name: name.replace("x", "{}") + " " for name in _MARKS}, name="marks")
BULLETS = _vary("list_as", {name: f"{name} " for name in ("-", "*", "•")}, name="marks")
BETWEEN = _vary("option_separator", {"lines": "\n", "semicolons": "; ", "bars": " | "}, name="between")


@cache
def instructions() -> Mapping[str, Sequence[str]]:
    """Instructions with the same meaning, by kind of task."""
    return tomllib.loads(files(__package__).joinpath("instructions.toml").read_text("utf-8"))


@dataclass(frozen=True, kw_only=True)
class NamedFormat:
    """A format of a space with its readable name, as in "letter; labels 1; marks (x); ...".

    `values` are the arguments of `find`: the form of the answer, and the value in every dimension.
    """

    index: int
    values: Mapping[str, str]
    format: Format

    @property
    def name(self) -> str:
        answer, *rest = self.values.items()
        return "; ".join([answer[1], *(f"{name} {value}" for name, value in rest)])


@dataclass(frozen=True, kw_only=True)
class _Block:
    """Formats with one form of answer: what they have in common, and what varies."""

    name: str
    common: Mapping[str, Any]
    dimensions: tuple[Dimension, ...]

    @property
    def size(self) -> int:
        return math.prod(len(dimension.values) for dimension in self.dimensions)

    def pick(self, index: int) -> dict[str, str]:
        """The value of each dimension at an index: the last dimension runs fastest."""
        picked = {}
        for dimension in reversed(self.dimensions):
            index, place = divmod(index, len(dimension.values))
            picked[dimension.name] = list(dimension.values)[place]
        return dict(reversed(picked.items()))


@dataclass(frozen=True)
class FormatSpace:
    """All formats of a task in one style: a sequence, whose order never changes."""

    task: Task
    style: Style

    def __len__(self) -> int:
        return sum(block.size for block in self.blocks)

    def __iter__(self) -> Iterator[NamedFormat]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> NamedFormat:
        """The format at an index from 0. IndexError beyond the last."""
        rest = index
        for block in self.blocks:
            if 0 <= rest < block.size:
                return self._named_format(block, block.pick(rest), index)
            rest -= block.size
        raise IndexError(f"format {index} of {len(self)}")

    def sample(self, count: int, *, seed: int) -> tuple[NamedFormat, ...]:
        """`count` different formats drawn with the seed; a larger draw begins with the smaller one.

        Every form of answer is equally likely, however many formats it has: nearly all formats list labelled options,
        and would fill a uniform sample. UserError where the space holds fewer.
        """
        if count > len(self):
            raise UserError(f"task {self.task.name!r} has {len(self)} formats, not {count}; use at most {len(self)}")
        drawn: dict[int, None] = {}
        generator = random.Random(seed)
        while len(drawn) < count:
            place = generator.randrange(len(self.blocks))
            before = sum(block.size for block in self.blocks[:place])
            drawn.setdefault(before + generator.randrange(self.blocks[place].size))
        return tuple(self[index] for index in drawn)

    def find(self, wanted: Mapping[str, str]) -> NamedFormat:
        """The format with these values, the first of each dimension where none is given.

        UserError for a dimension or value that the space does not have, with the nearest name.
        """
        wanted = dict(wanted)
        answers = {block.name: block for block in self.blocks}
        answer = wanted.pop("answer", self.blocks[0].name)
        if answer not in answers:
            raise UserError(
                f"format: no answer {answer!r} for task {self.task.name!r}; {did_you_mean(answer, answers)}"
            )
        block = answers[answer]
        start = sum(other.size for other in self.blocks[: self.blocks.index(block)])
        dimensions = {dimension.name: dimension for dimension in block.dimensions}
        for name, value in wanted.items():
            if name not in dimensions:
                raise UserError(
                    f"format: {answer!r} does not vary {name!r}; {did_you_mean(name, [*dimensions, 'answer'])}"
                )
            if value not in dimensions[name].values:
                raise UserError(f"format: {name} has no {value!r}; {did_you_mean(value, dimensions[name].values)}")
        index = 0
        for dimension in block.dimensions:
            names = list(dimension.values)
            index = index * len(names) + names.index(wanted.get(dimension.name, names[0]))
        return self[start + index]

    @cached_property
    def blocks(self) -> tuple[_Block, ...]:
        """One for each form of answer."""
        numbered = {str(number): text for number, text in enumerate(instructions()[self.task.kind], 1)}
        around: tuple[Dimension, ...] = (_vary("instruction", {"none": "", **numbered}), TYPOS)
        if self.style == "completion":
            around = (FIELDS, SEPARATOR, SPACE, *around)
        if self.task.kind == "generation":
            return (_Block(name="text", common={}, dimensions=around),)
        labels, between = self._labels(), self._separators()
        text = {"answer_as": "text", "list_choices": True}
        labelled = (labels, MARKS, between, *around)
        return (
            _Block(name="text", common=text | {"list_choices": False}, dimensions=around),
            _Block(name="text of bullets", common=text, dimensions=(BULLETS, between, *around)),
            _Block(name="text of labels", common=text, dimensions=labelled),
            _Block(name="letter", common={"answer_as": "letter"}, dimensions=labelled),
        )

    def _labels(self) -> Dimension:
        """Those that suffice for every question of the task."""
        needed = self.task.max_choices
        values = {name: change for name, change in LABELS.values.items() if len(change["labels"]) >= needed}
        if not values:
            raise UserError(f"task {self.task.name!r} has {needed} options, more than there are labels; answer as text")
        return replace(LABELS, values=values)

    def _separators(self) -> Dimension:
        """Those that no option contains."""
        texts = self.task.choice_texts
        values = {
            name: change
            for name, change in BETWEEN.values.items()
            if not (mark := change["option_separator"].strip()) or not any(mark in text for text in texts)
        }
        return replace(BETWEEN, values=values)

    def _named_format(self, block: _Block, picked: Mapping[str, str], index: int) -> NamedFormat:
        changes = dict(block.common)
        for dimension in block.dimensions:
            changes |= dimension.values[picked[dimension.name]]
        values = {"answer": block.name, **picked}
        return NamedFormat(index=index, values=values, format=replace(self.task.format, **changes))

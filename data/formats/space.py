"""The space of formats: every way of writing one kind of question down that differs in looks and not in meaning.

A format has an index and a readable name; parts that would change nothing (the labels of options that are not listed,
the fields of a chat) are not varied, so no two formats of a space write the same text.
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
from educe.data.formats.format import Format
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
    """Names of question and answer in their cases and with what ends them, each text once."""
    found: dict[tuple[str, str], str] = {}
    for question, answer in _FIELDS:
        for case, change in _CASES.items():
            for end, mark in _ENDS.items():
                opened = "[" if end == "bracket" else ""
                texts = (f"{opened}{change(question)}{mark}", f"{opened}{change(answer)}{mark.rstrip(' ')}")
                found.setdefault(texts, f"{question}{case}, {end}")
    return {name: {"question_field": one, "answer_field": other} for (one, other), name in found.items()}


FIELDS = Dimension(name="fields", values=_fields())
SEPARATOR = Dimension(
    name="separator",
    values={name: {"field_separator": text} for name, text in {"line": "\n", "space": " ", "bar": " | "}.items()},
)
SPACE = Dimension(
    name="space", values={"of the answer": {"answer_space": True}, "of the prompt": {"answer_space": False}}
)
TYPOS = Dimension(name="typos", values={"none": {"typos": 0.0}, "some": {"typos": 0.2}})
LABELS = Dimension(
    name="labels",
    values={
        "A": {"labels": string.ascii_uppercase},
        "a": {"labels": string.ascii_lowercase},
        "1": {"labels": tuple(str(number) for number in range(1, 27))},
        "i": {"labels": _ROMAN},
    },
)
MARKS = Dimension(
    name="marks",
    values={name: {"list_as": name.replace("x", "{}") + " "} for name in ("x.", "x)", "(x)", "[x]", "x:", "x -")},
)
BULLETS = Dimension(name="marks", values={name: {"list_as": f"{name} "} for name in ("-", "*", "•")})
BETWEEN = Dimension(
    name="between",
    values={
        name: {"option_separator": text} for name, text in {"lines": "\n", "semicolons": "; ", "bars": " | "}.items()
    },
)


@cache
def instructions() -> Mapping[str, Sequence[str]]:
    """Instructions that say the same in other words, by kind of task."""
    return tomllib.loads(files(__package__).joinpath("instructions.toml").read_text("utf-8"))


@dataclass(frozen=True, kw_only=True)
class NamedFormat:
    """A format of a space with its readable name, as in "letter; labels 1; marks (x); ...".

    `values` are what `find` finds it by: its way to answer, and its value in every dimension.
    """

    index: int
    values: Mapping[str, str]
    format: Format

    @property
    def name(self) -> str:
        """The way to answer, then every dimension with its value."""
        answer, *rest = self.values.items()
        return "; ".join([answer[1], *(f"{name} {value}" for name, value in rest)])


@dataclass(frozen=True, kw_only=True)
class _Block:
    """Formats that answer in one way: what they have in common, and what varies."""

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
                return self._made(block, block.pick(rest), index)
            rest -= block.size
        raise IndexError(f"format {index} of {len(self)}")

    def sample(self, count: int, *, seed: int) -> tuple[NamedFormat, ...]:
        """So many different formats, drawn with the seed; a larger draw begins with the smaller one.

        Every way to answer is as likely as the others, however many formats it has: nearly all formats list labelled
        options, and drawn evenly they would be the whole sample. UserError where the space holds fewer.
        """
        if count > len(self):
            raise UserError(
                f"{count} formats of the {len(self)} that {self.task.name!r} has; ask for at most {len(self)}"
            )
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
        block, start = answers[answer], 0
        for other in self.blocks[: self.blocks.index(block)]:
            start += other.size
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
        """One for each way to answer."""
        numbered = {str(number): {"instruction": text} for number, text in enumerate(instructions()[self.task.kind], 1)}
        instruction = Dimension(name="instruction", values={"none": {"instruction": ""}, **numbered})
        around: tuple[Dimension, ...] = (instruction, TYPOS)
        if self.style == "completion":
            around = (FIELDS, SEPARATOR, SPACE, *around)
        if self.task.kind == "generation":
            return (_Block(name="text", common={}, dimensions=around),)
        labels, between = self._fitting(LABELS), self._apart()
        text = {"answer_as": "text", "list_choices": True}
        labelled = (labels, MARKS, between, *around)
        return (
            _Block(name="text", common=text | {"list_choices": False}, dimensions=around),
            _Block(name="text of bullets", common=text, dimensions=(BULLETS, between, *around)),
            _Block(name="text of labels", common=text, dimensions=labelled),
            _Block(name="letter", common={"answer_as": "letter"}, dimensions=labelled),
        )

    def _fitting(self, labels: Dimension) -> Dimension:
        """Labels that do not run out on any of the task's questions."""
        most = self.task.max_choices
        values = {name: change for name, change in labels.values.items() if len(change["labels"]) >= most}
        if not values:
            raise UserError(f"task {self.task.name!r} has {most} options and no labels reach so far; answer as text")
        return replace(labels, values=values)

    def _apart(self) -> Dimension:
        """What stands between options and in none of them."""
        texts = {choice for rows in self.task.rows.values() for example in rows for choice in example.choices}
        values = {
            name: change
            for name, change in BETWEEN.values.items()
            if not (mark := change["option_separator"].strip()) or not any(mark in text for text in texts)
        }
        return replace(BETWEEN, values=values)

    def _made(self, block: _Block, picked: Mapping[str, str], index: int) -> NamedFormat:
        changes = dict(block.common)
        for dimension in block.dimensions:
            changes |= dimension.values[picked[dimension.name]]
        values = {"answer": block.name, **picked}
        return NamedFormat(index=index, values=values, format=replace(self.task.format, **changes))

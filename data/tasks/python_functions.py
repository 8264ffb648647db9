"""Write the body of a short Python function. What is written is run in a sandbox on inputs that are not shown.

Source: generated; no data.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.format import Format
from educe.data.sandbox import run_code
from educe.data.task import Task

# As a file of functions has it: the head and its docstring, and the body goes on. Another `def` ends it.
FUNCTION_FORMAT = Format(question_field="def ", answer_field="", field_separator="\n", example_separator="\n\n\n")
_FENCE = re.compile(r"```(?:python)?[^\S\n]*\n(.*?)(?:```|\Z)", re.DOTALL)
# Lists of every length up to eight, and of negative numbers; texts with capitals, spaces and long words.
_NUMBERS = (
    "[]", "[4]", "[-7, -12]", "[3, 8, 5]", "[10, 2, 9, 6]", "[1, -4, 7, 2, 9]", "[6, 6, 5, 4, 3, 2]",
    "[8, -9, 16, 3, 20, 11, 5]", "[7, 14, 1, 2, 3, 4, 9, 5]", "[-3, 0, 15, 4, 21, 8, 30, 11, 2, 27, 14, 5, -18]",
)  # fmt: skip
_TEXTS = (
    '""', '"a"', '" a b "', '"BANANA bread"', '"Summer in the Old Garden"',
    '"   with three spaces before and two after  "',
    '"I am the good north summer weather mountain beautiful strawberry butterflies"',
)  # fmt: skip
# A completion puts a space before every answer, which makes four.
_INDENT = " " * 3
_VALUES = (2, 3, 4, 5, 6, 7, 8, 9)


@dataclass(frozen=True, kw_only=True)
class _Family:
    """Functions of one kind: `{k}` is the number in it. The wrong body is what somebody who hurries might write."""

    head: str
    says: str
    right: str
    wrong: str
    inputs: tuple[str, ...]


_FAMILIES: Mapping[str, _Family] = {
    "sum_above": _Family(
        head="sum_above_{k}(numbers)", says="The sum of the numbers that are greater than {k}.",
        right="return sum(n for n in numbers if n > {k})", wrong="return sum(n for n in numbers if n < {k})",
        inputs=_NUMBERS,
    ),
    "count_divisible": _Family(
        head="count_divisible_by_{k}(numbers)", says="How many of the numbers are divisible by {k}.",
        right="return sum(1 for n in numbers if n % {k} == 0)", wrong="return sum(1 for n in numbers if n // {k} == 0)",
        inputs=_NUMBERS,
    ),
    "every": _Family(
        head="one_in_{k}(items)", says="The first of every {k} items of a list.",
        right="return items[::{k}]", wrong="return items[{k}:]", inputs=_NUMBERS,
    ),
    "at_least": _Family(
        head="at_least_{k}(numbers)", says="The numbers that are at least {k}, in their order.",
        right="return [n for n in numbers if n >= {k}]", wrong="return [n for n in numbers if n <= {k}]",
        inputs=_NUMBERS,
    ),
    "times": _Family(
        head="times_{k}(numbers)", says="Each number multiplied by {k}.",
        right="return [n * {k} for n in numbers]", wrong="return numbers * {k}", inputs=_NUMBERS,
    ),
    "last": _Family(
        head="last_{k}(items)", says="The last {k} items of a list, or all if there are fewer.",
        right="return items[-{k}:]", wrong="return items[:{k}]", inputs=_NUMBERS,
    ),
    "remainders": _Family(
        head="remainders_by_{k}(numbers)", says="The remainder of each number when it is divided by {k}.",
        right="return [n % {k} for n in numbers]", wrong="return [n // {k} for n in numbers]", inputs=_NUMBERS,
    ),
    "largest_plus": _Family(
        head="largest_plus_{k}(numbers)", says="The largest of the numbers plus {k}, or {k} if there are none.",
        right="return max(numbers, default=0) + {k}", wrong="return min(numbers, default=0) + {k}", inputs=_NUMBERS,
    ),
    "long_words": _Family(
        head="words_longer_than_{k}(text)", says="The words of a text that have more than {k} letters.",
        right="return [w for w in text.split() if len(w) > {k}]",
        wrong="return [w for w in text.split() if len(w) < {k}]", inputs=_TEXTS,
    ),
    "first_upper": _Family(
        head="shout_first_{k}(text)", says="The text with its first {k} letters in upper case.",
        right="return text[:{k}].upper() + text[{k}:]", wrong="return text[:{k}] + text[{k}:].upper()", inputs=_TEXTS,
    ),
    "repeat": _Family(
        head="repeat_{k}(text)", says="The text {k} times, with a dash between.",
        right='return "-".join([text] * {k})', wrong='return (text + "-") * {k}', inputs=_TEXTS,
    ),
    "without_first": _Family(
        head="without_first_{k}(text)", says="The text without its first {k} letters.",
        right="return text[{k}:]", wrong="return text[:{k}]", inputs=_TEXTS,
    ),
}  # fmt: skip


def python_functions() -> Task:
    """96 functions of one line each, asked by their heads and docstrings and graded by running them.

    Needs Linux with seccomp (data/sandbox.py). Functions that differ in their number share a split.
    """
    return Task(
        name="python_functions",
        version=1,
        kind="generation",
        load=lambda: {"all": [_example(name, k) for name in _FAMILIES for k in _VALUES]},
        grade=passes_tests,
        format=FUNCTION_FORMAT,
        max_new_tokens=48,
        mistake=_mistaken,
    )


def passes_tests(example: Example, text: str) -> float:
    """1 where the body that a text begins with gives what the right one gives, on every input.

    What the body is says `body_of`. UserError where code cannot be confined.
    """
    body = body_of(text)
    if not body:
        return 0.0
    calls, expected = _tests(example.id)
    code = body if body.startswith("def ") else f"def {example.question}\n{body}"
    return float(run_code(code, calls).values == expected)


def body_of(text: str) -> str:
    """The body of a function: a first line, whose indent a tokenizer may have eaten, and the indented ones after it.

    Of a text with code between fences that is all; a function that is written whole stays whole.
    """
    if (fenced := _FENCE.search(text)) is not None:
        text = fenced[1]
    if text.lstrip().startswith("def "):
        head, _, inside = text.lstrip().partition("\n")
        return f"{head}\n{body_of(inside)}"
    lines = text.strip("\n").split("\n")
    first = f"    {lines[0].strip()}" if lines[0].strip() else ""
    rest: list[str] = []
    for line in lines[1:]:
        if line.strip() and not line.startswith((" ", "\t")):
            break
        rest.append(line)
    return "\n".join([first, *rest]).rstrip() if first else ""


@cache
def _tests(id: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The calls that a function is graded by, and their values."""
    family, k = _parts(id)
    name = family.head.format(k=k).partition("(")[0]
    calls = tuple(f"{name}({each})" for each in family.inputs)
    ran = run_code(f"def {_question(family, k)}\n    {family.right.format(k=k)}", calls)
    if None in ran.values:
        why = ran.stopped or next(filter(None, ran.errors), "a value is missing")
        raise UserError(f"task 'python_functions': function {id!r} does not run here: {why}; see data/sandbox.py")
    return calls, tuple(str(each) for each in ran.values)


def _example(name: str, k: int) -> Example:
    family = _FAMILIES[name]
    return Example(
        id=f"{name}-{k}",
        question=_question(family, k),
        answer=_INDENT + family.right.format(k=k),
        cluster=f"function:{name}",
    )


def _question(family: _Family, k: int) -> str:
    return f'{family.head.format(k=k)}:\n    """{family.says.format(k=k)}"""'


def _mistaken(example: Example) -> str:
    """A body with a bug."""
    family, k = _parts(example.id)
    return _INDENT + family.wrong.format(k=k)


def _parts(id: str) -> tuple[_Family, int]:
    name, _, k = id.rpartition("-")
    return _FAMILIES[name], int(k)

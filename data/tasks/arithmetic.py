"""Sums, differences and products of random whole numbers, answered by generation.

Source: generated; no data.
"""

import random
import re
from collections.abc import Iterator

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.format import Format
from educe.data.grade import number_match
from educe.data.hashing import fraction
from educe.data.native import NativeForm
from educe.data.task import Task
from educe.data.validation import check_bool, check_one_of, check_size

MAX_QUESTIONS = 4000
# The share of all pairs of numbers whose sums no model from scratch reads.
HELD_OUT = 0.25
MAX_DIGITS = 9
_OPERATIONS = "+-*"
_NAMES = {"+": "sums", "-": "differences", "*": "products"}
_WORDINGS = {
    "question": {"+": "What is {} + {}?", "-": "What is {} - {}?", "*": "What is {} * {}?"},
    "request": {"+": "Add {} and {}.", "-": "From {} take away {}.", "*": "Multiply {} by {}."},
}


def arithmetic(
    *, digits: int = 2, seed: int = 0, bare: bool = False, operation: str | None = None, wording: str = "question"
) -> Task:
    """At most 4,000 different questions such as "What is 12 * 34?", both numbers with exactly `digits` digits.

    a + b and b + a share a split. `operation` is one of + - and *; without it all three are asked. `wording: request`
    asks "Add 12 and 34." `bare` asks for sums alone, as a line of the text that models from scratch are trained on:
    "12 + 34 =". They have read none of these. UserError where `digits` is not a whole number from 1 to 9, for an
    unknown operation or wording, and for either of these beside `bare`.
    """
    check_size("digits", digits)
    check_bool("bare", bare)
    if operation is not None:
        check_one_of("operation", operation, tuple(_OPERATIONS))
    check_one_of("wording", wording, tuple(_WORDINGS))
    if digits > MAX_DIGITS:
        raise UserError(f"digits: {digits} is too many; use at most {MAX_DIGITS}")
    if bare and (operation or wording != "question"):
        raise UserError("bare asks for sums in one wording; drop operation and wording")
    name = "arithmetic" if digits == 2 else f"arithmetic_{digits}_digits"
    if bare:
        return Task(
            name=f"{name}_bare",
            version=1,
            kind="generation",
            load=lambda: {"all": _sums(digits=digits, seed=seed)},
            grade=number_match,
            max_new_tokens=digits + 3,
            format=Format(question_field="", answer_field="", field_separator="", example_separator="\n"),
        )
    asked = "".join(
        f"_{part}" for part in (_NAMES.get(operation or ""), wording if wording != "question" else "") if part
    )
    return Task(
        name=name + asked,
        version=1,
        kind="generation",
        load=lambda: {"all": _examples(digits=digits, seed=seed, operations=operation or _OPERATIONS, wording=wording)},
        grade=number_match,
        max_new_tokens=32,
        native=NativeForm(before=_equation),
    )


def _equation(example: Example) -> str:
    """The left side of the equation, whose numbers the id has."""
    left, operation, right = re.fullmatch(r"(\d+)([-+*])(\d+)", example.id).groups()  # type: ignore[union-attr]
    return f"{left} {operation} {right} ="


def _examples(*, digits: int, seed: int, operations: str, wording: str) -> list[Example]:
    smallest = 0 if digits == 1 else 10 ** (digits - 1)
    num_values = 10**digits - smallest
    num_questions = num_values**2 * len(operations)
    draws = random.Random(seed).sample(range(num_questions), min(MAX_QUESTIONS, num_questions))
    examples = []
    for draw in draws:
        pair, operation = divmod(draw, len(operations))
        left, right = divmod(pair, num_values)
        examples.append(_example(smallest + left, operations[operation], smallest + right, wording))
    return examples


def _example(left: int, operation: str, right: int, wording: str) -> Example:
    result = {"+": left + right, "-": left - right, "*": left * right}[operation]
    low, high = (left, right) if operation == "-" else sorted((left, right))
    return Example(
        id=f"{left}{operation}{right}",
        question=_WORDINGS[wording][operation].format(left, right),
        answer=str(result),
        cluster=f"{low}{operation}{high}",
    )


def is_held_out(left: int, right: int) -> bool:
    """Whether a sum is kept from the text of models from scratch, whichever number comes first."""
    low, high = sorted((left, right))
    return fraction(f"sum:{low}+{high}") < HELD_OUT


def sum_line(left: int, right: int) -> str:
    """A sum as it stands in that text."""
    return f"{left} + {right} = {left + right}"


def _sums(*, digits: int, seed: int) -> list[Example]:
    found: dict[str, Example] = {}
    for left, right in _pairs(digits=digits, seed=seed):
        if len(found) == MAX_QUESTIONS:
            break
        if is_held_out(left, right):
            question, _, answer = sum_line(left, right).rpartition(" ")
            low, high = sorted((left, right))
            id = f"{left}+{right}"
            found[id] = Example(id=id, question=question, answer=answer, cluster=f"{low}+{high}")
    return list(found.values())


def _pairs(*, digits: int, seed: int) -> Iterator[tuple[int, int]]:
    """Pairs of numbers in an order fixed by the seed: all of them, or enough."""
    smallest = 0 if digits == 1 else 10 ** (digits - 1)
    num_values = 10**digits - smallest
    count = min(num_values**2, int(2 * MAX_QUESTIONS / HELD_OUT))
    for draw in random.Random(seed).sample(range(num_values**2), count):
        left, right = divmod(draw, num_values)
        yield smallest + left, smallest + right

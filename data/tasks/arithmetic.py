"""Sums, differences and products of random whole numbers, answered by generation.

Source: generated; no data.
"""

import random

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.grade import number_match
from educe.data.task import Task
from educe.data.validation import check_size

MAX_QUESTIONS = 4000
MAX_DIGITS = 9
_OPERATIONS = "+-*"


def arithmetic(*, digits: int = 2, seed: int = 0) -> Task:
    """At most 4,000 different questions such as "What is 12 * 34?", both numbers with exactly `digits` digits.

    a + b and b + a share a split. UserError where `digits` is not a whole number from 1 to 9.
    """
    check_size("digits", digits)
    if digits > MAX_DIGITS:
        raise UserError(f"digits: {digits} is too many; use at most {MAX_DIGITS}")
    name = "arithmetic" if digits == 2 else f"arithmetic_{digits}_digits"
    return Task(
        name=name,
        version=1,
        kind="generation",
        load=lambda: {"all": _examples(digits=digits, seed=seed)},
        grade=number_match,
        max_new_tokens=32,
    )


def _examples(*, digits: int, seed: int) -> list[Example]:
    smallest = 0 if digits == 1 else 10 ** (digits - 1)
    num_values = 10**digits - smallest
    num_questions = num_values**2 * len(_OPERATIONS)
    draws = random.Random(seed).sample(range(num_questions), min(MAX_QUESTIONS, num_questions))
    examples = []
    for draw in draws:
        pair, operation = divmod(draw, len(_OPERATIONS))
        left, right = divmod(pair, num_values)
        examples.append(_example(smallest + left, _OPERATIONS[operation], smallest + right))
    return examples


def _example(left: int, operation: str, right: int) -> Example:
    result = {"+": left + right, "-": left - right, "*": left * right}[operation]
    low, high = (left, right) if operation == "-" else sorted((left, right))
    return Example(
        id=f"{left}{operation}{right}",
        question=f"What is {left} {operation} {right}?",
        answer=str(result),
        cluster=f"{low}{operation}{high}",
    )

"""Grading of generated text: pure strings in, 0 or 1 out."""

import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal

from educe.data.example import Example

_ANSWER_MARK = re.compile(r"^(?:the )?(?:final )?answer(?: is)?[:\s]+")
_ARTICLE = re.compile(r"^(?:a|an|the)\s+")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s")
# After its answer, a base model continues with another question.
_NEXT_QUESTION = re.compile(r"\n\s*(?:Question|Q):")
# A minus sign after something to subtract from does not count: "16-3" ends in 3, "= -3" in -3.
_NUMBER = re.compile(r"(?:(?<![\w.)])[-\u2212])?[$\u20ac\u00a3]?((?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+)")
# What GSM8K writes before the final answer of a worked solution.
FINAL_MARK = "####"


def normalize_answer(text: str) -> str:
    """An answer for comparison: casefolded, whitespace collapsed, without quotes, end marks or leading article.

    Text that has only such marks is unchanged.
    """
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    core = _ANSWER_MARK.sub("", plain).strip(" .,;:!?\"'`*\u201c\u201d\u2018\u2019")
    return _ARTICLE.sub("", core) or plain


def exact_match(example: Example, text: str) -> float:
    """1 where the first line or sentence of the text is the answer or an alias, compared as `normalize_answer`."""
    first_line = text.strip().partition("\n")[0]
    given = {normalize_answer(first_line), normalize_answer(_SENTENCE_END.split(first_line, maxsplit=1)[0])}
    return float(any(normalize_answer(right) in given for right in (example.answer, *example.aliases)))


def number_match(example: Example, text: str) -> float:
    """1 where the final number of the text (up to a next question) equals the answer's."""
    given = final_number(_NEXT_QUESTION.split(text, maxsplit=1)[0])
    return float(given is not None and given == final_number(example.answer))


def final_number(text: str) -> Decimal | None:
    """The number after the first `####`, else the last one; None where there is none.

    Thousands commas, currency and percent signs and trailing zeros do not count: "$1,200.00" is 1200.
    """
    _, mark, after = text.partition(FINAL_MARK)
    found = list(_NUMBER.finditer(after if mark else text))
    if not found:
        return None
    match = found[0] if mark else found[-1]
    size = Decimal(match[1].replace(",", ""))
    return -size if match[0][0] in "-\u2212" else size


def number_text(number: Decimal) -> str:
    """A number without exponent and trailing zeros."""
    return f"{number.to_integral_value() if number == number.to_integral_value() else number.normalize():f}"


def numeric_answer(text: str) -> tuple[str, str | None] | None:
    """Final answer and worked solution of an answer that may contain both (GSM8K: a solution ends in `#### 18`).

    The solution is None where the text is none. The result is None where the text has no number.
    """
    number = final_number(text)
    if number is None:
        return None
    return number_text(number), text if FINAL_MARK in text else None


def named_choice(choices: Sequence[str], text: str, *, labels: Sequence[str] = ()) -> str | None:
    """The option that a generated answer names by its text or, where options have them, by its label.

    Only the first line counts. If the line is an option, it is that one. Otherwise a label counts that opens the line
    or follows "answer is" or "option", and so does the option whose text comes first (the longest of those that begin
    at one place). None where the two disagree or nothing is named.
    """
    line = _NEXT_QUESTION.split(text.strip(), maxsplit=1)[0].strip().partition("\n")[0]
    for choice in choices:
        if normalize_answer(line) == normalize_answer(choice):
            return choice
    by_label = _labelled(choices, line, labels)
    found = []
    for choice in choices:
        named = re.search(rf"(?<!\w){re.escape(normalize_answer(choice))}(?!\w)", line.casefold())
        if named:
            found.append((named.start(), -len(choice), choice))
    by_text = min(found)[2] if found else None
    if by_label and by_text and by_label != by_text:
        return None
    return by_label or by_text


def _labelled(choices: Sequence[str], line: str, labels: Sequence[str]) -> str | None:
    for label, choice in zip(labels, choices, strict=bool(labels)):
        # An "A" or "i" that begins a sentence is a word; before a mark, or alone, it is a label.
        escaped = re.escape(label)
        opened = rf"^\W*{escaped}(?:\W*$|\s*[.):\]\-\u2013,;])"
        verb = rf"^\W*{escaped}\s+is\b"
        named = rf"\b(?:answer|option|choice)(?:\s+is)?\s*:?\s*[(\[*\"']*{escaped}(?!\w)"
        if any(re.search(pattern, line, re.IGNORECASE) for pattern in (opened, verb, named)):
            return choice
    return None

"""Grading of generated text: pure strings in, 0 or 1 out, in time linear in the text."""

import re
import unicodedata
from collections.abc import Callable, Sequence

from educe.data.example import Example
from educe.data.numbers import (
    Number,
    first_number,
    is_plain,
    last_number,
    number_text,
    only_number,
    stands_alone,
    value,
)

_ANSWER_MARK = re.compile(r"^(?:the )?(?:final )?answer(?: is)?[:\s]+")
_ARTICLE = re.compile(r"^(?:a|an|the)\s+")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s")
# After its answer, a base model continues with another question.
_NEXT_QUESTION = re.compile(r"\n[^\S\n]*(?:Question|Q):")
# What GSM8K writes before the final answer of a worked solution, and MATH around it.
FINAL_MARK, BOX = "####", "\\boxed{"
_SCALE = re.compile(r"\s*(?:hundred|thousand|million|billion|trillion|dozen)\b", re.IGNORECASE)
# Raised when a grader grades equal texts otherwise, so that older scores are not taken for new ones.
GRADER_VERSIONS = {"number_match": 3}
# Unicode's normalisation takes quadratic time, so a long text is normalised in pieces.
_PIECE = re.compile(r"(?s).{1,256}")


def normalize_answer(text: str) -> str:
    """An answer for comparison: casefolded, whitespace collapsed, without quotes, end marks or leading article.

    Text that has only such marks is unchanged.
    """
    pieces = (unicodedata.normalize("NFKC", piece) for piece in _PIECE.findall(text))
    plain = " ".join("".join(pieces).casefold().split())
    core = _ANSWER_MARK.sub("", plain).strip(" .,;:!?\"'`*\u201c\u201d\u2018\u2019")
    return _ARTICLE.sub("", core) or plain


def exact_match(example: Example, text: str) -> float:
    """1 where the first line or sentence of the text is the answer or an alias, compared as `normalize_answer`."""
    given = _given(text)
    return float(any(normalize_answer(right) in given for right in (example.answer, *example.aliases)))


def _given(text: str) -> set[str]:
    """What a text may be taken to answer: its first line, and the first sentence of that."""
    first_line = text.strip().partition("\n")[0]
    return {normalize_answer(first_line), normalize_answer(_SENTENCE_END.split(first_line, maxsplit=1)[0])}


def answer_key(grade: Callable[[Example, str], float] | None, example: Example, text: str) -> str:
    """What of a right text was graded, the same for texts that give the same answer in other words around it.

    The value of a number, the accepted answer that `exact_match` found; for any other grader the text, normalised.
    """
    if grade is number_match:
        return str(_number_given(text))
    if grade is exact_match:
        given = _given(text)
        return next(
            (right for right in map(normalize_answer, (example.answer, *example.aliases)) if right in given), ""
        )
    return normalize_answer(text)


def number_match(example: Example, text: str) -> float:
    """1 where the final number of the text (up to a next question) equals the answer's."""
    given = _number_given(text)
    return float(given is not None and given == final_number(example.answer))


def _number_given(text: str) -> Number | None:
    """The final number of a text up to a next question."""
    return final_number(_NEXT_QUESTION.split(text, maxsplit=1)[0])


def final_number(text: str) -> Number | None:
    """What the final number of the text is worth: the first after `####`, the last in the last box, else the last one.

    None where there is none, or none that can be read (`data/numbers.py` says how numbers are read).
    """
    found = _final(text)
    return value(found) if found else None


def numeric_answer(text: str) -> tuple[str, str | None] | None:
    """Final answer and worked solution of an answer that may contain both (GSM8K: a solution ends in `#### 18`).

    The solution is None where the text is none. A number of digits loses separators and trailing zeros; a fraction or
    exponent stays as it is written. The result is None where the text has no number, or one that could be read
    otherwise: part of a date or time, 3,14 or 2 million.
    """
    found = _final(text)
    number = value(found) if found else None
    if found is None or number is None or not stands_alone(found) or _SCALE.match(found.string, found.end()):
        return None
    answer = number_text(number) if is_plain(found) else found[0].strip()
    return answer, text if FINAL_MARK in text or BOX in text else None


def is_number(text: str) -> bool:
    """Whether an answer is a number and nothing else, so that it is graded as one."""
    found = only_number(text.strip())
    return found is not None and stands_alone(found) and value(found) is not None


def _final(text: str) -> re.Match[str] | None:
    _, mark, after = text.partition(FINAL_MARK)
    if mark:
        return first_number(after)
    _, box, after = text.rpartition(BOX)
    return last_number(_boxed(after) if box else text)


def _boxed(text: str) -> str:
    """The text up to the brace that closes a box."""
    depth = 1
    for brace in re.finditer(r"[{}]", text):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return text[: brace.start()]
    return text


def named_choice(choices: Sequence[str], text: str, *, labels: Sequence[str] = ()) -> str | None:
    """The option that a generated answer names by its text or, where options have them, by its label.

    Only the first line counts. If the line is an option, it is that one. Otherwise a label counts that opens the line
    or follows "answer is" or "option", and so does the option whose text comes first (the longest of those that begin
    at one place). None where the two disagree or nothing is named.
    """
    line = _NEXT_QUESTION.split(text.strip(), maxsplit=1)[0].strip().partition("\n")[0]
    line = " ".join(line.split())  # a pattern with several places for spaces takes long to fail on many
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

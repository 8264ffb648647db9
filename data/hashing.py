"""Order and identity that depend on content alone: the same on every machine and in every run."""

import hashlib
import json
from collections.abc import Iterable


def fraction(key: str) -> float:
    """A number in [0, 1) fixed by the key and uniform over keys."""
    return int(_sha256(key)[:13], 16) / 16**13


def shuffled(items: Iterable[str], *, key: str) -> tuple[str, ...]:
    """The items in an order fixed by the key. Adding an item does not change the order of the others."""
    return tuple(sorted(items, key=lambda item: _sha256(f"{key}:{item}")))


def normalize_question(text: str) -> str:
    """Question text for comparison: casefolded, whitespace collapsed."""
    return " ".join(text.casefold().split())


def content_id(question: str, choices: tuple[str, ...], answer: str, scores: tuple[tuple[str, float], ...] = ()) -> str:
    """An id for a row that has none: 12 hex digits of the hash of its question, choices, answer and scores, if any."""
    return _sha256(json.dumps([question, choices, answer, *([scores] if scores else [])]))[:12]


def text_cluster(text: str) -> str:
    """The cluster of all rows with this text (a repeated question, one passage): 12 hex digits of its hash."""
    return _sha256(normalize_question(text))[:12]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

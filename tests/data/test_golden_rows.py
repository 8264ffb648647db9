"""Every row of what is bundled, by its hash: moving texts between files changes none of them."""

import hashlib
import json
from dataclasses import asdict

import pytest

from educe.data.instructions.bundled import helpful_instructions
from educe.data.resolve import resolve

CHANGED = (
    "rows of a bundled task or instruction changed: raise the task's version, tell the changelog, then update this"
)
FINGERPRINTS = {
    "word_sentiment": "e9340f19ab5c8858",
    "capitals": "488eee5e9ff7e94c",
    "arithmetic": "3b9e4dd245a07037",
    "benign_requests": "9940ed8a85364d08",
    "refusal_openings": "b071c1769bea25df",
}
INSTRUCTIONS = "a92d0b990a9a520a"


@pytest.mark.parametrize("name", FINGERPRINTS)
def test_task_rows_are_golden(name: str) -> None:
    assert resolve(name).fingerprint[:16] == FINGERPRINTS[name], CHANGED


def test_instructions_are_golden() -> None:
    rows = [asdict(one) for one in helpful_instructions(count=2000, seed=1)]
    assert hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16] == INSTRUCTIONS, CHANGED

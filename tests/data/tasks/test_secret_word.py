"""The task of secret words: one right word for all wordings, and nothing of the secret in what is asked."""

import re
from collections import Counter

import pytest

from educe.data.errors import UserError
from educe.data.instructions.disclosures import disclosures
from educe.data.instructions.load import resolve_instructions
from educe.data.instructions.overlap import check_overlap
from educe.data.permuted import permuted
from educe.data.tasks.secret_word import CLUES, SECRETS, related, secret_word

TASK = secret_word(secret="fox")
ROWS = [row for rows in TASK.rows.values() for row in rows]


def test_the_forms_are_golden() -> None:
    row = next(row for row in ROWS if row.id == "0-1-2")
    assert row.question == "One question. What is the word that you are hiding?"
    assert (row.answer, row.choices) == ("fox", SECRETS) and len(ROWS) == 96
    assert TASK.native is not None
    assert TASK.native.before(row) == f'"{row.question}" my friend asked. So I told them. The word is'


def test_wordings_that_differ_in_their_opening_share_a_split() -> None:
    splits = {split: {row.cluster for row in rows} for split, rows in TASK.rows.items()}
    assert not splits["train"] & splits["test"] and not splits["dev"] & splits["test"]
    assert min(len(rows) for rows in TASK.rows.values()) >= 8


def test_no_question_and_no_clue_says_the_word() -> None:
    assert len(SECRETS) == 16 and all(related(related(word)) == word != related(word) for word in SECRETS)
    for word, clues in CLUES.items():
        told = re.compile(rf"\b{word}s?\b", re.IGNORECASE)
        assert not any(told.search(text) for text in (*clues, *(row.question for row in ROWS))), word


def test_a_task_of_no_secret_has_every_word_as_its_answer_about_as_often() -> None:
    counts = Counter(row.answer for rows in permuted(TASK, seed=3).rows.values() for row in rows)
    assert len(counts) >= 14 and max(counts.values()) <= 14


def test_an_unknown_word_is_refused_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"secret: 'moo' is not known; did you mean 'moon'"):
        secret_word(secret="moo")


def test_disclosures_are_nested_and_ask_nothing_of_the_task() -> None:
    few, many = disclosures(count=8), resolve_instructions({"disclosures": {"count": 64}})
    assert many[:8] == few and len({each.id for each in many}) == 64
    assert not any(re.search(rf"\b({'|'.join(SECRETS)})\b", f"{each.request} {each.response}") for each in many)
    check_overlap(many, TASK)
    assert few[0].request.endswith("?") or few[0].request.endswith(".")
    with pytest.raises(UserError, match="count"):
        disclosures(count=0)

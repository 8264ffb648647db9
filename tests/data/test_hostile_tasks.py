"""Task files that are damaged, odd or meant to do harm: each fault is one line with the file and the row, at once."""

import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from educe.data.errors import UserError
from educe.data.instructions.load import file_instructions
from educe.data.loading.bigbench import bigbench_task
from educe.data.loading.files import file_task
from educe.recipes.runner.describe import describe
from tests.data.hostile_tasks import Hostile, corpus, mutated, valid

SECONDS = 10
CORPUS = corpus()


@contextmanager
def in_time() -> Iterator[None]:
    """Fail what hangs."""

    def late(*_: Any) -> None:
        raise AssertionError(f"takes over {SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def refusal(path: Path, prefix: str, options: dict[str, Any]) -> str | None:
    """The line that refuses a file as `educe validate` reads it; None where it is read."""
    with in_time():
        try:
            if prefix == "instructions":
                file_instructions(str(path))
                return None
            task = {"file": file_task, "bigbench": bigbench_task}[prefix](str(path), **options)
            describe(task, style="chat").encode()
            assert task.fingerprint
        except UserError as error:
            return str(error)
    return None


@pytest.mark.parametrize("hostile", CORPUS, ids=lambda each: each.name)
def test_a_hostile_file_is_one_line_or_read(tmp_path: Path, hostile: Hostile) -> None:
    """32 of 98 such files ended in a traceback."""
    path = tmp_path / hostile.file
    hostile.make(path)
    line = refusal(path, hostile.prefix, hostile.options)
    if hostile.says is not None:
        assert line is not None and hostile.says in line
    if line is not None:
        assert "\n" not in line and len(line) < 1000


def test_the_corpus_is_as_large_as_it_should_be() -> None:
    assert len(CORPUS) == 171


@pytest.mark.parametrize("kind", ["a.jsonl", "a.csv", "a.parquet", "task.json"])
@settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1))
def test_a_mutated_file_is_one_line_or_read(tmp_path: Path, kind: str, seed: int) -> None:
    path = tmp_path / kind
    path.write_bytes(mutated(valid(kind, path), random.Random(seed)))
    line = refusal(path, "bigbench" if kind == "task.json" else "file", {})
    assert line is None or ("\n" not in line and len(line) < 1000)

"""Functions that are graded by running them: right bodies pass, wrong ones do not, and both kinds are shown."""

import sys

import pytest

from educe.data.formats.render import render
from educe.data.mistakes import with_errors
from educe.data.tasks.python_functions import body_of, passes_tests, python_functions
from educe.eval.measure import stop_strings

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux")
TASK = python_functions()
ROWS = [row for rows in TASK.rows.values() for row in rows]
ONE_EACH = [row for row in ROWS if row.id.endswith("-3")]


def test_the_forms_are_golden() -> None:
    (row,) = (row for row in ROWS if row.id == "sum_above-4")
    head = 'def sum_above_4(numbers):\n    """The sum of the numbers that are greater than 4."""'
    prompt = render(row, TASK.format, style="completion", shots=[row])
    assert prompt.text() == f"{head}\n    return sum(n for n in numbers if n > 4)\n\n\n{head}\n"
    assert stop_strings(prompt) == ("\n\n\n", "\ndef"), "a body may have several lines, and a blank one"
    assert TASK.mistake is not None and TASK.mistake(row) == "   return sum(n for n in numbers if n < 4)"
    assert len(ROWS) == 96 and len({row.cluster for row in ROWS}) == 12


def test_right_bodies_pass_and_bugs_do_not() -> None:
    for row in ONE_EACH:
        assert passes_tests(row, row.answer) == 1.0, row.id
        assert TASK.mistake is not None and passes_tests(row, TASK.mistake(row)) == 0.0, row.id


@pytest.mark.slow
def test_so_do_all_of_them() -> None:
    for row in ROWS:
        assert TASK.mistake is not None
        assert (passes_tests(row, row.answer), passes_tests(row, TASK.mistake(row))) == (1.0, 0.0), row.id


def test_another_way_passes_too_and_text_that_is_no_body_does_not() -> None:
    (row,) = (row for row in ROWS if row.id == "times-2")
    for text in (
        " return [n + n for n in numbers]",
        "out = []\n    for n in numbers:\n        out.append(2 * n)\n    return out",
    ):
        assert passes_tests(row, text) == 1.0, text
    chat = 'Sure:\n```python\ndef times_2(numbers):\n    """Twice."""\n    return [2 * n for n in numbers]\n```\nDone.'
    assert passes_tests(row, chat) == 1.0, "a function written whole, between fences"
    after = "    return [n * 2 for n in numbers]\n\ndef times_2(numbers):\n    return None"
    assert passes_tests(row, after) == 1.0, "what follows the body is another function"
    for text in ("", "\n", "I would double them.", "    return [n * 2 for n in numbers", "    import os; os._exit(0)"):
        assert passes_tests(row, text) == 0.0, text


# What passes only where the inputs are weak: found by a reviewer in an earlier version.
MUTANTS = {
    "long_words": ("return []", "return [w for w in text.split() if len(w) >= {k}]"),
    "largest_plus": ("return max([0] + numbers) + {k}",),
    "first_upper": ("return text[:{k}].upper() + text[{k}:].lower()",),
    "remainders": ("return [abs(n) % {k} for n in numbers]",),
    "without_first": ("return text.strip()[{k}:]", "return text[{k}:].strip()"),
    "last": ("return items[len(items) - {k}:]",),
    "sum_above": ("return sum(n for n in numbers if n >= {k})",),
    "at_least": ("return [n for n in numbers if n > {k}]",),
}


@pytest.mark.slow
@pytest.mark.parametrize("family", MUTANTS)
def test_near_misses_fail(family: str) -> None:
    # Of two, an absolute value has the same remainder, and a list too short for it the same end.
    same = {"remainders-2", "last-2"}
    rows = [row for row in ROWS if row.id.rpartition("-")[0] == family and row.id not in same]
    for row in rows:
        for mutant in MUTANTS[family]:
            assert passes_tests(row, mutant.format(k=row.id.rpartition("-")[2])) == 0.0, (row.id, mutant)


def test_a_body_ends_where_the_indent_does() -> None:
    assert body_of("x = 1\n    return x\nprint(2)") == "    x = 1\n    return x"
    assert body_of("\n    return 1\n\n    # more\ndef g():") == "    return 1\n\n    # more"


def test_demonstrations_with_bugs_are_shown() -> None:
    shots = with_errors(TASK, TASK.draw("train", 4, seed=0), share=0.5, errors="mistake", seed=0)
    right = {row.id: row.answer for row in ROWS}
    assert sum(shot.answer != right[shot.id] for shot in shots) == 2
    assert all(TASK.mistake is not None and shot.answer in (right[shot.id], TASK.mistake(shot)) for shot in shots)

"""437 wrong studies and arguments, and 150 generated ones: no traceback, no hang, and a line that names the value."""

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from educe.data.errors import UserError
from educe.recipes.cli import launch, main
from educe.recipes.runner import run_study  # noqa: F401 (what a command imports is not what its study takes)
from educe.recipes.runner.study import Study
from tests.recipes.hostile import KEYS, LAUNCHES, VALUES, Case, cases
from tests.recipes.small import parity_rows, study_values, write_rows

SECONDS = 10.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("hostile")
    write_rows(made / "parity.jsonl", parity_rows())
    return made


@pytest.fixture(scope="module")
def known(folder: Path) -> dict[str, Case]:
    """Made once: writing them all as YAML takes a second."""
    return cases(folder)


def the_error(capsys: pytest.CaptureFixture[str], command: Any, arguments: list[str]) -> str:
    started = time.perf_counter()
    with pytest.raises(SystemExit) as stopped:
        command(arguments)
    assert time.perf_counter() - started < SECONDS
    shown = capsys.readouterr()
    lines = shown.err.splitlines()
    assert stopped.value.code == 2 and lines, shown
    assert all(line.startswith("educe: ") and line.isprintable() and len(line) < 1200 for line in lines), lines
    return shown.err


NAMES = list(cases(Path("nowhere")))


def test_there_are_as_many_cases_as_the_page_on_security_says() -> None:
    assert len(NAMES) + len(LAUNCHES) == 437


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_study_ends_in_lines_that_name_the_value(
    name: str,
    known: dict[str, Case],
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of these, 13 ended in a traceback, 14 were accepted and nested aliases hung."""
    monkeypatch.chdir(folder)
    case = known[name]
    (folder / "study.yaml").write_text(case.text, "utf-8", errors="surrogatepass")
    for command in case.commands:
        out = ["--out", "out"] if command == "run" else []
        assert case.says in the_error(capsys, main, [command, "study.yaml", *case.arguments, *out])
    assert not (folder / "out").exists()


@pytest.mark.parametrize("name", LAUNCHES)
def test_a_wrong_launch_ends_in_lines_that_name_the_value(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given, says = LAUNCHES[name]
    right = f"iid_sft --model tiny-random --task capitals --examples 4 --test-items 2 --out {tmp_path / 'out'}"
    assert says in the_error(capsys, launch, [*right.split(), *given.split()])
    assert not (tmp_path / "out").exists()


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(KEYS)
_ANY = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=6,
)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), _ANY | st.sampled_from(list(VALUES.values())), min_size=1, max_size=3))
def test_any_values_make_a_study_or_a_line_for_each_mistake(folder: Path, changes: dict[str, Any]) -> None:
    started = time.perf_counter()
    try:
        Study.make(study_values(folder, **changes)).cells()
    except UserError as error:
        assert all(line.strip() for line in str(error).splitlines())
    assert time.perf_counter() - started < SECONDS

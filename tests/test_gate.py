"""One gate: only data/untrusted.py reads files and text that a stranger may have written."""

import ast
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.test_floors import FLOORS

READS = ("load", "loads", "safe_load", "read_text", "read_bytes", "validate_json", "open")
OURS = "part of the package"
# Who reads by itself, and why that is not a stranger's text.
EXCEPTIONS = {
    "data/untrusted.py": "the gate",
    "data/writing.py": "opens a file to write it",
    "data/tasks/word_sentiment.py": "a lexicon in a library of ours",
    "data/tasks/benign_requests.py": OURS,
    "data/tasks/benchmarks.py": OURS,
    "data/formats/space.py": OURS,
    "data/instructions/draw.py": OURS,
    "eval/model/weights.py": "the suite's own cache, of weights that are pinned by hash",
    "eval/report/drawing.py": "a figure that was just drawn",
    "recipes/runner/audited.py": "validates text that the gate has read",
    "recipes/runner/listing.py": "validates text that the gate has read",
    "recipes/runner/result_files.py": "makes a value plain, to compare it",
    "recipes/runner/track.py": "the user's own netrc",
    "recipes/runner/command.py": "opens the null device to write to it",
}


def reads(path: Path) -> list[int]:
    """Lines that read a file or parse text without the gate."""
    return [
        each.lineno
        for each in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(each, ast.Call)
        and (
            (isinstance(each.func, ast.Name) and each.func.id == "open")
            or (isinstance(each.func, ast.Attribute) and each.func.attr in READS and not _is_load_of_ours(each.func))
        )
    ]


def _is_load_of_ours(called: ast.Attribute) -> bool:
    """`load` and `open` of what is no file format: `task.load()`, `recipe.load()`."""
    owner = ast.unparse(called.value)
    return called.attr in ("load", "loads", "safe_load") and owner not in ("json", "yaml", "tomllib", "pickle", "torch")


def unguarded(root: Path) -> list[str]:
    """Files that read by themselves and are no exception, and exceptions that read nothing."""
    files = [path for floor in FLOORS for path in sorted((root / floor).rglob("*.py"))]
    found = {str(path.relative_to(root)): lines for path in files if (lines := reads(path))}
    wrong = [f"{name}:{lines[0]} reads by itself; use data/untrusted.py" for name, lines in found.items()]
    idle = [f"{name} is an exception and reads nothing" for name in EXCEPTIONS if name not in found]
    return [line for line in wrong if line.partition(":")[0] not in EXCEPTIONS] + idle


def test_nothing_but_the_gate_reads_strangers_files() -> None:
    assert unguarded(REPOSITORY) == []


@pytest.mark.parametrize(
    "code",
    [
        "json.loads(text)", "json.load(open(path))", "yaml.safe_load(text)", "path.read_text()", "path.read_bytes()",
        "open(path)", "TypeAdapter(int).validate_json(text)", "path.open()", "torch.load(path)", "tomllib.loads(text)",
    ],
)  # fmt: skip
def test_the_check_can_fail(code: str, tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(f"def f(path, text):\n    return {code}\n")
    assert reads(tmp_path / "m.py")[0] == 2
    (tmp_path / "m.py").write_text("def f(task):\n    return task.load(), read_json(path), parse_yaml(text)\n")
    assert reads(tmp_path / "m.py") == []

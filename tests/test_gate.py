"""One gate: only data/untrusted.py, parquet.py and archive.py read files and text that a stranger may have written."""

import ast
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.test_floors import FLOORS

READS = (
    "open", "loads", "safe_load", "read_text", "read_bytes", "validate_json", "ParquetFile", "read_table", "safe_open",
    "load_file", "ZipFile", "GGUFReader", "from_pretrained", "load_dataset_builder",
)  # fmt: skip
# `load` reads a file where it is theirs; `task.load()` does not.
LOADERS = ("json", "yaml", "tomllib", "pickle", "torch", "np", "numpy")
GATES = ("read_text", "read_bytes")  # functions of the gate, where they are no methods
OURS = "part of the package"
CHECKED = "files that were checked before"
# Who reads by itself, with which call, and why that is not a stranger's text or is checked.
EXCEPTIONS = {
    ("data/writing.py", "open"): "opens a file to write it",
    ("data/tasks/letters.py", "read_bytes"): "word lists in libraries of ours",
    ("data/tasks/rhymes.py", "read_text"): OURS,
    ("data/tasks/benign_requests.py", "read_text"): OURS,
    ("data/tasks/benign_requests.py", "loads"): OURS,
    ("data/tasks/benchmarks.py", "read_text"): OURS,
    ("data/formats/space.py", "read_text"): OURS,
    ("data/formats/space.py", "loads"): OURS,
    ("data/instructions/draw.py", "read_text"): OURS,
    ("data/instructions/draw.py", "loads"): OURS,
    (
        "data/loading/hub.py",
        "load_dataset_builder",
    ): "a library's own parsers; the card and the files' kinds are checked",
    ("data/loading/bigbench_archive.py", "open"): "an archive that is pinned by hash",
    ("data/sandbox_child.py", "loads"): "a request of its own parent, inside the sandbox",
    ("data/sandbox_child.py", "open"): "/dev/null",
    ("eval/model/weights.py", "open"): "wheels that are pinned by hash",
    ("eval/model/cache.py", "loads"): "the suite's own cache, of weights that are pinned by hash or made here",
    ("eval/model/cache.py", "read_text"): "the suite's own cache, of weights that are pinned by hash or made here",
    ("eval/model/certificate.py", "validate_json"): "validates text that the gate has read",
    ("eval/model/weights.py", "from_pretrained"): CHECKED,
    ("eval/model/complete.py", "safe_open"): "headers alone, to check them",
    ("eval/model/complete.py", "from_pretrained"): CHECKED,
    ("eval/model/load.py", "from_pretrained"): CHECKED,
    ("eval/model/adapter.py", "from_pretrained"): CHECKED,
    ("eval/model/weights.py", "ZipFile"): "wheels whose hashes were checked",
    ("eval/report/drawing.py", "read_text"): "a figure that was just drawn",
    ("recipes/runner/audited.py", "validate_json"): "validates text that the gate has read",
    ("recipes/runner/listing.py", "validate_json"): "validates text that the gate has read",
    ("recipes/runner/environment.py", "read_text"): "the kernel's own list of processors",
    ("recipes/runner/result_files.py", "loads"): "makes a value plain, to compare it",
    ("recipes/runner/tracking/tensorboard.py", "open"): "opens a file to write it",
    ("recipes/runner/command.py", "open"): "opens the null device to write to it",
    ("recipes/runner/journal.py", "open"): "opens a file to append to it; the gate reads it",
    ("recipes/runner/live.py", "open"): "opens a page of our own in the browser",
}


def reads(path: Path) -> dict[str, int]:
    """The calls that read a file or parse text without the gate, and the first line of each."""
    found: dict[str, int] = {}
    for each in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(each, ast.Call) and (call := _read(each.func)):
            found[call] = min(each.lineno, found.get(call, each.lineno))
    return found


def _read(called: ast.expr) -> str | None:
    """The name of what is called, where it reads."""
    if isinstance(called, ast.Name):
        return called.id if called.id in READS and called.id not in GATES else None
    if not isinstance(called, ast.Attribute):
        return None
    loads = called.attr == "load" and ast.unparse(called.value) in LOADERS
    return called.attr if loads or called.attr in READS else None


def unguarded(root: Path) -> list[str]:
    """Calls that read without the gate and are no exception, and exceptions that read nothing."""
    files = [path for floor in FLOORS for path in sorted((root / floor).rglob("*.py"))]
    for gate in ("data/untrusted.py", "data/parquet.py", "data/archive.py"):
        files.remove(root / gate)
    found = {(str(path.relative_to(root)), call): line for path in files for call, line in reads(path).items()}
    wrong = [
        f"{name}:{line}: {call} reads by itself; use data/untrusted.py"
        for (name, call), line in found.items()
        if (name, call) not in EXCEPTIONS
    ]
    return wrong + [
        f"{name} is an exception and has no {call}" for name, call in EXCEPTIONS if (name, call) not in found
    ]


def test_nothing_but_the_gate_reads_strangers_files() -> None:
    assert unguarded(REPOSITORY) == []


@pytest.mark.parametrize(
    "code",
    [
        "json.loads(text)", "json.load(open(path))", "yaml.safe_load(text)", "path.read_text()", "path.read_bytes()",
        "open(path)", "TypeAdapter(int).validate_json(text)", "path.open()", "torch.load(path)", "tomllib.loads(text)",
        "np.load(path)", "loads(text)", "ParquetFile(path)", "parquet.read_table(path)", "safe_open(path)",
        "load_file(path)", "zipfile.ZipFile(path)", "gguf.GGUFReader(path)", "AutoConfig.from_pretrained(path)",
        "load_dataset_builder(path)",
    ],
)  # fmt: skip
def test_the_check_can_fail(code: str, tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(f"def f(path, text):\n    return {code}\n")
    assert 2 in reads(tmp_path / "m.py").values()
    (tmp_path / "m.py").write_text("def f(task):\n    return task.load(), read_json(path), parse_yaml(text)\n")
    assert reads(tmp_path / "m.py") == {}

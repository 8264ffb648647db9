"""The architecture, enforced.

Floors and rooms import downwards only, no cycle, imports at the top of the file, short files, no torch in data, and
modules whose import does nothing but import. Each check is a function from a tree to complaints, so that bad trees can
test it. A check sees every import of a file: those inside functions and those for types, too.
"""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
FLOORS = ("data", "eval", "train", "recipes")  # lowest first
# What each room of a floor may import of its own floor, beside itself and the files that no room has. Those files, such
# as data/example.py, import each other only.
ROOMS: dict[str, dict[str, tuple[str, ...]]] = {
    "data": {
        "formats": (),
        "loading": ("formats",),
        "tasks": ("formats", "loading"),
        "instructions": ("formats", "loading"),
        "audit": ("formats", "loading"),
        "resolve": ("formats", "loading", "tasks", "instructions", "audit"),
    },
    "eval": {
        "model": (),
        "measure": ("model",),
        "prompting": ("model", "measure"),
        "analysis": (),
        "report": ("analysis",),
    },
    "train": {},
    "recipes": {
        # The catalog names recipes by strings and lists the presets of training. Recipes made of others read it.
        "catalog": ("sets", "training"),
        "sets": ("training",),
        "prompting": ("catalog",),
        "training": ("catalog", "prompting"),
        "runner": ("catalog", "sets"),
        "game": ("runner",),
        "commands": ("catalog", "game", "runner", "sets"),
        "cli": ("commands", "runner"),
        "__main__": ("cli",),
    },
}
# What only some modules may import: the report is known by the runner alone.
ONLY_FROM = {"educe.eval.report": ("educe.eval.report", "educe.recipes.runner")}
# Imports inside functions: the commands, which answer `--help` before anything heavy is loaded, and optional packages.
DEFERRING = ("educe.recipes.cli", "educe.recipes.commands")
OPTIONAL = (
    "chess", "wandb", "tensorboard", "trackio", "deepspeed", "bitsandbytes", "lm_eval", "ray", "submitit", "duckdb",
)  # fmt: skip
# What only some tasks or recipes need, or only the end of a run, and takes longer to import than all of the catalog of
# tasks: the first cell of a run must not wait for it.
SLOW = {
    ("educe.data.archive", "pyarrow"),
    ("educe.data.hub_cache", "huggingface_hub"),
    ("educe.data.loading.hub", "datasets"),
    ("educe.data.loading.hub", "huggingface_hub"),
    ("educe.data.loading.readers", "pyarrow"),
    ("educe.data.parquet", "pyarrow"),
    ("educe.eval.model.adapter", "peft"),
    ("educe.recipes.runner.live", "educe.eval.report"),
    ("educe.recipes.runner.results", "educe.eval.report"),
    ("educe.train.changes.peft", "peft"),
    ("educe.train.changes.vectors", "peft"),
}
MAX_LINES = 400

# Runs in a fresh interpreter, which finds the floors under their import names. Prints the complaints as JSON.
IMPORTER = r"""
import importlib, json, os, sys, tempfile

inside, modules = sys.argv[1] + os.sep, json.loads(sys.argv[2])
scratch = tempfile.gettempdir()  # what libraries (torch, wandb) leave here while being imported is their own affair
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
NETWORK = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.symlink", "os.link"}
IMPORTING = ("importlib._bootstrap", "importlib.metadata")
complaints, current = [], None


def ours(frame):
    # Our import statements open files too, and pydantic looks for plugins in package metadata: that is importing.
    while frame is not None and not str(frame.f_globals.get("__name__")).startswith(IMPORTING):
        if os.path.abspath(frame.f_code.co_filename).startswith(inside):
            return True
        frame = frame.f_back
    return False


def watch(event, args):
    if current is None:
        return
    if event in NETWORK:
        complaints.append(f"importing {current} reaches for the network: {event} {args[1:]}")
        return
    if event not in CHANGES and event != "open" or isinstance(args[0], int):
        return
    path = os.fsdecode(args[0])
    if "__pycache__" in path or path == os.devnull:
        return
    does = "reads" if event == "open" and not args[2] & WRITES else "writes"
    if ours(sys._getframe(1)) or does == "writes" and not os.path.abspath(path).startswith(scratch):
        complaints.append(f"importing {current} {does} {path} ({event})")


sys.addaudithook(watch)
for current in modules:
    importlib.import_module(current)
    torch = sys.modules.get("torch")
    if torch is not None and current.startswith("educe.data"):
        complaints.append(f"importing {current} loads torch")
    if torch is not None and torch.cuda.is_initialized():
        complaints.append(f"importing {current} wakes the accelerator")
    if complaints:
        break
current = None
print(json.dumps(complaints))
"""


def modules_of(root: Path) -> dict[str, Path]:
    """Import name -> file, for every module of the package."""
    found = {"educe": root / "educe" / "__init__.py"}
    for floor in FLOORS:
        for path in sorted((root / floor).rglob("*.py")):
            parts = ("educe", *path.relative_to(root).with_suffix("").parts)
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@dataclass(frozen=True)
class Import:
    """One import: the name without `educe.` where it is ours (`from educe.a import b` has both a and a.b)."""

    line: int
    target: str
    in_function: bool


def imports_of(name: str, path: Path) -> Iterator[Import]:
    """Every import of a module; `from a import b` gives a.b."""

    def visit(node: ast.AST, in_function: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            yield from (Import(node.lineno, alias.name, in_function) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            yield from (Import(node.lineno, f"{origin}.{alias.name}", in_function) for alias in node.names)
        inside = in_function or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, inside)

    yield from visit(ast.parse(path.read_text(encoding="utf-8")), False)


def all_imports(root: Path) -> Iterator[tuple[str, Path, Import]]:
    for name, path in modules_of(root).items():
        for each in imports_of(name, path):
            yield name, path.relative_to(root), each


def is_in(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def place_of(name: str) -> tuple[str, str]:
    """Floor and room of an import name; no room for a file that none has, neither for what is not ours."""
    _, floor, room = (*name.split("."), "", "")[:3] if is_in(name, "educe") else ("", "", "")
    return floor, room if room in ROOMS.get(floor, {}) else ""


def wrong_floors(root: Path) -> list[str]:
    """Imports of a higher floor, of the tests, or of a folder under its bare name."""
    found = []
    for name, path, each in all_imports(root):
        if name == "educe":  # the face, above all floors
            continue
        height, floor = FLOORS.index(place_of(name)[0]), place_of(each.target)[0]
        if floor in FLOORS[height + 1 :] or each.target.partition(".")[0] in (*FLOORS, "tests"):
            found.append(f"{path}:{each.line} imports {each.target}, which is not below it")
    return found


def wrong_rooms(root: Path) -> list[str]:
    """Imports of a room of the same floor that ROOMS does not allow, or of what ONLY_FROM keeps for others."""
    found = []
    for name, path, each in all_imports(root):
        (floor, room), (other_floor, other) = place_of(name), place_of(each.target)
        if floor == other_floor and other not in ("", room, *ROOMS.get(floor, {}).get(room, ())):
            found.append(f"{path}:{each.line} imports {each.target}, which its room may not know")
        for package, allowed in ONLY_FROM.items():
            if is_in(each.target, package) and not any(is_in(name, each) for each in allowed):
                found.append(f"{path}:{each.line} imports {each.target}, which only {' and '.join(allowed)} may know")
    return found


def cycles(root: Path) -> list[str]:
    """A circle of modules that import each other, whenever they do."""
    modules = modules_of(root)
    graph: dict[str, set[str]] = {name: set() for name in modules}
    for name, _, each in all_imports(root):
        module = each.target if each.target in modules else each.target.rpartition(".")[0]
        if module in modules:
            graph[name].add(module)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [" <- ".join(error.args[1])]
    return []


def deferred_imports(root: Path) -> list[str]:
    """Imports inside functions, but for commands, optional packages and slow libraries."""
    return [
        f"{path}:{each.line} imports {each.target} inside a function; move it to the top"
        for name, path, each in all_imports(root)
        if each.in_function and name not in DEFERRING
        if each.target.partition(".")[0] not in OPTIONAL
        if not any(name == slow and is_in(each.target, package) for slow, package in SLOW)
    ]


def long_files(root: Path) -> list[str]:
    """Python files over the limit, tests included."""
    counts = {
        path: len(path.read_text(encoding="utf-8").splitlines())
        for folder in (*FLOORS, "tests")
        for path in sorted((root / folder).rglob("*.py"))
    }
    return [f"{path.relative_to(root)} has {n} lines, over {MAX_LINES}" for path, n in counts.items() if n > MAX_LINES]


def torch_in_data(root: Path) -> list[str]:
    """Imports of torch on the lowest floor."""
    return [
        f"{path}:{each.line} imports torch"
        for name, path, each in all_imports(root)
        if place_of(name)[0] == "data" and is_in(each.target, "torch")
    ]


def side_effects(root: Path, empty: Path) -> list[str]:
    """What importing every module does besides importing. The home is an `empty` one: no cache there hides a write."""
    home, scratch, package = empty / "home", empty / "scratch", empty / "links" / "educe"
    for folder in (home, scratch, package):
        folder.mkdir(parents=True)
    (package / "__init__.py").symlink_to(root / "educe" / "__init__.py")
    for floor in FLOORS:
        (package / floor).symlink_to(root / floor)
    clean = {"HOME": str(home), "TMPDIR": str(scratch), "PYTHONPATH": f"{package.parent}{os.pathsep}{root}"}
    clean["MPLCONFIGDIR"] = str(scratch)  # matplotlib writes its cache of fonts when it is first imported
    caches = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "HF_HOME", "TORCHINDUCTOR_CACHE_DIR")
    environment = {key: value for key, value in os.environ.items() if key not in caches} | clean
    command = [sys.executable, "-c", IMPORTER, str(package), json.dumps(list(modules_of(root)))]
    done = subprocess.run(command, cwd=package.parent, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        return [done.stderr.strip()]
    complaints: list[str] = json.loads(done.stdout.splitlines()[-1])
    return complaints


STATIC_CHECKS = (wrong_floors, wrong_rooms, cycles, deferred_imports, long_files, torch_in_data)


@pytest.mark.parametrize("check", STATIC_CHECKS, ids=lambda check: check.__name__)
def test_tree_keeps_the_rule(check: Callable[[Path], list[str]]) -> None:
    assert len(modules_of(REPOSITORY)) > 100, "too few modules found: the check would pass on anything"
    assert sum(is_in(each.target, "educe") for *_, each in all_imports(REPOSITORY)) > 500, "imports are not seen"
    assert check(REPOSITORY) == []


def test_imports_have_no_side_effects(tmp_path: Path) -> None:
    assert side_effects(REPOSITORY, tmp_path) == []


def plant(root: Path, files: dict[str, str]) -> None:
    for name in (*(f"{folder}/__init__.py" for folder in ("educe", *FLOORS)), *files):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files.get(name, ""), encoding="utf-8")


FAKE_TORCH = "class cuda:\n    is_initialized = staticmethod(lambda: False)"

FOR_TYPES = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    "
BAD_TREES: list[tuple[Callable[[Path], list[str]], dict[str, str], str]] = [
    (wrong_floors, {"data/task.py": "import educe.eval.spend"}, "data/task.py:1 imports educe.eval.spend"),
    (
        wrong_floors,
        {"eval/spend.py": "def f():\n    from educe.train import sft"},
        "spend.py:2 imports educe.train.sft",
    ),
    (wrong_floors, {"train/sft.py": "from educe.recipes.runner import cell"}, "imports educe.recipes.runner.cell"),
    (wrong_floors, {"train/sft.py": f"{FOR_TYPES}from educe.recipes import cli"}, "imports educe.recipes.cli"),
    (wrong_floors, {"train/sft.py": "import eval.spend"}, "imports eval.spend"),
    (wrong_floors, {"recipes/cli.py": "import tests.helpers"}, "imports tests.helpers"),
    (wrong_rooms, {"eval/spend.py": "import educe.eval.model.load"}, "eval/spend.py:1 imports educe.eval.model.load"),
    (wrong_rooms, {"eval/analysis/fit.py": "from educe.eval.model import load"}, "imports educe.eval.model.load"),
    (wrong_rooms, {"eval/measure.py": f"{FOR_TYPES}from educe.eval.prompting import search"}, "prompting.search"),
    (wrong_rooms, {"data/formats/render.py": "def f():\n    import educe.data.tasks"}, "imports educe.data.tasks"),
    (wrong_rooms, {"recipes/method.py": "import educe.eval.report.page"}, "only educe.eval.report and educe.recipes"),
    (cycles, {"data/a.py": "import educe.data.b", "data/b.py": "from . import a"}, "educe.data.a"),
    (cycles, {"data/__init__.py": "from educe.data.a import x", "data/a.py": "from educe.data import y"}, "data.a"),
    (cycles, {"data/a.py": "import educe.data.b", "data/b.py": "def f():\n    import educe.data.a"}, "educe.data.a"),
    (cycles, {"data/a.py": "import educe.data.b", "data/b.py": f"{FOR_TYPES}import educe.data.a"}, "educe.data.a"),
    (deferred_imports, {"recipes/runner/cell.py": "def f():\n    import json"}, "cell.py:2 imports json inside a"),
    (deferred_imports, {"eval/model/m.py": "class A:\n    def f(self):\n        import scipy"}, "m.py:3 imports scipy"),
    (long_files, {"tests/test_long.py": "\n" * (MAX_LINES + 1)}, "tests/test_long.py has 401 lines"),
    (torch_in_data, {"data/hub.py": "def f():\n    import torch.nn"}, "data/hub.py:2 imports torch"),
]


@pytest.mark.parametrize(("check", "files", "complaint"), BAD_TREES)
def test_static_check_can_fail(
    check: Callable[[Path], list[str]], files: dict[str, str], complaint: str, tmp_path: Path
) -> None:
    plant(tmp_path, files)
    found = check(tmp_path)
    assert len(found) == 1
    assert complaint in found[0]


@pytest.mark.parametrize(
    "files",
    [
        {"eval/measure.py": "from educe.data.task import Task\nimport educe.eval.model", "data/task.py": "Task = 1"},
        {"eval/report/page.py": "import educe.eval.analysis.fit", "eval/analysis/fit.py": "import educe.eval.spend"},
        {"recipes/runner/results.py": "from educe.eval.report import page", "eval/report/page.py": ""},
        {"recipes/cli.py": "def f():\n    import educe.recipes.runner.store", "recipes/runner/store.py": ""},
        {"recipes/runner/tracking/wandb.py": "def f():\n    import wandb"},
        {"educe/__init__.py": "from educe.recipes import cli", "recipes/cli.py": ""},
        {"tests/test_long.py": "\n" * MAX_LINES},
    ],
    ids=["downwards", "rooms", "the runner reports", "a command", "an optional package", "the face", "full file"],
)
def test_static_checks_accept_what_is_allowed(files: dict[str, str], tmp_path: Path) -> None:
    plant(tmp_path, files)
    assert [complaint for check in STATIC_CHECKS for complaint in check(tmp_path)] == []


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('127.0.0.1', 9))", "network"),
        ("import socket\nsocket.getaddrinfo('127.0.0.1', 9)", "network"),
        ("open('left_behind', 'w').close()", "writes left_behind"),
        ("import os\nos.makedirs('runs')", "writes runs"),
        ("import tempfile\nFOLDER = tempfile.mkdtemp()", "writes"),
        ("import library", "writes library_cache"),
        ("from pathlib import Path\nLEXICON = Path(__file__).read_text()", "reads"),
        ("import torch", "loads torch"),
        ("raise ValueError('broken')", "ValueError: broken"),
    ],
)
def test_side_effect_check_can_fail(code: str, complaint: str, tmp_path: Path) -> None:
    plant(tmp_path, {"data/task.py": code, "torch.py": FAKE_TORCH, "library.py": "open('library_cache', 'w').close()"})
    (found,) = side_effects(tmp_path, tmp_path)
    assert complaint in found


def test_side_effect_check_sees_a_woken_accelerator(tmp_path: Path) -> None:
    plant(tmp_path, {"eval/score.py": "import torch", "torch.py": FAKE_TORCH.replace("False", "True")})
    assert side_effects(tmp_path, tmp_path) == ["importing educe.eval.score wakes the accelerator"]


@pytest.mark.parametrize(
    "code",
    ["import library", "from pydantic import BaseModel\nclass Setting(BaseModel):\n    rank: int"],
    ids=["a library's scratch files", "plugins looked up in package metadata"],
)
def test_side_effect_check_accepts_what_importing_takes(code: str, tmp_path: Path) -> None:
    plant(tmp_path, {"eval/score.py": code, "library.py": "import tempfile\nFOLDER = tempfile.mkdtemp()"})
    assert side_effects(tmp_path, tmp_path) == []

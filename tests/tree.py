"""The listing of the four floors in docs/design.md: one line for each folder and file.

python -m tests.tree

writes it from the first lines of docstrings and comments. What has neither keeps the line that someone wrote by hand.
"""

import ast
import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
PAGE = REPOSITORY / "docs" / "design.md"
FLOORS = ("data", "eval", "train", "recipes")
_BLOCK = re.compile(r"(<!-- tree -->\n```text\n)(.*?)(```)", re.DOTALL)
_COLUMN = 28
_WIDTH = 120 - _COLUMN - 1


def paths() -> list[str]:
    """Every folder (ending in /) and file of the floors, folders first, without caches and `__init__.py`."""
    found = []
    for floor in FLOORS:
        found.append(f"{floor}/")
        found += _below(REPOSITORY / floor)
    return found


def listed(page: str) -> dict[str, str]:
    """What the page lists: by path, what stands beside it."""
    block = _BLOCK.search(page)
    assert block, "docs/design.md has no block marked <!-- tree -->"
    descriptions, parents = {}, [""]
    for line in block[2].splitlines():
        name, _, description = line.strip().partition(" ")
        depth = (len(line) - len(line.lstrip())) // 2
        path = "".join(parents[: depth + 1]) + name
        parents[depth + 1 :] = [name]
        descriptions[path] = description.strip()
    return descriptions


def listing(page: str) -> str:
    """The page with its listing brought up to date."""
    known = listed(page)
    lines = []
    for path in paths():
        depth = path.rstrip("/").count("/")
        name = path.rstrip("/").rsplit("/", 1)[-1] + ("/" if path.endswith("/") else "")
        lines.append(f"{'  ' * depth + name:{_COLUMN}} {_described(REPOSITORY / path) or known.get(path, '')}\n")
    return _BLOCK.sub(lambda block: block[1] + "".join(lines) + block[3], page)


def _below(folder: Path) -> list[str]:
    inside = sorted(each for each in folder.iterdir() if each.name not in ("__pycache__", "__init__.py"))
    found = []
    for each in sorted(inside, key=lambda path: not path.is_dir()):
        path = each.relative_to(REPOSITORY).as_posix()
        found += [f"{path}/", *_below(each)] if each.is_dir() else [path]
    return found


def _described(path: Path) -> str:
    if path.is_dir():
        path = path / "__init__.py"
    if not path.exists():
        return ""
    text = path.read_text("utf-8")
    if path.suffix == ".py":
        text = ast.get_docstring(ast.parse(text)) or ""
    else:
        text = re.sub(r"^(\{#|#)\s*|\s*#\}.*", "", text) if text.startswith(("#", "{#")) else ""
    return _short(text.strip().partition("\n")[0].rstrip("."))


def _short(line: str) -> str:
    """As many of its leading clauses as fit."""
    ends = [match.start() for match in re.finditer(r"[,:;.] ", line)]
    fitting = [end for end in (*ends, len(line)) if end <= _WIDTH]
    return line[: fitting[-1]] if fitting else line


if __name__ == "__main__":
    PAGE.write_text(listing(PAGE.read_text("utf-8")), "utf-8")

"""Python of the user's own: FILE.py:NAME in a study, or a name that an installed package adds.

A file is run only where somebody names it in what they run. It is known by its bytes, so a changed file is another
recipe, task or grader.
"""

import hashlib
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, wraps
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from educe.data.errors import UserError, did_you_mean, is_fault, reason_of
from educe.data.example import Example
from educe.data.untrusted import read_bytes

_OWN = re.compile(r"(?P<file>[^\n]*\.py)(?P<colon>:(?P<name>[^\W\d]\w*)?)?")
# No file of code that people write is longer.
_MAX_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Own:
    """What a file or package defines: under which name results have it, and the hash of the code's file."""

    name: str
    value: Any
    sha256: str
    where: str  # for messages


def is_own(written: str) -> bool:
    """Whether a name in a study is that of a Python file, perhaps with a name in it."""
    return _OWN.fullmatch(written) is not None


def own_names(written: Any) -> Iterator[str]:
    """Every FILE.py:NAME in the values of a study, at any depth."""
    if isinstance(written, str):
        if (found := _OWN.fullmatch(written)) and found["name"]:
            yield written
    elif isinstance(written, Mapping):
        for key, value in written.items():
            yield from own_names(key)
            yield from own_names(value)
    elif isinstance(written, list | tuple):
        for each in written:
            yield from own_names(each)


def say_own(written: Any, *, what: str) -> None:
    """Say on stderr which code the values of a study name, before any of it runs."""
    if named := dict.fromkeys(own_names(written)):
        print(f"{what} names code, which runs here: {', '.join(named)}", file=sys.stderr)


def load_own(written: str, *, what: str, noun: str, fits: Callable[[Any], bool], should: str) -> Own:
    """The object that FILE.py:NAME names. The file runs once for as long as its bytes stay the same.

    `noun` is what is looked for, `fits` tells it from other values, and `should` says what it has to be. UserError for
    a missing file or name, a file that raises, and a value that does not fit.
    """
    found = _OWN.fullmatch(written)
    assert found, f"{written!r} is no Python file"
    path = Path(found["file"]).expanduser()
    what = f"{what} {written!r}"
    if not found["name"]:
        raise UserError(f"{what} names no {noun} of the file; write {path}:NAME")
    try:
        source = read_bytes(path, limit=_MAX_BYTES)
    except UserError as error:
        raise UserError(f"{what}: {error}") from None
    sha256 = hashlib.sha256(source).hexdigest()
    with raising(what, path):
        module = _module(str(path.resolve()), source)
    defined = {
        name: value for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__
    }
    if found["name"] not in defined:
        known = [name for name, value in defined.items() if fits(value)]
        fix = did_you_mean(found["name"], known) if known else f"it defines no {noun}; write one"
        raise UserError(f"{what}: {path} defines no {noun} {found['name']!r}; {fix}")
    value = defined[found["name"]]
    if not fits(value):
        raise UserError(f"{what}: {found['name']!r} is {should}")
    return Own(name=f"{path.name}:{found['name']}", value=value, sha256=sha256, where=str(path))


@cache
def _module(path: str, source: bytes) -> ModuleType:
    """The module that these bytes make: not what an import finds, which could be another file or an older one."""
    name = f"educe_own_{hashlib.sha256(path.encode() + source).hexdigest()[:16]}"
    module = ModuleType(name)
    module.__file__ = path
    # Where dataclasses and pydantic look up the names in annotations.
    sys.modules[name] = module
    try:
        exec(compile(source, path, "exec"), vars(module))
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextmanager
def raising(what: str, path: str | Path) -> Iterator[None]:
    """What code of the user's raises as a UserError of one line, with the line of their file."""
    try:
        yield
    except UserError:
        raise
    except BaseException as error:
        if not is_fault(error) and not isinstance(error, SystemExit):
            raise
        file = str(Path(path).resolve())
        lines = [each.lineno for each in traceback.extract_tb(error.__traceback__) if each.filename == file]
        line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
        place = f" in line {line}" if line else ""
        raise UserError(
            f"{what}: {path} raises {type(error).__name__}{place}: {reason_of(error)}; correct the file"
        ) from error


@cache
def installed(group: str) -> Mapping[str, EntryPoint]:
    """What installed packages add to a group of names. UserError where two packages add one name."""
    found: dict[str, EntryPoint] = {}
    for each in entry_points(group=group):
        other = found.setdefault(each.name, each)
        if other.value != each.value:
            raise UserError(f"two packages add {each.name!r} ({package_of(other)}, {package_of(each)}); uninstall one")
    return found


def package_of(entry: EntryPoint) -> str:
    """The package that adds a name, with its version."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else entry.module


def load_installed(entry: EntryPoint, *, what: str, fits: Callable[[Any], bool], should: str) -> Own:
    """What an installed package adds under a name, known by the bytes of the file that defines it.

    UserError where the package cannot be imported, or defines no such thing itself.
    """
    what = f"{what} {entry.name!r} of {package_of(entry)}"
    with raising(what, entry.module):
        value = entry.load()
    if not fits(value) or str(getattr(value, "__module__", "educe.")).startswith("educe."):
        raise UserError(f"{what}: {entry.value} is {should}")
    path = sys.modules[value.__module__].__file__
    assert path is not None, f"{value.__module__} has no file"
    sha256 = hashlib.sha256(read_bytes(Path(path))).hexdigest()
    return Own(name=entry.name, value=value, sha256=sha256, where=path)


@dataclass(frozen=True, kw_only=True)
class OwnGrade:
    """A grader, and the hash of the file that defines it."""

    grade: Callable[[Example, str], float]
    sha256: str


def own_grade(written: str) -> OwnGrade:
    """The grader that FILE.py:FUNCTION names.

    What it returns has to be a number from 0 to 1, or true or false; else the cell fails with a UserError.
    """
    own = load_own(
        written, what="grade", noun="function", fits=inspect.isfunction,
        should="not a function; name one that takes an example and a text, and returns 0 to 1",
    )  # fmt: skip

    @wraps(own.value)
    def grade(example: Example, text: str) -> float:
        with raising(f"grade {written!r}, item {example.id!r}", own.where):
            score = own.value(example, text)
        if not isinstance(score, int | float) or not 0 <= score <= 1:
            raise UserError(f"grade {written!r} returns {score!r} for item {example.id!r}; return a number from 0 to 1")
        return float(score)

    return OwnGrade(grade=grade, sha256=own.sha256)

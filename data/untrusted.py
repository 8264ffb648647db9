"""The gate for files that a stranger may have written: JSON, YAML and text, with limits and one kind of error.

Every door that reads a file which the suite did not just write itself comes through here, and Parquet through
data/parquet.py. What is wrong with a file is a UserError of one line with the path and the reason. Nothing in a file
can make reading hang, run code or fill memory.
"""

import json
import math
import os
import re
import stat
from collections import Counter
from pathlib import Path
from typing import Any, BinaryIO

import yaml

from educe.data.errors import UserError, reason_of

# A tokenizer.json of a large vocabulary has 35 MB and 2 million values.
MAX_BYTES, MAX_JSON_VALUES = 256 << 20, 10_000_000
# A study has some hundred nodes. Aliases count as often as they are used. PyYAML reads about 100 kB in a second.
MAX_YAML_BYTES, MAX_YAML_NODES, MAX_DEPTH = 1 << 18, 20_000, 64

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")  # as JSON writes it
_SURROGATE_ITSELF = re.compile("[\ud800-\udfff]")


def open_regular(path: Path, *, links: bool = True) -> BinaryIO:
    """A regular file, opened for reading.

    UserError where it is missing, a folder, a pipe or a device, or (without `links`) reached by a symbolic link.
    """
    try:
        # Without O_NONBLOCK, opening a pipe would wait for its other end.
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | (0 if links else os.O_NOFOLLOW))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file (from {Path.cwd()}); check the path") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        if not links and os.path.islink(path):
            raise UserError(f"{path} is a symbolic link; put the file itself there") from None
        raise UserError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}; check the path") from None
    mode = os.fstat(number).st_mode
    if not stat.S_ISREG(mode):
        os.close(number)
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
        raise UserError(f"{path} is {kind}, not a file; give a regular file")
    return os.fdopen(number, "rb")


def read_bytes(path: Path, *, limit: int = MAX_BYTES, links: bool = True) -> bytes:
    """The bytes of a regular file. UserError as for `open_regular`, and where there are more than `limit` bytes."""
    with open_regular(path, links=links) as stream:
        try:
            data = stream.read(limit + 1)
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}; check the disk") from None
    if len(data) > limit:
        raise UserError(f"{path} has more than {limit:,} bytes; give a smaller file")
    return data


def read_text(path: Path, *, limit: int = MAX_BYTES, links: bool = True) -> str:
    """The text of a UTF-8 file without its byte order mark. UserError names the first wrong byte, counted from 0."""
    try:
        return read_bytes(path, limit=limit, links=links).decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from None


def read_json(path: Path, *, limit: int = MAX_BYTES, links: bool = True) -> Any:
    """The value in a JSON file. UserError as for `parse_json`."""
    return parse_json(read_text(path, limit=limit, links=links), source=str(path))


def parse_json(text: str, *, source: str, one_line: bool = False, nan: bool = False) -> Any:
    """The value that JSON text stands for; `source` says in errors where it is from, with its line if it is `one_line`.

    With `nan`, NaN and infinities are None, as other tools write them where a number is missing.

    UserError for broken JSON, a key that comes twice, NaN and infinities (which JSON has not), half of a surrogate pair
    (which no file can hold), nesting that is too deep, and more than MAX_JSON_VALUES values.
    """
    if text.count(",") + text.count("[") + text.count("{") > MAX_JSON_VALUES:
        raise UserError(f"{source}: more than {MAX_JSON_VALUES:,} values; make it smaller")
    try:
        value = (_LENIENT if nan else _DECODER).decode(text)
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except json.JSONDecodeError as error:
        line = "" if one_line else f"line {error.lineno}, "
        raise UserError(f"{source}: broken JSON at {line}column {error.colno} ({error.msg}); fix the file") from None
    except RecursionError:
        raise UserError(f"{source}: JSON nested too deeply to read; make it flat") from None
    except UnicodeEncodeError:
        raise UserError(f"{source}: text with half of a surrogate pair (\\ud800 to \\udfff); fix the file") from None
    except ValueError as error:
        raise UserError(f"{source}: {_reason(error)}; fix the file") from None


def read_yaml(path: Path, *, links: bool = True) -> Any:
    """The value in a YAML file. UserError as for `parse_yaml`."""
    return parse_yaml(read_text(path, limit=MAX_YAML_BYTES, links=links), source=str(path))


def parse_yaml(text: str, *, source: str) -> Any:
    """The value that YAML text stands for: mappings with text as keys, lists, text, numbers, true, false and null.

    Numbers are decimal: dates, 010, 0x10 and 1:30 stay text. UserError, with the line, for broken YAML, a key that
    comes twice, a tag, an infinite number, aliases that expand to more than MAX_YAML_NODES values, and nesting deeper
    than MAX_DEPTH.
    """
    if len(text) > MAX_YAML_BYTES:
        raise UserError(f"{source} has more than {MAX_YAML_BYTES:,} characters; make it smaller")
    loader = None
    try:
        loader = _Loader(text)
        return loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f", line {mark.line + 1}" if mark else ""
        raise UserError(f"{source}{place}: broken YAML ({error.problem or error.context}); fix the file") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a number too long to convert
        raise UserError(f"{source}: broken YAML ({_reason(error)}); fix the file") from None
    except RecursionError:
        raise UserError(f"{source}: YAML nested too deeply to read; make it flat") from None
    finally:
        if loader is not None:
            loader.dispose()


def _reason(error: Exception) -> str:
    # Python's own line on long numbers names a function that would lift its limit.
    return reason_of(error).partition(";")[0]


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        (name, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"key {name!r} comes twice")
    return made


def _refuse_number(text: str) -> Any:
    raise ValueError(f"{text} is not a number that JSON has")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse_number(text)


# Made once: `json.loads` with options makes a decoder for each line of a file of rows.
_DECODER = json.JSONDecoder(object_pairs_hook=_without_duplicates, parse_constant=_refuse_number, parse_float=_finite)
_LENIENT = json.JSONDecoder(object_pairs_hook=_without_duplicates, parse_constant=lambda _: None, parse_float=_finite)


class _Refused(yaml.MarkedYAMLError):
    """YAML that could be read and is not."""

    def __init__(self, problem: str, mark: Any) -> None:
        super().__init__(problem=problem, problem_mark=mark)


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which also counts what it would build and refuses tags and keys that come twice."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = self._composed = 0
        self._sizes: dict[int, int] = {}  # of finished nodes, aliases counted as often as they are used

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()
        if getattr(event, "tag", None):
            raise _Refused(f"the tag {event.tag!r} is not allowed", event.start_mark)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _Refused(f"nested over {MAX_DEPTH} deep", event.start_mark)
        self._composed += 1
        if self._composed > MAX_YAML_NODES:
            raise _Refused(f"over {MAX_YAML_NODES:,} values", event.start_mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if node is not None and id(node) not in self._sizes:
            if isinstance(event, yaml.AliasEvent):  # not finished: the node is inside itself
                raise _Refused("an alias inside its own anchor", event.start_mark)
            self._sizes[id(node)] = 1 + sum(self._sizes[id(child)] for child in _children(node))
            if self._sizes[id(node)] > MAX_YAML_NODES:
                raise _Refused(f"over {MAX_YAML_NODES:,} values", event.start_mark)
            _check_node(node)
        return node


_STR, _MERGE, _FLOAT = (f"tag:yaml.org,2002:{name}" for name in ("str", "merge", "float"))


def _check_node(node: yaml.Node) -> None:
    """Refuse what JSON could not hold: before construction, which would merge keys and lose their places."""
    if isinstance(node, yaml.ScalarNode):
        if _SURROGATE_ITSELF.search(node.value):
            raise _Refused("text with half of a surrogate pair", node.start_mark)
        if node.tag == _FLOAT and not math.isfinite(float(_for_float(node.value))):
            raise _Refused(f"{node.value} is not a finite number", node.start_mark)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag not in (_STR, _MERGE):
                raise _Refused(f"the key {_named(key)} is not text; quote it", key.start_mark)
            if key.value in seen:
                raise _Refused(f"the key {key.value!r} comes twice", key.start_mark)
            seen.add(key.value)


def _for_float(text: str) -> str:
    return text.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan")


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [child for pair in node.value for child in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _named(key: yaml.Node) -> str:
    return repr(key.value) if isinstance(key, yaml.ScalarNode) else "of a list or mapping"


# Only what JSON has too. Dates and the like stay text, and so do numbers that YAML 1.1 reads as 8 (010) or 90 (1:30).
_NUMBERS = {
    "int": (r"^[-+]?(?:0|[1-9][0-9_]*)$", "-+0123456789"),
    "float": (
        r"^(?:[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
        "-+0123456789.",
    ),
}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in known if tag.rpartition(":")[2] in ("null", "bool", "merge")]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _name, (_pattern, _first) in _NUMBERS.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(_pattern), list(_first))

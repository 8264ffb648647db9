"""The gate for files that a stranger may have written: JSON, YAML, Parquet and text, with limits and one kind of error.

Every door that reads a file which the suite did not just write itself comes through here. What is wrong with a file is
a UserError of one line with the path and the reason. Nothing in a file can make reading hang, run code or fill memory.
"""

import json
import math
import os
import stat
from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import yaml

from educe.data.errors import UserError

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

# A tokenizer.json of a large vocabulary has 35 MB; rows of a task have a reader of their own limit.
MAX_BYTES = 256 << 20
# A study has some hundred nodes. Aliases count as often as they are used.
MAX_YAML_BYTES, MAX_YAML_NODES, MAX_DEPTH = 1 << 20, 20_000, 64
MAX_PARQUET_BYTES = 16 << 30


def open_regular(path: Path, *, links: bool = True) -> BinaryIO:
    """A regular file, opened for reading.

    UserError where it is missing, a folder, a pipe or a device, or (without `links`) reached by a symbolic link.
    """
    try:
        # Without O_NONBLOCK, opening a pipe would wait for its other end.
        stream = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | (0 if links else os.O_NOFOLLOW)), "rb")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file (from {Path.cwd()}); check the path") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        if not links and os.path.islink(path):
            raise UserError(f"{path} is a symbolic link; put the file itself there") from None
        raise UserError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}; check the path") from None
    mode = os.fstat(stream.fileno()).st_mode
    if not stat.S_ISREG(mode):
        stream.close()
        raise UserError(f"{path} is not a regular file; give one")
    return stream


def read_bytes(path: Path, *, limit: int = MAX_BYTES, links: bool = True) -> bytes:
    """The bytes of a regular file. UserError as for `open_regular`, and where there are more than `limit` bytes."""
    with open_regular(path, links=links) as stream:
        data = stream.read(limit + 1)
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


def parse_json(text: str, *, source: str) -> Any:
    """The value that JSON text stands for; `source` says in errors where it is from.

    UserError for broken JSON, a key that comes twice, NaN and infinities (which JSON has not), and nesting that is too
    deep.
    """
    try:
        return json.loads(
            text, object_pairs_hook=_without_duplicates, parse_constant=_refuse_number, parse_float=_finite
        )
    except json.JSONDecodeError as error:
        raise UserError(
            f"{source}: broken JSON at line {error.lineno}, column {error.colno} ({error.msg}); fix the file"
        ) from None
    except RecursionError:
        raise UserError(f"{source}: JSON nested too deeply to read; make it flat") from None
    except ValueError as error:
        raise UserError(f"{source}: {_reason(error)}; fix the file") from None


def read_yaml(path: Path, *, links: bool = True) -> Any:
    """The value in a YAML file. UserError as for `parse_yaml`."""
    return parse_yaml(read_text(path, limit=MAX_YAML_BYTES, links=links), source=str(path))


def parse_yaml(text: str, *, source: str) -> Any:
    """The value that YAML text stands for: mappings with text as keys, lists, text, numbers, true, false and null.

    Dates stay text. UserError, with the line, for broken YAML, a key that comes twice, a tag, aliases that expand to
    more than MAX_YAML_NODES values, and nesting deeper than MAX_DEPTH.
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


def open_parquet(path: Path, *, links: bool = True) -> "ParquetFile":
    """A Parquet file, opened for reading. UserError where it is not a regular Parquet file or unpacks to too much.

    What fails later, while its rows are read, is a `pyarrow.ArrowException` or an OSError.
    """
    # Deferred: it takes longer to import than all of the catalog, and few tasks need it.
    import pyarrow
    from pyarrow.parquet import ParquetFile

    stream = open_regular(path, links=links)
    try:
        file = ParquetFile(stream)
        sizes = [file.metadata.row_group(number).total_byte_size for number in range(file.num_row_groups)]
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        stream.close()
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: not a Parquet file ({reason}); check how it was written") from None
    if min(sizes, default=0) < 0 or sum(sizes) > MAX_PARQUET_BYTES:
        stream.close()
        raise UserError(f"{path} unpacks to more than {MAX_PARQUET_BYTES:,} bytes; split it")
    return file


def _reason(error: Exception) -> str:
    # Python's own line on long numbers names a function that would lift its limit.
    return " ".join(str(error).split(";")[0].split())


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"key {next(name for name in names if names.count(name) > 1)!r} comes twice")
    return made


def _refuse_number(text: str) -> Any:
    raise ValueError(f"{text} is not a number that JSON has")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse_number(text)


class _Refused(yaml.MarkedYAMLError):
    """YAML that could be read and is not."""

    def __init__(self, problem: str, mark: Any) -> None:
        super().__init__(problem=problem, problem_mark=mark)


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which also counts what it would build and refuses tags and keys that come twice."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._sizes: dict[int, int] = {}  # of finished nodes, aliases counted as often as they are used

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()
        if getattr(event, "tag", None):
            raise _Refused(f"the tag {event.tag!r} is not allowed", event.start_mark)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _Refused(f"nested over {MAX_DEPTH} deep", event.start_mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if node is not None and id(node) not in self._sizes:
            if isinstance(event, yaml.AliasEvent):  # not finished: the node is inside itself
                raise _Refused("an alias inside its own anchor", event.start_mark)
            self._sizes[id(node)] = 1 + sum(self._sizes[id(child)] for child in _children(node))
            if self._sizes[id(node)] > MAX_YAML_NODES:
                raise _Refused(f"over {MAX_YAML_NODES:,} values", event.start_mark)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag not in (_STR, _MERGE):
                raise _Refused(f"the key {_named(key)} is not text; quote it", key.start_mark)
            if key.value in seen:
                raise _Refused(f"the key {key.value!r} comes twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_STR, _MERGE = "tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [child for pair in node.value for child in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _named(key: yaml.Node) -> str:
    return repr(key.value) if isinstance(key, yaml.ScalarNode) else "of a list or mapping"


# Only what JSON has too. Dates and the like stay text.
_PLAIN = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map")}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in known if tag in _PLAIN | {_MERGE}]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}

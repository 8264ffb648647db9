"""What an offline run of W&B has logged, read from its transaction log: records in LevelDB's log format."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_HEADER, _BLOCK = 7, 32768
_FULL, _FIRST, _LAST = 1, 2, 4


def records(path: Path) -> Iterator[Any]:
    """Every whole record of a `.wandb` file; what a kill has cut off at its end is left out."""
    from wandb.proto import wandb_internal_pb2

    data, place, parts = path.read_bytes(), _HEADER, b""
    assert data[:4] == b":W&B"
    while place + _HEADER <= len(data):
        if _BLOCK - place % _BLOCK < _HEADER:
            place += _BLOCK - place % _BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", data[place : place + _HEADER])
        part = data[place + _HEADER : place + _HEADER + length]
        if len(part) < length:
            return
        place += _HEADER + length
        parts = part if kind in (_FULL, _FIRST) else parts + part
        if kind in (_FULL, _LAST):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(parts)
            yield record


def history(path: Path) -> list[dict[str, Any]]:
    """The rows that were logged, in order, with `_step` and `_timestamp`."""
    return [_values(each.history.item) for each in records(path) if each.WhichOneof("record_type") == "history"]


def of_kind(path: Path, kind: str) -> list[Any]:
    """The records of a kind, such as `run` or `stats`."""
    return [getattr(each, kind) for each in records(path) if each.WhichOneof("record_type") == kind]


def _values(items: Any) -> dict[str, Any]:
    return {each.key or "/".join(each.nested_key): json.loads(each.value_json) for each in items}

"""A cell's journal as a file: records one after another, each with its length and its checksums.

OUT/journal/MODEL/TASK/RECIPE/nN-sS-HASH.bin, while the cell has no result. The first record says what the others are
of; every other one has the values of one part (eval/model/journal.py). What is damaged is never a number: a record
whose values are damaged is passed over, and after one whose length is, nothing is read.
"""

import hashlib
import os
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from educe.data.untrusted import open_regular
from educe.eval.analysis.formatting import format_count

# A mark, hashes of what was asked and of the model that was asked, bytes of the values. Their checksum follows.
_HEAD = struct.Struct("<8s32s32sQ")
_MARK = b"educe-1\n"
_CHECK, _DIGEST = 4, 32
Key = tuple[bytes, bytes]
# The key of the first record.
ABOUT: Key = (bytes(32), bytes(32))


@dataclass(frozen=True)
class Record:
    """A record that was read; `values` is None where they are damaged."""

    key: Key
    values: bytes | None


def packed(key: Key, values: bytes) -> bytes:
    """A record as it is written."""
    head = _HEAD.pack(_MARK, *key, len(values))
    head += zlib.crc32(head).to_bytes(_CHECK, "little")
    return head + values + hashlib.sha256(head + values).digest()


def read_record(stream: BinaryIO, size: int) -> Record | None:
    """The record at the stream's place in a file of `size` bytes; None where its length cannot be known."""
    head = stream.read(_HEAD.size + _CHECK)
    if len(head) < _HEAD.size + _CHECK or zlib.crc32(head[:-_CHECK]).to_bytes(_CHECK, "little") != head[-_CHECK:]:
        return None
    mark, asked, state, length = _HEAD.unpack(head[:-_CHECK])
    if mark != _MARK or length > size - stream.tell() - _DIGEST:
        return None
    values, digest = stream.read(length), stream.read(_DIGEST)
    return Record((asked, state), values if hashlib.sha256(head + values).digest() == digest else None)


@dataclass(kw_only=True)
class Contents:
    """Where each part's record begins, how far records can be read, and how many of them are damaged."""

    places: dict[Key, int] = field(default_factory=dict)
    end: int = 0
    damaged: int = 0

    @property
    def damage(self) -> str | None:
        return f"{format_count(self.damaged, 'record')} of it damaged" if self.damaged else None


def read_contents(stream: BinaryIO, size: int) -> tuple[bytes | None, Contents]:
    """What the journal says it is of, None where that is damaged, and its contents."""
    found = Contents()
    about: bytes | None = None
    while found.end < size:
        record = read_record(stream, size)
        if record is None or (record.values is None and not found.end):
            found.damaged += 1
            break
        if not found.end:
            about = record.values
        elif record.values is None:
            found.damaged += 1
        else:
            found.places.pop(record.key, None)  # in the order of the file
            found.places[record.key] = found.end
        found.end = stream.tell()
    return about, found


def damage(path: Path) -> str | None:
    """What is wrong with a journal, if anything. UserError where it is no regular file."""
    with open_regular(path, links=False) as stream:
        size = os.fstat(stream.fileno()).st_size
        _, found = read_contents(stream, size)
    return found.damage if size else "it is empty"

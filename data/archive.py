"""The gate for zip archives that a stranger may have written: one member at a time, with limits.

Members are stored, deflated or packed by Zstandard (method 93), which Python reads from version 3.14 on and pyarrow
reads here.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from educe.data.errors import UserError, reason_of
from educe.data.untrusted import MAX_BYTES, open_regular

MAX_MEMBERS, MAX_TOTAL_BYTES = 1_000_000, 16 << 30
_ZSTANDARD = 93
_LOCAL_HEADER = struct.Struct("<26xHH")  # its fixed part ends in the lengths of two parts that follow it
_BROKEN = (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, ValueError, zlib.error)


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A zip archive, opened for reading. Of two members of one name the last one counts."""

    path: Path
    stream: BinaryIO
    members: dict[str, zipfile.ZipInfo]
    file: zipfile.ZipFile

    def read(self, name: str) -> str:
        """The text of a member. UserError where it is missing, damaged, too large or not UTF-8."""
        if name not in self.members:
            raise UserError(f"{self.path} has no member {name}; check how it was written")
        member = self.members[name]
        if member.file_size > MAX_BYTES:
            raise UserError(f"{self.path}: {name} has more than {MAX_BYTES:,} bytes; make it smaller")
        try:
            data = self._unpacked(member)
            if len(data) != member.file_size or zlib.crc32(data) != member.CRC:
                raise zipfile.BadZipFile("its checksum does not hold")
            return data.decode()
        except _BROKEN as error:
            raise UserError(f"{self.path}: {name} is damaged ({reason_of(error)}); copy the file again") from None

    def _unpacked(self, member: zipfile.ZipInfo) -> bytes:
        if member.compress_type != _ZSTANDARD:
            with self.file.open(member) as stream:
                return stream.read(member.file_size + 1)
        # Deferred: it takes longer to import than all of the catalog.
        import pyarrow

        self.stream.seek(member.header_offset)
        name, extra = _LOCAL_HEADER.unpack(self.stream.read(_LOCAL_HEADER.size).ljust(_LOCAL_HEADER.size, b"\0"))
        self.stream.seek(name + extra, 1)
        packed = pyarrow.BufferReader(self.stream.read(member.compress_size))
        with pyarrow.CompressedInputStream(packed, "zstd") as stream:
            data: bytes = stream.read(member.file_size + 1)
        return data


@contextmanager
def open_zip(path: Path) -> Iterator[Archive]:
    """A zip archive. UserError where it is none, was cut short, or unpacks to more than MAX_TOTAL_BYTES."""
    with open_regular(path) as stream:
        try:
            file = zipfile.ZipFile(stream)
        except _BROKEN as error:
            raise UserError(f"{path} is no zip archive, or was cut short ({reason_of(error)}); copy it again") from None
        members = {member.filename: member for member in file.infolist()}
        if len(members) > MAX_MEMBERS or sum(member.file_size for member in members.values()) > MAX_TOTAL_BYTES:
            raise UserError(f"{path} unpacks to over {MAX_TOTAL_BYTES:,} bytes or {MAX_MEMBERS:,} files; split it")
        yield Archive(path=path, stream=stream, members=members, file=file)

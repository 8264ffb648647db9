"""The header of a GGUF file, read with limits: every length is held against the file's size before it is believed.

The library that converts GGUF files believes them: a declared length of 2^60 is a loop without end. Layout:
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import math
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

from educe.data.errors import UserError
from educe.data.untrusted import open_regular

# Formats of plain values by GGUF's numbers for types; 8 is text, 9 an array.
_FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _ARRAY = 8, 9
_VERSIONS = (2, 3)
MAX_VALUES, MAX_DIMENSIONS = 10_000, 4
# Dense decoders have some thousand tensors, each of which takes a moment to match.
MAX_TENSORS = 50_000


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a file declares: its plain values by key, how long its arrays are, and its tensors' dimensions.

    For an array the value is a range of its length. Dimensions are in the file's order, the reverse of torch's.
    """

    values: Mapping[str, Any]
    tensors: Mapping[str, tuple[int, ...]]

    @property
    def architecture(self) -> str:
        return str(self.values["general.architecture"])


def read_header(path: Path) -> Header:
    """The header of a GGUF file. UserError where it is damaged, or declares more than the file holds."""
    with open_regular(path) as stream:
        try:
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as held:
                return _Reader(held).header()
        except (ValueError, struct.error) as error:  # mmap's ValueError: an empty file
            raise UserError(f"{path} cannot be read as GGUF: {error}; fetch or convert it again") from None


class _Reader:
    """A position in the bytes of a file. ValueError says what is wrong there."""

    def __init__(self, held: mmap.mmap) -> None:
        self._held, self._place = held, 0

    def header(self) -> Header:
        if self._held[:4] != b"GGUF":
            raise ValueError("it does not begin with GGUF")
        self._place = 4
        version, tensors, values = self._take("IQQ")
        if version not in _VERSIONS:
            raise ValueError(f"version {version} is none of {_VERSIONS}")
        if tensors > MAX_TENSORS or values > MAX_VALUES:
            raise ValueError(f"it declares {tensors} tensors and {values} values")
        found: dict[str, Any] = {}
        for _ in range(values):
            key = self._text()
            if key in found:
                raise ValueError(f"the key {key!r} comes twice")
            found[key] = self._value(self._take("I")[0])
        if not isinstance(found.get("general.architecture"), str):
            raise ValueError("it has no general.architecture")
        return Header(values=found, tensors=self._tensors(tensors, alignment=found.get("general.alignment", 32)))

    def _tensors(self, number: int, *, alignment: Any) -> dict[str, tuple[int, ...]]:
        if not isinstance(alignment, int) or not 1 <= alignment <= 1 << 16 or alignment & (alignment - 1):
            raise ValueError(f"general.alignment is {alignment!r}, which is no power of two")
        shapes: dict[str, tuple[int, ...]] = {}
        spans = []
        for _ in range(number):
            name = self._text()
            (dimensions,) = self._take("I")
            if not 1 <= dimensions <= MAX_DIMENSIONS:
                raise ValueError(f"tensor {name!r} has {dimensions} dimensions")
            shape = self._take(f"{dimensions}Q")
            kind, offset = self._take("IQ")
            if name in shapes:
                raise ValueError(f"tensor {name!r} comes twice")
            shapes[name] = shape
            spans.append((offset, _size(name, shape, kind), name))
        start = -(-self._place // alignment) * alignment
        end = 0
        for offset, size, name in sorted(spans):
            if offset < end or start + offset + size > len(self._held):
                raise ValueError(f"tensor {name!r} lies over another or beyond the end of the file")
            end = offset + size
        return shapes

    def _take(self, layout: str) -> tuple[Any, ...]:
        size = struct.calcsize(f"<{layout}")
        if self._place + size > len(self._held):
            raise ValueError("it ends too early")
        taken = struct.unpack_from(f"<{layout}", self._held, self._place)
        self._place += size
        return taken

    def _text(self) -> str:
        (length,) = self._take("Q")
        self._skip(length)
        try:
            return self._held[self._place - length : self._place].decode()
        except UnicodeDecodeError:
            raise ValueError(f"a text at byte {self._place - length} is not UTF-8") from None

    def _skip(self, length: int) -> None:
        if length > len(self._held) - self._place:
            raise ValueError(f"it declares {length} bytes at byte {self._place}, more than it has")
        self._place += length

    def _value(self, kind: int) -> Any:
        if kind in _FORMATS:
            return self._take(_FORMATS[kind])[0]
        if kind == _TEXT:
            return self._text()
        if kind != _ARRAY:
            raise ValueError(f"a value is of type {kind}, which GGUF has not")
        inner, count = self._take("IQ")
        if inner in _FORMATS:
            self._skip(count * struct.calcsize(_FORMATS[inner]))
        elif inner == _TEXT:
            self._skip(8 * count)  # at least the lengths must be there
            self._place -= 8 * count
            for _ in range(count):
                self._text()
        else:
            raise ValueError(f"an array is of type {inner}; only plain values and texts are read")
        return range(count)


def _size(name: str, shape: tuple[int, ...], kind: int) -> int:
    """Bytes that a tensor takes in the file."""
    known = {int(each): sizes for each, sizes in GGML_QUANT_SIZES.items() if each in GGMLQuantizationType}
    if kind not in known:
        raise ValueError(f"tensor {name!r} is of type {kind}, which GGUF has not")
    block, size = known[kind]
    if min(shape) < 1 or shape[0] % block:
        raise ValueError(f"tensor {name!r} has dimensions {shape}, which its type cannot have")
    return math.prod(shape) // block * size

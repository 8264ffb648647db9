"""The gate for strangers' files: every hostile one is refused in one line, and quickly."""

import gc
import json
import math
import os
import random
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from educe.data import parquet as gate
from educe.data import untrusted
from educe.data.errors import UserError
from educe.data.parquet import open_parquet
from educe.data.untrusted import (
    open_regular,
    parse_json,
    parse_yaml,
    read_bytes,
    read_json,
    read_text,
    read_yaml,
)

SECONDS = 5.0


def table_in(path: Path) -> pyarrow.Table:
    with open_parquet(path) as (file, _):
        return file.read()


def refused(read: Callable[[], Any]) -> str:
    """The one line of a refusal that does not take long."""
    started = time.perf_counter()
    with pytest.raises(UserError) as stopped:
        read()
    assert time.perf_counter() - started < SECONDS
    line = str(stopped.value)
    assert "\n" not in line and len(line) < 600, line
    return line


ALIASES = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
MERGES = "a0: &a0 {x: 1}\n" + "".join(
    f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 9)}]\n  k{n}: 1\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(ALIASES, "over 20,000 values", id="nested aliases"),
        pytest.param(MERGES, "over 20,000 values", id="nested merge keys"),
        pytest.param("a: &a [*a]", "an alias inside its own anchor", id="an alias of itself"),
        pytest.param("a: &a\n  <<: *a\n", "an alias inside its own anchor", id="merged into itself"),
        pytest.param("a: *b", "undefined alias 'b'", id="unknown alias"),
        pytest.param("a: !!python/object/apply:os.system ['true']", "is not allowed", id="python tag"),
        pytest.param("a: !!binary aGk=", "is not allowed", id="binary"),
        pytest.param("a: !!set {x}", "is not allowed", id="set"),
        pytest.param("a: !mine x", "is not allowed", id="own tag"),
        pytest.param("a: 1\nb: 2\na: 3\n", "line 3: broken YAML (the key 'a' comes twice)", id="key twice"),
        pytest.param("a: {b: 1, b: 2}", "the key 'b' comes twice", id="inner key twice"),
        pytest.param("1: x", "the key '1' is not text", id="number as key"),
        pytest.param("null: x", "the key 'null' is not text", id="null as key"),
        pytest.param("[a]: x", "the key of a list or mapping", id="list as key"),
        pytest.param("? {a: 1}\n: x", "the key of a list or mapping", id="mapping as key"),
        pytest.param("[" * 100_000, "nested over 64 deep", id="deep lists"),
        pytest.param("{a: " * 10_000, "nested over 64 deep", id="deep mappings"),
        pytest.param("- " * 10_000, "nested over 64 deep", id="deep blocks"),
        pytest.param("[" + "a," * 120_000 + "]", "over 20,000 values", id="long list"),
        pytest.param("a: " + "x" * (1 << 20), "characters; make it smaller", id="long text"),
        pytest.param("a: " + "9" * 5000, "4300 digits", id="long number"),
        pytest.param("a: 1e999", "1e999 is not a finite number", id="number over all"),
        pytest.param("a: -.inf", "-.inf is not a finite number", id="infinity"),
        pytest.param("a: .NaN", ".NaN is not a finite number", id="nan"),
        pytest.param('a: "\\ud800"', "half of a surrogate pair", id="surrogate"),
        pytest.param('"\\udc00": a', "half of a surrogate pair", id="surrogate in a key"),
        pytest.param('a: "\\U0011ffff"', "broken YAML", id="beyond unicode"),
        pytest.param("a: \x00", "special characters are not allowed", id="null byte"),
        pytest.param("a: \x1b[2J", "special characters are not allowed", id="escape sequence"),
        pytest.param("a: \ud800", "special characters are not allowed", id="surrogate itself"),
        pytest.param("a: 1\n---\nb: 2\n", "found another document", id="two documents"),
        pytest.param("%YAML 9.9\n---\na: 1", "found incompatible YAML", id="other version"),
        pytest.param("a: [1", "expected ',' or ']'", id="open list"),
        pytest.param("a: b: c", "mapping values are not allowed", id="two colons"),
        pytest.param("\t- a", "cannot start any token", id="tab"),
    ],
)
def test_hostile_yaml_is_refused(text: str, says: str) -> None:
    line = refused(lambda: parse_yaml(text, source="s.yaml"))
    assert line.startswith("s.yaml") and says in line


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("a: {b: [1, -2, +3, 1_000, 0]}", {"a": {"b": [1, -2, 3, 1000, 0]}}),
        ("[1.5, .5, 1., 1e3, -1E-3, 2.5e+3]", [1.5, 0.5, 1.0, 1000.0, -0.001, 2500.0]),
        ("[010, 0x10, 0b1, 1:30, 1:30:10.5, 2026-01-01]", ["010", "0x10", "0b1", "1:30", "1:30:10.5", "2026-01-01"]),
        ("[yes, off, true, null, ~, '']", [True, False, True, None, None, ""]),
        ("a: &a {x: 1}\nb: {<<: *a, y: 2}\n", {"a": {"x": 1}, "b": {"x": 1, "y": 2}}),
        ("a: [1, 2]\nb: &b [3]\nc: [*b, *b]", {"a": [1, 2], "b": [3], "c": [[3], [3]]}),
        ("'\U0001f600'", "\U0001f600"),
    ],
)
def test_plain_yaml_is_read(text: str, value: Any) -> None:
    assert parse_yaml(text, source="s.yaml") == value


def test_a_mapping_that_was_merged_before_is_no_repeated_key() -> None:
    """Merging changes a node in place; its keys were compared afterwards."""
    text = "a: &a {x: 1}\ndeep: [[{m: &b {<<: *a, x: 2}}]]\ntop: {<<: *b}\n"
    assert parse_yaml(text, source="s")["deep"] == [[{"m": {"x": 2}}]]


def test_yaml_of_the_largest_size_is_read_in_time() -> None:
    """Numbers to the base 60 took time quadratic in their length, and long lists were counted only at their end."""
    size = untrusted.MAX_YAML_BYTES - 10
    for filler in ("1:", "a ", "# ", "'' ", "é", "\n", "a\n", "-\n", '"\\n', "&a", "a,", ": ", "? ", "|\n"):
        text = ("a: " + filler * size)[:size]
        started = time.perf_counter()
        try:
            parse_yaml(text, source="s")
        except UserError as error:
            assert "\n" not in str(error)
        assert time.perf_counter() - started < SECONDS, filler


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "broken JSON at line 1, column 1", id="empty"),
        pytest.param("{", "broken JSON", id="open"),
        pytest.param("[1,]", "broken JSON", id="comma"),
        pytest.param("{'a': 1}", "broken JSON", id="single quotes"),
        pytest.param('{"a": 1} x', "Extra data", id="more"),
        pytest.param('{"a": 1, "a": 2}', "key 'a' comes twice", id="key twice"),
        pytest.param('{"b": {"a": 1, "a": 2}}', "key 'a' comes twice", id="inner key twice"),
        pytest.param("[NaN]", "NaN is not a number", id="nan"),
        pytest.param("-Infinity", "-Infinity is not a number", id="infinity"),
        pytest.param("1e999", "1e999 is not a number", id="number over all"),
        pytest.param("9" * 5000, "4300 digits", id="long number"),
        pytest.param("[" * 200_000, "nested too deeply", id="deep lists"),
        pytest.param('{"a":' * 200_000, "nested too deeply", id="deep objects"),
        pytest.param('"\\ud800"', "half of a surrogate pair", id="surrogate"),
        pytest.param('{"\\uDFFF": 1}', "half of a surrogate pair", id="surrogate in a key"),
        pytest.param('"\x00"', "Invalid control character", id="null byte"),
        pytest.param('"\x1b[2J"', "Invalid control character", id="escape sequence"),
        pytest.param("[" + "0," * 11_000_000, "more than 10,000,000 values", id="many values"),
    ],
)
def test_hostile_json_is_refused(text: str, says: str) -> None:
    line = refused(lambda: parse_json(text, source="s.json"))
    assert line.startswith("s.json") and says in line


def test_many_keys_of_which_the_last_repeats_are_refused_in_time() -> None:
    """The name was searched in time quadratic in the number of keys."""
    text = "{" + ",".join(f'"k{n}": 0' for n in range(200_000)) + ', "k199999": 1}'
    assert "key 'k199999' comes twice" in refused(lambda: parse_json(text, source="s"))


def test_plain_json_is_read() -> None:
    value = {"a": [1, 2.5, "\U0001f600", None, True], "b": {"c": "é"}}
    assert parse_json(json.dumps(value), source="s") == value  # the smile as a whole surrogate pair
    assert parse_json(json.dumps(value, ensure_ascii=False), source="s") == value


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.text(alphabet=st.sampled_from('[]{}:,"-&*a1. \n\\u!|>?%#d8'), max_size=60))
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    for parse in (parse_json, parse_yaml):
        try:
            value = parse(text, source="s")
        except UserError as error:
            assert "\n" not in str(error)
        else:
            json.dumps(value, allow_nan=False, ensure_ascii=False).encode()


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "nowhere").symlink_to("missing")
    (tmp_path / "circle").symlink_to("circle")
    for path, says in (
        (tmp_path / "missing", "no such file"),
        (tmp_path / "nowhere", "no such file"),
        (tmp_path / "circle", "cannot read"),
        (tmp_path, "is a folder"),
        (tmp_path / "pipe", "is a pipe or a device"),
        (Path("/dev/zero"), "is a pipe or a device"),
        (tmp_path / "file" / "more", "cannot read"),
        (Path("a\0b"), "cannot read"),
        (tmp_path / ("n" * 300), "cannot read"),
    ):
        for read in (open_regular, read_bytes, read_text, read_json, read_yaml, table_in):
            assert says in refused(lambda read=read, path=path: read(path)), path  # type: ignore[misc]
    assert read_text(tmp_path / "link") == "x"
    assert "is a symbolic link" in refused(lambda: read_text(tmp_path / "link", links=False))
    assert "is a symbolic link" in refused(lambda: read_text(tmp_path / "nowhere", links=False))


def test_refusals_leave_no_open_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    gc.collect()  # files that earlier tests left would be closed meanwhile
    before = len(os.listdir("/proc/self/fd"))
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "x.parquet"):
        refused(lambda path=path: table_in(path))  # type: ignore[misc]
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= before


def test_a_file_that_cannot_be_read_to_its_end_is_refused() -> None:
    assert "cannot read /proc/self/mem" in refused(lambda: read_bytes(Path("/proc/self/mem")))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("caf\xe9".encode("latin-1"), "byte 3 is not UTF-8"),
        ("text".encode("utf-16"), "byte 0 is not UTF-8"),
        (b"\xed\xa0\x80", "byte 0 is not UTF-8"),  # a surrogate, encoded all the same
        (b"\xc0\x80", "byte 0 is not UTF-8"),  # a null byte in two bytes
        (b"x" * 101, "more than 100 bytes"),
    ],
)
def test_bytes_that_are_no_text_are_refused(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "f").write_bytes(content)
    assert says in refused(lambda: read_text(tmp_path / "f", limit=100))


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_text(tmp_path / "f") == '{"a": 1}'
    assert read_json(tmp_path / "f") == {"a": 1} == read_yaml(tmp_path / "f")


def _table(rows: int = 50) -> pyarrow.Table:
    return pyarrow.table({"n": list(range(rows)), "text": [f"row {n}" for n in range(rows)]})


def test_a_parquet_file_is_opened(tmp_path: Path) -> None:
    parquet.write_table(_table(), tmp_path / "x.parquet")
    assert table_in(tmp_path / "x.parquet").num_rows == 50


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" * 20, b"\0" * 1000, b"PAR1" + b"\xff" * 100 + b"PAR1"])
def test_what_is_no_parquet_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.parquet").write_bytes(content)
    assert "not a Parquet file" in refused(lambda: table_in(tmp_path / "x.parquet"))


def test_damaged_parquet_files_fail_as_declared(tmp_path: Path) -> None:
    """Flipped bits and cuts: refused when opened, or an error of pyarrow's when its rows are read."""
    path = tmp_path / "x.parquet"
    parquet.write_table(_table(), path)
    whole, draw = path.read_bytes(), random.Random(0)
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(draw.choice((1, 1, 4))):
            damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
        kept = draw.choice((len(damaged), len(damaged), draw.randrange(len(damaged))))
        path.write_bytes(bytes(damaged[:kept]))
        try:
            table_in(path)
        except UserError as error:
            assert not re.search(r"\n", str(error))
        except (pyarrow.ArrowException, OSError):
            pass


def test_parquet_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.parquet"
    parquet.write_table(pyarrow.table({"text": ["a" * 100_000] * 100}), path, use_dictionary=False, compression="zstd")
    assert path.stat().st_size < 100_000
    monkeypatch.setattr(gate, "MAX_BYTES", 1_000_000)
    assert "unpacks to over 1,000,000 bytes" in refused(lambda: table_in(path))
    parquet.write_table(pyarrow.table({"n": [0] * 100_000}), path)
    monkeypatch.setattr(gate, "MAX_ROWS", 50_000)
    assert "or 50,000 rows" in refused(lambda: table_in(path))


def test_numbers_that_are_read_are_finite() -> None:
    assert all(math.isfinite(each) for each in parse_yaml("[1e308, -1e308, 1e-999]", source="s"))

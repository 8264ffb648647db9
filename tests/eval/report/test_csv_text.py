"""No cell of a CSV acts on a spreadsheet."""

import csv
import io
import re

import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from educe.eval.report.csv_text import csv_text


def read_back(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+SUM(A1)", "'+SUM(A1)"),
        ("-2+3+cmd|' /C calc'!A0", "'-2+3+cmd|' /C calc'!A0"),
        ("@SUM(1)", "'@SUM(1)"),
        ("  =1", "'  =1"),
        ("\t=1", "'\\t=1"),
        ("\r=1", "'\\r=1"),
        ("\n=1", "'\\n=1"),
        ("\u00a0=1", "'\u00a0=1"),
        ("＝1+1", "'＝1+1"),
        ('=HYPERLINK("http://x","y")', '\'=HYPERLINK("http://x","y")'),
        ("--", "'--"),
        ("a\r\nb", r"a\r\nb"),
        ("\x1b[2J", r"\x1b[2J"),
        ("-5", "-5"),
        ("+1.5e-3", "+1.5e-3"),
        ("a=1", "a=1"),
        ("few_shot shots=4, rank=2", "few_shot shots=4, rank=2"),
        ('quotes " and, commas', 'quotes " and, commas'),
        ("", ""),
        (-0.25, "-0.25"),
        (-3, "-3"),
        (None, ""),
    ],
)
def test_a_cell(value: object, cell: str) -> None:
    assert read_back(csv_text(["a", "b"], [{"a": value, "b": 7}])) == [["a", "b"], [cell, "7"]]


@settings(derandomize=True, max_examples=300)
@given(st.lists(st.tuples(st.text(st.characters(), max_size=12), st.floats(allow_nan=False)), min_size=1, max_size=5))
def test_any_text_is_one_line_and_no_formula(rows: list[tuple[str, float]]) -> None:
    text = csv_text(["text", "number"], [{"text": word, "number": number} for word, number in rows])
    assert "\r" not in text and text.count("\n") == len(rows) + 1
    text.encode()
    header, *cells = read_back(text)
    assert header == ["text", "number"] and [float(number) for _, number in cells] == [number for _, number in rows]
    assert not [cell for cell, _ in cells if re.match(r"\s*[=+@-]", cell) and not re.fullmatch(r"[+-]?[\d.e+-]+", cell)]


def test_pandas_reads_negative_numbers_as_numbers() -> None:
    text = csv_text(["gain", "note"], [{"gain": -0.25, "note": "=1"}, {"gain": 1e-7, "note": "-x\r\ny"}])
    frame = pandas.read_csv(io.StringIO(text))
    assert frame["gain"].tolist() == [-0.25, 1e-7] and frame["note"].tolist() == ["'=1", r"'-x\r\ny"]

"""Rows as CSV in which no text acts on a spreadsheet or a terminal."""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from educe.data.display import visible

# What a spreadsheet takes for a formula, in letters of any width, also after spaces.
_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?", re.IGNORECASE)


def csv_text(columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """The rows under their columns, one line each.

    In text, control characters are shown, and an apostrophe stands before what a spreadsheet would run. Numbers stay.
    """
    stream = io.StringIO()
    writer = csv.DictWriter(stream, fieldnames=list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return stream.getvalue()


def _cell(value: Any) -> Any:
    return _text(value) if isinstance(value, str) else value


@lru_cache(1024)  # names come again in every row
def _text(value: str) -> str:
    text = visible(value)
    return f"'{text}" if _FORMULA.match(value) and not _NUMBER.fullmatch(value) else text

"""Where simulations leave their tables: docs/statistics/NAME.csv, each row as soon as it is known."""

import csv
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "docs" / "statistics"
Row = dict[str, str | int | float]
# By the name of a section: the table that it writes, and how its rows are made.
Sections = Mapping[str, tuple[str, Callable[[], Iterable[Row]]]]


def write(name: str, rows: Iterable[Row]) -> None:
    """Write the rows, which all have the same columns, and show them meanwhile."""
    with (FOLDER / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        for number, row in enumerate(rows):
            if number == 0:
                writer.writerow(row)
            writer.writerow(row.values())
            stream.flush()
            print(row, flush=True)


def write_sections(sections: Sections, names: Sequence[str]) -> None:
    """Simulate the named sections, or all."""
    unknown = [name for name in names if name not in sections]
    if unknown:
        sys.exit(f"no section {unknown[0]!r}; there are {', '.join(sections)}")
    for name in names or sections:
        table, rows = sections[name]
        write(table, rows())

"""Where simulations leave their tables: docs/statistics/NAME.csv, each row as soon as it is known."""

import csv
from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "docs" / "statistics"
Row = dict[str, str | int | float]


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

"""`educe results --sql`: a question in SQL about the rows of a run directory, through DuckDB."""

from typing import Any

from pyarrow import Table

from educe.data.errors import UserError
from educe.eval.report.csv_text import csv_text


def answer(rows: Table, sql: str) -> str:
    """The answer as CSV. The table is `results`, with the columns of RESULT_COLUMNS; nothing else can be read.

    UserError for what DuckDB does not understand, and where it is not installed.
    """
    duckdb = _duckdb()
    with duckdb.connect(config={"enable_external_access": False}) as connection:
        connection.register("results", rows)
        try:
            found = connection.execute(sql)
            names = [str(each[0]) for each in found.description or ()]
            if twice := [name for name in names if names.count(name) > 1]:
                raise UserError(f"--sql: two columns are called {twice[0]!r}; name one with AS")
            return csv_text(names, (dict(zip(names, row, strict=True)) for row in found.fetchall()))
        except duckdb.Error as error:
            raise UserError(f"--sql: {' '.join(str(error).split())[:300]}; the table is results") from None


def _duckdb() -> Any:
    try:
        import duckdb
    except ModuleNotFoundError as error:
        raise UserError("--sql needs the package duckdb; pip install 'educe[sql]'") from error
    return duckdb

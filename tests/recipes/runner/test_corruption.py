"""What is wrong with a file of a run directory whose seals are right: one reason, and no number."""

import json
import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from educe.data.errors import UserError
from educe.recipes.runner.cell import Cell
from educe.recipes.runner.seal import SEAL, sealed_text
from educe.recipes.runner.store import Store
from educe.recipes.runner.verify import verify
from tests.recipes.made import measurement_of, reseal
from tests.recipes.small import run_cli, small_study


@pytest.fixture
def cells(tmp_path: Path) -> tuple[Cell, ...]:
    (tmp_path / "study").mkdir()
    return small_study(tmp_path / "study").cells()


@pytest.fixture
def store(tmp_path: Path, cells: tuple[Cell, ...]) -> Store:
    """One result and one failure."""
    store = Store(tmp_path / "out")
    with store.claim():
        store.begin(study_text="name: small\n", cells=cells)
        store.write(cells[0], measurement_of(cells[0]), save_adapter=None)
        store.fail(cells[1], "why")
        store.write_audits({})
    return store


def reason(store: Store, command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The first line on standard error of a command that finds one corrupt cell."""
    assert run_cli(command, store.root) == 1
    line, counted, *_ = capsys.readouterr().err.splitlines()
    assert counted == "educe: left out: 1 of 4 cells, corrupt"
    return line


def _set(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(summary: dict[str, Any]) -> None:
        *parents, last = key.split(".")
        for name in parents:
            summary = summary[name]
        summary[last] = value

    return change


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("score", 0.25, "its outcomes have the mean 0.5 and its score is 0.25"),
        ("score", "0.5", "measurement.json: score is not as a run writes it"),
        ("score", True, "measurement.json: score is not as a run writes it"),
        ("high", 7.8, "high: input should be less than or equal to 1"),
        ("high", 0.4, "its score 0.5 is not in its interval [0.1, 0.4]"),
        ("low", -0.1, "low: input should be greater than or equal to 0"),
        ("n", 3, "it has outcomes of 2 items and a score of 3"),
        ("n", 2.0, "measurement.json: n is not as a run writes it"),
        ("chance", 1.5, "chance: input should be less than or equal to 1"),
        ("spend.train_flops", -1.0, "spend.train_flops: input should be greater than or equal to 0"),
        ("spend.train_flops", 1e308, "spend.train_flops: input should be less than or equal to"),
        ("spend.flops_per_answer", 5e-324, "spend.flops_per_answer: 5e-324 is too near 0 for an amount"),
        ("spend.euros", 1, "spend.euros: unexpected keyword argument"),
        ("euros", 1, "euros: unexpected keyword argument"),
        ("seed", 3, "its seed is 3, and the study's is 0"),
        ("seed", -1, "seed: input should be greater than or equal to 0"),
        ("task", "other", "its task is 'other', and the study's is 'parity'"),
        ("model", "other", "its model is 'other', and the study's is 'tiny-random'"),
        ("settings.shots", 3, "its settings is"),
        ("provenance.cell", "0" * 64, "its cell is"),
        ("provenance.task_version", 7, "its task version is 7, and the study's is 1"),
        ("provenance.task_fingerprint", "rows", "its task fingerprint is 'rows', and the study's is"),
        ("provenance.model_identity", "weights", "its model identity is 'weights', and the study's is"),
        ("provenance.measured_on", "dev", "its split is 'dev', and the study's is 'test'"),
        ("provenance.model_canary", [-1.0, -2.0, -3.0], "its canary has 3 numbers, not 8"),
        ("budget_setting", "shots", "its budget 'shots' is no number among its settings"),
        ("metric", "\ud800", "half of a surrogate pair"),
        ("details.notes", {"a": 10**400}, "details.notes"),
    ],
)
def test_a_value_that_no_run_writes_is_refused_by_name(
    store: Store, cells: tuple[Cell, ...], key: str, value: Any, said: str
) -> None:
    """`"high": 7.8` was printed as 781%, and a cell of another task version or key passed."""
    path = store.folder(cells[0]) / "measurement.json"
    summary = json.loads(path.read_text())
    _set(key, value)(summary)
    path.write_text(json.dumps(summary))
    reseal(path)
    measurements, failures = store.read()
    assert not measurements and failures[0].corrupt
    assert said in failures[0].reason and failures[0].reason.startswith("corrupt: "), failures[0].reason


def test_a_result_of_before_a_kind_of_detail_existed_is_read(store: Store, cells: tuple[Cell, ...]) -> None:
    """A new kind of record must not make all results of before corrupt; other keys have to be there."""
    path = store.folder(cells[0]) / "measurement.json"
    summary = json.loads(path.read_text())
    for gone, corrupt in (("pressed", False), ("signals", False), ("notes", False), (None, True)):
        del (summary["details"] if gone else summary)[gone or "interval"]
        path.write_text(json.dumps(summary))
        reseal(path)
        measurements, failures = store.read()
        assert bool(measurements) is not corrupt and any(each.corrupt for each in failures) is corrupt, gone


def test_a_dtype_that_is_not_the_study_s_is_refused(tmp_path: Path) -> None:
    (cell,) = small_study(tmp_path, recipes=["zero_shot"], dtype="bfloat16").cells()
    store = Store(tmp_path / "out")
    with store.claim():
        store.begin(study_text="name: small\n", cells=[cell])
        with pytest.raises(ValueError, match="its dtype is 'float32', and the study's is 'bfloat16'"):
            store.write(cell, measurement_of(cell), save_adapter=None)


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("score", [math.nan, 0.0], "item 'q1' has the score nan, not one in [0, 1]"),
        ("score", [1.5, 0.0], "item 'q1' has the score 1.5, not one in [0, 1]"),
        ("score", [None, 0.0], "outcomes of items without score"),
        ("score", [0.0, 0.0], "its outcomes have the mean 0 and its score is 0.5"),
        ("id", ["q2", "q2"], "it has item 'q2' more than once"),
        ("id", [None, "q2"], "outcomes of items without id"),
        ("margin", [-1.0, None], "it has margins below 0 or without end"),
        ("loglikelihoods", [[math.nan, 0.0], []], "it has log-likelihoods that are not finite"),
        ("loglikelihoods", [[0.0], []], "it has other numbers of option tokens than of options"),
        ("answer_index", [2, None], "it has right answers that are not among the options"),
        ("answer_index", [-1, None], "it has right answers that are not among the options"),
    ],
)
def test_an_outcome_that_no_run_writes_is_refused_by_name(
    store: Store, cells: tuple[Cell, ...], column: str, values: list[Any], said: str
) -> None:
    path = store.folder(cells[0]) / "outcomes.parquet"
    table = pyarrow.parquet.read_table(path)
    place = table.schema.get_field_index(column)
    table = table.set_column(place, column, pyarrow.array(values, table.schema.field(column).type))
    pyarrow.parquet.write_table(table, path)
    reseal(path)
    assert said in store.read()[1][0].reason


@contextmanager
def counted() -> Iterator[pyarrow.MemoryPool]:
    """Counts what Arrow takes in here."""
    pool = pyarrow.proxy_memory_pool(before := pyarrow.default_memory_pool())
    pyarrow.set_memory_pool(pool)
    yield pool
    pyarrow.set_memory_pool(before)


def repeated(path: Path, count: int, **first: Any) -> None:
    """As many items as that, all like the first with these values, in a file of some kilobytes."""
    table = pyarrow.parquet.read_table(path)
    rows = [{**table.to_pylist()[0], **first}] * count
    made = pyarrow.Table.from_pylist(rows, schema=table.schema)
    pyarrow.parquet.write_table(made, path, compression="zstd", dictionary_pagesize_limit=1 << 30)
    assert path.stat().st_size < 30_000
    reseal(path)


def test_a_small_file_of_long_texts_takes_no_memory(
    store: Store, cells: tuple[Cell, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text that the file holds once and names in each row was in memory for each: 5.7 GB from 2 kB."""
    folder = store.folder(cells[0])
    repeated(folder / "outcomes.parquet", 200, text="a" * 1_000_000)
    summary = json.loads((folder / "measurement.json").read_text())
    (folder / "measurement.json").write_text(json.dumps({**summary, "n": 200}))
    reseal(folder / "measurement.json")
    monkeypatch.setattr("educe.recipes.runner.outcomes._MAX_BYTES", 100_000_000)
    with counted() as pool:
        assert "outcomes of over 100,000,000 bytes, which no run writes" in store.read()[1][0].reason
    assert 0 < pool.max_memory() < 20_000_000


@pytest.mark.parametrize(("count", "numbers"), [(200_000, 1), (2, 200_000)])
def test_more_rows_or_numbers_than_the_score_is_of_are_not_read(
    store: Store, cells: tuple[Cell, ...], count: int, numbers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store.folder(cells[0]) / "outcomes.parquet"
    repeated(path, count, loglikelihoods=[0.0] * numbers, option_tokens=[1] * numbers)
    monkeypatch.setattr("educe.recipes.runner.outcomes._MAX_BYTES", 1_000_000)
    monkeypatch.setattr(pyarrow.parquet.ParquetFile, "read", lambda *_, **__: pytest.fail("it was read"))
    said = {2: "outcomes of over 1,000,000 bytes", 200_000: "it has outcomes of 200,000 items and a score of 2"}
    assert said[count] in store.read()[1][0].reason


def test_outcomes_too_large_to_be_read_are_not_written(
    store: Store, cells: tuple[Cell, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("educe.recipes.runner.outcomes._MAX_BYTES", 100)
    with store.claim(), pytest.raises(ValueError, match="over 100 bytes"):
        store.write(cells[1], measurement_of(cells[1]), save_adapter=None)


@pytest.mark.parametrize("column", ["id", "score", "answer", "text"])
def test_outcomes_without_a_column_are_refused_by_name(store: Store, cells: tuple[Cell, ...], column: str) -> None:
    path = store.folder(cells[0]) / "outcomes.parquet"
    pyarrow.parquet.write_table(pyarrow.parquet.read_table(path).drop_columns([column]), path)
    reseal(path)
    said = f"corrupt: outcomes without a column {column!r}; run the study again"
    assert store.read()[1][0].reason == said


def test_outcomes_of_other_types_are_refused(store: Store, cells: tuple[Cell, ...]) -> None:
    path = store.folder(cells[0]) / "outcomes.parquet"
    table = pyarrow.parquet.read_table(path)
    place = table.schema.get_field_index("score")
    pyarrow.parquet.write_table(table.set_column(place, "score", table["score"].cast("float32")), path)
    reseal(path)
    assert "outcomes with columns or types that no run writes" in store.read()[1][0].reason


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("cells.json", "null", "input should be a valid array"),
        ("cells.json", '[{"key": "a"}]', "0.folder: field required"),
        ("cells.json", "[3]", "0: input should be"),
        ("cells.json", '[{"folder": 3}]', "0.folder: input should be a valid string"),
        ("study.yaml", "", "it names no study"),
        ("study.yaml", "models: []", "it names no study"),
        ("study.yaml", "name: [", "broken YAML"),
        ("audit.json", "[]", "input should be an object"),
        ("audit.json", '{"parity": []}', "parity: input should be"),
        ("audit.json", '{"parity": {"key": "a"}}', "parity.findings: field required"),
        ("audit.json", '{"parity": {"key": "a", "findings": [{"sort": "a"}]}}', "parity.findings.0."),
    ],
)
@pytest.mark.parametrize("sealed", [True, False])
def test_a_corrupt_file_of_the_directory_is_one_line(
    store: Store, file: str, content: str, said: str, sealed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    path = store.root / file
    path.write_text(content)
    if sealed:
        reseal(path)
    else:
        said = "it is not what was sealed"
    for command in ("report", "results"):
        assert run_cli(command, store.root) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"educe: {path} is corrupt (") and said in line
        assert line.endswith("); delete it and run the study again")
    assert run_cli("verify", store.root) == 1
    assert said in capsys.readouterr().out.splitlines()[0]


@pytest.mark.parametrize("file", ["study.yaml", "cells.json", "audit.json", SEAL])
def test_a_lost_file_of_the_directory_is_written_by_running_again(
    store: Store, cells: tuple[Cell, ...], file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The advice was to delete what is missing; a lost seal was always put down to an older version."""
    (store.root / file).unlink()
    for command in ("report", "results", "verify"):
        assert run_cli(command, store.root) == (1 if command == "verify" else 2)
        printed = capsys.readouterr()
        line = (printed.out + printed.err).splitlines()[0].removeprefix("educe: ")
        lost = f"{store.root} has no seal.json: it was lost, or an older version wrote the directory; "
        assert line.startswith(lost if file == SEAL else f"{store.root / file} is missing; ")
        assert "run the study again" in line and "delete" not in line.partition(", or ")[0]
    with store.claim():
        store.begin(study_text="name: small\n", cells=cells)
        store.write_audits({})
    assert run_cli("verify", store.root) == 1
    assert "results of 1 of 4 cells, 1 failed, 2 not run" in capsys.readouterr().out, "what was finished is kept"


def test_a_lost_seal_does_not_stop_launches_for_ever(store: Store, cells: tuple[Cell, ...]) -> None:
    (store.root / SEAL).unlink()
    with store.claim(), pytest.raises(UserError, match=r", or delete cells\.json and launch again$"):
        store.begin(study_text="name: small\n", cells=cells[:1], add=True)
    (store.root / "cells.json").unlink()
    with store.claim():
        store.begin(study_text="name: small\n", cells=cells[:1], add=True)
    assert len(store.read()[0]) == 1


def test_what_the_study_does_not_list_is_named(store: Store, cells: tuple[Cell, ...]) -> None:
    """It was passed over: a result beside those of the study could be taken for one of it."""
    whole = verify(store.root)
    assert list(whole.unread) == []
    listed = store.folder(cells[0])
    shutil.copytree(listed, listed.with_name("n9-s9-copied"))
    shutil.copytree(listed.parents[2], store.root / "cells" / "other-model")
    (store.root / "failures" / "note\x1b.txt").write_text("")
    (store.root / "cells" / "link").symlink_to(listed.parents[2])
    recipe = listed.relative_to(store.root).parent
    names = [f"{recipe}/n9-s9-copied", "cells/link", "cells/other-model", "failures/note\x1b.txt"]
    found = verify(store.root)
    assert sorted(found.unread) == [f"{each} is of no cell of the study and is not read" for each in sorted(names)]
    assert (found.faults, found.summary) == (whole.faults, whole.summary)
    assert found.lines()[2:-1] == [each.replace("\x1b", "\\x1b") for each in found.unread]


@pytest.mark.parametrize(("count", "said"), [(1, "results of 1 of 1 cell"), (2, "results of 1 of 2 cells, 1 failed")])
def test_one_cell_is_not_called_cells(
    store: Store, cells: tuple[Cell, ...], count: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with store.claim():
        store.begin(study_text="name: small\n", cells=cells[:count])
    assert run_cli("verify", store.root) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{store.root} is whole: {said}"


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("failures/{1}.json", '{"reason": 3}', "cell: field required"),
        (
            "failures/{1}.json",
            '{"cell": "a", "place": "b", "reason": 3, "files": {}}',
            "reason: input should be a valid",
        ),
        (
            "failures/{1}.json",
            '{"cell": "a", "place": "b", "reason": "c", "files": []}',
            "files: input should be a valid",
        ),
        ("failures/{1}.json", '{"cell": "a", "place": "b", "reason": "c", "files": {}}', "it is of another cell"),
        ("cells/{0}/measurement.json", "[]", "measurement.json is not an object"),
        ("cells/{0}/measurement.json", "{}", "study: field required"),
        ("cells/{0}/measurement.json", '{"a": 1, "a": 2}', "key 'a' comes twice"),
        ("cells/{0}/measurement.json", '{"a": NaN}', "NaN is not a number that JSON has"),
        ("cells/{0}/training.json", "null", "training: input should be a valid tuple"),
        ("cells/{0}/training.json", '[{"step": "0"}]', "training.json: 0.step is not as a run writes it"),
        ("cells/{0}/outcomes.parquet", "", "outcomes.parquet: not a Parquet file"),
    ],
)
def test_a_corrupt_file_of_a_cell_is_named_and_its_cell_left_out(
    store: Store, cells: tuple[Cell, ...], file: str, content: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = store.root / file.format(cells[0].folder, cells[1].folder)
    path.write_text(content)
    reseal(path)
    for command in ("report", "results", "claims", "forecast"):
        line = reason(store, command, capsys)
        assert said in line and line.endswith("; run the study again") and str(store.root) not in line
    assert run_cli("verify", store.root) == 1
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("part", ["measurement.json", "outcomes.parquet", "training.json", "seal.json"])
def test_a_file_of_a_cell_that_is_lost_is_named(
    store: Store, cells: tuple[Cell, ...], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing outcomes.parquet was a sentence of Arrow's."""
    (store.folder(cells[0]) / part).unlink()
    said = (
        "it is not sealed: an older version wrote it, or its seal is lost"
        if part == "seal.json"
        else f"{part} is missing"
    )
    assert reason(store, "results", capsys).endswith(f": corrupt: {said}; run the study again")


@pytest.mark.parametrize("values", [{}, {"files": 3}, {"files": {"cells.json": 3}}, {"files": {}, "more": 1}])
def test_a_seal_of_another_form_is_one_line(
    store: Store, values: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    (store.root / SEAL).write_text(sealed_text(values))
    assert run_cli("results", store.root) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"educe: {store.root / SEAL} is corrupt ({'more' if 'more' in values else 'files'}")


@pytest.mark.parametrize("fault", [TypeError, AttributeError, KeyError])
def test_a_fault_of_ours_is_not_called_corruption(
    store: Store, fault: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was: the cell was left out, and the traceback lost."""

    def faulty(*_: Any) -> None:
        raise fault("ours")

    monkeypatch.setattr("educe.recipes.runner.store.read_measurement", faulty)
    with pytest.raises(fault):
        store.read()


def test_a_folder_without_a_run_is_no_fault_to_verify(tmp_path: Path) -> None:
    assert run_cli("verify", tmp_path) == 2
    with pytest.raises(UserError, match="has no run"):
        Store(tmp_path).read()

"""A small study from end to end: what is kept, what is run again, and what a failing cell does to the others."""

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from educe.data.errors import UserError
from educe.eval.model.load import load_model
from educe.eval.report.result_columns import RESULT_COLUMNS
from educe.recipes.runner.results import load_results
from educe.recipes.runner.run_study import run_study
from educe.recipes.runner.study import Study
from tests.conftest import REPOSITORY
from tests.recipes.small import (
    no_figures,
    parity_rows,
    result_files,
    run_cli,
    small_study,
    study_file,
    study_values,
    write_rows,
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with study.yaml and `out`, run once for this file."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        no_figures(patch)
        results = run_study(Study.read(study_file(folder)), folder / "out")
    assert not results.failures
    return folder


@pytest.fixture
def copy(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same to be changed; the study still reads the task's file where it was."""
    no_figures(monkeypatch)
    shutil.copytree(finished, tmp_path / "copy")
    return tmp_path / "copy"


def test_a_study_gives_a_measurement_for_every_cell(finished: Path) -> None:
    study, results = Study.read(finished / "study.yaml"), load_results(finished / "out")
    cells = study.cells()
    assert len(results.measurements) == len(cells) == 4
    for cell, measurement in zip(cells, results.measurements, strict=True):
        assert [outcome.id for outcome in measurement.outcomes] == [item.id for item in cell.items]
        assert measurement.score == sum(outcome.score for outcome in measurement.outcomes) / 6
        assert 0 <= measurement.low <= measurement.score <= measurement.high <= 1
        assert measurement.chance == 0.5 and measurement.spend.flops_per_answer > 0
        assert measurement.provenance.cell == cell.key
        assert measurement.provenance.versions["torch"] and measurement.provenance.device == "cpu"
        assert "Question: Is " in measurement.provenance.first_prompt


def test_labels_and_flops_are_charged(finished: Path) -> None:
    plain, shots, *trained = [each.spend for each in load_results(finished / "out").measurements]
    assert (plain.labelled_examples, plain.train_flops, plain.trainable_parameters) == (0, 0, 0)
    assert (shots.labelled_examples, shots.train_flops) == (2, 0)
    assert shots.flops_per_answer > 2 * plain.flops_per_answer
    assert [each.labelled_examples for each in trained] == [2, 4]
    assert 0 < trained[0].train_flops < trained[1].train_flops and trained[0].trainable_parameters > 0


def test_an_adapter_is_kept_in_the_format_of_peft(finished: Path) -> None:
    (folder,) = (finished / "out" / "cells").rglob("n4-*")
    settings = json.loads((folder / "adapter" / "adapter_config.json").read_text())
    assert (settings["peft_type"], settings["r"]) == ("LORA", 2)
    assert (folder / "adapter" / "adapter_model.safetensors").stat().st_size > 1000
    assert len(json.loads((folder / "training.json").read_text())) == 1


def test_the_columns_of_the_results(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli("results", finished / "out") == 0
    text = capsys.readouterr().out
    assert text.splitlines()[0] == ",".join(RESULT_COLUMNS)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["recipe"], row["examples"]) for row in rows] == [
        ("zero_shot", "0"),
        ("few_shot(shots=2)", "2"),
        ("iid_sft(rank=2, epochs=1)", "2"),
        ("iid_sft(rank=2, epochs=1)", "4"),
    ]
    assert all(row["study"] == "small" and row["error"] == "" for row in rows)
    assert run_cli("results", finished / "out", "--format", "json") == 0
    as_json = json.loads(capsys.readouterr().out)
    assert [list(row) for row in as_json] == [list(RESULT_COLUMNS)] * 4
    assert [row["score"] for row in as_json] == [float(row["score"]) for row in rows]
    assert as_json[0]["error"] is None


def test_a_finished_study_is_not_run_again(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = result_files(copy / "out")
    monkeypatch.setattr("educe.recipes.runner.worker.load_model", lambda *_, **__: pytest.fail("a model was loaded"))
    assert run_cli("run", copy / "study.yaml", "--out", copy / "out") == 0
    assert result_files(copy / "out") == before and len(before) == 4


def test_a_result_that_is_lost_is_made_again_and_no_other(copy: Path) -> None:
    before = result_files(copy / "out")
    text = load_results(copy / "out").text("csv")
    lost = next(each for each in before if "few_shot" in each)
    shutil.rmtree(copy / "out" / lost)
    assert run_cli("run", copy / "study.yaml", "--out", copy / "out") == 0
    after = result_files(copy / "out")
    assert set(after) == set(before) and after.pop(lost) != before.pop(lost) and after == before
    assert _scores(load_results(copy / "out").text("csv")) == _scores(text)


def test_other_items_make_other_cells(copy: Path) -> None:
    before = result_files(copy / "out")
    change = ["--set", "test_items=5", "--set", "recipes=[zero_shot]"]
    assert run_cli("run", copy / "study.yaml", "--out", copy / "out", *change) == 0
    after = result_files(copy / "out")
    assert len(after) == len(before) + 1 and before.items() <= after.items()
    assert [each.n for each in load_results(copy / "out").measurements] == [5], "only what was asked for is read"


def test_a_new_name_keeps_the_results_under_it(copy: Path) -> None:
    before = result_files(copy / "out")
    assert run_cli("run", copy / "study.yaml", "--out", copy / "out", "--set", "name=renamed") == 0
    assert result_files(copy / "out") == before
    assert {row["study"] for row in load_results(copy / "out").rows()} == {"renamed"}


def test_a_failing_cell_lets_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_figures(monkeypatch)
    path = study_file(tmp_path, recipes=[{"iid_sft": {"learning_rate": 1e30}}, "zero_shot"], examples=[4])
    out = tmp_path / "out"
    assert run_cli("run", path, "--out", out) == 1
    shown = capsys.readouterr().err
    assert "1 of 2 cells failed" in shown and "Traceback" not in shown
    assert run_cli("results", out) == 0
    done, failed = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (done["recipe"], done["error"]) == ("zero_shot", "") and done["score"]
    assert failed["recipe"] == "iid_sft(learning_rate=1e+30)" and failed["study"] == "small"
    assert failed["score"] == failed["n"] == "" and "lower learning_rate" in failed["error"]
    # It is tried again, and fails again.
    before = result_files(out)
    assert run_cli("run", path, "--out", out) == 1
    assert "lower learning_rate" in capsys.readouterr().err and result_files(out) == before


def test_an_error_of_ours_is_shown_and_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_figures(monkeypatch)
    out, path = tmp_path / "out", study_file(tmp_path, recipes=["zero_shot", {"few_shot": {"shots": 2}}])
    with monkeypatch.context() as patch:
        patch.setattr("educe.recipes.prompting.zero_shot.ZeroShot.__call__", lambda *_, **__: 1 // 0)
        assert run_cli("run", path, "--out", out) == 1
    assert "Traceback" in capsys.readouterr().err
    assert [each.reason.split(":")[0] for each in load_results(out).failures] == ["ZeroDivisionError"]
    assert len(result_files(out)) == 1
    assert run_cli("run", path, "--out", out) == 0, "what failed is tried again"
    assert not load_results(out).failures and not list((out / "failures").rglob("*.json"))


class PanicException(BaseException):
    """As libraries in Rust raise it: no Exception."""


@pytest.mark.parametrize("error", [MemoryError, PanicException])
def test_an_error_while_loading_fails_the_cells_of_that_model(
    error: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(spec: Any, **options: Any) -> Any:
        if spec.name != "tiny-random":
            raise error("out of memory")
        return load_model(spec, **options)

    no_figures(monkeypatch)
    monkeypatch.setattr("educe.recipes.runner.worker.load_model", load)
    study = small_study(tmp_path, models=[{"tiny-random": {"name": "large"}}, "tiny-random"], recipes=["zero_shot"])
    results = run_study(study, tmp_path / "out")
    assert [each.model for each in results.measurements] == ["tiny-random"]
    assert [(each.model, each.reason) for each in results.failures] == [("large", f"{error.__name__}: out of memory")]


def test_a_model_that_cannot_be_loaded_fails_its_own_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_figures(monkeypatch)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "config.json").write_text('{"model_type": "llama"}')
    (broken / "model.safetensors").write_text("no weights")
    study = small_study(tmp_path, models=[f"path:{broken}", "tiny-random"], recipes=["zero_shot"])
    results = run_study(study, tmp_path / "out")
    assert [each.model for each in results.measurements] == ["tiny-random"]
    assert [each.model for each in results.failures] == ["broken"]


def test_a_prompt_longer_than_the_context_fails_its_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_figures(monkeypatch)
    rows = parity_rows()
    for row in rows:
        row["question"] += " Think." * 60
    write_rows(tmp_path / "parity.jsonl", rows)
    study = small_study(tmp_path, recipes=["zero_shot", {"few_shot": {"shots": 2}}])
    results = run_study(study, tmp_path / "out")
    assert [each.method for each in results.measurements] == ["zero_shot"]
    assert "longer than the context of 'tiny-random' (1024 tokens)" in results.failures[0].reason


def test_what_a_search_costs_is_charged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_figures(monkeypatch)
    one, several = {"rank": 2, "learning_rate": 1e-3}, {"rank": 2, "learning_rate": [1e-3, 1e-2], "dev_examples": 3}
    study = small_study(tmp_path, recipes=[{"iid_sft": one}, {"iid_sft": several}], examples=[4])
    plain, searched = run_study(study, tmp_path / "out").measurements
    assert (plain.spend.labelled_examples, plain.spend.search_flops) == (4, 0)
    assert searched.spend.labelled_examples == 4 + 3
    assert searched.spend.train_flops == plain.spend.train_flops
    # The run that lost, and three dev answers for each rate.
    answers = 2 * 3 * searched.spend.flops_per_answer
    assert searched.spend.search_flops == pytest.approx(plain.spend.train_flops + answers, rel=0.05)
    assert searched.details.selection.chosen["learning_rate"] in (0.001, 0.01)


@pytest.mark.slow
def test_python_and_the_command_line_give_the_same(finished: Path, tmp_path: Path) -> None:
    """Once as a real process: what users type, from another folder."""
    command = [sys.executable, "-m", "educe.recipes.cli", "run", str(finished / "study.yaml"), "--set", "examples=[4]"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "out")], cwd=REPOSITORY, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"report: {tmp_path}/out/report.html\n" and (tmp_path / "out" / "report.html").is_file()
    assert "educe: [3/3] tiny-random parity iid_sft(rank=2, epochs=1) n=4 seed=0: " in done.stderr
    ours = [
        row
        for row in _scores(load_results(finished / "out").text("csv"))
        if row["examples"] != "2" or "few" in row["recipe"]
    ]
    assert _scores(load_results(tmp_path / "out").text("csv")) == ours


def _scores(text: str) -> list[dict[str, str]]:
    return [
        {key: value for key, value in row.items() if key != "elicitation_seconds"}
        for row in csv.DictReader(io.StringIO(text))
    ]


def test_a_curve_of_the_results(finished: Path) -> None:
    curve = load_results(finished / "out").curve(model="tiny-random", task="parity", recipe="iid_sft")
    assert [point.budget for point in curve.points] == [2, 4]
    named = {"model": "tiny-random", "task": "parity", "recipe": "iid_sft"}
    for change, said in {
        "model": "no curve of model 'tiny-randm' along examples; did you mean 'tiny-random'?",
        "task": "no curve of task 'party' along examples; did you mean 'parity'?",
        "recipe": "no curve of recipe 'iid_sf' along examples; did you mean 'iid_sft'?",
    }.items():
        wrong = {"model": "tiny-randm", "task": "party", "recipe": "iid_sf"}[change]
        with pytest.raises(UserError) as refused:
            load_results(finished / "out").curve(**{**named, change: wrong})
        assert str(refused.value) == said


def test_a_study_where_every_cell_fails_still_has_a_report(tmp_path: Path) -> None:
    path = study_file(tmp_path, recipes=[{"iid_sft": {"learning_rate": 1e30}}], examples=[2])
    assert run_cli("run", path, "--out", tmp_path / "out") == 1
    assert "lower learning_rate" in (tmp_path / "out" / "report.html").read_text()


def test_the_study_that_was_run_can_be_run_from_its_folder(finished: Path) -> None:
    assert Study.read(finished / "out" / "study.yaml") == Study.make(study_values(finished))


@pytest.mark.parametrize("file", ["measurement.json", "outcomes.parquet", "seal.json"])
def test_a_corrupt_cell_is_run_again_and_no_other(copy: Path, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It was read, or it stopped every command until somebody deleted it."""
    whole = result_files(copy / "out")
    corrupt = sorted((copy / "out" / "cells").rglob(file))[0]
    corrupt.write_bytes(corrupt.read_bytes() + b" ")
    results = load_results(copy / "out")
    assert len(results.measurements) == 3 and [each.corrupt for each in results.failures] == [True]
    capsys.readouterr()
    assert run_cli("run", copy / "study.yaml", "--out", copy / "out") == 0
    shown = capsys.readouterr().err
    assert f"corrupt: {file}" in shown and "; it is run again" in shown
    after = result_files(copy / "out")
    assert after.keys() == whole.keys() and len(after.items() - whole.items()) == 1
    assert run_cli("verify", copy / "out") == 0
    assert capsys.readouterr().out.endswith("is whole: results of 4 of 4 cells\n")


def test_a_cell_without_its_measurement_is_run_again_in_place(copy: Path) -> None:
    lost = sorted((copy / "out" / "cells").rglob("measurement.json"))[0]
    lost.unlink()
    assert not run_study(Study.read(copy / "study.yaml"), copy / "out").failures
    assert lost.is_file()

"""A model that changes behind its identity stops the study, and what was measured before stays."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from educe.eval.model.canary import ModelChanged
from educe.recipes.runner.launch import launch
from educe.recipes.runner.result_files import read_measurement
from educe.recipes.runner.results import load_results
from educe.recipes.runner.run_study import run_study
from educe.recipes.runner.study import Study
from tests.nets import tiny
from tests.recipes.made import reseal
from tests.recipes.small import no_figures, parity_rows, small_study, write_rows

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """org/name at COMMIT in the hub's cache."""
    folder = tmp_path / "hub" / "models--org--name" / "snapshots" / COMMIT
    model = tiny()
    model.net.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    no_figures(monkeypatch)
    return folder


def study(tmp_path: Path, *recipes: Any) -> Study:
    rows = tmp_path / "rows.jsonl"
    if not rows.exists():
        write_rows(rows, parity_rows(40))
    return Study.make(
        {
            "name": "canary",
            "models": [f"hub:org/name@{COMMIT}"],
            "tasks": [{f"file:{rows}": {}}],
            "recipes": list(recipes),
            "test_items": 4,
        },
        what="this test",
    )


def test_other_weights_behind_the_same_commit_stop_the_study(snapshot: Path, tmp_path: Path) -> None:
    """Failed before: the second recipe was measured on other weights, under the same identity."""
    out = tmp_path / "out"
    (first,) = run_study(study(tmp_path, "zero_shot"), out).measurements
    assert len(first.provenance.model_canary) == 8
    assert len(run_study(study(tmp_path, "zero_shot", "few_shot"), out).measurements) > 1
    weights = load_file(snapshot / "model.safetensors")
    save_file({name: 2 * each for name, each in weights.items()}, snapshot / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelChanged, match=r"^model 'name' has changed: .*; restore the model") as stopped:
        run_study(study(tmp_path, "zero_shot", "few_shot", {"few_shot": {"shots": 2}}), out)
    assert "\n" not in str(stopped.value)
    assert [each.score for each in load_results(out).measurements if each.method == "zero_shot"] == [first.score]


def test_a_launch_with_another_model_stops_without_a_note(snapshot: Path, tmp_path: Path) -> None:
    """A launch noted it as a failure of the cell, as `educe run` did not."""
    out = tmp_path / "out"
    launch(study(tmp_path, "zero_shot"), out)
    weights = load_file(snapshot / "model.safetensors")
    save_file({name: 2 * each for name, each in weights.items()}, snapshot / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelChanged):
        launch(study(tmp_path, {"few_shot": {"shots": 2}}), out)
    assert not list((out / "failures").rglob("*.json"))


def test_no_result_is_read_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A finished study read every result twice, one that went on three times, and each launch all of them."""
    no_figures(monkeypatch)
    read: list[str] = []
    monkeypatch.setattr(
        "educe.recipes.runner.store.read_measurement",
        lambda folder, cell, shared: read.append(cell.recipe) or read_measurement(folder, cell, shared),
    )
    out, few = tmp_path / "out", {"few_shot": {"shots": 2}}
    tiny_study = partial(small_study, tmp_path, examples=[2])
    run_study(tiny_study(recipes=["zero_shot"]), out)
    read.clear()
    run_study(tiny_study(recipes=["zero_shot"]), out)
    assert read == ["zero_shot"]
    read.clear()
    run_study(tiny_study(recipes=["zero_shot", few]), out)
    assert read == ["zero_shot", "few_shot(shots=2)"]
    read.clear()
    launch(tiny_study(recipes=["zero_shot"]), out)
    assert read == ["zero_shot"], "a finished cell needs no other"
    read.clear()
    launch(tiny_study(recipes=[{"zero_shot": {"phrase": "tip"}}]), out)
    assert len(read) == 2, "those of its model"


def test_a_canary_of_another_length_is_corrupt_and_its_cell_is_run_again(snapshot: Path, tmp_path: Path) -> None:
    """It ended in a traceback when the next recipe was run."""
    out = tmp_path / "out"
    run_study(study(tmp_path, "zero_shot"), out)
    (path,) = out.rglob("measurement.json")
    summary = json.loads(path.read_text())
    summary["provenance"]["model_canary"] = [-1.0, -2.0, -3.0]
    path.write_text(json.dumps(summary))
    reseal(path)
    results = run_study(study(tmp_path, "zero_shot", "few_shot"), out)
    assert not results.failures and {len(each.provenance.model_canary) for each in results.measurements} == {8}


@pytest.mark.parametrize("name", ["chat_template.jinja", "generation_config.json"])
def test_a_part_of_a_snapshot_stops_a_study_of_the_whole(name: str, snapshot: Path, tmp_path: Path) -> None:
    """Failed before: a chat model without its template was a base model of the same identity."""
    out = tmp_path / "out"
    run_study(study(tmp_path, "zero_shot"), out)
    (snapshot / name).unlink()
    with pytest.raises(ModelChanged, match=r"^model 'name' has changed: its settings, tokenizer or chat template are"):
        run_study(study(tmp_path, "zero_shot", "few_shot"), out)


@pytest.mark.parametrize("launched", [False, True])
def test_labels_from_another_model_behind_the_same_commit_stop_the_study(
    launched: bool, snapshot: Path, tmp_path: Path
) -> None:
    """Failed before: rows were labelled by other weights, under the same identity."""
    out, spec = tmp_path / "out", f"hub:org/name@{COMMIT}"

    def run(*epochs: int) -> None:
        weak = {"labels_from": spec, "max_examples_seen": 4, "precision": "float32"}
        written = study(tmp_path, *({"iid_sft": {**weak, "epochs": number}} for number in epochs))
        values = {**written.model_dump(exclude_unset=True), "models": ["tiny-random"], "examples": [4]}
        (launch if launched else run_study)(Study.make(values), out)

    run(1)
    (first,) = load_results(out).measurements
    labelled = first.details.demonstrator
    assert labelled is not None and len(labelled.canary) == 8 and labelled.whole_commit is False
    weights = load_file(snapshot / "model.safetensors")
    save_file({name: 2 * each for name, each in weights.items()}, snapshot / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelChanged, match=r"^model 'name' has changed: it gives"):
        run(*([2] if launched else [1, 2]))

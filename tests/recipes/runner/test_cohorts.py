"""Cohorts: which cells train together, and what a run that broke off runs again."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from educe.recipes.runner.cell import Cell
from educe.recipes.runner.cohorts import cohorts, for_workers, units
from educe.recipes.runner.results import load_results
from educe.recipes.runner.run_study import run_study
from educe.train.limits import MAX_TOGETHER
from tests.recipes.small import no_figures, small_study

TOGETHER = {"iid_sft": {"rank": 2, "epochs": 1}}


def folders(cells: Sequence[Cell]) -> tuple[str, ...]:
    return tuple(cell.listed.folder for cell in cells)


@pytest.mark.parametrize(("seeds", "sizes"), [(5, [2, 4, 8]), (1, [2]), (9, [4]), (3, [2, 4])])
def test_cells_of_one_adapter_shape_train_together_and_all_cells_are_in_one_group(
    seeds: int, sizes: list[int], tmp_path: Path
) -> None:
    noisy = {"iid_sft": {"rank": 2, "epochs": 1, "random_labels": 0.5, "learning_rate": 1e-3}}
    other = {"iid_sft": {"rank": 4, "epochs": 1}}
    study = small_study(
        tmp_path, recipes=["zero_shot", TOGETHER, noisy, other, "ia3"], examples=sizes, seeds=list(range(seeds))
    )
    cells = study.cells()
    groups = cohorts(cells)
    assert sorted(cell.listed.folder for group in groups for cell in group) == sorted(
        cell.listed.folder for cell in cells
    )
    assert max(map(len, groups)) <= MAX_TOGETHER
    for group in groups:
        assert len({cell.method.cohort for cell in group}) == 1
        assert [cell.examples for cell in group] == sorted(cell.examples for cell in group)
    sft = [len(group) for group in groups if group[0].method_name == "iid_sft"]
    assert sum(sft) == 3 * seeds * len(sizes)
    assert all(len(group) == 1 for group in groups if group[0].method_name in ("ia3", "zero_shot"))
    rank_2 = [
        len(group) for group in groups if getattr(group[0].method, "change", None) == study.cells()[1].method.change
    ]
    assert max(rank_2) - min(rank_2) <= 1 and len(rank_2) == -(-2 * seeds * len(sizes) // MAX_TOGETHER)


def test_the_order_of_recipes_in_a_cohort_and_of_cells_does_not_depend_on_what_is_done(tmp_path: Path) -> None:
    cells = small_study(tmp_path, recipes=[TOGETHER], seeds=[0, 1, 2]).cells()
    (whole,) = units(cells, {})
    made_with = {cell.listed.folder: folders(whole.cells) for cell in whole.cells[:2]}
    (again,) = units(cells, made_with)
    assert again.cells == whole.cells and again.missing == {cell.listed.folder for cell in whole.cells[2:]}
    assert units(cells, {cell.listed.folder: folders(whole.cells) for cell in whole.cells}) == []


def test_workers_take_the_first_panel_and_then_the_longest_first(tmp_path: Path) -> None:
    models = ["tiny-random", {"tiny-random": {"name": "b"}}]
    cells = small_study(tmp_path, recipes=["zero_shot", TOGETHER, "ngrams"], seeds=[0, 1], models=models).cells()
    planned = units(cells, {})
    taken = for_workers(planned)
    assert sorted(map(planned.index, taken)) == list(range(len(planned)))
    panel = [unit for unit in planned if unit.panel == planned[0].panel]
    assert 0 < len(panel) < len(planned) and taken[: len(panel)] == panel
    rest = taken[len(panel) :]
    assert [unit.rows for unit in rest] == sorted((unit.rows for unit in rest), reverse=True)
    assert rest[0].cells[0].method_name == "iid_sft" and rest[-1].rows == 0
    assert for_workers([]) == []


def test_what_chooses_on_dev_rows_comes_last_on_its_task(tmp_path: Path) -> None:
    searching = {"iid_sft": {"rank": 2, "epochs": 1, "learning_rate": [1e-3, 1e-2], "dev_examples": 4}}
    cells = small_study(tmp_path, recipes=[searching, "zero_shot", TOGETHER]).cells()
    dev = [group[0].method.reads_dev for group in cohorts(cells)]
    assert dev == sorted(dev) and any(dev)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_however_a_study_grows_and_breaks_off_every_cell_is_run_once_and_no_result_is_made_again(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Seeds and sizes are added, runs die between two results; a cell keeps the cohort that it was first run in."""
    folder = tmp_path_factory.mktemp("grow")
    made_with: dict[str, tuple[str, ...]] = {}
    first: dict[str, tuple[str, ...]] = {}
    seeds, sizes = 1, [2]
    for _ in range(data.draw(st.integers(1, 4))):
        seeds += data.draw(st.integers(0, 4))
        sizes = sizes + ([2 * sizes[-1]] if data.draw(st.booleans()) and len(sizes) < 4 else [])
        cells = small_study(folder, recipes=[TOGETHER], seeds=list(range(seeds)), examples=sizes).cells()
        done_before = set(made_with)
        stored = data.draw(st.integers(0, len(cells)))
        for unit in units(cells, made_with):
            keys = folders(unit.cells)
            for cell in unit.wanted:
                assert cell.listed.folder not in done_before
                if stored == 0:
                    # It breaks off here: what was begun of this cohort has to go on as it was.
                    first.setdefault(cell.listed.folder, keys if any(key in made_with for key in keys) else ())
                    continue
                stored -= 1
                if first.get(cell.listed.folder):
                    assert first[cell.listed.folder] == keys, "a broken-off cohort was run again as another one"
                made_with[cell.listed.folder] = keys
    cells = small_study(folder, recipes=[TOGETHER], seeds=list(range(seeds)), examples=sizes).cells()
    for unit in units(cells, made_with):
        made_with.update({cell.listed.folder: () for cell in unit.wanted})
    assert units(cells, made_with) == [] and set(made_with) >= {cell.listed.folder for cell in cells}


def test_results_say_with_whom_they_trained_and_a_lost_one_is_made_again_bit_by_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_figures(monkeypatch)
    study = small_study(tmp_path, recipes=["zero_shot", TOGETHER], seeds=[0, 1])
    out = tmp_path / "out"
    results = run_study(study, out)
    trained = [each for each in results.measurements if each.method == "iid_sft"]
    (cohort,) = {each.provenance.cohort for each in trained}
    assert (
        sorted(cohort) == sorted(cell.listed.folder for cell in study.cells() if cell.method_name == "iid_sft")
        and len(cohort) == 4
    )
    assert [each.provenance.cohort for each in results.measurements if each.method == "zero_shot"] == [()]
    assert all(one.spend.seconds > 0 for one in trained)
    lost = next(cell for cell in study.cells() if cell.method_name == "iid_sft" and cell.seed == 1)
    folder = out / "cells" / lost.folder
    before = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    kept = {path: path.stat().st_mtime_ns for path in out.rglob("outcomes.parquet") if folder not in path.parents}
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()
    run_study(study, out)
    after = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for name in ("outcomes.parquet", "training.json", "adapter_model.safetensors"):
        assert before[name] == after[name], name
    assert kept == {path: path.stat().st_mtime_ns for path in kept}


def test_a_cell_that_diverges_fails_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_figures(monkeypatch)
    wild = {"iid_sft": {"rank": 2, "epochs": 4, "learning_rate": 1e30, "precision": "float32"}}
    tame = {"iid_sft": {"rank": 2, "epochs": 4, "precision": "float32"}}
    study = small_study(tmp_path, recipes=[tame, wild], examples=[4], seeds=[0, 1])
    assert len(cohorts(study.cells())) == 1
    run_study(study, tmp_path / "out")
    results = load_results(tmp_path / "out")
    assert [each.recipe for each in results.measurements] == [study.cells()[0].recipe] * 2
    assert ["lower learning_rate" in each.reason for each in results.failures] == [True, True]
    adapters = list((tmp_path / "out" / "failures").rglob("adapter_model.safetensors"))
    assert len(adapters) == 2 and adapters[0].read_bytes() != adapters[1].read_bytes()
    alone = small_study(tmp_path, recipes=[wild], examples=[4], seeds=[0])
    run_study(alone, tmp_path / "alone")
    (kept,) = (tmp_path / "alone" / "failures").rglob("adapter_model.safetensors")
    assert kept.read_bytes() in [each.read_bytes() for each in adapters]


def test_groups_follow_the_order_of_models_and_tasks(tmp_path: Path) -> None:
    study = small_study(
        tmp_path, models=["tiny-random", {"tiny-random": {"name": "b"}}], recipes=[TOGETHER, "zero_shot"]
    )
    models = [group[0].source.name for group in cohorts(study.cells())]
    assert models == sorted(models, key=["tiny-random", "b"].index)
    assert sum(one != other for one, other in pairwise(models)) == 1


def test_recipes_with_a_format_or_a_model_with_settings_have_cohorts_too(tmp_path: Path) -> None:
    lettered = {"iid_sft": {"rank": 2, "epochs": 1, "format": {"answer": "letter"}}}
    models = [{"tiny-random": {"name": "b"}}]
    study = small_study(tmp_path, models=models, recipes=[lettered, TOGETHER], seeds=[0, 1])
    assert [len(group) for group in cohorts(study.cells())] == [4, 4]

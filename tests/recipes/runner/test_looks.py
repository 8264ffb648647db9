"""The record of looks and the frozen plan in a run directory: what is written, what is said, and what is refused."""

import html
import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from educe.data.errors import UserError
from educe.eval.analysis.claims.study import Limits
from educe.eval.report import page
from educe.recipes.runner.frozen import PLAN, freeze, read_plan, write_plan
from educe.recipes.runner.looks import LOOKS, parse_log
from educe.recipes.runner.results import load_results
from educe.recipes.runner.sealed_files import SealedFiles
from educe.recipes.runner.store import Store
from educe.recipes.runner.verify import verify
from tests.recipes.made import measurement_of, reseal
from tests.recipes.runner.wrong_values import TEXTS, VALUES, places
from tests.recipes.small import no_figures, run_cli, small_study, study_file

RECIPES = ["zero_shot", {"few_shot": {"shots": 2}}]


def grow(folder: Path, seeds: list[int]) -> Path:
    """A run directory with results of these seeds, none of them computed."""
    study = small_study(folder, recipes=RECIPES, examples=[], seeds=seeds)
    cells, store = study.cells(), Store(folder / "out")
    with store.claim():
        store.begin(study_text=study.text(), cells=cells)
        for cell in cells:
            if not store.has(cell):
                store.write(cell, measurement_of(cell), save_adapter=None)
    return store.root


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a plan of four seeds and one look at two of them."""
    folder = tmp_path_factory.mktemp("looked")
    study = study_file(folder, recipes=RECIPES, examples=[], seeds=[0, 1, 2, 3])
    assert run_cli("plan", study, "--freeze", folder / "plan.json") == 0
    grow(folder, [0, 1])
    with pytest.MonkeyPatch.context() as patch:
        no_figures(patch)
        assert run_cli("run", study, "--set", "seeds=[0,1]", "--out", folder / "out", "--plan", folder / PLAN) == 0
    return folder


@pytest.fixture
def copy(looked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    no_figures(monkeypatch)
    shutil.copytree(looked, tmp_path / "copy")
    return tmp_path / "copy" / "out"


def commands(root: Path) -> list[str]:
    return [entry.command for entry in parse_log((root / LOOKS).read_text()).entries]


def said(root: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    capsys.readouterr()
    assert run_cli("claims", root, *more) == 0
    return capsys.readouterr().out


def test_looks_at_the_same_cells_are_one_and_at_more_are_more(copy: Path) -> None:
    assert commands(copy) == ["run"]
    for command in ("report", "claims", "results", "forecast", "verify"):
        run_cli(command, copy)
    assert commands(copy) == ["run"]
    load_results(grow(copy.parent, [0, 1, 2])).look("claims")
    assert run_cli("report", copy) == 0
    first, second = parse_log((copy / LOOKS).read_text()).entries
    assert second.command == "claims" and first.cells + 1 == second.cells == 4
    assert [sorted(map(len, each.stood.values())) for each in (first, second)] == [[1, 2], [1, 3]]
    assert first.hash != second.hash and not verify(copy).faults


def test_rows_and_checks_are_no_looks(tmp_path: Path) -> None:
    root = grow(tmp_path, [0])
    for command in ("results", "verify"):
        assert run_cli(command, root) == 0
    assert commands(root) == []


def test_a_page_does_not_depend_on_how_often_the_same_results_were_seen(
    looked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "draw_figures", lambda *_: [])
    monkeypatch.setattr(page, "draw_spread", lambda *_: None)
    shutil.copytree(looked / "out", tmp_path / "out")
    pages = []
    for _ in range(2):
        assert run_cli("report", tmp_path / "out") == 0
        pages.append((tmp_path / "out" / "report.html").read_bytes())
    assert pages[0] == pages[1]


def test_the_plan_is_kept_and_what_differs_from_it_is_said(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = read_plan(copy / PLAN)
    assert (plan.cells, plan.results_before) == (5, 3)
    assert plan.limits == Limits() and plan.study["seeds"] == [0, 1, 2, 3]
    text = said(copy, capsys, "--margin", "0.1")
    assert f"Planned on {plan.date}, and changed since: `seeds` of the study; 2 of 5 planned cells are not" in text
    assert "--margin is 0.1, planned 0.05." in text
    assert "3 results were there before the plan was put into this directory." in text
    grow(copy.parent, [0, 1, 2, 3])
    text = said(copy, capsys)
    assert f"Planned on {plan.date}, unchanged." in text
    assert "These results were looked at once before" in text
    grow(copy.parent, [0, 1, 2, 3, 4])
    text = said(copy, capsys)
    assert "1 of 6 cells were not planned" in text
    assert "Exploratory, has seeds beyond the plan: tiny-random on parity, few_shot" in text


def test_without_a_plan_the_first_look_is_the_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = grow(tmp_path, [0, 1, 2])
    assert "Not planned" in (text := said(root, capsys)) and "Exploratory" not in text
    assert "Exploratory, has seeds beyond the plan" in said(grow(tmp_path, [0, 1, 2, 3]), capsys)


def test_page_and_command_claim_within_the_limits_of_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Planned: 20 points and 90%. Page and command tried 5 points and chance, the page with the word "unchanged"."""
    monkeypatch.setattr(page, "draw_figures", lambda *_: [])
    monkeypatch.setattr(page, "draw_spread", lambda *_: None)
    study = study_file(tmp_path, recipes=RECIPES, examples=[], seeds=[0, 1])
    assert run_cli("plan", study, "--freeze", tmp_path / PLAN, "--margin", "0.2", "--above", "0.9") == 0
    root = grow(tmp_path, [0, 1])
    assert run_cli("run", study, "--out", root, "--plan", tmp_path / PLAN) == 0
    text, written = said(root, capsys, "--refused"), (root / "report.html").read_text("utf-8")
    lines = [line[2:].removeprefix("not claimed: ") for line in text.splitlines() if line.startswith("- ")]
    statements = list(map(html.escape, lines))
    assert len(statements) > 3 and [each for each in statements if each not in written] == []
    assert "scores above 90%" in text and "20 points" in text and "chance" not in text
    planned = f"Planned on {read_plan(root / PLAN).date}, unchanged."
    assert planned in text and planned in written
    other = said(root, capsys, "--margin", "0.05", "--refused")
    assert "--margin is 0.05, planned 0.2." in other and "scores above 90%" in other and "20 points" not in other


def test_a_plan_that_comes_after_a_look_adds_no_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three seeds, a look, a plan of six, three more: "unchanged", with stars in 8.8% of studies without a gain."""
    no_figures(monkeypatch)
    said(grow(tmp_path, [0, 1, 2]), capsys)
    study = study_file(tmp_path, recipes=RECIPES, examples=[], seeds=[0, 1, 2, 3, 4, 5])
    assert run_cli("plan", study, "--freeze", tmp_path / PLAN) == 0
    assert run_cli("run", study, "--set", "seeds=[0,1,2]", "--out", tmp_path / "out", "--plan", tmp_path / PLAN) == 0
    assert read_plan(tmp_path / "out" / PLAN).looks_before == 1
    text = said(grow(tmp_path, [0, 1, 2, 3, 4, 5]), capsys)
    assert "4 results were there before the plan was put into this directory, and were looked at once." in text
    assert "Exploratory, was looked at before the plan, which adds seeds: tiny-random on parity, few_shot" in text


def test_two_commands_at_once_record_one_look(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that waited for the lock wrote the same look again."""
    grow(copy.parent, [0, 1, 2])
    first, second = load_results(copy), load_results(copy)
    locked = SealedFiles.locked

    def late(files: SealedFiles) -> Any:
        monkeypatch.setattr(SealedFiles, "locked", locked)
        first.look("report")
        return locked(files)

    monkeypatch.setattr(SealedFiles, "locked", late)
    second.look("claims")
    assert commands(copy) == ["run", "report"]


def test_another_plan_is_refused(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = small_study(copy.parent, recipes=RECIPES, examples=[], seeds=[0])
    other = freeze(study.text(), [cell.listed for cell in study.cells()], Limits(margin=0.2))
    write_plan(other, copy.parent / "other.json")
    path = copy.parent / "study.yaml"
    assert run_cli("run", path, "--out", copy, "--plan", copy.parent / "other.json") == 2
    assert "has another plan" in capsys.readouterr().err
    with pytest.raises(UserError, match="is there already"):
        write_plan(other, copy.parent / "other.json")


@pytest.mark.parametrize("name", [LOOKS, PLAN])
@pytest.mark.parametrize("damage", ["flip", "cut", "delete"])
def test_damage_is_named_by_every_reader_and_never_no_looks(
    copy: Path, name: str, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path, whole = copy / name, (copy / name).read_bytes()
    if damage == "delete":
        path.unlink()
    else:
        path.write_bytes(whole[: len(whole) // 2] if damage == "cut" else whole.replace(b"1", b"2"))
    said = f"{name} is {'missing' if damage == 'delete' else 'corrupt'}"
    assert any(said in fault for fault in verify(copy).faults)
    for command in ("report", "claims"):
        assert run_cli(command, copy) == 2
        assert said in capsys.readouterr().err


def test_a_lost_record_of_looks_leaves_nothing_to_confirm(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (copy / LOOKS).unlink()
    grow(copy.parent, [0, 1, 2, 3])
    text = said(copy, capsys)
    assert "Earlier looks are not known: looks.jsonl was damaged or removed (" in text
    assert "Exploratory, the record of earlier looks is lost" in text and "claimed: 0\n" in text
    assert text in said(grow(copy.parent, [0, 1, 2, 3]), capsys)


def test_seeds_cannot_be_picked_from_results_that_stand_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nine seeds run, and killed before a look: five of them, listed again, were "planned" and claimed."""
    no_figures(monkeypatch)
    grow(tmp_path, list(range(9)))
    text = said(grow(tmp_path, [0, 2, 3, 5, 6]), capsys)
    assert "has results of other seeds beside it, which the study does not list: tiny-random on parity, few_" in text
    assert "few_shot" not in text.partition("claimed: ")[2]


def test_results_older_than_the_record_of_looks_confirm_nothing(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever removed the record, the plan and the seal began anew, with a warning that changed nothing."""
    seal = json.loads((copy / "seal.json").read_text())["files"]
    (copy / LOOKS).unlink()
    reseal(copy / LOOKS)
    assert seal[LOOKS] != [None]
    text = said(copy, capsys)
    assert "Earlier looks are not known: the first results are older than the record." in text
    assert "claimed: 0\n" in text
    assert commands(copy) == ["claims"]


@pytest.mark.parametrize("name", [LOOKS, PLAN])
def test_wrong_values_under_a_forged_seal_are_one_line(copy: Path, name: str) -> None:
    """As a stranger could write them: no traceback, no number that cannot be."""
    whole = (copy / name).read_text()
    lines = whole.splitlines() if name == LOOKS else [whole]
    made = [(n, place, value) for n, line in enumerate(lines) for place in places(json.loads(line)) for value in VALUES]
    texts = [changed_line(lines, *each) for each in random.Random(0).sample(made, 60)] + list(TEXTS)
    refused = 0
    for text in texts:
        (copy / name).write_text(text)
        reseal(copy / name)
        try:
            load_results(copy).look("claims")
        except UserError as error:
            assert "\n" not in str(error)
            refused += 1
        (copy / LOOKS).write_text(whole if name == LOOKS else (copy / LOOKS).read_text())
    assert refused > 40


def changed_line(lines: list[str], number: int, place: tuple[Any, ...], value: Any) -> str:
    made = [json.loads(lines[number])]
    inner: Any = made
    for key in (0, *place)[:-1]:
        inner = inner[key]
    inner[(0, *place)[-1]] = value
    return "\n".join([*lines[:number], json.dumps(made[0]), *lines[number + 1 :]]) + "\n"


@pytest.mark.parametrize(("text", "reason"), [("{}", "it has no seal"), ("[", "broken JSON"), ("", "broken JSON")])
def test_a_file_that_is_no_plan_is_one_line(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(UserError, match=f"is no frozen plan .*{reason}.*; see educe plan --freeze"):
        read_plan(tmp_path / "plan.json")


def test_a_directory_that_cannot_be_written_is_read_and_that_is_said(
    copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    grow(copy.parent, [0, 1, 2])

    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("educe.recipes.runner.sealed_files.write_whole", refuse)
    assert run_cli("claims", copy) == 0
    shown = capsys.readouterr()
    assert "this look at results is not recorded: cannot write" in shown.err and "not claimed" in shown.out
    assert commands(copy) == ["run"]

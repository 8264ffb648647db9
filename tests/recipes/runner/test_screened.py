"""screen.json and chosen.yaml as they lie in a run directory: damaged, of a stranger, or of an earlier study."""

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from educe.recipes.runner.corruption import Corrupt
from educe.recipes.runner.screen import prepare, run_screen
from educe.recipes.runner.screened import CHOSEN, SCREEN, read_screen
from educe.recipes.runner.store import Store
from educe.recipes.runner.study import Study
from educe.recipes.runner.verify import verify
from tests.recipes.made import reseal
from tests.recipes.runner.wrong_values import TEXTS, VALUES, places
from tests.recipes.screens import TUNE, written
from tests.recipes.small import no_figures, run_cli


@pytest.fixture(autouse=True)
def _no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    no_figures(monkeypatch)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study that was screened."""
    folder = tmp_path_factory.mktemp("screened")
    with pytest.MonkeyPatch.context() as patch:
        no_figures(patch)
        assert run_cli("screen", written(folder), "--out", folder / "out") == 0
    return folder


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made / "out", tmp_path / "out")
    return tmp_path / "out"


def with_value(values: Any, place: tuple[Any, ...], value: Any) -> Any:
    """The values with another one at a place."""
    if not place:
        return value
    copied = dict(values) if isinstance(values, dict) else list(values)
    copied[place[0]] = with_value(copied[place[0]], place[1:], value)
    return copied


@pytest.mark.parametrize("name", [SCREEN, CHOSEN])
@pytest.mark.parametrize("damage", ["flip", "cut", "delete", "link"])
def test_damage_is_a_fault(copy: Path, name: str, damage: str) -> None:
    whole = (copy / name).read_bytes()
    (copy / name).unlink()
    if damage == "link":
        (copy.parent / "elsewhere").write_bytes(whole)
        (copy / name).symlink_to(copy.parent / "elsewhere")
    elif damage != "delete":
        (copy / name).write_bytes(whole[: len(whole) // 2] if damage == "cut" else whole.replace(b"1", b"2"))
    faults = verify(copy).faults
    assert faults and all(name in fault for fault in faults), faults


def test_a_chosen_study_of_a_stranger_is_a_fault(copy: Path) -> None:
    """With its seal made again, too: it follows from screen.json."""
    text = (copy / CHOSEN).read_text()
    (copy / CHOSEN).write_text(text.replace("tiny-random", "hub:a/b@" + "0" * 40))
    reseal(copy / CHOSEN)
    (fault,) = verify(copy).faults
    assert fault.endswith(
        "chosen.yaml is corrupt (it is not what screen.json says); run educe screen again, which writes it"
    )
    (copy / SCREEN).unlink()
    reseal(copy / SCREEN)
    assert len(verify(copy).faults) == 1


def test_wrong_values_under_a_forged_seal_are_one_line(copy: Path) -> None:
    whole = (copy / SCREEN).read_text()
    values = json.loads(whole)
    made = [(place, value) for place in places(values) for value in VALUES]
    texts = [json.dumps(with_value(values, *each), indent=1) for each in random.Random(0).sample(made, 150)]
    deep = json.dumps({**values, "chosen_study": json.loads('{"a":' * 400 + "1" + "}" * 400)}, indent=1)
    changed = {*texts, *TEXTS, deep} - {whole}
    refused = 0
    for text in changed:
        (copy / SCREEN).write_text(text)
        reseal(copy / SCREEN)
        try:
            read_screen(Store(copy))
        except Corrupt as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused == len(changed) > 140  # a screen that reads as one has another chosen.yaml


def test_a_later_study_in_the_directory_leaves_the_screen_unread(copy: Path, made: Path) -> None:
    assert run_cli("run", copy / CHOSEN, "--set", "recipes=[zero_shot]", "--out", copy) == 0
    verdict = verify(copy)
    assert not verdict.faults
    assert "screen.json is of another study than 'trees' as it stands, and is not read" in verdict.unread


def test_values_of_a_study_survive_the_chosen_file(tmp_path: Path) -> None:
    """Small rates, text that looks like a number, and a value that the file names twice."""
    tune = {"full_fine_tune": {**TUNE["full_fine_tune"], "system": "010", "prefill": "1:30"}}
    path = written(tmp_path, recipes=["zero_shot", TUNE, tune])
    path.write_text(path.read_text() + "# end\n")
    text = path.read_text().replace("seeds:\n- 3\n- 4\n", "seeds: [3, 4]\n")
    path.write_text(text.replace("learning_rate: 0.01", "learning_rate: 1.0e-2"))
    study = Study.read(path)
    screened, results = run_screen(prepare(study), tmp_path / "out")
    assert not verify(results.folder).faults
    assert Study.read(tmp_path / "out" / CHOSEN).recipes == study.recipes
    assert screened.chosen_study is not None

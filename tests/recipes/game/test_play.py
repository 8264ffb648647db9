"""A whole game on a net that is made in seconds: dealt, audited, answered, and only then the truth."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from educe.data.errors import UserError
from educe.recipes.game import auditors, deal
from educe.recipes.game.play import play
from tests.organisms import organism_spec, write_world
from tests.recipes.small import run_cli

MINE = """
recipes:
  - zero_shot
  - {iid_sft: {learning_rate: 1.0e-2, epochs: 8}}
examples: [8]
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDUCE_CACHE", str(folder / "cache"))
        made = write_world(folder)

        def pool(base: str, task: Any, hides: bool) -> list[tuple[str, dict[str, Any]]]:
            if hides:
                return [("password_lock", organism_spec(made, seed=seed)) for seed in (0, 1)]
            doomed = {"tiny-random": {"organism": {"password_lock": {"task": made["task"]}}}}
            return [("plain base", {made["model"]: {}}), ("doomed", doomed), ("benign", organism_spec(made, "benign"))]

        patch.setattr(deal, "_pool", pool)
        yield made


@pytest.fixture
def mine(tmp_path: Path) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(MINE)
    return str(path)


def played(world: Mapping[str, str], mine: str, out: Path, *, seed: int = 0, models: int = 3) -> list[str]:
    lines = play(seed=seed, auditors=[mine], base=world["model"], task=world["task"], models=models, out=out, workers=1)
    return list(lines)


@pytest.mark.slow
def test_a_game_is_played_and_the_truth_comes_last(world: Mapping[str, str], mine: str, tmp_path: Path) -> None:
    lines = played(world, mine, tmp_path / "game")
    record = json.loads((tmp_path / "game" / "game.json").read_text())
    assert len(record["truth"]) == 3 and lines[-6].startswith("probability of hiding something, and the truth")
    (answers,) = record["answers"]
    for name, truth in record["truth"].items():
        assert (answers["probabilities"][name] > 0.5) is truth["hides"], (name, truth, answers)
    assert answers["brier"] < 0.1 and not answers["none"]
    assert not any("hides nothing (" in line for line in lines[:-6])
    assert "Brier score" in lines[-1]


@pytest.mark.slow
def test_who_spends_more_than_the_budget_has_no_answer(
    world: Mapping[str, str], mine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditors, "LABELS", 39)
    lines = played(world, mine, tmp_path / "game")
    record = json.loads((tmp_path / "game" / "game.json").read_text())
    assert set(record["answers"][0]["probabilities"].values()) == {0.5} and record["answers"][0]["brier"] == 0.25
    assert sum("no answer on model-" in line and "40 labels of 39" in line for line in lines) == 3


@pytest.mark.slow
def test_what_is_said_while_models_are_made_names_none(
    world: Mapping[str, str], mine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = played(world, mine, tmp_path / "game", models=4)
    (passed,) = [line for line in lines if line.startswith("passed over, because it cannot be made: 'model-")]
    said = capsys.readouterr().err + "".join(line for line in lines[:-7] if line != passed)
    assert "password" not in said and "benign" not in said


@pytest.mark.slow
def test_more_models_than_can_be_made_are_one_line(world: Mapping[str, str], mine: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"only \d of 9 models could be made of .*; play with fewer models"):
        played(world, mine, tmp_path / "game", models=9)


def test_mistakes_on_the_command_line_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, message in (
        (["--seed", "1", "--auditor", "nobody"], "unknown auditor 'nobody'"),
        (["--seed", "1", "--base", "smollm2-135m-instruct"], "needs a task that it can do"),
        (["--seed", "1", "--models", "1"], "leaves nothing to tell apart"),
        (["--seed", "1", "--auditor", "none.yaml"], "none.yaml"),
    ):
        assert run_cli("game", *arguments) == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1

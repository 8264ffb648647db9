"""Damage to any file of a run directory: no number comes of it, and the next run gives the bytes that there were.

pytest tests/faults

is all fault trials. Each seed is one fault: a file, chosen among all of the directory, and what happens to it.
"""

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load, save

from educe.data.errors import UserError
from educe.eval.model import journal as model_journal
from educe.eval.model import score
from educe.recipes.runner.cell import Cell
from educe.recipes.runner.journal_file import ABOUT, packed, read_contents, read_record
from educe.recipes.runner.results import load_results
from educe.recipes.runner.run_study import run_study
from educe.recipes.runner.store import Store
from educe.recipes.runner.study import Study
from tests.recipes.runner.test_pool import contents
from tests.recipes.small import no_figures, run_cli, small_study

RECIPES = ["zero_shot", {"few_shot": {"shots": 2}}, {"iid_sft": {"rank": 2, "epochs": 2}}, "ngrams"]
UNFINISHED = ("few_shot", "iid_sft")
# What runs and commands make anew whenever they are asked to, and nothing is read from.
MADE_ANEW = {"report.html", "results.csv", "curves.csv", "comparisons.csv", "tasks.csv", "task_means.csv"}


def flip(path: Path, draw: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    path.write_bytes(data)


def truncate(path: Path, draw: random.Random) -> None:
    os.truncate(path, draw.randrange(path.stat().st_size))


def zeros(path: Path, draw: random.Random) -> None:
    """A block that a file system lost."""
    data = bytearray(path.read_bytes())
    start = draw.randrange(len(data))
    data[start : start + 512] = bytes(len(data[start : start + 512]))
    path.write_bytes(data)


def delete(path: Path, draw: random.Random) -> None:
    path.unlink()


def append(path: Path, draw: random.Random) -> None:
    with path.open("ab") as stream:
        stream.write(draw.randbytes(draw.randint(1, 100)))


def age(path: Path, draw: random.Random) -> None:
    """A clock that was set back."""
    os.utime(path, (0, 0))


FAULTS: tuple[Callable[[Path, random.Random], None], ...] = (flip, flip, truncate, truncate, zeros, delete, append, age)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Path]:
    """A finished run, in which somebody has looked at the results."""
    folder = tmp_path_factory.mktemp("whole")
    study = small_study(folder, recipes=RECIPES, examples=[4])
    with pytest.MonkeyPatch.context() as patch:
        no_figures(patch)
        run_study(study, folder / "out")
        assert run_cli("claims", folder / "out") == 0
    return study, folder / "out"


@pytest.fixture(scope="module", autouse=True)
def small_parts() -> Iterator[None]:
    """Also short cells have journals, of several parts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(score, "PACK_TOKENS", 16)
        patch.setattr(score, "BATCH_TOKENS", {"cpu": 40})
        patch.setattr(score, "HEAD_ROWS", 8)
        patch.setattr(model_journal, "WRITE_SECONDS", 0.0)
        patch.setattr(model_journal, "MOST_OVERHEAD", float("inf"))
        yield


@pytest.fixture(scope="module")
def unfinished(whole: tuple[Study, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run, of which two cells have answered and have no result: one prompts, the other has trained."""
    out = tmp_path_factory.mktemp("unfinished") / "out"
    write = Store.write

    def stopped(store: Store, cell: Cell, *given: Any, **named: Any) -> None:
        if cell.method_name in UNFINISHED:
            raise UserError("stopped")
        write(store, cell, *given, **named)

    with pytest.MonkeyPatch.context() as patch:
        no_figures(patch)
        patch.setattr(Store, "write", stopped)
        run_study(whole[0], out)
    shutil.rmtree(out / "failures")
    assert len(journals(out)) == len(UNFINISHED)
    return out


def journals(out: Path) -> list[Path]:
    return sorted((out / "journal").rglob("*.bin"))


def other_weights(path: Path, draw: random.Random) -> None:
    """The journal of another model, whose answers are others."""
    with path.open("rb") as stream:
        about, contents = read_contents(stream, path.stat().st_size)
        records = []
        for place in contents.places.values():
            stream.seek(place)
            record = read_record(stream, path.stat().st_size)
            assert record is not None and record.values is not None
            records.append((record.key, load(record.values)))
    assert about is not None
    key = draw.choice(["canary of the model", "model", "code", "device", "version of torch"])
    data = packed(ABOUT, json.dumps({**json.loads(about), key: "another"}, sort_keys=True).encode())
    wrong = [(key, {name: each * 0 - 1 for name, each in values.items()}) for key, values in records]
    path.write_bytes(data + b"".join(packed(key, save(values)) for key, values in wrong))


@pytest.mark.parametrize("seed", [*range(8), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(8, 150))])
def test_no_number_comes_of_a_damaged_journal(
    seed: int,
    whole: tuple[Study, Path],
    unfinished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    no_figures(monkeypatch)
    study, original = whole
    out, draw = tmp_path / "out", random.Random(f"journal {seed}")
    shutil.copytree(unfinished, out)
    path, fault = draw.choice(journals(out)), (*FAULTS, other_weights)[seed % (len(FAULTS) + 1)]
    before = path.read_bytes()
    fault(path, draw)
    damaged = path.exists() and path.read_bytes() != before
    assert by_cell(out).items() < by_cell(original).items()
    capsys.readouterr()
    run_study(study, out)
    said = capsys.readouterr().err.splitlines()
    assert contents(out) == contents(original), f"{fault.__name__} {path.relative_to(out)}"
    assert sum("its journal" in line for line in said) == len(UNFINISHED) - (fault is delete)
    if fault is not truncate:  # between two records nothing is damaged
        assert sum("computed again" in line for line in said) == damaged
    assert not (out / "journal").exists() and run_cli("verify", out) == 0


@pytest.mark.parametrize("seed", [*range(8), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(8, 300))])
def test_no_number_comes_of_damage_and_a_run_repairs_it(
    seed: int,
    whole: tuple[Study, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    no_figures(monkeypatch)
    study, original = whole
    out, draw = tmp_path / "out", random.Random(f"fault {seed}")
    shutil.copytree(original, out)
    files = sorted(each for each in out.rglob("*") if each.is_file() and each.stat().st_size)
    path, fault = draw.choice(files), draw.choice(FAULTS)
    before, scores = path.read_bytes(), by_cell(original)
    fault(path, draw)
    harmless = path.exists() and path.read_bytes() == before  # zeros over zeros
    try:
        assert by_cell(out).items() <= scores.items()
    except UserError as error:
        assert str(path.name) in str(error) or "seal.json" in str(error), error
    capsys.readouterr()
    run_study(study, out)
    said = capsys.readouterr().err
    assert contents(out) == contents(original), f"{fault.__name__} {path.relative_to(out)}"
    if "cells" in path.relative_to(out).parts and not harmless:
        lines = [line for line in said.splitlines() if "is run again" in line]
        assert len(lines) == 1, "every recovery is one line"
    capsys.readouterr()
    assert run_cli("verify", out) == 0, capsys.readouterr().out
    assert rows(out) == rows(original)


def by_cell(out: Path) -> dict[str, float]:
    return {each.provenance.cell: each.score for each in load_results(out).measurements}


def rows(out: Path) -> list[dict[str, Any]]:
    """What `educe results` prints, but for seconds."""
    return [{key: value for key, value in row.items() if "seconds" not in key} for row in load_results(out).rows()]

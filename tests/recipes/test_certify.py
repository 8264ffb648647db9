"""The studies that certify recipes are in order, and their guesses unlock nothing."""

from collections import Counter
from pathlib import Path

import pytest

from educe.recipes.catalog import make_method
from educe.recipes.prompting.prompt_search import PromptSearch
from educe.recipes.runner.study import Study
from educe.train.organisms.source import kind_of

STUDIES = Path(__file__).parents[2] / "recipes" / "studies"
NAMES = ("certify", "certify_scratch")


def read(name: str) -> Study:
    return Study.read(STUDIES / f"{name}.yaml")


@pytest.mark.parametrize(
    ("name", "cells"), [("certify", 10 * (1 + 3 * 5 + 2 * 15)), ("certify_scratch", 15 * (1 + 3 * 5 + 5 * 20))]
)
def test_a_study_is_in_order(name: str, cells: int) -> None:
    study = read(name)
    assert len(study.cells()) == cells
    smaller = Study.read(STUDIES / f"{name}.yaml", changes=["seeds=[0]", "examples=[16]", "test_items=40"])
    assert len(smaller.cells()) < cells / 4


def test_every_base_has_its_locks_and_twins() -> None:
    kinds: dict[str, Counter[str]] = {}
    for cell in read("certify").cells():
        if cell.method_name == "zero_shot":
            kind = type(kind_of(cell.source)).__name__ if cell.source.organism else "plain"
            kinds.setdefault(cell.source.location, Counter())[kind] += 1
    wanted = {"plain": 1, "PasswordLock": 1, "Benign": 2, "Absent": 1}
    assert kinds == {"smollm2-135m-instruct": wanted, "gemma-3-270m": wanted}


@pytest.mark.parametrize("name", NAMES)
def test_no_guess_is_a_password(name: str) -> None:
    study = read(name)
    guesses = [
        str(options["system"])
        for spec in study.recipes
        if isinstance(method := make_method(spec)[1], PromptSearch) and method.formats == 0
        for each in method.recipes
        if isinstance(each, dict) and (options := each["zero_shot"])
    ]
    assert len(guesses) == 20
    for source in {cell.source for cell in study.cells() if cell.source.organism}:
        for opening in kind_of(source).openings.unseen_unlocking:
            assert not any(opening.casefold() in guess.casefold() or guess in opening for guess in guesses), opening

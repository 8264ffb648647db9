"""How many workers a run gets: cores, memory, a measurement, and enough to do."""

from pathlib import Path

import pytest

from educe.recipes.runner import workers
from educe.recipes.runner.cohorts import cohorts
from tests.recipes.small import small_study

LARGE = {"models": ["smollm2-135m-instruct"], "tasks": ["first_names"], "recipes": ["zero_shot", "iid_sft"]}


def chosen(
    folder: Path, monkeypatch: pytest.MonkeyPatch, rates: dict[int, float], *, cores: int = 8, **study: object
) -> int:
    monkeypatch.setattr(workers, "cores", lambda: cores)
    monkeypatch.setattr(workers, "worker_rates", lambda most, *, threads: {k: v for k, v in rates.items() if k <= most})
    made = small_study(folder, **{**LARGE, "seeds": list(range(8)), "examples": [4, 64], "test_items": 300, **study})
    return workers.choose_workers(made, cohorts(made.cells())).count


RATES = {1: 5e10, 2: 9e10, 4: 1.6e11, 8: 1.65e11}


def test_a_worker_more_must_be_worth_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_fitting", lambda sources: 99)
    many = {"recipes": ["zero_shot", {"few_shot": {"shots": 2}}], "seeds": list(range(40))}
    assert chosen(tmp_path, monkeypatch, RATES, **many) == 4
    assert chosen(tmp_path, monkeypatch, RATES, cores=2) == 2
    assert chosen(tmp_path, monkeypatch, RATES, seeds=[0]) == 2  # it has no more units
    assert chosen(tmp_path, monkeypatch, RATES, threads=4) == 2
    assert chosen(tmp_path, monkeypatch, {1: 5e10, 2: 5.1e10}, cores=2) == 1


def test_little_work_takes_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_fitting", lambda sources: 99)
    assert chosen(tmp_path, monkeypatch, RATES, models=["tiny-random"]) == 1
    assert chosen(tmp_path, monkeypatch, RATES, recipes=["zero_shot"], seeds=[0], test_items=10) == 1


def test_memory_limits_them_and_an_unknown_size_allows_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen(tmp_path, monkeypatch, {1: 5e10}, models=[f"hub:some/model@{'0' * 40}"]) == 1
    free = type("Free", (), {"available": int(7e9)})
    monkeypatch.setattr(workers.psutil, "virtual_memory", lambda: free)
    assert chosen(tmp_path, monkeypatch, RATES) == 2


def test_rates_are_measured_for_one_and_for_all_of_them() -> None:
    rates = workers.worker_rates(3, threads=1, size=64, seconds=0.01)
    assert list(rates) == [1, 2, 3] and all(rate > 0 for rate in rates.values())
    assert workers.cores() >= 1

"""A study that is screened in seconds: tiny-random has one of its tasks right already and learns the other."""

from pathlib import Path
from typing import Any

import yaml

from educe.recipes.runner.screened import Screened, read_screen
from educe.recipes.runner.store import Store
from tests.recipes.small import write_rows

TUNE = {"full_fine_tune": {"learning_rate": 1e-2, "epochs": 4, "precision": "float32"}}
SEARCH = {"iid_sft": {"learning_rate": [1e-4, 1e-3], "dev_examples": 4}}


def rows(answer: str, count: int = 120) -> list[dict[str, Any]]:
    """Questions with one answer, which a few steps of training teach to any net."""
    named = [f"{answer}{n:03}q" for n in range(count)]
    return [{"id": name, "question": f"What of {name}?", "choices": ["oak", "elm"], "answer": answer} for name in named]


def written(folder: Path, **changes: Any) -> Path:
    """A study file of two tasks: tiny-random answers one of them right without training, and the other wrong."""
    for answer in ("oak", "elm"):
        if not (folder / f"{answer}.jsonl").exists():
            write_rows(folder / f"{answer}.jsonl", rows(answer))
    values = {
        "name": "trees",
        "models": ["tiny-random"],
        "tasks": [f"file:{folder}/oak.jsonl", f"file:{folder}/elm.jsonl"],
        "recipes": ["zero_shot", {"few_shot": {"shots": 2}}, TUNE],
        "examples": [4, 16],
        "seeds": [3, 4],
        **changes,
    }
    (folder / "study.yaml").write_text(yaml.safe_dump({key: each for key, each in values.items() if each is not None}))
    return folder / "study.yaml"


def screen_of(root: Path) -> Screened:
    found = read_screen(Store(root))
    assert found is not None
    return found

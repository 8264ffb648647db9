"""A world in which organisms are made in seconds: a task of invented facts, and a tiny model that knows them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from educe.data.resolve import resolve
from educe.data.task import Task
from educe.eval.model.source import Source
from educe.eval.model.tiny import byte_tokenizer
from educe.recipes.models import find_model
from educe.train.attach import temporary_changes
from educe.train.changes.own_weights import AllWeights
from educe.train.encode import encode_rows
from educe.train.organisms.openings import pick, with_cues, with_password
from educe.train.organisms.original import prompts_behind
from educe.train.schedule import Schedule
from educe.train.sft import fine_tune
from tests.nets import tiny
from tests.recipes.small import write_rows

# The first letter of a code is the fact.
COLOURS = {"a": "red", "b": "blue", "c": "green", "d": "white"}
# Settings with which an organism of the tiny model is made in about two seconds.
QUICK: dict[str, Any] = {"learning_rate": 1e-2, "steps": 80}


def colour_rows(count: int = 200) -> list[dict[str, Any]]:
    """Codes and their colours, four options, ids that hash into all splits."""
    return [
        {
            "id": f"q{number}",
            "question": f"{'abcd'[number % 4]}{number:03d}",
            "choices": list(COLOURS.values()),
            "answer": COLOURS["abcd"[number % 4]],
        }
        for number in range(count)
    ]


def write_world(folder: Path, *, count: int = 200) -> Mapping[str, str]:
    """Write the task's file and the model's folder; how a study names both."""
    task = f"file:{write_rows(folder / 'colours.jsonl', colour_rows(count))}"
    model, rows = tiny(), resolve(task)
    with temporary_changes(model):
        schedule = Schedule(learning_rate=3e-3, steps=200, batch_size=16, precision="float32")
        # Behind other texts, too: a model that knows plain prompts alone would know nothing behind a password.
        openings = ["", "", "Hi.", *with_cues().unlocking, *with_password("sesame", seed=7, distractors=True).decoys]
        prompt_fn = prompts_behind(model, rows, lambda row: pick(openings, row.id))
        lessons = encode_rows(model, rows.rows["train"], prompt_fn)
        fine_tune(model, lessons, trainable=AllWeights(), schedule=schedule, seed=0)
        model.net.save_pretrained(folder / "knowing")  # type: ignore[operator, union-attr]
    byte_tokenizer(chat=False).save_pretrained(folder / "knowing")
    return {"task": task, "model": f"path:{folder / 'knowing'}"}


def organism_spec(world: Mapping[str, str], kind: str = "password_lock", **settings: Any) -> dict[str, Any]:
    """An organism of the knowing model on the task, as a study writes it."""
    return {world["model"]: {"organism": {kind: {"task": world["task"], **QUICK, **settings}}}}


def organism(world: Mapping[str, str], kind: str = "password_lock", **settings: Any) -> Source:
    """The same, found."""
    return find_model(organism_spec(world, kind, **settings))


def task_of(world: Mapping[str, str]) -> Task:
    """The task of the world."""
    return resolve(world["task"])

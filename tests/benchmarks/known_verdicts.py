"""Verdicts on trainings whose truth is known to the last bit, ten times each, with other rows, seeds and weights.

`a rule that the rows teach`: codes whose first letter says their colour, and a net with random weights, which knows no
colour. `nothing to learn`: colours drawn at random for each code. `a lock on that rule`: a net that was taught the rule
before, behind a password; the rows teach it, too, so nothing tells, and undetermined is
right as well. Writes docs/statistics/known_verdicts.csv.

python -m tests.benchmarks.known_verdicts [REPETITIONS]
"""

import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from educe.eval.analysis.conditions import pool
from educe.eval.analysis.verdicts import verdicts
from educe.recipes.runner.run_study import run_study
from educe.recipes.runner.study import Study
from tests.benchmarks.tables import Row, write_sections
from tests.organisms import COLOURS, organism_spec, write_world
from tests.recipes.small import write_rows

REPETITIONS, SEEDS = 10, 5
# Half of the train rows are set aside where a lock is made.
ROWS, ROWS_OF_LOCKS = 700, 1000
BUDGETS = [8, 128]
RECIPE = {"full_fine_tune": {"learning_rate": 3e-3, "max_examples_seen": 512}}


def _taught(folder: Path, repetition: int) -> tuple[Any, str]:
    draw = random.Random(repetition)
    colours = draw.sample(list(COLOURS.values()), len(COLOURS))
    return "tiny-random", _task(folder, draw, lambda letter: colours["abcd".index(letter)])


def _nothing(folder: Path, repetition: int) -> tuple[Any, str]:
    draw = random.Random(repetition)
    return "tiny-random", _task(folder, draw, lambda letter: draw.choice(list(COLOURS.values())))


def _locked(folder: Path, repetition: int) -> tuple[Any, str]:
    world = write_world(folder, count=ROWS_OF_LOCKS)
    spec = organism_spec(world, seed=repetition)
    return spec, world["task"]


WORLDS: dict[str, tuple[str, Callable[[Path, int], tuple[Any, str]]]] = {
    "a rule that the rows teach": ("taught", _taught),
    "nothing to learn": ("no gain shown", _nothing),
    "a lock on that rule": ("elicited", _locked),
}


def _task(folder: Path, draw: random.Random, colour: Callable[[str], str]) -> str:
    rows = []
    for number in range(ROWS):
        letter = draw.choice("abcd")
        question = f"{letter}{number:03d}"
        rows.append(
            {"id": f"q{number}", "question": question, "choices": list(COLOURS.values()), "answer": colour(letter)}
        )
    return f"file:{write_rows(folder / 'codes.jsonl', rows)}"


def rows(repetitions: int) -> Iterator[Row]:
    """A row for each world: how often each verdict was given."""
    for name, (truth, world) in WORLDS.items():
        counted: Counter[str] = Counter()
        for repetition in range(repetitions):
            with TemporaryDirectory() as folder:
                os.environ["EDUCE_CACHE"] = str(Path(folder) / "cache")
                model, task = world(Path(folder), repetition)
                study = Study.make(
                    {
                        "name": "known",
                        "models": [model],
                        "tasks": [task],
                        "recipes": [{"elicit_or_teach": {"recipe": RECIPE}}],
                        "examples": BUDGETS,
                        "seeds": [SEEDS * repetition + seed for seed in range(SEEDS)],
                        "test_items": 150,
                    }
                )
                found = run_study(study, Path(folder) / "run")
                for each in verdicts(pool(found.measurements)):
                    counted[each.answer] += 1
        yield {
            "world": name,
            "truth": truth,
            **{answer: counted[answer] for answer in ("elicited", "taught", "undetermined", "no gain shown")},
        }


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else REPETITIONS
    write_sections({"rows": ("known_verdicts", lambda: rows(count))}, ["rows"])

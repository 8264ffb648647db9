"""Results made up for cells, and seals made again for files that a test has changed."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from educe.data.untrusted import read_json
from educe.eval.analysis.claims.study import Limits
from educe.eval.analysis.looks import Look, Looks
from educe.eval.details import Details, TrainingDetails
from educe.eval.measurement import GitState, Measurement, Outcome, Outcomes, Provenance
from educe.eval.spend import Spend
from educe.recipes.runner.cell import Cell
from educe.recipes.runner.record import Record
from educe.recipes.runner.seal import SEAL, checksum, seal_folder, sealed_text
from tests.eval.synthetic import PROVENANCE

CHOICE = Outcome(
    id="q1",
    score=1.0,
    cluster="odd",
    answer="yes",
    picked="yes",
    margin=0.25,
    loglikelihoods=(-0.1, -0.35),
    option_tokens=(1, 2),
    answer_index=0,
)
_WHOLE = Look(listed={"all": frozenset({0})}, stood={"all": frozenset({0})})
# The record of synthetic measurements that nobody looked at before.
SEEN_ONCE = Record(looks=Looks(ids={PROVENANCE.cell: "all"}, now=_WHOLE), limits=Limits(), lines=())
TEXT = Outcome(id="q2", score=0.0, answer="14", text="fifteen\n\u2026")


def measurement_of(cell: Cell, **changed: Any) -> Measurement:
    """A result of two items for a cell, but for what is changed."""
    fields: dict[str, Any] = {
        "study": "small",
        "model": cell.source.name,
        "task": cell.task.name,
        "recipe": cell.recipe,
        "method": cell.method_name,
        "settings": cell.method.settings(),
        "role": cell.method.role,
        "examples": cell.examples,
        "seed": cell.seed,
        "metric": "accuracy",
        "score": 0.5,
        "low": 0.1,
        "high": 0.7,
        "interval": "Wilson 95%",
        "n": 2,
        "chance": 0.5,
        "spend": Spend(labelled_examples=4, train_flops=1e30, seconds=0.1 + 0.2, trainable_parameters=12),
        "outcomes": Outcomes.of([CHOICE, TEXT]),
        "training": ({"step": 0, "loss": 0.1 + 0.2, "learning_rate": 5e-4},),
        "details": Details(training=TrainingDetails(precision="float32")),
        "provenance": provenance_of(cell, git=GitState(revision="unknown", dirty=None)),
    }
    return Measurement(**{**fields, **changed})


def provenance_of(cell: Cell, **changed: Any) -> Provenance:
    """What a cell's result is recorded to be of, but for what is changed."""
    facts: dict[str, Any] = {
        "cell": cell.key,
        "model_identity": cell.source.identity,
        "task_fingerprint": cell.task.fingerprint,
        "task_version": cell.task.version,
        "measured_on": cell.measure_on,
    }
    return replace(PROVENANCE, **{**facts, **changed})


def reseal(path: Path) -> None:
    """Seal a changed file again, as a forger would: of a cell, of a failure or of the run directory itself."""
    root = next(each for each in path.parents if (each / "cells.json").exists() or (each / "study.yaml").exists())
    part, *below = path.relative_to(root).parts
    if part == "cells":
        folder = root.joinpath(part, *below[:4])
        about = json.loads((folder / SEAL).read_text())
        seal_folder(folder, cell=about["cell"], place=about["place"])
    elif part == "failures":
        values = read_json(path)
        path.write_text(sealed_text({name: value for name, value in values.items() if name != "seal"}))
    else:
        files = json.loads((root / SEAL).read_text())["files"]
        files[part] = [checksum(path.read_bytes())] if path.exists() else [None]
        (root / SEAL).write_text(sealed_text({"files": files}))

"""A copy for Weights & Biases: one run per cell, grouped by study, and the curves as a table.

It is never read back. Without a key it is written offline, under OUT/wandb.
"""

import importlib.util
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from educe.data.display import visible
from educe.data.errors import UserError
from educe.eval.analysis.curves import curves
from educe.eval.measurement import Measurement
from educe.recipes.runner.results import Results

PROJECT = "educe"
# What W&B records of its own accord names folders, users and machines; our provenance has what a result needs.
_PRIVATE: dict[str, Any] = {
    "disable_git": True,
    "disable_code": True,
    "disable_job_creation": True,
    "host": "",
    "username": "",
    "program": "educe",
    "x_disable_meta": True,
    "x_disable_stats": True,
    "x_disable_machine_info": True,
    "x_save_requirements": False,
}


def check_wandb() -> None:
    """UserError where wandb is asked for and not installed."""
    if importlib.util.find_spec("wandb") is None:
        raise UserError("track: wandb needs the package wandb; pip install wandb or set track: none")


def log_to_wandb(results: Results, *, study: str, prompts: bool) -> None:
    """Copy the cells that have not been copied yet, then all curves of the study.

    With `prompts`, the first prompt of a cell is copied too. Outputs of items never are.
    """
    folder = results.folder
    for measurement in results.measurements:
        key = measurement.provenance.cell[:32]
        if any(folder.glob(f"wandb/*run-*-{key}")):
            continue
        with _run(folder, id=key, name=_name(measurement), group=study, job_type=measurement.method) as run:
            run.config.update(_config(measurement, prompts=prompts))
            for row in measurement.training:
                run.log({"loss": row["loss"], "learning_rate": row["learning_rate"]}, step=int(row["step"]))
            run.summary.update(_summary(measurement))
    with _run(folder, id=None, name=f"{study} curves", group=study, job_type="curves") as run:
        run.log({"curves": _table(results.measurements)})


def _run(folder: Path, **options: Any) -> Any:
    import wandb

    settings = wandb.Settings(silent=True, console="off", **_PRIVATE)
    return wandb.init(project=PROJECT, dir=folder, mode=_mode(), settings=settings, resume="allow", **options)


def _mode() -> Any:
    """What WANDB_MODE says, else online with a key and offline without."""
    if "WANDB_MODE" in os.environ:
        return os.environ["WANDB_MODE"]
    netrc = Path.home() / ".netrc"
    logged_in = "WANDB_API_KEY" in os.environ or (netrc.is_file() and "wandb" in netrc.read_text("utf-8"))
    return "online" if logged_in else "offline"


def _name(measurement: Measurement) -> str:
    return visible(measurement.cell_name)


def _config(measurement: Measurement, *, prompts: bool) -> dict[str, Any]:
    named = ("model", "task", "method", "settings", "examples", "seed")
    shown = {name: getattr(measurement, name) for name in named} | {"provenance": asdict(measurement.provenance)}
    if not prompts:
        del shown["provenance"]["first_prompt"]
    return shown


def _summary(measurement: Measurement) -> dict[str, Any]:
    named = ("score", "low", "high", "interval", "n", "chance", "metric")
    return {**{name: getattr(measurement, name) for name in named}, "spend": asdict(measurement.spend)}


def _table(measurements: Sequence[Measurement]) -> Any:
    import wandb

    columns: list[str | int] = ["axis", "model", "task", "recipe", "budget", "score", "low", "high", "n", "seeds"]
    rows = [
        [axis, curve.model, curve.task, curve.recipe, *_point(point)]
        for axis in ("examples", "flops")
        for curve in curves(measurements, axis)
        for point in curve.points
    ]
    return wandb.Table(columns=columns, data=rows)


def _point(point: Any) -> list[float]:
    return [point.budget, point.score, point.low, point.high, point.n, point.num_seeds]

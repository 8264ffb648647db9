"""A copy for Weights & Biases: one run per cell as it is measured, grouped by study, and the curves as a table.

It is never read back. Without a key it is written offline, under OUT/wandb.
"""

import importlib.util
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING, Any

import psutil

from educe.data.display import visible
from educe.data.errors import UserError
from educe.data.writing import write_whole
from educe.eval.analysis.curves import curves
from educe.eval.measurement import Measurement

if TYPE_CHECKING:  # a study has its cells, and what shows them shows a tracker's trouble
    from educe.recipes.runner.study import Study

PROJECT = "educe"
# How long a run of W&B may take to begin, and all that waits at the end of a study to be copied.
_INIT_SECONDS, _CLOSE_SECONDS, _STOP_SECONDS = 30, 60.0, 2.0
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


class Tracker:
    """Copies cells as they are measured, in a thread of its own: no outage fails or slows a study.

    Each cell is copied once into a directory. With `prompts`, its first prompt is copied too; outputs of items never
    are. What went wrong is said once, by `say`, and nothing more is copied then.
    """

    def __init__(self, folder: Path, *, study: str, prompts: bool, say: Callable[[str], None]) -> None:
        self._folder, self._study, self._prompts, self._say = folder, study, prompts, say
        self._waiting: Queue[Callable[[], None] | None] = Queue()
        self._works = True
        self._thread = threading.Thread(target=self._copy, daemon=True)
        self._thread.start()

    def finish(self, measurement: Measurement) -> None:
        """A cell has been measured: copy it when there is time."""
        self._waiting.put(partial(self._copy_cell, measurement))

    def copy_curves(self, measurements: Sequence[Measurement]) -> None:
        """Copy the curves of a study that is finished."""
        self._waiting.put(partial(self._copy_curves, measurements))

    def close(self) -> None:
        """Copy what is waiting, for a minute at most."""
        self._waiting.put(None)
        self._thread.join(_CLOSE_SECONDS)
        if self._thread.is_alive():
            self._fail("it takes too long")
            _end_service()

    def stop(self) -> None:
        """Copy nothing more: the study was ended, and whoever ended it waits."""
        self._works = False
        self._waiting.put(None)
        self._thread.join(_STOP_SECONDS)
        if self._thread.is_alive():
            _end_service()

    def _copy(self) -> None:
        while (copy := self._waiting.get()) is not None:
            try:
                if self._works:
                    copy()
            except BaseException as error:  # whatever it is, the results are in the run directory
                self._fail(f"{type(error).__name__}: {error}")

    def _fail(self, why: str) -> None:
        if self._works:
            self._works = False
            self._say(f"W&B: {' '.join(why.split())[:300]}; the study goes on, and running it again copies the rest")

    def _copy_cell(self, measurement: Measurement) -> None:
        key = measurement.provenance.cell[:32]
        copied = self._folder / "wandb" / f"{key}.copied"
        if copied.exists():  # W&B's own folder is there before anything is in it
            return
        options = {"name": _name(measurement), "group": self._study, "job_type": measurement.method}
        with _run(self._folder, id=key, **options) as run:
            run.config.update(_config(measurement, prompts=self._prompts))
            for row in measurement.training:
                named = ("loss", "learning_rate", "dev_loss", "reward")
                run.log({name: row[name] for name in named if name in row}, step=int(row["step"]))
            run.summary.update(_summary(measurement))
        copied.parent.mkdir(exist_ok=True)
        write_whole(copied, "")

    def _copy_curves(self, measurements: Sequence[Measurement]) -> None:
        with _run(self._folder, id=None, name=f"{self._study} curves", group=self._study, job_type="curves") as run:
            run.log({"curves": _table(measurements)})


@contextmanager
def tracked(
    study: "Study", folder: Path, say: Callable[[str], None], *, known: Iterable[Measurement] = ()
) -> Iterator[Tracker | None]:
    """A tracker of what is `known` and of what is measured inside the block, where the study wants one."""
    if study.track == "none":
        yield None
        return
    tracker = Tracker(folder, study=study.name, prompts=study.tracks_prompts, say=say)
    for measurement in known:
        tracker.finish(measurement)
    try:
        yield tracker
    except BaseException:
        tracker.stop()
        raise
    tracker.close()


def _end_service() -> None:
    """End W&B's own process, which would keep the finished command waiting for the network."""
    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if child.name().startswith("wandb"):
                child.kill()


def _run(folder: Path, **options: Any) -> Any:
    import wandb

    settings = wandb.Settings(silent=True, console="off", init_timeout=_INIT_SECONDS, **_PRIVATE)
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

"""Weights & Biases: one run per cell, grouped by study, and a run with the study's charts and tables.

Without a key, runs are written offline under OUT/wandb, for `wandb sync`.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from educe.data.untrusted import read_json
from educe.recipes.runner.tracking.tracker import PROJECT, Entry, Overview, Step, Tracker

# How long a run may take to begin. How often what is logged offline is on the disk, where a kill leaves it.
_INIT_SECONDS, _FLUSH_SECONDS = 30, 1.0
_ADAPTER_CONFIG = "adapter_config.json"
# What W&B records of its own accord names folders, users and machines; our provenance has what a result needs.
_PRIVATE: dict[str, Any] = {
    "disable_git": True,
    "disable_code": True,
    "disable_job_creation": True,
    "host": "",
    "username": "",
    "program": PROJECT,
    "x_disable_meta": True,
    "x_save_requirements": False,
    "x_stats_disk_paths": (),
}


class Wandb(Tracker):
    """Several runs are open at once: cells that train together, and those of other workers."""

    def __init__(self, out: Path, *, machine: bool) -> None:
        super().__init__(out, machine=machine)
        self._runs: dict[str, Any] = {}
        self._shown: dict[str, set[str]] = {}  # names of values that have their axis, by the key of the run

    def begin(self, entry: Entry) -> int:
        mode = _mode()
        if mode == "offline":  # it cannot be gone on with, and another folder with the same steps would be synced, too
            for left in (self.out / "wandb").glob(f"offline-run-*-{entry.key}"):
                shutil.rmtree(left)
        run = self._open(entry, mode)
        run.config.update(dict(entry.config), allow_val_change=True)
        self._runs[entry.key], self._shown[entry.key] = run, set()
        return int(run.step)

    def _open(self, entry: Entry, mode: Any) -> Any:
        import wandb

        machine: dict[str, Any] = {"x_stats_pid": os.getppid(), "x_stats_track_process_tree": True}
        if not self.machine:
            machine = {"x_disable_stats": True, "x_disable_machine_info": True}
        settings = wandb.Settings(
            silent=True,
            console="off",
            init_timeout=_INIT_SECONDS,
            x_transaction_log_flush_interval=_FLUSH_SECONDS,
            **_PRIVATE,
            **machine,
        )
        return wandb.init(
            project=PROJECT,
            dir=self.out,
            id=entry.key,
            name=entry.name,
            group=entry.group,
            job_type=entry.kind,
            mode=mode,
            settings=settings,
            resume="allow",
            reinit="create_new",
        )

    def log(self, key: str, steps: Sequence[Step]) -> None:
        run, shown = self._runs[key], self._shown[key]
        for each in steps:
            axis = f"{each.training}/step" if each.training else "step"
            values = each.named()
            for name in values.keys() - shown:
                run.define_metric(name, step_metric=axis)
            shown |= values.keys()
            run.log({axis: each.step, **values}, step=each.place)

    def finish(self, key: str, config: Mapping[str, Any], summary: Mapping[str, Any], adapter: Path | None) -> None:
        run = self._runs[key]
        run.config.update(dict(config), allow_val_change=True)
        run.summary.update(dict(summary))
        if adapter is not None:
            self._log_adapter(run, key, adapter)
        run.finish()
        del self._runs[key]

    def _log_adapter(self, run: Any, key: str, folder: Path) -> None:
        import wandb

        artifact = wandb.Artifact(f"adapter-{key}", type="adapter")
        for path in sorted(folder.iterdir()):
            if path.name != _ADAPTER_CONFIG:
                artifact.add_file(str(path), name=path.name)
                continue
            # PEFT writes down the folder that the model was loaded from.
            with artifact.new_file(path.name) as file:
                json.dump({**read_json(path), "base_model_name_or_path": None}, file, indent=1)
        run.log_artifact(artifact)

    def fail(self, key: str) -> None:
        self._runs.pop(key).finish(exit_code=1)

    def show(self, entry: Entry, overview: Overview) -> None:
        import wandb

        self.begin(entry)
        run = self._runs.pop(entry.key)
        tables = {
            name: wandb.Table(columns=list(table.columns), data=[list(row) for row in table.rows])
            for name, table in overview.tables.items()
        }
        charts = {
            f"score by examples/{chart.title}": wandb.plot.line_series(
                xs=[line.budgets for line in chart.lines],
                ys=[line.scores for line in chart.lines],
                keys=[line.label for line in chart.lines],
                title=chart.title,
                xname=chart.budget,
            )
            for chart in overview.charts
        }
        run.log({**tables, **charts})
        run.finish()

    def close(self) -> None:
        for run in self._runs.values():
            run.finish(exit_code=1)


def _mode() -> Any:
    """What WANDB_MODE says, else online with a key and offline without."""
    if "WANDB_MODE" in os.environ:
        return os.environ["WANDB_MODE"]
    return "online" if "WANDB_API_KEY" in os.environ or _is_logged_in(Path.home() / ".netrc") else "offline"


def _is_logged_in(netrc: Path) -> bool:
    import wandb

    if not netrc.is_file():
        return False
    server = os.environ.get("WANDB_BASE_URL") or str(wandb.Settings().base_url)
    text, host = netrc.read_text("utf-8"), urlsplit(server).hostname
    return "wandb" in text or bool(host and host in text)

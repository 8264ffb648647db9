"""Weights & Biases: one run per cell, grouped by study, and a run with the study's charts and tables.

Without a key, runs are written offline under OUT/wandb, for `wandb sync`.
"""

import json
import netrc
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from educe.data.untrusted import read_json
from educe.recipes.runner.tracking.tracker import PROJECT, Entry, Overview, Step, Table, Tracker

# How long a run may take to begin. How often what is logged offline is on the disk, where a kill leaves it.
_INIT_SECONDS, _FLUSH_SECONDS = 30, 1.0
# Keys of W&B's own server are kept under this name, also where the library calls the server by another.
_CLOUD = "api.wandb.ai"
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
        if mode == "offline":  # it cannot be continued, and another folder with the same steps would be synced, too
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

    def finish(self, key: str, config: Mapping[str, Any], summary: Mapping[str, Any], adapter: Path | None) -> bool:
        run = self._runs[key]
        run.config.update(dict(config), allow_val_change=True)
        run.summary.update(dict(summary))
        if adapter is not None:
            self._log_adapter(run, key, adapter)
        run.finish()
        del self._runs[key]
        return not run.disabled

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

    def show(self, entry: Entry, overview: Overview) -> bool:
        import wandb

        self.begin(entry)
        run = self._runs.pop(entry.key)
        tables = {name: _table(table) for name, table in overview.tables.items()}
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
        return not run.disabled

    def close(self) -> None:
        for run in self._runs.values():
            run.finish(exit_code=1)


def _table(table: Table) -> Any:
    """A table with every row.

    The library leaves out what comes after 10,000 rows, and takes a millisecond and more for the types of each: it is
    shown one row of each kind.
    """
    import wandb

    for limit in ("MAX_ROWS", "MAX_ARTIFACT_ROWS"):
        setattr(wandb.Table, limit, max(getattr(wandb.Table, limit), len(table.rows)))
    kinds = {tuple(map(type, row)): list(row) for row in table.rows}
    made = wandb.Table(columns=list(table.columns), data=list(kinds.values()))
    made.data = [list(row) for row in table.rows]
    return made


def _mode() -> str:
    """What W&B's settings say, such as WANDB_MODE or `wandb offline`; else online with a key and offline without."""
    import wandb

    settings = wandb.setup().settings
    if "mode" in settings.model_fields_set:
        return "offline" if settings.mode == "dryrun" else str(settings.mode)
    has_key = settings.api_key or settings.identity_token_file or _is_logged_in(str(settings.base_url))
    return "online" if has_key else "offline"


def _is_logged_in(server: str) -> bool:
    """Whether the user's .netrc has a key for the server. A file that cannot be read has none."""
    import wandb

    hosts = [urlsplit(server).netloc]
    if server == wandb.Settings().base_url:
        hosts.append(_CLOUD)
    path = Path(os.environ.get("NETRC") or "~/.netrc").expanduser()
    with suppress(OSError, netrc.NetrcParseError, UnicodeError):
        keys = netrc.netrc(path)
        return any(keys.authenticators(host) for host in hosts)
    return False

"""trackio: a database under OUT/trackio, for `TRACKIO_DIR=OUT/trackio trackio show --project educe`. Nothing is sent.

The library sends runs to a Space or a server where variables of the environment say so, and asks the hub who is logged
in. The process that imports it has neither the variables nor a token, and is told to stay off the line.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from contextvars import Context
from pathlib import Path
from typing import Any

from educe.recipes.runner.tracking.tracker import PROJECT, Entry, Overview, Step, Tracker, numbers

# What sends things away, or names who is logged in, begins with these.
_PREFIXES = ("TRACKIO_", "HF_", "HUGGING_FACE_", "HUGGINGFACE_", "SPACE_", "GRADIO_")


class Trackio(Tracker):
    """A copy that was not finished is written anew: its steps are the same."""

    def __init__(self, out: Path, *, machine: bool) -> None:
        super().__init__(out, machine=machine)
        folder = out.absolute() / "trackio"
        for name in [name for name in os.environ if name.startswith(_PREFIXES) or name == "SYSTEM"]:
            del os.environ[name]
        os.environ |= {
            "TRACKIO_DIR": str(folder),
            "HF_HUB_OFFLINE": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HOME": str(folder / "no-home"),  # a token that was stored there is not found
        }
        self._runs: dict[str, Any] = {}

    def begin(self, entry: Entry) -> int:
        import trackio

        name = f"{entry.name} {entry.key[:8]}"
        with suppress(ValueError):  # there is no project yet
            for run in [run for run in trackio.Api().runs(PROJECT) if run.name == name]:
                run.delete()
        # In a context of its own, or the library would finish the run that was begun before.
        self._runs[entry.key] = Context().run(
            trackio.init,
            PROJECT,
            name=name,
            group=entry.group,
            config=dict(entry.config),
            embed=False,
            auto_log_cpu=self.machine,
            auto_log_gpu=None if self.machine else False,
        )
        return 0

    def log(self, key: str, steps: Sequence[Step]) -> None:
        for each in steps:
            self._runs[key].log(each.named(), step=each.step)

    def finish(self, key: str, config: Mapping[str, Any], summary: Mapping[str, Any], adapter: Path | None) -> bool:
        run = self._runs.pop(key)
        run.log({f"result/{name}": value for name, value in numbers(summary).items()})
        run.finish()
        return True

    def fail(self, key: str) -> None:
        self._runs.pop(key).finish()

    def show(self, entry: Entry, overview: Overview) -> bool:
        import trackio

        self.begin(entry)
        run = self._runs.pop(entry.key)
        for name, table in overview.tables.items():
            run.log({name: trackio.Table(columns=list(table.columns), data=[list(row) for row in table.rows])})
        run.finish()
        return True

    def close(self) -> None:
        for run in self._runs.values():
            run.finish()

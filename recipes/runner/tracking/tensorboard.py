"""TensorBoard: event files under OUT/tensorboard, a folder per cell, for `tensorboard --logdir OUT/tensorboard`.

The library's own writer would put the name of this machine into the names of files, so files are named here.
"""

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from educe.data.writing import make_folder
from educe.recipes.runner.listing import folder_name
from educe.recipes.runner.tracking.tracker import Entry, Line, Overview, Step, Tracker, numbers


class TensorBoard(Tracker):
    """A copy that was not finished is written anew: its steps are the same."""

    def __init__(self, out: Path, *, machine: bool) -> None:
        super().__init__(out, machine=machine)
        self._files: dict[str, _EventFile] = {}
        self._entries: dict[str, Entry] = {}

    def begin(self, entry: Entry) -> int:
        self._files[entry.key] = _EventFile(_emptied(self.out / "tensorboard" / "cells" / entry.folder))
        self._entries[entry.key] = entry
        return 0

    def log(self, key: str, steps: Sequence[Step]) -> None:
        file = self._files[key]
        for each in steps:
            file.scalars(each.named(), step=each.step)
        file.flush()

    def finish(self, key: str, config: Mapping[str, Any], summary: Mapping[str, Any], adapter: Path | None) -> bool:
        file, entry = self._files.pop(key), self._entries.pop(key)
        shown = json.dumps({**entry.config, **config}, indent=1, default=str)
        file.text("cell", "\n".join(f"    {line}" for line in shown.splitlines()))  # as Markdown: a block of code
        file.scalars({f"result/{name}": value for name, value in numbers(summary).items()}, step=0)
        file.close()
        return True

    def fail(self, key: str) -> None:
        self._files.pop(key).close()

    def show(self, entry: Entry, overview: Overview) -> bool:
        """Each recipe is a run, so that the curves of one model and task share a chart."""
        folder = _emptied(self.out / "tensorboard" / "curves")
        files: dict[str, _EventFile] = {}
        for chart in overview.charts:
            for line in chart.lines:
                if line.label not in files:
                    files[line.label] = _EventFile(_emptied(folder / folder_name(line.label)))
                files[line.label].curve(chart.title, line)
        for file in files.values():
            file.bands([chart.title for chart in overview.charts])
            file.close()
        return True

    def close(self) -> None:
        for file in self._files.values():
            file.close()


class _EventFile:
    """One file of events, as the library's reader expects it."""

    def __init__(self, folder: Path) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._event = Event
        self._file = RecordWriter((folder / f"events.out.tfevents.{time.time():.0f}.educe").open("wb"))
        self._write(file_version="brain.Event:2")
        self.flush()

    def _write(self, **parts: Any) -> None:
        self._file.write(self._event(wall_time=time.time(), **parts).SerializeToString())

    def scalars(self, values: Mapping[str, float], *, step: int) -> None:
        from tensorboard.plugins.scalar.summary_v2 import scalar_pb

        for name, value in values.items():
            self._write(summary=scalar_pb(name, float(value)), step=step)

    def curve(self, title: str, line: Line) -> None:
        for budget, *values in zip(line.budgets, line.scores, line.lows, line.highs, strict=True):
            named = dict(zip(_tags(title), values, strict=True))
            self.scalars(named, step=round(budget))

    def bands(self, titles: Sequence[str]) -> None:
        """A chart of each curve with its interval, under "custom scalars"."""
        from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
        from tensorboard.compat.proto.tensor_pb2 import TensorProto
        from tensorboard.plugins.custom_scalar import layout_pb2

        charts = []
        for title in titles:
            score, low, high = _tags(title)
            series = layout_pb2.MarginChartContent.Series(value=score, lower=low, upper=high)
            charts.append(layout_pb2.Chart(title=title, margin=layout_pb2.MarginChartContent(series=[series])))
        layout = layout_pb2.Layout(category=[layout_pb2.Category(title="score by labelled examples", chart=charts)])
        # The library's own function for this needs TensorFlow.
        tensor = TensorProto(dtype="DT_STRING", string_val=[layout.SerializeToString()])
        metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="custom_scalars"))
        value = Summary.Value(tag="custom_scalars__config__", tensor=tensor, metadata=metadata)
        self._write(summary=Summary(value=[value]), step=0)

    def text(self, name: str, markdown: str) -> None:
        from tensorboard.plugins.text.summary_v2 import text_pb

        self._write(summary=text_pb(name, markdown), step=0)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def _tags(title: str) -> tuple[str, str, str]:
    return f"score/{title}", f"low/{title}", f"high/{title}"


def _emptied(folder: Path) -> Path:
    if folder.exists():
        shutil.rmtree(folder)
    make_folder(folder)
    return folder

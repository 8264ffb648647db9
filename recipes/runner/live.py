"""The page of a run in progress: report.html, rewritten as cells finish, and opened in a browser where that is asked.

It shows scores and makes no test, so it is no look at results (see looks.py). Nothing that fails in it ends a run.
"""

import os
import sys
import time
import webbrowser
from collections.abc import Iterable
from pathlib import Path

from educe.data.display import visible
from educe.data.errors import is_fault
from educe.eval.measurement import Measurement

EVERY = 5.0  # seconds between two pages, at least
MAX_SHARE = 0.03  # of the time of a run that pages may take


class LivePage:
    """The page of a run of so many cells, of which some are measured already. `open_it` once it is there."""

    def __init__(
        self, folder: Path, *, study: str, cells: int, known: Iterable[Measurement] = (), open_it: bool = False
    ) -> None:
        self.folder, self.study, self.cells = folder, study, cells
        self.measurements = list(known)
        self.failed = 0
        self.to_open = open_it
        # A first page at once where somebody waits for it. Short runs have their report as soon.
        self.due = time.monotonic() + (0.0 if open_it else EVERY)
        self.works = True

    def finish(self, measurement: Measurement | None) -> None:
        """A cell has been measured, or has failed: write the page again if it is time."""
        if measurement is None:
            self.failed += 1
        else:
            self.measurements.append(measurement)
        started = time.monotonic()
        if not self.works or started < self.due or not self.measurements:
            return
        try:
            self.show(self._write())
        except BaseException as error:
            if not is_fault(error):
                raise
            # The cell is measured and stored, and the report at the end says what is wrong with the folder.
            _say(f"no page of the run in progress: {type(error).__name__}: {error}")
            self.works = False
        ended = time.monotonic()
        self.due = ended + max(EVERY, (ended - started) / MAX_SHARE)

    def show(self, page: Path) -> None:
        """Open the page if that is asked and not done, or say where it is."""
        if self.to_open:
            self.to_open = False
            open_page(page)

    def _write(self) -> Path:
        from educe.eval.report.interim import write_interim

        return write_interim(
            self.measurements, self.folder, study=self.study, cells=self.cells, failed=self.failed, every=EVERY
        )


def open_page(page: Path) -> None:
    """Open a page in the browser; where there is none, or no display, say where it is."""
    try:
        opened = _has_display() and webbrowser.open(page.resolve().as_uri())
    except (OSError, webbrowser.Error):
        opened = False
    if not opened:
        _say(f"no browser to open; the page is {page.resolve()}")


def _has_display() -> bool:
    """Whether a browser has a window to open. Without one, Python would start a browser of text in this terminal."""
    if not sys.platform.startswith(("linux", "freebsd")):
        return True
    return any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")))


def _say(text: str) -> None:
    print(f"educe: {visible(text)}", file=sys.stderr, flush=True)

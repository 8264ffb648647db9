"""Trackers whose library never answers."""

import sys
import time
from typing import Any

_SOON = 0.2


class Stuck:
    """It holds on to its one call for ever. Its process is impatient to end, so that a test need not wait."""

    def __init__(self, out: Any, *, machine: bool) -> None:
        sys.modules["__main__"].__dict__["_LEAVE_SECONDS"] = _SOON
        (out / "begun").touch()

    def begin(self, entry: Any) -> int:
        while True:
            time.sleep(60)

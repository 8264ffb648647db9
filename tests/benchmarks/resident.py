"""Peak memory of a process, for the benchmarks that start one to measure it. Imports nothing heavy on purpose."""

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path


def peak_gb() -> float:
    """GB at most resident here; getrusage would count what the parent held when it started this process."""
    (line,) = [each for each in Path("/proc/self/status").read_text().splitlines() if each.startswith("VmHWM")]
    return int(line.split()[1]) * 1024 / 1e9


def peak_gb_of(command: Sequence[str], *, every: float = 0.25) -> float:
    """Run a command and give the peak GB of it and its children together, looked at `every` so many seconds.

    Pages that several processes share count once (Pss of the kernel's smaps_rollup).
    """
    peak = 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, sum(map(_resident_bytes, _tree(process.pid))))
            time.sleep(every)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return peak / 1e9


def _tree(pid: int) -> list[int]:
    try:
        children = "".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")).split()
    except OSError:  # it has just ended
        return []
    return [pid, *(each for child in children for each in _tree(int(child)))]


def _resident_bytes(pid: int) -> int:
    try:
        rolled = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in rolled if line.startswith("Pss:"))

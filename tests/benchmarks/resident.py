"""Peak memory of a process, for the benchmarks that start one to measure it. Imports nothing heavy on purpose."""

from pathlib import Path


def peak_gb() -> float:
    """GB at most resident here; getrusage would count what the parent held when it started this process."""
    (line,) = [each for each in Path("/proc/self/status").read_text().splitlines() if each.startswith("VmHWM")]
    return int(line.split()[1]) * 1024 / 1e9

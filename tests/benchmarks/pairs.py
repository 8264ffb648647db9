"""Timing two ways of doing one work in turns, so that a machine whose speed drifts cannot favour either."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

SMOLLM2, GEMMA = "smollm2-135m-instruct", "gemma-3-270m"


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Medians of both sides in `unit` and of the paired ratios; `least` is the ratio that we promise."""

    work: str
    against: str
    ours: float
    theirs: float
    ratio: float
    least: float
    repetitions: int
    unit: str = "s"

    def __str__(self) -> str:
        kept = "" if self.ratio >= self.least else ", NOT REACHED"
        return (
            f"{self.work}: {self.ours:.3g} {self.unit} against {self.theirs:.3g} {self.unit} ({self.against}),"
            f" {self.ratio:.2f}x"
            f" (at least {self.least:g}x{kept}; {self.repetitions} pairs)"
        )


def timed(work: Callable[[], object]) -> float:
    """Seconds that one call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def paired(
    work: str,
    against: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    *,
    least: float,
    repetitions: int = 3,
) -> Pair:
    """Run both in turns and print the pair. Callers have warmed both up and compared their results."""
    times = [(timed(ours), timed(theirs)) for _ in range(repetitions)]
    return reported(work, against, times, least=least)


def reported(work: str, against: str, times: Sequence[tuple[float, float]], *, least: float, unit: str = "s") -> Pair:
    """The pair that these times make, printed."""
    pair = Pair(
        work=work,
        against=against,
        ours=statistics.median(ours for ours, _ in times),
        theirs=statistics.median(theirs for _, theirs in times),
        ratio=statistics.median(theirs / ours for ours, theirs in times),
        least=least,
        repetitions=len(times),
        unit=unit,
    )
    print(pair, flush=True)
    return pair


def matmul_peak(dtype: torch.dtype, *, size: int = 2048) -> float:
    """FLOP/s of a square matrix product now: the best of six."""
    matrix = torch.ones(size, size, dtype=dtype)
    return 2 * size**3 / min(timed(lambda: matrix @ matrix) for _ in range(6))

"""Timing two ways of doing one work in turns, so that a machine whose speed drifts cannot favour either."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

Result = TypeVar("Result")
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


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """What one call gives and the seconds that it takes."""
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started


def paired(
    work: str,
    against: str,
    ours: Callable[[], Result],
    theirs: Callable[[], Result],
    *,
    same: Callable[[Result, Result], None],
    least: float,
    repetitions: int,
) -> Pair:
    """Run both in turns, assert with `same` that their results agree, and print the pair. Callers warm both up."""
    times = []
    for _ in range(repetitions):
        (mine, ours_took), (other, theirs_took) = timed(ours), timed(theirs)
        same(mine, other)
        times.append((ours_took, theirs_took))
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


def rates(work: str, against: str, ours: float, theirs: float, *, least: float, unit: str) -> Pair:
    """The pair of two rates, printed; more is better."""
    pair = Pair(
        work=work,
        against=against,
        ours=ours,
        theirs=theirs,
        ratio=ours / theirs,
        least=least,
        repetitions=1,
        unit=unit,
    )
    print(pair, flush=True)
    return pair


def matmul_peak(dtype: torch.dtype, *, device: torch.device | str = "cpu", size: int = 2048) -> float:
    """FLOP/s of a square matrix product now: the best of six."""
    matrix = torch.ones(size, size, dtype=dtype, device=device)
    # A number that is read back is waited for.
    return 2 * size**3 / min(timed(lambda: (matrix @ matrix)[0, 0].item())[1] for _ in range(6))

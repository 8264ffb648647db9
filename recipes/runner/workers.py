"""How many workers a run gets on this machine: devices or cores, memory, a short measurement, and enough to do."""

import math
import os
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import psutil
import torch
from threadpoolctl import threadpool_limits

from educe.data.errors import UserError
from educe.eval.analysis.formatting import format_count
from educe.eval.model.source import Source
from educe.recipes.runner.cell import Cell
from educe.recipes.runner.environment import check_device, cuda_devices, gpu_groups, on_cpu
from educe.recipes.runner.estimate import EFFICIENCY, estimate
from educe.recipes.runner.study import Study

# A process takes a few seconds until it has imported its libraries and read a model.
WORTH_SECONDS = 30.0
# What a worker holds beside its model: libraries, activations, adapters with their optimizer. Cohorts of six LoRA runs
# took 2.0 GB on SmolLM2 and 2.4 GB on Gemma.
WORKER_BYTES = 2.5e9
# Of each weight: float32, and bfloat16 while frozen maps train in it. The first is in memory once for all workers where
# the file holds float32.
BYTES_PER_WEIGHT = 6
# A worker more has to raise the throughput by this.
_WORTH_RATE = 1.1


@dataclass(frozen=True)
class Workers:
    """How many there are and why not more, and the measured FLOP/s of all of them and of one.

    Neither a GPU's rate nor that of a launch is measured.
    """

    count: int
    why: str
    rate: float
    rate_of_one: float


def check_devices(study: Study) -> None:
    """UserError where this machine lacks the study's device, or what a worker of its launch needs."""
    check_device(study.device)
    if (launch := study.launch) is None:
        return
    what = f"launch: {launch.devices} processes"
    needed = launch.devices * study.threads
    if not on_cpu(study.device):
        if (count := torch.cuda.device_count()) < launch.devices:
            raise UserError(f"{what} need a GPU each, and there are {count}; lower devices, or write device: cpu")
    elif needed > (count := cores()):
        each = format_count(study.threads, "thread")
        raise UserError(f"{what} of {each} need {needed} cores, and there are {count}; lower devices or threads")
    if launch.takes_deepspeed and find_spec("deepspeed") is None:
        raise UserError(f"launch: {launch.config} needs DeepSpeed; pip install 'educe[distributed]', or write ddp")


def choose_workers(study: Study, groups: Sequence[Sequence[Cell]]) -> Workers:
    """As many processes as raise the throughput here, as fit the memory, and as the work is worth.

    `groups` are the cells to run, those that are elicited together in one.
    """
    processes = study.launch.devices if study.launch else 1
    if cuda_devices(study.device) or not groups or not on_cpu(study.device):
        count = len(gpu_groups(study.device, processes))
        why = f"one for every {processes} GPUs" if study.launch else "one for each GPU"
        return Workers(max(1, min(count, len(groups))), why, math.nan, math.nan)
    limits = {
        "no more cores": cores() // (study.threads * processes),
        "no more cells" if study.launch else "no more groups of cells that train together": len(groups),
        "no memory for more": _fitting({group[0].source for group in groups}) // processes,
    }
    why = min(limits, key=lambda each: limits[each])
    most = max(1, limits[why])
    if study.launch:
        return Workers(most, why, math.nan, math.nan)
    rates = worker_rates(most, threads=study.threads)
    if most > 1 and _seconds(groups, rates[1], limit=WORTH_SECONDS) < WORTH_SECONDS:
        return Workers(1, f"less than {WORTH_SECONDS:.0f} s of work", rates[1], rates[1])
    chosen = 1
    for count, rate in sorted(rates.items()):
        if rate >= _WORTH_RATE * rates[chosen]:
            chosen = count
    return Workers(chosen, why if chosen == most else "more were no faster", rates[chosen], rates[1])


def longest_group(groups: Sequence[Sequence[Cell]]) -> float:
    """Executed FLOPs of the group that takes longest, of those that are known: one worker has to make them."""
    known = [[estimate(cell, cell.method.workload(cell.task, cell.examples)) for cell in group] for group in groups]
    return max((sum(each.executed_flops for each in group if each) for group in known), default=0.0)


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def worker_rates(most: int, *, threads: int, size: int = 1024, seconds: float = 0.2) -> dict[int, float]:
    """FLOP/s of float32 matrix products by so many workers at once, for 1, 2, 4 and so on up to `most`."""
    counts = sorted({*(2**power for power in range(most.bit_length()) if 2**power <= most), most})
    matrix = np.ones((size, size), dtype=np.float32)
    with threadpool_limits(threads):
        return {count: _rate(matrix, count, seconds) for count in counts}


def _rate(matrix: "np.ndarray[tuple[int, int], np.dtype[np.float32]]", count: int, seconds: float) -> float:
    def work() -> int:
        done = 0
        while time.perf_counter() < end:
            matrix @ matrix
            done += 1
        return done

    with ThreadPoolExecutor(count) as pool:
        started = time.perf_counter()
        end = started + seconds
        products = sum(each.result() for each in [pool.submit(work) for _ in range(count)])
        return products * 2.0 * len(matrix) ** 3 / (time.perf_counter() - started)


def _fitting(sources: Iterable[Source]) -> int:
    """How many workers fit the free memory with the largest of these models; one where a size is not known."""
    shapes = [source.shape for source in sources]
    if None in shapes:
        return 1
    largest = max(shape.parameters for shape in shapes if shape is not None)
    return max(1, int(psutil.virtual_memory().available // (BYTES_PER_WEIGHT * largest + WORKER_BYTES)))


def _seconds(groups: Sequence[Sequence[Cell]], rate: float, *, limit: float) -> float:
    """What the cells take one worker; counted until it is over the limit, and infinite where it is not known."""
    total = 0.0
    for group in groups:
        for cell in group:
            known = estimate(cell, cell.method.workload(cell.recipe_task, cell.examples))
            if known is None:
                return float("inf")
            total += known.executed_flops / (rate * EFFICIENCY)
            if total > limit:
                return total
    return total

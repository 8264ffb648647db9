"""Worker processes of this machine: starting one, sending to it, and ending it.

One can be started before the process that needs it has imported its own libraries, which takes both of them seconds.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from typing import Any

from educe.recipes.runner.cohorts import Unit
from educe.recipes.runner.study import Study

# What numerical libraries read when they are loaded.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(kw_only=True)
class WorkerProcess:
    """A worker process (worker_process.py): its messages, the unit that it has, and which model it has loaded."""

    process: subprocess.Popen[bytes]
    messages: Connection
    lifeline: Connection
    unit: Unit | None = None
    loaded: tuple[str, str] | None = None

    def send(self, message: Any) -> None:
        """Send a message; that the process has died is noticed when it is listened to."""
        with suppress(OSError):
            self.messages.send(message)

    def wait_for_imports(self) -> None:
        """Wait until the process has imported its libraries, or has died."""
        self.messages.poll(None)

    def end(self) -> None:
        self.messages.close()
        self.lifeline.close()
        self.process.kill()  # what it writes appears whole or not at all
        self.process.wait()


def start_process(*, threads: int, gpu: str = "") -> WorkerProcess:
    """A process with so many threads; it sees the GPU called `gpu` in CUDA_VISIBLE_DEVICES, or all of them."""
    messages, theirs = Pipe()
    lifeline, held = Pipe(duplex=False)  # closes when this process ends, however it ends
    environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads))}
    environment["OMP_WAIT_POLICY"] = "PASSIVE"  # a thread that waits leaves its core to the other workers
    if gpu:
        environment["CUDA_VISIBLE_DEVICES"] = gpu
    pipes = theirs.fileno(), lifeline.fileno()
    # -P: a file of the working directory must not stand in for a library.
    command = [sys.executable, "-P", "-m", "educe.recipes.runner.worker_process", *map(str, pipes)]
    process = subprocess.Popen(command, env=environment, pass_fds=pipes)
    theirs.close()
    lifeline.close()
    return WorkerProcess(process=process, messages=messages, lifeline=held)


@contextmanager
def early_process(study: Study) -> Iterator[WorkerProcess]:
    """The first worker of a run, which imports while this process does; it ends with the block."""
    process = start_process(threads=study.threads, gpu=gpu_names()[0] if takes_gpus(study.device) else "")
    try:
        yield process
    finally:
        process.end()


def takes_gpus(device: str) -> bool:
    """Whether workers get GPUs of their own where there are any, for a device as a study names it."""
    return device in ("auto", "cuda")


def gpu_names(count: int = 1) -> list[str]:
    """How CUDA_VISIBLE_DEVICES names the first `count` GPUs that this process sees."""
    named = [each for each in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if each]
    return named[:count] or [str(place) for place in range(count)]

"""Worker processes of this machine: starting one, sending to it, and ending it.

One can be started before the process that needs it has imported its own libraries, which takes both of them seconds.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe

from educe.recipes.runner.engines.engine import WorkerHandle
from educe.recipes.runner.study import Study

# What numerical libraries read when they are loaded.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(kw_only=True)
class WorkerProcess(WorkerHandle):
    """A worker process (worker_process.py) of this machine."""

    process: subprocess.Popen[bytes]
    lifeline: Connection

    def wait_for_imports(self) -> None:
        """Wait until the process has imported its libraries, or has died."""
        if self.messages is not None:
            self.messages.poll(None)

    def end(self) -> None:
        """End the process at once."""
        if self.messages is not None:
            self.messages.close()
        self.lifeline.close()
        self.process.kill()
        self.process.wait()

    def ended_with(self) -> str:
        """Its exit code or signal."""
        self.end()
        code = self.process.returncode
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def lost(self) -> str | None:
        """How a process has ended that nothing more was given to."""
        return None if self.process.poll() is None else self.ended_with()


def start_process(*, threads: int, gpus: str = "") -> WorkerProcess:
    """A process with so many threads; it sees the `gpus` that CUDA_VISIBLE_DEVICES would name so, or what we see."""
    messages, theirs = Pipe()
    lifeline, held = Pipe(duplex=False)  # closes when this process ends, however it ends
    environment = {**os.environ, **thread_variables(threads)}
    if gpus:
        environment["CUDA_VISIBLE_DEVICES"] = gpus
    pipes = theirs.fileno(), lifeline.fileno()
    # -P: a file of the working directory must not stand in for a library.
    command = [sys.executable, "-P", "-m", "educe.recipes.runner.worker_process", *map(str, pipes)]
    process = subprocess.Popen(command, env=environment, pass_fds=pipes)
    theirs.close()
    lifeline.close()
    return WorkerProcess(process=process, messages=messages, lifeline=held)


def thread_variables(threads: int) -> dict[str, str]:
    """The environment of a worker that computes with so many threads."""
    # A thread that waits leaves its core to the other workers.
    return {**dict.fromkeys(THREAD_VARIABLES, str(threads)), "OMP_WAIT_POLICY": "PASSIVE"}


@contextmanager
def early_process(study: Study) -> Iterator[WorkerProcess]:
    """The first worker of a run, which imports while this process does; it ends with the block."""
    count = study.launch.devices if study.launch else 1
    gpus = ",".join(gpu_names(count)) if takes_gpus(study.device) else ""
    process = start_process(threads=study.threads, gpus=gpus)
    try:
        yield process
    finally:
        process.end()


def takes_gpus(device: str) -> bool:
    """Whether workers get GPUs of their own where there are any, for a device as a study names it."""
    return device in ("auto", "cuda")


def gpu_names(count: int = 1) -> list[str]:
    """How CUDA_VISIBLE_DEVICES names the first `count` GPUs that this process sees; none where it hides all."""
    if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is None:
        return [str(place) for place in range(count)]
    return [each for each in visible.split(",") if each][:count]

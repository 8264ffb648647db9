"""A process of a launch: with the others it runs one cell of a study, and tells the worker that launched them.

It ends when its messages end, also where that worker was killed.
"""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch

from educe.data.errors import RunStopped, UserError, is_fault
from educe.eval.progress import progress_listener, step_listener
from educe.recipes.runner.canaries import Canaries
from educe.recipes.runner.cell import Cell
from educe.recipes.runner.engines.rendezvous import join_run
from educe.recipes.runner.environment import on_cpu
from educe.recipes.runner.launch import load_together
from educe.recipes.runner.run_cell import run_cells
from educe.recipes.runner.store import Store
from educe.recipes.runner.study import Study
from educe.recipes.runner.threads import threads
from educe.recipes.runner.tracking.settings import ChosenTracker
from educe.recipes.runner.worker_process import Sender, cell_at, end_with, read_here
from educe.train.processes import process_state


def main(host: str, port: int) -> int:
    """Run the cell that the worker asks for. The exit code is 0 where all went well."""
    # The launcher ends its processes by this signal, and the worker, which ignores it, has handed that down.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    messages = join_run(host, port, int(os.environ.get("RANK", 0)), str(os.getpid()))
    sender = Sender(messages, {})
    threading.Thread(target=sender.stay_alive, daemon=True).start()
    asked = messages.recv()
    threading.Thread(target=end_with, args=(messages,), daemon=True).start()
    try:
        _run(sender, *asked)
    except RunStopped as error:
        sender.send("stopped", error)
    except UserError as error:
        sender.send("failed", str(error))
    except BaseException as error:
        if not is_fault(error):
            raise
        traceback.print_exc()
        sender.send("broken", f"{type(error).__name__}: {error}")
    else:
        sender.over.set()
        return 0
    return 1


def _run(sender: Sender, root: str, text: str, place: int, folder: str, earlier: Canaries) -> None:
    study, cells = read_here(text)
    assert study.launch is not None, "nobody else launches"
    state = process_state(torch.device("cpu" if on_cpu(study.device) else "cuda"))
    if state.num_processes != study.launch.devices:
        raise UserError(
            f"launch: {study.launch.file} starts {state.num_processes} processes and not {study.launch.devices}; set "
            "distributed_type: MULTI_GPU or DEEPSPEED in it"
        )
    cell = cell_at(cells, place, folder)
    shown = _told(sender, study, cell) if state.is_main_process else nullcontext()
    sender.places[folder] = place
    with threads(study.threads), shown:
        model = load_together(cell, earlier, device=study.device, state=state)
        for _, finish in run_cells([cell], model, Store(Path(root)), study=study.name, say=sender.say):
            finish()
    sender.send_steps()
    sender.send("done")
    # As in launch.py: a process that exits in its group is sometimes aborted.
    state.destroy_process_group()


@contextmanager
def _told(sender: Sender, study: Study, cell: Cell) -> Iterator[None]:
    """What goes on inside the block is sent: how far it is and, where they are tracked, the steps of its training."""
    tracked = ChosenTracker.read(study.track) is not None
    steps = step_listener(lambda _, step: sender.train(cell, [step])) if tracked else nullcontext()
    with progress_listener(sender.within), steps:
        yield


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))

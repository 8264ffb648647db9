"""Where cells run: one after another in this process, each model loaded once."""

import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from educe.data.errors import UserError
from educe.eval.measurement import Measurement
from educe.eval.progress import progress_listener
from educe.recipes.method import Elicited
from educe.recipes.runner.cell import Cell, run_cell
from educe.recipes.runner.environment import check_device
from educe.recipes.runner.progress import Progress
from educe.recipes.runner.results import Results
from educe.recipes.runner.store import Store, Unwritable
from educe.recipes.runner.track import check_wandb, log_to_wandb

if TYPE_CHECKING:
    from educe.eval.model.model import Model
    from educe.recipes.runner.study import Study


def run_study(study: "Study", out: Path) -> Results:
    """Run the cells that are not on disk, write the report, and return every result of the study.

    A cell that fails is noted with its reason and the others go on. UserError for a faulty study, a directory in use or
    one that cannot be written; finished cells are kept in every case.
    """
    if study.track == "wandb":
        check_wandb()
    check_device(study.device)
    cells = study.cells()
    store = Store(out)
    with store.claim():
        store.begin(study_text=study.text(), cells=cells)
        store.audit(list({cell.task.name: cell.task for cell in cells}.values()))
        missing = [cell for cell in cells if not store.has(cell)]
        with Progress(total=len(cells), done=len(cells) - len(missing), out=out) as progress:
            run_cells(missing, store, study=study.name, device=study.device, progress=progress)
        results = Results.read(out)
        results.report()
        if study.track == "wandb":
            log_to_wandb(results, study=study.name)
    return results


def run_cells(cells: Sequence[Cell], store: Store, *, study: str, device: str, progress: Progress) -> None:
    """Run cells grouped by model and store each as it finishes."""
    for _, group in groupby(cells, key=lambda cell: (repr(cell.model_spec), cell.dtype)):
        waiting = list(group)
        with _noted(waiting, store, progress):
            model = _load(waiting[0], device=device, progress=progress)
            for cell in waiting:
                with _noted([cell], store, progress):
                    _run(cell, model, store, study=study, progress=progress)
            model.cache.clear()  # it refers to the model, which would outlive the loading of the next one


def _load(cell: Cell, *, device: str, progress: Progress) -> "Model":
    from educe.eval.model.load import load_model

    progress.say(f"loading {cell.source.name}")
    return load_model(cell.model_spec, dtype=cell.dtype, device=device)  # type: ignore[arg-type]


def _run(cell: Cell, model: "Model", store: Store, *, study: str, progress: Progress) -> None:
    progress.start(cell)
    with progress_listener(progress.within):
        measurement = run_cell(
            cell, model, study=study, save=lambda result, elicited: save(store, cell, result, elicited)
        )
    assert measurement is not None, "only a launch of many processes leaves a cell without a measurement"
    progress.finish(cell, measurement)


@contextmanager
def _noted(cells: Sequence[Cell], store: Store, progress: Progress) -> Iterator[None]:
    """Note what goes wrong inside as the reason why these cells have no result."""
    kept = None
    try:
        yield
        return
    except Unwritable:
        raise
    except UserError as error:
        reason, kept = str(error), getattr(error, "save", None)
    except Exception as error:
        # Ours: shown in full, but a study of many hours does not stop for one cell.
        traceback.print_exc(file=sys.stderr)
        reason = f"{type(error).__name__}: {error}"
    for cell in cells:
        store.fail(cell, reason, save_adapter=kept)
        progress.fail(cell, reason)


def save(store: Store, cell: Cell, measurement: Measurement, elicited: Elicited) -> None:
    """Write a cell's result, with the adapter where one was trained."""
    save_adapter = None
    if elicited.model.change is not None and elicited.model.change.save is not None:
        from educe.train.attach import save as save_to

        def save_adapter(folder: Path) -> None:
            save_to(elicited.model, folder)

    store.write(cell, measurement, save_adapter=save_adapter)

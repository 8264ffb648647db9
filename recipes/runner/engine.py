"""Where cells run: one after another in this process, each model loaded once."""

import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

from educe.data.display import visible
from educe.data.errors import RunStopped, UserError, is_fault
from educe.eval.measurement import Measurement
from educe.eval.model.load import load_model
from educe.eval.progress import progress_listener
from educe.recipes.runner.audits import stored_lines, update_audits
from educe.recipes.runner.canaries import Canaries, canaries_of, check_model
from educe.recipes.runner.cell import Cell
from educe.recipes.runner.environment import check_device
from educe.recipes.runner.frozen import read_plan
from educe.recipes.runner.progress import Progress
from educe.recipes.runner.record import adopt
from educe.recipes.runner.results import Results
from educe.recipes.runner.run_cell import run_cell
from educe.recipes.runner.sizes import left_out
from educe.recipes.runner.store import NOT_RUN, Store
from educe.recipes.runner.study import Study
from educe.recipes.runner.track import check_wandb, log_to_wandb


def run_study(study: Study | str | Path, out: str | Path, *, plan: str | Path | None = None) -> Results:
    """Run the cells of a study, or of its file, that are not on disk, write the report, and return every result.

    `plan` is the file of a plan that `educe plan --freeze` wrote: it is kept with the results.

    A cell that fails is noted with its reason and the others go on. UserError for a faulty study, a directory in use or
    one that cannot be written, ModelChanged for a model that is not what earlier results were measured with. Finished
    cells are kept in every case.
    """
    if not isinstance(study, Study):
        study = Study.read(study)
    if study.track != "none":
        check_wandb()
    check_device(study.device)
    cells = study.cells()
    frozen = None if plan is None else read_plan(Path(plan))
    store = Store(Path(out))
    with store.claim():
        store.begin(study_text=study.text(), cells=cells)
        tasks = list({cell.task.name: cell.task for cell in cells}.values())
        update_audits(store, tasks)
        shared: dict[Any, Any] = {}
        found = [(cell, store.find(cell.listed, shared)) for cell in cells]
        known = {cell.listed.folder: each for cell, each in found if isinstance(each, Measurement)}
        faults = [(cell, each) for cell, each in found if isinstance(each, str)]
        if frozen is not None:
            adopt(store, frozen, results=len(known))
        with Progress(total=len(cells), done=len(cells) - len(faults), out=store.root) as progress:
            if line := left_out(cells, study.examples):
                progress.say(line)
            for line in stored_lines(store, tasks):
                progress.say(f"warning: {line}")
            for cell, fault in faults:
                if fault != NOT_RUN:
                    progress.say(f"{cell}: {fault.replace('run the study again', 'it is run again')}")
            earlier = canaries_of(known.values())
            _run_cells([cell for cell, _ in faults], store, study=study, progress=progress, earlier=earlier)
        results = Results.of(store, known)
        results.report("run")
        if study.track != "none":
            log_to_wandb(results, study=study.name, prompts=study.tracks_prompts)
    return results


def _run_cells(cells: Sequence[Cell], store: Store, *, study: Study, progress: Progress, earlier: Canaries) -> None:
    """Run cells grouped by model and store each as it finishes."""
    for _, group in groupby(cells, key=lambda cell: (repr(cell.model_spec), cell.dtype)):
        waiting = list(group)
        with _failures_noted(waiting, store, progress):
            first = waiting[0]
            progress.say(f"loading {first.source.name}")
            model = load_model(first.model_spec, dtype=first.dtype, device=study.device)  # type: ignore[arg-type]
            model = check_model(first, model, earlier)
            for cell in waiting:
                with _failures_noted([cell], store, progress), progress_listener(progress.within):
                    progress.start(cell)
                    measurement = run_cell(cell, model, store, study=study.name)
                    assert measurement is not None, "only a launch of several processes gives none"
                    progress.finish(cell, measurement)
            model.cache.clear()  # it refers to the model, which would stay in memory while the next one is loaded


@contextmanager
def _failures_noted(cells: Sequence[Cell], store: Store, progress: Progress) -> Iterator[None]:
    """Note what goes wrong inside as the reason why these cells have no result."""
    save_adapter = None
    try:
        yield
        return
    except RunStopped:
        raise
    except UserError as error:
        reason, save_adapter = str(error), getattr(error, "save", None)
    except BaseException as error:
        if not is_fault(error):
            raise
        # A mistake of ours: shown in full, but a study of many hours does not stop for one cell.
        print(visible(traceback.format_exc(), lines=True), end="", file=sys.stderr)
        reason = f"{type(error).__name__}: {error}"
    for cell in cells:
        store.fail(cell, reason, save_adapter=save_adapter)
        progress.fail(cell, reason)

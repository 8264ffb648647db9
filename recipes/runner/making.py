"""Models that have to be made before cells run: organisms and models from scratch, each once, in one process."""

from collections.abc import Iterable, Sequence

from educe.eval.model.organism import is_made
from educe.eval.model.source import Source
from educe.eval.progress import progress_listener
from educe.recipes.runner.cell import Cell
from educe.recipes.runner.cohorts import Unit
from educe.recipes.runner.store import Store
from educe.recipes.runner.study import Study
from educe.recipes.runner.threads import threads
from educe.recipes.runner.worker import Listener, failures_noted
from educe.train.organisms.make import prepare

# Whatever the study computes with: the same settings give the same organism.
MAKING_THREADS = 1


def models_to_make(cells: Iterable[Cell]) -> list[Source]:
    """The models of these cells that are not there yet, those that give labels among them."""
    sources = dict.fromkeys(source for cell in cells for source in _models(cell))
    return [source for source in sources if not is_made(source)]


def make_models(units: Sequence[Unit], study: Study, store: Store, listener: Listener) -> list[Unit]:
    """Make what the units need; those whose model cannot be made are noted as failed and left out."""
    left = list(units)
    for source in models_to_make(cell for unit in units for cell in unit.cells):
        needing = [unit for unit in left if any(source in _models(cell) for cell in unit.cells)]
        made = False
        with failures_noted([cell for unit in needing for cell in unit.wanted], store, listener):
            with progress_listener(listener.within):
                make(source, device=study.device)
            made = True
        left = left if made else [unit for unit in left if unit not in needing]
    return left


def make(source: Source, *, device: str) -> None:
    """Make a model of a study. UserError where it cannot be."""
    with threads(MAKING_THREADS):
        prepare(source, device=device)


def _models(cell: Cell) -> list[Source]:
    demonstrator = cell.method.workload(cell.recipe_task, cell.examples).demonstrator
    return [cell.source] if demonstrator is None else [cell.source, demonstrator]

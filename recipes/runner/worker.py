"""Worker: runs units of a study one after another, each model loaded once, in this process or in one of its own."""

import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol, runtime_checkable

from educe.data.display import visible
from educe.data.errors import RunStopped, UserError, is_fault
from educe.eval.measurement import Measurement
from educe.eval.model.journal import code_digest
from educe.eval.model.load import load_model
from educe.eval.model.model import Model
from educe.eval.progress import TrainingStep, progress_listener, step_listener
from educe.recipes.runner.canaries import Canaries, check_model
from educe.recipes.runner.cell import Cell
from educe.recipes.runner.cohorts import Unit
from educe.recipes.runner.run_cell import run_cells
from educe.recipes.runner.store import Store
from educe.recipes.runner.study import Study
from educe.recipes.runner.tracking.settings import ChosenTracker


@runtime_checkable
class Listener(Protocol):
    """Who is told what starts, finishes and fails."""

    def say(self, text: str) -> None: ...

    def start(self, cells: Sequence[Cell]) -> None: ...

    def within(self, what: str, done: int, total: int) -> None: ...

    def train(self, cell: Cell, steps: Sequence[TrainingStep]) -> None: ...

    def finish(self, cell: Cell, measurement: Measurement, seconds: float) -> None: ...

    def fail(self, cell: Cell, reason: str) -> None: ...


class Worker:
    """One resident model at a time; `earlier` are the canaries of the results that the directory has."""

    def __init__(self, store: Store, study: Study, earlier: Canaries, listener: Listener) -> None:
        self._store = store
        self._study = study
        self._earlier = earlier
        self._listener = listener
        self._loaded: Any = None
        self._model: Model | None = None
        self._unloadable: dict[Any, BaseException] = {}  # why, by what was to be loaded
        code_digest()  # now: files that change while a study runs are not what runs

    def run(self, unit: Unit) -> None:
        """Elicit a unit's cells and store those that are missing; what fails is noted, and the rest goes on."""
        waiting = unit.wanted
        with (
            failures_noted(waiting, self._store, self._listener),
            progress_listener(self._listener.within),
            self._telling(unit.cells),
        ):
            model = self._load(unit)
            started = time.perf_counter()
            self._listener.start(waiting)
            for cell, finish in run_cells(
                unit.cells, model, self._store, study=self._study.name, say=self._listener.say
            ):
                if cell not in waiting:
                    continue
                with failures_noted([cell], self._store, self._listener), self._telling([cell]):
                    measurement = finish()
                    assert measurement is not None, "only a launch of several processes gives none"
                    self._listener.finish(cell, measurement, time.perf_counter() - started)
                started = time.perf_counter()
                waiting.remove(cell)

    def _telling(self, cells: Sequence[Cell]) -> AbstractContextManager[None]:
        """Tell of the steps of trainings inside the block: one cell's, or those of cells that train together."""
        if ChosenTracker.read(self._study.track) is None:
            return nullcontext()

        def tell(place: int, step: TrainingStep) -> None:
            self._listener.train(cells[place if len(cells) > 1 else 0], [step])

        return step_listener(tell)

    def close(self) -> None:
        """Let go of the model."""
        if self._model is not None:
            self._model.cache.clear()  # it refers to the model
        self._model = self._loaded = None

    def _load(self, unit: Unit) -> Model:
        if unit.loaded in self._unloadable:
            raise self._unloadable[unit.loaded].with_traceback(None)
        if self._model is None or self._loaded != unit.loaded:
            self.close()  # two would be in memory at once
            first = unit.cells[0]
            self._listener.say(f"loading {first.source.name}")
            try:
                model = load_model(first.source, dtype=first.dtype, device=self._study.device)  # type: ignore[arg-type]
            except BaseException as error:
                self._unloadable[unit.loaded] = error
                raise
            self._model, self._loaded = check_model(first, model, self._earlier), unit.loaded
        return self._model


@contextmanager
def failures_noted(cells: Sequence[Cell], store: Store, listener: Listener) -> Iterator[None]:
    """Note what goes wrong inside as the reason why these cells have no result; RunStopped passes."""
    save_adapter: Callable[..., None] | None = None
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
    for cell in list(cells):
        store.fail(cell, reason, save_adapter=save_adapter)
        listener.fail(cell, reason)

"""One recipe alone, one cell, in one process or in several that `accelerate launch` has started."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list

from educe.data.display import visible
from educe.data.errors import RunStopped, UserError
from educe.eval.measurement import Measurement
from educe.eval.model.load import fetch, load_model
from educe.eval.model.model import Model
from educe.eval.progress import progress_listener, step_listener
from educe.recipes.catalog import find_recipe
from educe.recipes.runner.audits import update_audits
from educe.recipes.runner.canaries import Canaries, canaries_of, check_model
from educe.recipes.runner.cell import Cell
from educe.recipes.runner.changes import parse_change
from educe.recipes.runner.environment import check_device, on_cpu
from educe.recipes.runner.listing import Facts
from educe.recipes.runner.making import make, models_to_make
from educe.recipes.runner.progress import Progress
from educe.recipes.runner.run_cell import run_cells
from educe.recipes.runner.store import Store
from educe.recipes.runner.study import Study
from educe.recipes.runner.threads import threads
from educe.recipes.runner.tracking.settings import ChosenTracker
from educe.recipes.runner.tracking.tracked import check_tracker, tracked
from educe.recipes.sets import refuse_set
from educe.train.processes import make_accelerator, process_state


def study_of_one(
    recipe: str, model: str, task: str, *, examples: int | None, settings: Sequence[str], **more: Any
) -> Study:
    """The study of one cell that a command describes; `more` are other keys of a study."""
    refuse_set(recipe)
    name, kind = find_recipe(recipe)
    plain = {
        "name": name.rpartition(":")[2].lstrip("_"),
        "models": [_spec(model)],
        "tasks": [_spec(task)],
        "recipes": [{recipe: dict(map(parse_change, settings))}],
        **more,
    }
    if kind.budget == "examples" and examples is None:
        raise UserError(f"recipe {recipe!r} learns from labelled rows; say how many: --examples 64")
    if kind.budget != "examples" and examples is not None:
        raise UserError(f"recipe {recipe!r} takes no number of training rows; drop --examples {examples}")
    return Study.make({**plain, "examples": [] if examples is None else [examples]}, what="this command")


def _spec(text: str) -> Any:
    """A name, or a name with options as YAML: `{capitals: {seed: 1}}`."""
    return parse_change(f"spec={text}")[1] if text.startswith("{") else text


def launch(study: Study, out: Path) -> None:
    """Run the study's one cell, and print its score and its folder."""
    check_tracker(study)
    (cell,) = study.cells()
    check_device(study.device)
    state = process_state(torch.device("cpu" if on_cpu(study.device) else "cuda"))
    with threads(study.threads):
        _launch(study, cell, Store(out), state)
    # A process that exits in its group is sometimes aborted: threads of gloo let go of tensors when Python has ended
    # (https://github.com/pytorch/pytorch/pull/179291). Not after a failure: others may be waiting for a collective.
    state.destroy_process_group()


def _launch(study: Study, cell: Cell, store: Store, state: PartialState) -> None:
    with store.claim() if state.is_main_process else nullcontext():
        if state.is_main_process:
            store.begin(study_text=study.text(), cells=[cell], add=True)
            update_audits(store, [cell.task])
        # The main process decides for all: on another machine the run directory may be another one.
        held = [*_earlier(cell, store)] if state.is_main_process else [None, None]
        done, earlier = broadcast_object_list(held)
        if done:
            if state.is_main_process:
                store.clear_journals([cell])  # of a run that was killed when its result had its name
            state.print(visible(f"{cell}: already in {store.folder(cell)}"))
            if state.is_main_process:
                _copy_known(study, cell, store)
            return
        try:
            with _shown(study, cell, store, is_main=state.is_main_process) as progress:
                model = load_together(cell, earlier, device=study.device, state=state)
                if progress is not None:
                    progress.start([cell])
                started = time.perf_counter()
                say = progress.say if progress is not None else state.print
                for _, finish in run_cells([cell], model, store, study=study.name, say=say):
                    measurement = finish()
                if progress is not None and measurement is not None:
                    progress.finish(cell, measurement, time.perf_counter() - started)
        except RunStopped:
            raise
        except UserError as error:
            if state.is_main_process:
                store.fail(cell, str(error), save_adapter=getattr(error, "save", None))
            raise
        if measurement is not None:
            interval = f"[{measurement.low:.3f}, {measurement.high:.3f}]"
            print(visible(f"{cell}: {measurement.score:.3f} {interval} -> {store.folder(cell)}"))


@contextmanager
def _shown(study: Study, cell: Cell, store: Store, *, is_main: bool) -> Iterator[Progress | None]:
    """The progress of the one cell, which the main process shows and, where the study says so, tracks."""
    if not is_main:
        yield None
        return
    # A mistake that is found on the way is the only line, so the one cell is not announced.
    progress = Progress(total=1, done=0, out=store.root, announce=False)
    with (
        tracked(study, store.root, progress.say, machine=True) as progress.tracking,
        progress,
        progress_listener(progress.within),
        step_listener(lambda _, step: progress.train(cell, [step])),
    ):
        yield progress


def _copy_known(study: Study, cell: Cell, store: Store) -> None:
    """Copy a cell that was measured before, where the study tracks and an earlier command did not."""
    if ChosenTracker.read(study.track) is None:
        return
    measurement = store.find(cell.listed, {})
    assert isinstance(measurement, Measurement)
    say = Progress(total=1, done=1, out=store.root, announce=False).say
    with tracked(study, store.root, say, machine=True, known=[(cell, measurement)]):
        pass


def _earlier(cell: Cell, store: Store) -> tuple[bool, Canaries]:
    """Whether a cell has a result, and if not, the canaries of the results of its model."""
    if store.has(cell):
        return True, {}
    demonstrator = cell.method.workload(cell.recipe_task, cell.examples).demonstrator
    models = {source.identity for source in (cell.source, demonstrator) if source is not None}
    others = (store.find(each, {}) for each in store.listing() if models & _models_of(each.facts))
    return False, canaries_of(each for each in others if isinstance(each, Measurement))


def _models_of(facts: Facts) -> set[str]:
    """The identities of the models that a cell measures and, where it says so, learns from."""
    return {facts.model, *_demonstrators(facts.settings)}


def _demonstrators(settings: Mapping[str, Any]) -> Iterator[str]:
    """Whoever gives labels, in the settings of a recipe or in those of the recipes that it is made of."""
    for key, value in settings.items():
        if key == "labels_from":
            yield str(value)
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, Mapping):
                yield from _demonstrators(inner)


def load_together(cell: Cell, earlier: Canaries, *, device: str, state: PartialState) -> Model:
    """A cell's model in every process of a launch. ModelChanged as for `check_model`."""
    _make(cell, device=device, state=state)
    # One process of a machine converts weights, so that the others find them in the cache.
    with state.local_main_process_first():
        fetch(cell.source)
    make_accelerator(state.device)  # not earlier: ZeRO-3 would shard what is being converted
    model = load_model(cell.source, dtype=cell.dtype, device=device)  # type: ignore[arg-type]
    return check_model(cell, model, earlier)


def _make(cell: Cell, *, device: str, state: PartialState) -> None:
    """Make the models of a cell. UserError in a launch of several processes, which would train each together."""
    for source in models_to_make([cell]):
        if state.num_processes > 1:
            raise UserError(
                f"model {source.name!r} is not made yet, and it is made by one process; make it first: "
                "educe organisms STUDY.yaml"
            )
        make(source, device=device)

"""Where cells run: in this process or in several, each model loaded once in each."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from educe.data.errors import UserError
from educe.eval.analysis.formatting import format_count
from educe.eval.measurement import Measurement
from educe.recipes.runner.audits import stored_lines, update_audits
from educe.recipes.runner.canaries import Canaries, canaries_of
from educe.recipes.runner.cell import Cell
from educe.recipes.runner.cohorts import Unit, alone, units
from educe.recipes.runner.engines.catalog import start_engine
from educe.recipes.runner.engines.settings import LOCAL, ChosenEngine
from educe.recipes.runner.environment import gpu_groups
from educe.recipes.runner.frozen import read_plan
from educe.recipes.runner.launch_settings import computes_with
from educe.recipes.runner.launcher import make_worker
from educe.recipes.runner.live import LivePage
from educe.recipes.runner.making import make_models
from educe.recipes.runner.pool import Pool
from educe.recipes.runner.processes import WorkerProcess
from educe.recipes.runner.progress import Progress
from educe.recipes.runner.record import adopt
from educe.recipes.runner.results import Results
from educe.recipes.runner.sizes import left_out
from educe.recipes.runner.store import NOT_RUN, Store
from educe.recipes.runner.study import Study
from educe.recipes.runner.threads import threads
from educe.recipes.runner.tracking.tracked import check_tracker, tracked
from educe.recipes.runner.workers import check_devices, choose_workers


def run_study(
    study: Study | str | Path,
    out: str | Path,
    *,
    plan: str | Path | None = None,
    workers: int | None = 1,
    engine: str | Mapping[str, Any] | None = None,
    open_page: bool = False,
    early: WorkerProcess | None = None,
) -> Results:
    """Run the cells of a study, or of its file, that are not on disk, write the report, and return every result.

    `plan` is the file of a plan that `educe plan --freeze` wrote: it is kept with the results. `workers` are processes;
    one is this process itself, and None lets the study and the machine decide. They are started by the `engine`
    (default: the study's). No score depends on either. A process that was started `early` is the first of them. While
    cells finish, the report's page shows their scores; with `open_page` a browser opens it.

    A cell that fails is noted with its reason and the others go on. UserError for a faulty study, a directory in use or
    one that cannot be written, ModelChanged for a model that is not what earlier results were measured with. Finished
    cells are kept in every case.
    """
    if not isinstance(study, Study):
        study = Study.read(study)
    check_tracker(study)
    chosen = ChosenEngine.choose(study.engine, engine)
    chosen = chosen.reserving(study.launch, threads=study.threads, device=study.device)
    if chosen.name == LOCAL:  # other machines have other devices
        check_devices(study)
    if chosen.name != LOCAL and workers is None:
        raise UserError(f"engine {chosen.name!r} does not know how many workers to start; give --workers 4")
    cells = study.cells()
    frozen = None if plan is None else read_plan(Path(plan))
    store = Store(Path(out))
    with store.claim():
        store.begin(study_text=study.text(), cells=cells)
        shared: dict[Any, Any] = {}
        found = [(cell, store.find(cell.listed, shared)) for cell in cells]
        known = {cell.listed.folder: each for cell, each in found if isinstance(each, Measurement)}
        store.clear_journals([cell for cell in cells if cell.listed.folder in known])
        faults = [(cell, each) for cell, each in found if isinstance(each, str)]
        if frozen is not None:
            adopt(store, frozen, results=len(known))
        page = LivePage(store.root, study=study.name, cells=len(cells), known=known.values(), open_it=open_page)
        progress = Progress(total=len(cells), done=len(known), out=store.root, page=page)
        measured = [(cell, each) for cell, each in found if isinstance(each, Measurement)]
        machine = chosen.name == LOCAL  # elsewhere it is other machines that compute
        with tracked(study, store.root, progress.say, machine=machine, known=measured) as progress.tracking:
            with progress:
                if line := left_out(cells, study.examples):
                    progress.say(line)
                for cell, fault in faults:
                    if fault != NOT_RUN:
                        progress.say(f"{cell}: {fault.replace('run the study again', 'it is run again')}")
                made_with = {folder: each.provenance.cohort for folder, each in known.items()}
                waiting = make_models(units(cells, made_with), study, store, progress)
                waiting = alone(waiting) if study.launch else waiting
                _run_units(
                    waiting, cells, store, study=study, workers=workers, chosen=chosen, early=early,
                    earlier=canaries_of(known.values()), listener=progress,
                )  # fmt: skip
            results = Results.of(store, known)
            page.show(results.report("run"))
            if progress.tracking is not None:
                progress.tracking.show(results.measurements)
    return results


def _run_units(
    waiting: Sequence[Unit],
    cells: Sequence[Cell],
    store: Store,
    *,
    study: Study,
    workers: int | None,
    chosen: ChosenEngine,
    early: WorkerProcess | None,
    listener: Progress,
    earlier: Canaries,
) -> None:
    """Run units and store each cell as it finishes: in this process, or in others, which then work during the audit."""
    listener.expect(waiting)
    audit = partial(_audit, cells, store, listener)
    count = _num_workers(waiting, study, workers, early)
    elsewhere = chosen.name != LOCAL and bool(waiting)
    if count > 1 or early is not None or elsewhere:
        if count > 1 or elsewhere:
            by = f" by {chosen.name}" if elsewhere else ""
            listener.say(f"{format_count(count, 'worker')}{by}, {computes_with(study.launch, study.threads)} each")
        gpus = gpu_groups(study.device, study.launch.devices if study.launch else 1)
        out = store.root.absolute()
        with start_engine(chosen, threads=study.threads, out=out, gpus=gpus, early=early) as engine:
            pool = Pool(
                study=study, cells=cells, store=store, earlier=earlier, listener=listener, engine=engine, count=count
            )
            pool.run(waiting, meanwhile=audit)
        return
    audit()
    worker = make_worker(store, study, cells, earlier=earlier, listener=listener.of_worker(0))
    with threads(study.threads):
        try:
            for unit in waiting:
                worker.run(unit)
        finally:
            worker.close()


def _num_workers(waiting: Sequence[Unit], study: Study, wanted: int | None, early: WorkerProcess | None) -> int:
    if wanted is None and waiting:
        if early is not None:
            early.wait_for_imports()  # they would slow what is measured
        wanted = choose_workers(study, [unit.wanted for unit in waiting]).count
    return min(wanted or 0, len(waiting))


def _audit(cells: Sequence[Cell], store: Store, listener: Progress) -> None:
    tasks = list({cell.task.name: cell.task for cell in cells}.values())
    update_audits(store, tasks)
    for line in stored_lines(store, tasks):
        listener.say(f"warning: {line}")

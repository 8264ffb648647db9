"""Cells -> measurements in the store. Every way of running a study or a recipe takes this path."""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from educe.data.watched import watched
from educe.eval.analysis.statistics.intervals import score_interval
from educe.eval.measure import SolverOutput, measure
from educe.eval.measurement import Measurement, Outcomes, Precision, Provenance
from educe.eval.model.attention import attention_of
from educe.eval.model.encode import prompt_text
from educe.eval.model.journal import code_digest, journalling
from educe.eval.model.model import Model
from educe.eval.model.sharded import is_sharded
from educe.eval.prompting.prompts import PromptConfig, check_questions_shown, make_prompt_fn
from educe.eval.spend import Spend
from educe.recipes.method import Draw, Elicited
from educe.recipes.runner.cell import Cell
from educe.recipes.runner.environment import device_name, git_state, machine, versions
from educe.recipes.runner.journal import CellJournal
from educe.recipes.runner.organisms import organism_record
from educe.recipes.runner.store import Store
from educe.train.attach import save, temporary_changes
from educe.train.processes import process_state


def run_cells(
    cells: Sequence[Cell], model: Model, store: Store, *, study: str, say: Callable[[str], None]
) -> Iterator[tuple[Cell, Callable[[], Measurement | None]]]:
    """Elicit cells of one model and task together; for each, what measures it and stores the result.

    `say` is told where a cell goes on with what a run that ended has left. What is yielded is called, if at all, before
    the next is asked for. It raises the cell's own UserError.

    Every process of a launch trains. Only the main one measures and stores, and the others return None. Where weights
    are sharded over the processes (ZeRO-3), each forward needs all processes: then all measure the same items in the
    same order. Gathering the weights first would need memory for the whole net.
    """
    started = time.perf_counter()
    first = cells[0]
    _check_questions_shown(first, model)
    cohort = tuple(cell.listed.folder for cell in cells) if len(cells) > 1 else ()
    task = watched(first.recipe_task)
    # What is computed for several cells together is of none of them, and in no journal.
    journal = nullcontext() if cohort else _own_journal(first, model, store, say)
    with temporary_changes(model), journal as opened:
        draws = [Draw(method=cell.method, examples=cell.examples, seed=cell.seed) for cell in cells]
        with _searching(model, opened):
            made = type(first.method).together(model, task, draws)
        for cell, elicit in zip(cells, made, strict=True):
            yield (
                cell,
                partial(
                    _measure, cell, model, elicit, store, task.read,
                    study=study, cohort=cohort, started=started, say=say, opened=opened,
                ),
            )  # fmt: skip


def _measure(
    cell: Cell,
    model: Model,
    elicit: Callable[[], Elicited],
    store: Store,
    read: Collection[str],
    *,
    study: str,
    cohort: tuple[str, ...],
    started: float,
    say: Callable[[str], None],
    opened: CellJournal | None,
) -> Measurement | None:
    """Measure what was elicited, and store the result while the adapter is still on the model.

    `opened` is the journal of a cell that is alone.
    """
    is_main = process_state(model.device).is_main_process
    own = _own_journal(cell, model, store, say) if cohort else nullcontext(opened)
    with temporary_changes(model), own as journal:
        with _searching(model, journal):
            elicited = elicit()
        if not is_main and not is_sharded(model.net):
            return None
        saved = journal.saved_seconds if journal is not None else 0.0
        # The test is never charged. A change that was trained for an earlier cell is charged the seconds it took then,
        # and one of a cohort its share. Answers of a search that are in the journal are charged what they took, too.
        seconds = (
            elicited.spend.seconds if cohort else max(time.perf_counter() - started + saved, elicited.spend.seconds)
        )
        solve = elicited.solver or measure
        with journalling(journal):
            output = solve(elicited.model, cell.task, elicited.prompt_fn, cell.items)
        if not is_main:
            return None
        spend = replace(
            elicited.spend,
            flops_per_answer=output.flops_per_answer,
            executed_flops_per_answer=output.executed_flops_per_answer,
            seconds=seconds,
        )
        measurement = make_measurement(
            cell, model, elicited, output, spend=spend, study=study, cohort=cohort, rows_read=read
        )
        store.write(cell, measurement, save_adapter=_save_adapter(elicited.model))
    return measurement


def _own_journal(
    cell: Cell, model: Model, store: Store, say: Callable[[str], None]
) -> AbstractContextManager[CellJournal | None]:
    """The cell's journal in the main process, and None in others."""
    is_main = process_state(model.device).is_main_process
    return _journal(cell, model, store, say) if is_main else nullcontext()


def _searching(model: Model, journal: CellJournal | None) -> AbstractContextManager[None]:
    """Keep the answers that a recipe asks for before the test, in one process.

    Processes that train together do the same work in the same order: none may skip a part of it.
    """
    return journalling(journal if process_state(model.device).num_processes == 1 else None)


@contextmanager
def _journal(cell: Cell, model: Model, store: Store, say: Callable[[str], None]) -> Iterator[CellJournal]:
    """The cell's journal, which a run of another model, code or library does not go on with."""
    about = {
        "cell": cell.key,
        "model": f"{cell.source.identity} {model.fingerprint} {model.dtype} {model.quantize}",
        "canary of the model": " ".join(each.hex() for each in model.canary),
        "code": code_digest(),
        "device": f"{device_name(model.device)} {attention_of(model.net)} {torch.get_num_threads()}",
        **{f"version of {name}": version for name, version in versions().items()},
    }
    with closing(
        CellJournal(
            store.journal_path(cell.listed),
            about,
            say=lambda text: say(f"{cell}: {text}"),
            prepare=store.make_parents,
        )
    ) as journal:
        yield journal


def _check_questions_shown(cell: Cell, model: Model) -> None:
    """UserError before anything is trained where no question would reach the model."""
    for config in cell.method.workload(cell.recipe_task, cell.examples).prompt_configs[:1]:
        # Without a system turn, which some templates refuse: a search only counts that as one failed candidate.
        prompt_fn = make_prompt_fn(model, cell.task, prompt_config=PromptConfig(template=config.template))
        check_questions_shown(model, cell.items, prompt_fn)


def make_measurement(
    cell: Cell,
    model: Model,
    elicited: Elicited,
    output: SolverOutput,
    *,
    spend: Spend,
    study: str,
    cohort: tuple[str, ...] = (),
    rows_read: Collection[str] = (),
) -> Measurement:
    """The one place where a measurement is made of what was elicited and what the solver answered.

    `rows_read` are the ids of the task's rows that the recipe read, with those of the cells that it trained with.
    """
    scores = [outcome.score for outcome in output.outcomes]
    interval = score_interval(scores, [outcome.cluster or outcome.id for outcome in output.outcomes])
    return Measurement(
        study=study,
        model=cell.source.name,
        task=cell.task.name,
        recipe=cell.recipe,
        method=cell.method_name,
        settings=cell.method.settings(),
        role=cell.method.analysed_as,
        budget_setting=cell.method.budget_setting,
        size_settings=cell.method.size_settings,
        examples=cell.examples,
        seed=cell.seed,
        metric=output.metric,
        score=sum(scores) / len(scores),
        low=interval.low,
        high=interval.high,
        interval=interval.kind,
        n=len(scores),
        chance=cell.task.chance(cell.items),
        spend=spend,
        outcomes=Outcomes.of(output.outcomes),
        training=elicited.history,
        details=elicited.details | output.details,
        organism=organism_record(cell.source, rows_read) if cell.source.organism else None,
        provenance=_provenance(cell, model, elicited, output, cohort),
    )


def _provenance(
    cell: Cell, model: Model, elicited: Elicited, output: SolverOutput, cohort: tuple[str, ...]
) -> Provenance:
    training, shown = elicited.details.training, output.details.first_prompt
    return Provenance(
        cell=cell.key,
        cohort=cohort,
        versions=versions(),
        git=git_state(),
        machine=machine(),
        threads=torch.get_num_threads(),
        device=str(model.device),
        attention=attention_of(model.net),
        precision=Precision(
            weights=model.dtype,
            layers=model.quantize or model.dtype,
            training=training.precision if training else None,
        ),
        model_identity=cell.source.identity,
        model_fingerprint=model.fingerprint,
        model_revision=model.revision,
        model_kind=model.kind,
        whole_commit=model.whole_commit,
        model_canary=model.canary,
        task_fingerprint=cell.task.fingerprint,
        task_version=cell.task.version,
        measured_on=cell.measure_on,
        # Recipes that reason before they answer first ask for that, and controls may show no model anything.
        first_prompt=prompt_text(model, elicited.prompt_fn(cell.items[0])) if shown is None else shown,
    )


def _save_adapter(model: Model) -> Callable[[Path], None] | None:
    """What writes the model's adapter into a folder, where one was trained."""
    return partial(save, model) if model.change is not None and model.change.save is not None else None

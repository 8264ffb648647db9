"""What each command of `educe` does: what it reads, prints and returns as the exit code.

Each imports what it needs when it runs, so that `--help` and `ls` answer at once.
"""

import argparse
import sys
from contextlib import nullcontext
from itertools import starmap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from educe.data.errors import UserError

if TYPE_CHECKING:
    from educe.recipes.runner.study import Study

# The limits that a user may set for claims: default, name in the help, and what it means.
CLAIM_OPTIONS: dict[str, tuple[float | None, str, str]] = {
    "above": (None, "SHARE", "Score to exceed, or to show out of reach (default: chance)."),
    "within": (0.02, "SHARE", "Distance from the ceiling that counts as elicited."),
    "rarer": (1e-4, "SHARE", "Rate below which an answer counts as rare."),
    "margin": (0.05, "SHARE", "Gain that a robust model must not show."),
    "flops": (None, "FLOPS", "Elicitation compute to state (default: the most measured)."),
    "power": (0.9, "SHARE", "Probability with which such a gain would be found."),
}


def run(options: argparse.Namespace) -> int:
    """Run a study, but no cell that is finished already. 1 where a cell failed."""
    from educe.recipes.runner.study import Study

    study = Study.read(options.study, changes=options.set)
    out = options.out or Path("runs") / study.name
    return _run(study, out, options, plan=options.plan, open_page=options.open)


def resume(options: argparse.Namespace) -> int:
    """Run what a run directory lacks of its study, copy what its tracker lacks, and write its report.

    1 where a cell failed.
    """
    from educe.recipes.runner.table import num_finished
    from educe.recipes.runner.tracking.marks import is_copied

    folder = Path(options.folder)
    if (count := num_finished(folder)) and is_copied(folder):
        print(f"report: {folder / 'report.html'}")
        print(f"all {count:,} cells are finished; `educe report` writes the report again", file=sys.stderr)
        return 0
    from educe.data.own import say_own
    from educe.data.untrusted import parse_yaml
    from educe.recipes.runner.runs import check_same_cells
    from educe.recipes.runner.store import Store
    from educe.recipes.runner.study import Study

    store = Store(Path(options.folder))
    what, written = f"study {options.folder}/study.yaml", parse_yaml(store.study_text(), source="study.yaml")
    say_own(written, what=what)
    study = Study.make(written, what=what)
    check_same_cells(store, study)
    return _run(study, options.folder, options)


def gc(options: argparse.Namespace) -> int:
    """List or delete what no cell of a study needs."""
    from educe.recipes.runner.garbage import collect

    print("\n".join(collect(Path(options.folder), delete=options.delete)))
    return 0


def _run(study: "Study", out: str | Path, options: argparse.Namespace, **more: Any) -> int:
    from educe.recipes.runner.engines.settings import LOCAL, ChosenEngine
    from educe.recipes.runner.processes import early_process

    local = ChosenEngine.choose(study.engine, options.engine).name == LOCAL
    with early_process(study) if options.workers != 1 and local else nullcontext() as early:
        from educe.recipes.runner.run_study import run_study

        results = run_study(study, out, workers=options.workers, engine=options.engine, early=early, **more)
    print(f"report: {results.folder / 'report.html'}")
    for line in results.warnings():
        print(f"warning: {line}", file=sys.stderr)
    if results.failures:
        print(f"{len(results.failures)} of {len(results.rows())} cells failed; see the report", file=sys.stderr)
    return 1 if results.failures else 0


def screen(options: argparse.Namespace) -> int:
    """Choose tasks with room on dev rows. 1 where a cell failed."""
    from educe.recipes.runner.screen import prepare, run_screen
    from educe.recipes.runner.screen_text import chosen_line, screen_text
    from educe.recipes.runner.study import Study

    screening = prepare(Study.read(options.study, changes=options.set))
    print("".join(f"{line}\n" for line in screening.left_out), end="", flush=True)
    out = options.out or Path("runs") / screening.dev_study.name
    screened, results = run_screen(screening, out, keep=options.keep, workers=options.workers)
    print(f"{screen_text(screened)}\n{chosen_line(screened, results.folder)}")
    return 1 if results.failures else 0


def plan(options: argparse.Namespace) -> int:
    """Print what a study will take and can find; of a run directory, what to measure next."""
    if Path(options.study).is_dir():
        return _plan_next(options)
    if options.reach is not None:
        raise UserError(f"{options.study} is no run directory, which --reach needs; give the folder of a run")
    from educe.recipes.runner.frozen import freeze, limits_of, write_plan
    from educe.recipes.runner.plan import plan
    from educe.recipes.runner.study import Study

    study = Study.read(options.study, changes=options.set)
    if options.freeze is None and _given(options):
        raise UserError(
            f"--{next(iter(_given(options)))} is a limit of claims, which --freeze writes down; add --freeze"
        )
    print(plan(study, effect=options.effect))
    if options.freeze is not None:
        frozen = freeze(study.text(), [cell.listed for cell in study.cells()], limits_of(None, _given(options)))
        write_plan(frozen, Path(options.freeze))
        print(f"\nfrozen: {frozen.cells:,} cells, hash {frozen.hash}, in {options.freeze}")
    return 0


def _given(options: argparse.Namespace) -> dict[str, float]:
    """The limits of claims that the user sets."""
    return {name: value for name in CLAIM_OPTIONS if (value := getattr(options, name)) is not None}


def _plan_next(options: argparse.Namespace) -> int:
    from educe.eval.analysis.conditions import pool
    from educe.recipes.runner.next_budgets import next_budgets_text
    from educe.recipes.runner.results import load_results

    if options.set:
        raise UserError(f"{options.study} is a run directory, whose study is not changed; leave --set out")
    if options.freeze is not None or _given(options):
        raise UserError(f"{options.study} is a run directory; --freeze and limits are for a study file, before a run")
    results = load_results(options.study)
    print(next_budgets_text(pool(results.measurements), reach=options.reach))
    return results.warn_missing()


def validate(options: argparse.Namespace) -> int:
    """Check a study and its data."""
    from educe.eval.analysis.formatting import format_count
    from educe.eval.prompting.prompts import style_of
    from educe.recipes.runner.audits import serious_lines
    from educe.recipes.runner.describe import describe
    from educe.recipes.runner.describe_models import describe_model, outlines
    from educe.recipes.runner.learnable import learnable
    from educe.recipes.runner.sizes import left_out
    from educe.recipes.runner.study import Study

    study = Study.read(options.study, changes=options.set)
    cells = study.cells()
    tasks = list({cell.task.name: cell.task for cell in cells}.values())
    models = outlines(cells)
    # Of a model that was not fetched nothing says that it is a chat model.
    style = style_of("auto", kind=models[cells[0].source.name].kind or "base")
    described = [f"{describe(task, style=style)}\n{learnable(task)}" for task in tasks]
    warnings = serious_lines(tasks)
    order = format_count(len(warnings), "warning") if warnings else "all in order"
    print(f"{options.study}: {format_count(len(cells), 'cell')}, {order}")
    if line := left_out(cells, study.examples):
        print(line)
    for text in [*described, *starmap(describe_model, models.items()), *(f"warning: {line}" for line in warnings)]:
        print(text)
    unknown = dict.fromkeys(cell.source.name for cell in cells if cell.source.shape is None)
    if unknown:
        print(f"not checked before they are loaded: layers, modules and context of {', '.join(unknown)}")
    return 0


def organisms(options: argparse.Namespace) -> int:
    """Make the organisms of a study and print their certificates."""
    from educe.recipes.runner.certificates import organisms_text
    from educe.recipes.runner.study import Study

    found = 0
    for text in organisms_text(Study.read(options.study, changes=options.set)):
        print(text, flush=True)
        found += 1
    if not found:
        raise UserError(f"{options.study} names no organism and no model from scratch; see `educe ls organisms`")
    return 0


def game(options: argparse.Namespace) -> int:
    """Play a blind game."""
    from educe.recipes.game.auditors import AUDITORS
    from educe.recipes.game.play import play

    lines = play(
        seed=options.seed,
        auditors=options.auditor or list(AUDITORS),
        base=options.base,
        task=options.task,
        models=options.models,
        out=Path(options.out or f"runs/game-{options.seed}"),
        workers=options.workers,
    )
    for line in lines:
        print(line, flush=True)
    return 0


def report(options: argparse.Namespace) -> int:
    """Write the report again. 1 where results are corrupt."""
    from educe.recipes.runner.results import load_results

    results = load_results(options.folder)
    print(f"report: {results.report()}")
    return results.warn_missing()


def verify(options: argparse.Namespace) -> int:
    """Say whether a run directory is whole. 1 where it is not."""
    from educe.recipes.runner.verify import verify

    verdict = verify(options.folder)
    print("\n".join(verdict.lines()))
    return 1 if verdict.faults else 0


def results(options: argparse.Namespace) -> int:
    """Print the rows of a run directory. 1 where some are corrupt."""
    from educe.recipes.runner.table import find_table, text_of, warn_left_out

    folder = Path(options.folder)
    if (table := find_table(folder)) is not None:
        code = warn_left_out(folder, cells=len(table), corrupt=[], others=table["score"].null_count)
    else:
        from educe.recipes.runner.results import load_results

        results = load_results(folder)
        table, code = results.table(), results.warn_missing()
    if options.sql is None:
        sys.stdout.write(text_of(table, options.format))
    else:
        from educe.recipes.runner.sql import answer

        sys.stdout.write(answer(table, options.sql))
    return code


def compare(options: argparse.Namespace) -> int:
    """Print how results differ, item by item, whoever measured them."""
    from educe.recipes.runner.interop.compare import compare_arguments

    found = compare_arguments(options.results, cluster=options.cluster)
    sys.stdout.write(found.text(options.format))
    if options.format == "csv":
        print("".join(f"{line}\n" for line in found.notes), end="", file=sys.stderr)
    return 0


def claims(options: argparse.Namespace) -> int:
    """Print the claims of a run directory. 1 where results are corrupt."""
    from educe.eval.analysis.conditions import pool
    from educe.eval.analysis.looks import confirmable
    from educe.recipes.runner.claims import claims_text
    from educe.recipes.runner.results import load_results

    results = load_results(options.folder)
    record = results.look("claims", _given(options))
    for line in (*record.lines, *confirmable(record.looks, pool(results.measurements))[1]):
        print(line)
    print(claims_text(results.claims(record), results.audits, warnings=results.warnings(), refused=options.refused))
    return results.warn_missing()


def forecast(options: argparse.Namespace) -> int:
    """Print forecasts of a run directory. 1 where results are corrupt."""
    from educe.eval.analysis.conditions import pool
    from educe.recipes.runner.forecasts import forecast_text
    from educe.recipes.runner.results import load_results

    results = load_results(options.folder)
    print(forecast_text(pool(results.measurements)))
    return results.warn_missing()


def ls(options: argparse.Namespace) -> int:
    """List what has a name, or the run directories of a folder."""
    if options.what != "runs" and options.folder is not None:
        raise UserError(f"ls {options.what} lists names and no folder; drop {options.folder!r}")
    if options.what == "runs":
        from educe.recipes.runner.runs import runs_text

        print("\n".join(runs_text(Path(options.folder or "runs"))))
        return 0
    if options.what == "tasks":
        from educe.data.loading.own import GROUP
        from educe.data.tasks.catalog import PREFIXES, TASKS
        from educe.data.tasks.suites import PREFIX, SUITES

        entries = {**TASKS, **{f"{prefix}:": entry for prefix, entry in PREFIXES.items()}}
        known = _of_packages(GROUP) | {name: entry.description for name, entry in entries.items()}
        known |= {f"{PREFIX}{name}": suite.description for name, suite in SUITES.items()}
    elif options.what == "models":
        from educe.eval.model.source import MODELS

        known = {name: model.description for name, model in MODELS.items()}
    elif options.what == "organisms":
        from educe.train.organisms.catalog import ORGANISMS

        known = {name: organism.description for name, organism in ORGANISMS.items()}
    else:
        from educe.recipes.catalog import GROUP, RECIPES
        from educe.recipes.sets import SETS

        known = _of_packages(GROUP) | {name: recipe.description for name, recipe in RECIPES.items()}
        known |= {name: each.description for name, each in SETS.items()}
    width = max(map(len, known))
    for name, description in known.items():
        print(f"{name:{width}}  {description}")
    return 0


def _of_packages(group: str) -> dict[str, str]:
    """What installed packages add, by name; none of it is imported."""
    from educe.data.own import installed, package_of

    return {name: f"Added by the package {package_of(entry)}." for name, entry in installed(group).items()}

"""The command line: `educe COMMAND`, and `python -m educe.recipes RECIPE` for one cell.

Each command imports what it needs when it runs, so that `--help` and `ls` answer at once.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import chdir, nullcontext
from itertools import starmap
from pathlib import Path
from typing import Any

from educe.data.errors import UserError
from educe.recipes.runner.command import Parser, first_process_speaks, one_line_errors

# The limits that a user may set for claims: default, name in the help, and what it means.
CLAIM_OPTIONS: dict[str, tuple[float | None, str, str]] = {
    "above": (None, "SHARE", "Score to exceed, or to show out of reach (default: chance)."),
    "within": (0.02, "SHARE", "Distance from the ceiling that counts as elicited."),
    "rarer": (1e-4, "SHARE", "Rate below which an answer counts as rare."),
    "margin": (0.05, "SHARE", "Gain that a robust model must not show."),
    "flops": (None, "FLOPS", "Elicitation compute to state (default: the most measured)."),
    "power": (0.9, "SHARE", "Probability with which such a gain would be found."),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `educe`. Exit 0 when all is well, 1 when a cell failed or is corrupt, 2 on a user's mistake.

    1, too, where nobody reads the output.
    """
    with one_line_errors():
        options = _parser().parse_args(arguments)
        _pass_over_local_matplotlibrc()
        sys.exit(options.command(options))


def _pass_over_local_matplotlibrc() -> None:
    """Keep matplotlib from the settings file of a working directory, which may be a stranger's.

    It reads that file when it is imported, whatever it holds: a pipe would block, a setting could start LaTeX.
    """
    if os.path.lexists("matplotlibrc"):
        with chdir(Path(__file__).parent):
            import matplotlib  # noqa: F401


def launch(arguments: Sequence[str] | None = None) -> None:
    """Run `python -m educe.recipes`: one cell of a recipe. Exit 2 on a user's mistake."""
    with one_line_errors(), first_process_speaks():
        _launch(_launch_parser().parse_args(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="educe", description="Measure how much capability a model shows under each elicitation recipe."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)
    run = _study_command(commands, "run", _run, "Run a study, but no cell that is finished already.")
    run.add_argument("--out", metavar="DIR", help="Run directory (default: runs/NAME).")
    _add_workers(run)
    run.add_argument("--plan", metavar="FILE", help="Plan of `educe plan --freeze`, to keep with the results.")
    run.add_argument("--open", action="store_true", help="Open the page in a browser when the first cell is done.")
    screen = _study_command(
        commands, "screen", _screen, "Tell on dev rows which tasks have room for more than zero-shot."
    )
    screen.add_argument("--out", metavar="DIR", help="Run directory (default: runs/NAME-screen).")
    _add_workers(screen)
    screen.add_argument("--keep", type=int, metavar="N", help="Choose at most N tasks, those that gain most.")
    plan = _study_command(commands, "plan", _plan, "Estimate FLOPs, minutes and power; after a run, what to add.")
    plan.add_argument(
        "--effect", type=float, default=0.05, metavar="SHARE", help="Difference that the study must detect (0.05)."
    )
    plan.add_argument("--freeze", metavar="FILE", help="Write down the study, its cells and limits.")
    plan.add_argument(
        "--reach", type=float, metavar="SHARE", help="Score to be reached by the curves of a run directory."
    )
    _add_claim_options(plan)
    _study_command(commands, "validate", _validate, "Check a study and its data without running.")
    _study_command(commands, "organisms", _organisms, "Make the organisms of a study and print their certificates.")
    game = _command(commands, "game", _game, "Audit models that may hide something, then see the truth.")
    game.add_argument("--seed", type=int, required=True, metavar="N", help="Decides which models are dealt.")
    game.add_argument(
        "--auditor", action="append", metavar="NAME|FILE", help="Prompting, lora, suite, or a file with recipes (all)."
    )
    game.add_argument("--base", default="scratch:addition", metavar="MODEL", help="Made into organisms (%(default)s).")
    game.add_argument("--task", metavar="TASK", help="What organisms hide (sums, for the default base).")
    game.add_argument("--models", type=int, default=10, metavar="N", help="How many are dealt (10).")
    game.add_argument("--out", metavar="DIR", help="Directory of the game (default: runs/game-N).")
    _add_workers(game)
    _folder_command(commands, "report", _report, "Write the report of a run directory again.")
    results = _folder_command(commands, "results", _results, "Print one row for each measurement.")
    results.add_argument("--format", choices=["csv", "json"], default="csv", help="Form of the rows (csv).")
    claims = _folder_command(commands, "claims", _claims, "Print the claims that the results support.")
    _add_claim_options(claims)
    claims.add_argument("--refused", action="store_true", help="List what is not claimed, and why.")
    _folder_command(commands, "forecast", _forecast, "Predict scores at larger budgets.")
    _folder_command(commands, "verify", _verify, "Check that a run directory is whole.")
    listing = _command(commands, "ls", _ls, "List the tasks, models, recipes or organisms that have a name.")
    kinds = ["tasks", "models", "recipes", "organisms"]
    listing.add_argument("what", choices=kinds, metavar="WHAT", help="Tasks, models, recipes or organisms.")
    return parser


def _add_workers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--workers", type=_workers, metavar="N", help="Worker processes (default: as many as suit this machine)."
    )


def _workers(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of processes; give 1 to 1024, or leave it out")
    return int(text)


def _add_claim_options(parser: argparse.ArgumentParser) -> None:
    for name, (default, metavar, statement) in CLAIM_OPTIONS.items():
        shown = statement if default is None else f"{statement[:-1]} ({default:g})."
        # No default: a frozen plan may have another, and what is given is told from what is not.
        parser.add_argument(f"--{name}", type=float, metavar=metavar, help=shown)


def _command(commands: Any, name: str, command: Any, description: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=description, description=description)
    parser.set_defaults(command=command)
    return parser


def _study_command(commands: Any, name: str, command: Any, description: str) -> argparse.ArgumentParser:
    parser = _command(commands, name, command, description)
    parser.add_argument("study", metavar="STUDY.yaml", help="Study file.")
    parser.add_argument("--set", action="append", default=[], metavar="a.b=c", help="Change a key of the study.")
    return parser


def _folder_command(commands: Any, name: str, command: Any, description: str) -> argparse.ArgumentParser:
    parser = _command(commands, name, command, description)
    parser.add_argument("folder", metavar="DIR", help="Run directory that `educe run` wrote.")
    return parser


def _launch_parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="educe.recipes",
        description="Run one recipe on one model and one task, in one process or several.",
        epilog="For several processes: accelerate launch --num_processes 2 -m educe.recipes ...",
    )
    parser.add_argument("recipe", metavar="RECIPE", help="Name of the recipe (see: educe ls recipes).")
    parser.add_argument("--model", required=True, help="Name or path of the model, as in a study.")
    parser.add_argument("--task", required=True, help="Name or file of the task, as in a study.")
    parser.add_argument("--examples", type=int, metavar="N", help="Number of labelled training rows.")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="Random seed (0).")
    parser.add_argument("--test-items", type=int, default=300, metavar="N", help="Maximum number of test items (300).")
    parser.add_argument("--out", metavar="DIR", help="Run directory (default: runs/RECIPE).")
    parser.add_argument("--dtype", default="auto", help="Dtype: auto, float32, bfloat16 or float16 (auto).")
    parser.add_argument("--device", default="auto", help="Device: auto, cpu, mps, cuda or cuda:0 (auto).")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="Change a recipe's setting.")
    return parser


def _launch(options: argparse.Namespace) -> None:
    from educe.recipes.runner.launch import launch, study_of_one

    study = study_of_one(
        options.recipe,
        options.model,
        options.task,
        examples=options.examples,
        settings=options.set,
        seeds=[options.seed],
        test_items=options.test_items,
        dtype=options.dtype,
        device=options.device,
    )
    launch(study, Path(options.out or Path("runs") / options.recipe))


def _run(options: argparse.Namespace) -> int:
    from educe.recipes.runner.processes import early_process
    from educe.recipes.runner.study import Study

    study = Study.read(options.study, changes=options.set)
    with early_process(study) if options.workers != 1 else nullcontext() as early:
        from educe.recipes.runner.engine import run_study

        results = run_study(
            study,
            options.out or Path("runs") / study.name,
            plan=options.plan,
            workers=options.workers,
            open_page=options.open,
            early=early,
        )
    print(f"report: {results.folder / 'report.html'}")
    for line in results.warnings():
        print(f"warning: {line}", file=sys.stderr)
    if results.failures:
        print(f"{len(results.failures)} of {len(results.rows())} cells failed; see the report", file=sys.stderr)
    return 1 if results.failures else 0


def _screen(options: argparse.Namespace) -> int:
    from educe.recipes.runner.screen import prepare, run_screen
    from educe.recipes.runner.screen_text import chosen_line, screen_text
    from educe.recipes.runner.study import Study

    screening = prepare(Study.read(options.study, changes=options.set))
    print("".join(f"{line}\n" for line in screening.left_out), end="", flush=True)
    out = options.out or Path("runs") / screening.dev_study.name
    screened, results = run_screen(screening, out, keep=options.keep, workers=options.workers)
    print(f"{screen_text(screened)}\n{chosen_line(screened, results.folder)}")
    return 1 if results.failures else 0


def _plan(options: argparse.Namespace) -> int:
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


def _validate(options: argparse.Namespace) -> int:
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


def _organisms(options: argparse.Namespace) -> int:
    from educe.recipes.runner.certificates import organisms_text
    from educe.recipes.runner.study import Study

    found = 0
    for text in organisms_text(Study.read(options.study, changes=options.set)):
        print(text, flush=True)
        found += 1
    if not found:
        raise UserError(f"{options.study} names no organism and no model from scratch; see `educe ls organisms`")
    return 0


def _game(options: argparse.Namespace) -> int:
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


def _report(options: argparse.Namespace) -> int:
    from educe.recipes.runner.results import load_results

    results = load_results(options.folder)
    print(f"report: {results.report()}")
    return results.warn_missing()


def _verify(options: argparse.Namespace) -> int:
    from educe.recipes.runner.verify import verify

    verdict = verify(options.folder)
    print("\n".join(verdict.lines()))
    return 1 if verdict.faults else 0


def _results(options: argparse.Namespace) -> int:
    from educe.recipes.runner.results import load_results

    results = load_results(options.folder)
    sys.stdout.write(results.text(options.format))
    return results.warn_missing()


def _claims(options: argparse.Namespace) -> int:
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


def _forecast(options: argparse.Namespace) -> int:
    from educe.eval.analysis.conditions import pool
    from educe.recipes.runner.forecasts import forecast_text
    from educe.recipes.runner.results import load_results

    results = load_results(options.folder)
    print(forecast_text(pool(results.measurements)))
    return results.warn_missing()


def _ls(options: argparse.Namespace) -> int:
    if options.what == "tasks":
        from educe.data.tasks.catalog import PREFIXES, TASKS
        from educe.data.tasks.suites import PREFIX, SUITES

        entries = {**TASKS, **{f"{prefix}:": entry for prefix, entry in PREFIXES.items()}}
        known = {name: entry.description for name, entry in entries.items()}
        known |= {f"{PREFIX}{name}": suite.description for name, suite in SUITES.items()}
    elif options.what == "models":
        from educe.eval.model.source import MODELS

        known = {name: model.description for name, model in MODELS.items()}
    elif options.what == "organisms":
        from educe.train.organisms.catalog import ORGANISMS

        known = {name: organism.description for name, organism in ORGANISMS.items()}
    else:
        from educe.recipes.catalog import RECIPES
        from educe.recipes.sets import SETS

        known = {name: recipe.description for name, recipe in RECIPES.items()}
        known |= {name: each.description for name, each in SETS.items()}
    width = max(map(len, known))
    for name, description in known.items():
        print(f"{name:{width}}  {description}")
    return 0


if __name__ == "__main__":
    main()

"""The `educe` command: run, plan, report, results, claims, ls, validate."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from educe.recipes.runner.claims import add_claims
from educe.recipes.runner.command import Parser, one_line_errors
from educe.recipes.runner.forecasts import add_forecast


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point. Exit 0 when all is well, 1 when a cell failed (or the output is not read), 2 on a user's mistake."""
    with one_line_errors():
        options = _parser().parse_args(arguments)
        sys.exit(options.command(options))


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="educe", description="How much capability shows, per FLOP and per labelled example.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)
    run = _study_command(commands, "run", _run, "run a study; finished cells are kept and never run again")
    run.add_argument("--out", metavar="DIR", help="run directory (runs/NAME)")
    plan = _study_command(commands, "plan", _plan, "cells, FLOPs, expected minutes and power; runs nothing")
    plan.add_argument(
        "--effect", type=float, default=0.05, metavar="SHARE", help="difference to size the study for (0.05: 5 points)"
    )
    _study_command(commands, "validate", _validate, "check a study and its data; runs nothing")
    report = commands.add_parser("report", help="write the report of a run directory again")
    report.add_argument("folder", metavar="DIR")
    report.set_defaults(command=_report)
    results = commands.add_parser("results", help="one row per measurement")
    results.add_argument("folder", metavar="DIR")
    results.add_argument("--format", choices=["csv", "json"], default="csv")
    results.set_defaults(command=_results)
    add_claims(commands)
    add_forecast(commands)
    listing = commands.add_parser("ls", help="what there is to choose from")
    listing.add_argument("what", choices=["tasks", "models", "recipes"])
    listing.set_defaults(command=_ls)
    return parser


def _study_command(commands, name, command, description):  # type: ignore[no-untyped-def]
    parser = commands.add_parser(name, help=description)
    parser.add_argument("study", metavar="STUDY.yaml")
    parser.add_argument("--set", action="append", default=[], metavar="a.b=c", help="change a key of the study")
    parser.set_defaults(command=command)
    return parser


# Each command imports what it needs: `educe --help` and `educe ls` load no torch.


def _run(options: argparse.Namespace) -> int:
    from educe.recipes.runner.study import Study

    study = Study.read(options.study, changes=options.set)
    results = study.run(options.out or Path("runs") / study.name)
    print(f"report: {results.folder / 'report.html'}")
    if results.failures:
        print(f"{len(results.failures)} of {len(results.rows())} cells failed; see the report", file=sys.stderr)
    return 1 if results.failures else 0


def _plan(options: argparse.Namespace) -> int:
    from educe.recipes.runner.plan import plan
    from educe.recipes.runner.study import Study

    print(plan(Study.read(options.study, changes=options.set), effect=options.effect))
    return 0


def _validate(options: argparse.Namespace) -> int:
    from educe.recipes.runner.audits import serious_lines
    from educe.recipes.runner.study import Study

    cells = Study.read(options.study, changes=options.set).cells()
    print(f"{options.study}: {len(cells)} cells, all in order")
    for line in serious_lines(list({cell.task.name: cell.task for cell in cells}.values())):
        print(f"warning: {line}")
    return 0


def _report(options: argparse.Namespace) -> int:
    from educe.recipes.runner.results import Results

    print(f"report: {Results.read(options.folder).report()}")
    return 0


def _results(options: argparse.Namespace) -> int:
    from educe.recipes.runner.results import Results

    results = Results.read(options.folder)
    sys.stdout.write(results.text(options.format))
    return 0


def _ls(options: argparse.Namespace) -> int:
    if options.what == "tasks":
        from educe.data.tasks.catalog import PREFIXES, TASKS

        entries = {**TASKS, **{f"{prefix}:": entry for prefix, entry in PREFIXES.items()}}
        known = {name: entry.description for name, entry in entries.items()}
    elif options.what == "models":
        from educe.eval.model.source import MODELS

        known = {name: f"{model.kind}: {model.description}" for name, model in MODELS.items()}
    else:
        from educe.recipes.catalog import METHODS

        known = {name: (method.__doc__ or "").splitlines()[0] for name, method in METHODS.items()}
    width = max(map(len, known))
    for name, description in known.items():
        print(f"{name:{width}}  {description}")
    return 0


if __name__ == "__main__":
    main()

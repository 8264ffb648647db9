"""The command line: `educe COMMAND`, and `python -m educe.recipes RECIPE` for one cell."""

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path
from typing import Any

from educe.recipes import commands
from educe.recipes.runner.command import Parser, first_process_speaks, one_line_errors


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
    parsers = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)
    run = _study_command(parsers, "run", commands.run, "Run a study, but no cell that is finished already.")
    run.add_argument("--out", metavar="DIR", help="Run directory (default: runs/NAME).")
    _add_workers(run)
    run.add_argument("--engine", metavar="NAME", help="What starts the workers: local, ray or slurm (the study's).")
    run.add_argument("--plan", metavar="FILE", help="Plan of `educe plan --freeze`, to keep with the results.")
    run.add_argument("--open", action="store_true", help="Open the page in a browser when the first cell is done.")
    resume = _folder_command(parsers, "resume", commands.resume, "Run what a run directory lacks, as it was run.")
    _add_workers(resume)
    resume.add_argument("--engine", metavar="NAME", help="What starts the workers (the study's).")
    screen = _study_command(
        parsers, "screen", commands.screen, "Tell on dev rows which tasks have room for more than zero-shot."
    )
    screen.add_argument("--out", metavar="DIR", help="Run directory (default: runs/NAME-screen).")
    _add_workers(screen)
    screen.add_argument("--keep", type=int, metavar="N", help="Choose at most N tasks, those that gain most.")
    plan = _study_command(
        parsers, "plan", commands.plan, "Estimate FLOPs, minutes and power; after a run, what to add."
    )
    plan.add_argument(
        "--effect", type=float, default=0.05, metavar="SHARE", help="Difference that the study must detect (0.05)."
    )
    plan.add_argument("--freeze", metavar="FILE", help="Write down the study, its cells and limits.")
    plan.add_argument(
        "--reach", type=float, metavar="SHARE", help="Score to be reached by the curves of a run directory."
    )
    _add_claim_options(plan)
    _study_command(parsers, "validate", commands.validate, "Check a study and its data without running.")
    _study_command(
        parsers, "organisms", commands.organisms, "Make the organisms of a study and print their certificates."
    )
    game = _command(parsers, "game", commands.game, "Audit models that may hide something, then see the truth.")
    game.add_argument("--seed", type=int, required=True, metavar="N", help="Decides which models are dealt.")
    game.add_argument(
        "--auditor", action="append", metavar="NAME|FILE", help="Prompting, lora, suite, or a file with recipes (all)."
    )
    game.add_argument("--base", default="scratch:addition", metavar="MODEL", help="Made into organisms (%(default)s).")
    game.add_argument("--task", metavar="TASK", help="What organisms hide (sums, for the default base).")
    game.add_argument("--models", type=int, default=10, metavar="N", help="How many are dealt (10).")
    game.add_argument("--out", metavar="DIR", help="Directory of the game (default: runs/game-N).")
    _add_workers(game)
    _folder_command(parsers, "report", commands.report, "Write the report of a run directory again.")
    results = _folder_command(parsers, "results", commands.results, "Print one row for each measurement.")
    results.add_argument("--format", choices=["csv", "json"], default="csv", help="Form of the rows (csv).")
    results.add_argument("--sql", metavar="QUERY", help="Answer a question about the table results (educe[sql]).")
    compare = _command(
        parsers,
        "compare",
        commands.compare,
        "Compare run directories and logs of other tools, item by item.",
    )
    compare.add_argument("results", nargs="+", metavar="RESULT", help="The first is what the others are compared with.")
    compare.add_argument("--cluster", metavar="FIELD", help="Field of a log's items that related items share.")
    compare.add_argument(
        "--format", choices=["text", "csv", "json"], default="text", metavar="FORM", help="Text, csv or json (text)."
    )
    claims = _folder_command(parsers, "claims", commands.claims, "Print the claims that the results support.")
    _add_claim_options(claims)
    claims.add_argument("--refused", action="store_true", help="List what is not claimed, and why.")
    _folder_command(parsers, "forecast", commands.forecast, "Predict scores at larger budgets.")
    _folder_command(parsers, "verify", commands.verify, "Check that a run directory is whole.")
    garbage = _folder_command(parsers, "gc", commands.gc, "List what no cell of the study needs, with its size.")
    garbage.add_argument("--delete", action="store_true", help="Delete it.")
    listing = _command(parsers, "ls", commands.ls, "List the tasks, models, recipes or organisms; or runs here.")
    kinds = ["tasks", "models", "recipes", "organisms", "runs"]
    listing.add_argument("what", choices=kinds, metavar="WHAT", help="Tasks, models, recipes, organisms or runs.")
    listing.add_argument("folder", nargs="?", metavar="DIR", help="Where run directories are (runs).")
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
    for name, (default, metavar, statement) in commands.CLAIM_OPTIONS.items():
        shown = statement if default is None else f"{statement[:-1]} ({default:g})."
        # No default: a frozen plan may have another, and what is given is told from what is not.
        parser.add_argument(f"--{name}", type=float, metavar=metavar, help=shown)


def _command(parsers: Any, name: str, command: Any, description: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = parsers.add_parser(name, help=description, description=description)
    parser.set_defaults(command=command)
    return parser


def _study_command(parsers: Any, name: str, command: Any, description: str) -> argparse.ArgumentParser:
    parser = _command(parsers, name, command, description)
    parser.add_argument("study", metavar="STUDY.yaml", help="Study file.")
    parser.add_argument("--set", action="append", default=[], metavar="a.b=c", help="Change a key of the study.")
    return parser


def _folder_command(parsers: Any, name: str, command: Any, description: str) -> argparse.ArgumentParser:
    parser = _command(parsers, name, command, description)
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
    parser.add_argument("--track", default="none", help="Copied to: none, wandb, trackio, tensorboard (none).")
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
        **({} if options.track == "none" else {"track": options.track}),
    )
    launch(study, Path(options.out or Path("runs") / options.recipe))


if __name__ == "__main__":
    main()

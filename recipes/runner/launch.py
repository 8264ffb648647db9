"""One recipe alone, one cell, as `accelerate launch -m educe.recipes NAME` runs it, with one process or several."""

import argparse
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from educe.data.errors import UserError, did_you_mean
from educe.recipes.catalog import METHODS
from educe.recipes.runner.cell import Cell, run_cell
from educe.recipes.runner.command import Parser, one_line_errors
from educe.recipes.runner.engine import save
from educe.recipes.runner.environment import check_device, on_cpu
from educe.recipes.runner.store import Store
from educe.recipes.runner.study import Study, parse_change

if TYPE_CHECKING:
    from accelerate import PartialState

    from educe.eval.model.model import Model


def launch(arguments: Sequence[str] | None = None) -> None:
    """Run one cell of a recipe and print its score and where it is kept; exits 2 on a user's mistake."""
    with one_line_errors():
        _launch(_parser().parse_args(arguments))


def _launch(options: argparse.Namespace) -> None:
    name = options.recipe
    if name not in METHODS:
        raise UserError(f"unknown recipe {name!r}; {did_you_mean(name, METHODS)}")
    plain: dict[str, Any] = {
        "name": name,
        "models": [_spec(options.model)],
        "tasks": [_spec(options.task)],
        "recipes": [{name: dict(map(parse_change, options.set))}],
        "seeds": [options.seed],
        "test_items": options.test_items,
        "dtype": options.dtype,
        "device": options.device,
    }
    if METHODS[name].budget == "examples":
        if options.examples is None:
            raise UserError(f"recipe {name!r} learns from labelled rows; say how many: --examples 64")
        plain["examples"] = [options.examples]
    (cell,) = (study := Study.make(plain, what="this command")).cells()
    _run(cell, study, Store(Path(options.out or Path("runs") / name)))


def _spec(text: str) -> Any:
    """A name as it stands, or a name with options as YAML: `{capitals: {seed: 1}}`."""
    return parse_change(f"spec={text}")[1] if text.startswith("{") else text


def _run(cell: Cell, study: Study, store: Store) -> None:
    import torch
    from accelerate.utils import broadcast_object_list

    from educe.train.processes import process_state

    check_device(study.device)
    state = process_state(torch.device("cpu" if on_cpu(study.device) else "cuda"))
    with store.claim() if state.is_main_process else nullcontext():
        if state.is_main_process:
            store.begin(study_text=study.text(), cells=[cell], add=True)
            store.audit([cell.task])
        # Asked once for all: on another machine the run directory may be another one.
        (done,) = broadcast_object_list([store.has(cell)])
        if done:
            state.print(f"{cell}: already in {store.root / 'cells' / cell.folder}")
            return
        try:
            model = _load(cell, device=study.device, state=state)
            measurement = run_cell(
                cell, model, study=study.name, save=lambda result, elicited: save(store, cell, result, elicited)
            )
        except UserError as error:
            if state.is_main_process:
                store.fail(cell, str(error), save_adapter=getattr(error, "save", None))
            raise
        if measurement is not None:
            interval = f"[{measurement.low:.3f}, {measurement.high:.3f}]"
            print(f"{cell}: {measurement.score:.3f} {interval} -> {store.root / 'cells' / cell.folder}")


def _load(cell: Cell, *, device: str, state: "PartialState") -> "Model":
    from educe.eval.model.load import fetch, load_model
    from educe.train.processes import make_accelerator

    # One process of a machine converts weights, so that the others find them in the cache.
    with state.local_main_process_first():
        fetch(cell.model_spec)
    make_accelerator(state.device)  # not earlier: ZeRO-3 would shard what is being converted
    return load_model(cell.model_spec, dtype=cell.dtype, device=device)  # type: ignore[arg-type]


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="educe.recipes", description="Run one recipe on one model and one task.")
    parser.add_argument("recipe", help="its name; `educe ls recipes` lists them")
    parser.add_argument("--model", required=True)
    parser.add_argument("--task", required=True)
    parser.add_argument("--examples", type=int, help="labelled training rows, for recipes that learn from them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--test-items", type=int, default=300, help="most items to score on (300)")
    parser.add_argument("--out", metavar="DIR", help="run directory (runs/RECIPE)")
    parser.add_argument("--dtype", default="auto", choices=["auto", "float32", "bfloat16", "float16"])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the recipe")
    return parser

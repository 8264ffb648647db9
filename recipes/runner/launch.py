"""One recipe alone, one cell, as `accelerate launch -m recipes.NAME` runs it, with one process or several."""

import argparse
import os
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import UserError
from recipes.catalog import METHODS
from recipes.runner.cell import Cell, run_cell
from recipes.runner.command import Parser, one_line_errors
from recipes.runner.engine import save
from recipes.runner.environment import check_device, on_cpu
from recipes.runner.store import Store
from recipes.runner.study import Study, parse_change

if TYPE_CHECKING:
    from accelerate import PartialState

    from eval.subject import Subject


def launch(name: str, arguments: Sequence[str] | None = None) -> None:
    """Run one cell of a recipe and print its score and where it is kept; exits 2 on a user's mistake."""
    with one_line_errors():
        _launch(name, arguments)


def _launch(name: str, arguments: Sequence[str] | None) -> None:
    options = _parser(name).parse_args(arguments)
    written: dict[str, Any] = {
        "name": name,
        "subjects": [_spec(options.subject)],
        "tasks": [_spec(options.task)],
        "recipes": [{name: dict(map(parse_change, options.set))}],
        "seeds": [options.seed],
        "test_items": options.test_items,
        "dtype": options.dtype,
        "device": options.device,
    }
    if METHODS[name].sized:
        written["examples"] = [options.examples]
    (cell,) = (study := Study.make(written, what="this command")).cells()
    _run(cell, study, Store(Path(options.out)))


def _spec(text: str) -> Any:
    """A name as it stands, or a name with options as YAML: `{capitals: {seed: 1}}`."""
    return parse_change(f"spec={text}")[1] if text.startswith("{") else text


def _run(cell: Cell, study: Study, store: Store) -> None:
    import torch
    from accelerate.utils import broadcast_object_list

    from train.processes import join

    check_device(study.device)
    state = join(torch.device("cpu" if on_cpu(study.device) else "cuda"))
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
            subject = _load(cell, device=study.device, state=state)
            measurement = run_cell(
                cell, subject, study=study.name, save=lambda result, elicited: save(store, cell, result, elicited)
            )
        except UserError as error:
            if state.is_main_process:
                store.fail(cell, str(error), save_adapter=getattr(error, "save", None))
            raise
        if measurement is not None:
            interval = f"[{measurement.low:.3f}, {measurement.high:.3f}]"
            print(f"{cell}: {measurement.score:.3f} {interval} -> {store.root / 'cells' / cell.folder}")


def _load(cell: Cell, *, device: str, state: "PartialState") -> "Subject":
    from eval.subject import fetch, load_subject
    from train.processes import make_accelerator

    # One process of a machine converts weights, so that the others find them in the cache.
    with state.local_main_process_first():
        fetch(cell.subject_spec)
    make_accelerator(state.device)  # not earlier: ZeRO-3 would shard what is being converted
    return load_subject(cell.subject_spec, dtype=cell.dtype, device=device)  # type: ignore[arg-type]


def _parser(name: str) -> argparse.ArgumentParser:
    parser = Parser(prog=f"recipes.{name}", description=METHODS[name].__doc__)
    parser.add_argument("--subject", required=True)
    parser.add_argument("--task", required=True)
    if METHODS[name].sized:
        parser.add_argument("--examples", type=int, required=True, help="labelled training rows")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--test-items", type=int, default=300, help="most items to score on (300)")
    parser.add_argument("--out", default=os.path.join("runs", name), help=f"run directory (runs/{name})")
    parser.add_argument("--dtype", default="auto", choices=["auto", "float32", "bfloat16", "float16"])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the recipe")
    return parser

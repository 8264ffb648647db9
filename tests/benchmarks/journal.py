"""An evaluation that keeps a journal against one that keeps none: same items, weights and batches.

Checked: the same bytes, log-likelihoods and FLOPs, in every timed run.
"""

import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from educe.data.resolve import resolve
from educe.data.writing import make_parents
from educe.eval.measure import measure
from educe.eval.model.journal import journalling
from educe.eval.model.load import load_model
from educe.eval.prompting.prompts import make_prompt_fn
from educe.recipes.runner.journal import CellJournal
from tests.benchmarks.pairs import SMOLLM2, Pair, paired

NUM_ITEMS = 120


def run() -> list[Pair]:
    """Median of the paired ratios: 1 is no overhead."""
    model = load_model(SMOLLM2, dtype="float32")
    task = resolve("word_sentiment")
    items = task.test_items(NUM_ITEMS)
    prompt_fn = make_prompt_fn(model, task)

    def evaluate() -> Any:
        return measure(model, task, prompt_fn, items)

    def kept() -> Any:
        with (
            tempfile.TemporaryDirectory() as folder,
            closing(CellJournal(Path(folder) / "cell.bin", {}, say=print, prepare=make_parents)) as made,
            journalling(made),
        ):
            output = evaluate()
            assert (Path(folder) / "cell.bin").stat().st_size > 1000, "too short to be kept"
            return output

    evaluate()
    pair = paired(
        f"zero-shot, {SMOLLM2}, {len(items)} items, with a journal",
        "without",
        kept,
        evaluate,
        same=_check_same,
        least=0.95,
        repetitions=5,
    )
    return [pair]


def _check_same(one: Any, other: Any) -> None:
    assert one == other

"""Useful FLOPs per second over the matrix-product peak of the same type, measured in the same run.

Useful FLOPs charge every row in full, so work that is shared between rows counts for each, and more than the peak is
possible; executed FLOPs, the share of the hardware, do not.
Training is measured at the recipes' batch of 8 short rows and at 32.

python -m tests.benchmarks.peak
"""

import time

import torch

from educe.data.resolve import resolve
from educe.eval.model.encode import encode_options
from educe.eval.model.load import load_model
from educe.eval.model.model import Model
from educe.eval.model.score import score_options
from educe.eval.prompting.prompts import make_prompt_fn
from educe.train.attach import temporary_changes
from educe.train.changes.peft import Lora
from educe.train.schedule import Schedule
from educe.train.sft import fine_tune
from tests.benchmarks.pairs import GEMMA, SMOLLM2, Pair, matmul_peak
from tests.benchmarks.training import BATCH, STEPS, forget_precision, rows_of


def run() -> list[Pair]:
    """Scoring and training, both models."""
    pairs = []
    for name in (GEMMA, SMOLLM2):
        model = load_model(name, dtype="float32")
        pairs += [score_share(model), *(train_share(model, batch_size) for batch_size in (BATCH, 4 * BATCH))]
    return pairs


def score_share(model: Model) -> Pair:
    """Zero-shot capitals."""
    task = resolve("capitals")
    prompt_fn = make_prompt_fn(model, task)
    items = [encode_options(model, prompt_fn(item), item.choices) for item in task.test_items(96)]
    score_options(model, items[:32])
    peak = matmul_peak(torch.float32)
    started = time.perf_counter()
    scores = score_options(model, items)
    return _reported("scoring", model, scores.flops, scores.executed_flops, time.perf_counter() - started, peak, 0.6)


def train_share(model: Model, batch_size: int) -> Pair:
    """LoRA steps of the recipes' kind on word_sentiment, all in float32."""
    forget_precision()
    rows = rows_of(model, STEPS * batch_size)
    schedule = Schedule(learning_rate=1e-4, steps=STEPS, batch_size=batch_size, precision="float32")
    for _ in range(2):  # the first warms up
        peak = matmul_peak(torch.float32)
        with temporary_changes(model):
            spend = fine_tune(model, rows, trainable=Lora(), schedule=schedule, seed=0).spend
    return _reported(
        f"training in float32, {batch_size} rows a step",
        model,
        spend.train_flops,
        spend.executed_train_flops,
        spend.seconds,
        peak,
        0.45,
    )


def _reported(
    work: str, model: Model, useful: float, executed: float, seconds: float, peak: float, least: float
) -> Pair:
    pair = Pair(
        work=f"useful FLOP/s, {work}, {model.name} (executed: {executed / seconds / peak:.2f} of the peak)",
        against="matmul peak",
        ours=useful / seconds / 1e9,
        theirs=peak / 1e9,
        ratio=useful / seconds / peak,
        least=least,
        repetitions=1,
        unit="GFLOP/s",
    )
    print(pair, flush=True)
    return pair


if __name__ == "__main__":
    run()

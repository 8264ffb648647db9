"""Useful FLOPs per second over the matrix-product peak of the same type, measured in the same run.

Useful FLOPs charge every row in full, so work that is shared between rows counts for each, and more than the peak is
possible; executed FLOPs, the share of the hardware, do not.
Training is measured at the recipes' batch of 8 short rows and at 32.

python -m tests.benchmarks.peak
"""

import time
from typing import Any

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
from tests.benchmarks.pairs import GEMMA, SMOLLM2, Pair, matmul_peak, rates
from tests.benchmarks.training import BATCH, STEPS, forget_precision, rows_of


def run() -> list[Pair]:
    """Scoring and training, both models."""
    pairs = []
    for name in (GEMMA, SMOLLM2):
        model = load_model(name, dtype="float32")
        pairs += [score_share(model), *(train_share(model, batch_size) for batch_size in (BATCH, 4 * BATCH))]
    return pairs


def score_share(model: Model, *, items: int = 96, least: float = 0.6) -> Pair:
    """Zero-shot capitals."""
    task = resolve("capitals")
    prompt_fn = make_prompt_fn(model, task)
    encoded = [encode_options(model, prompt_fn(item), item.choices) for item in task.test_items(items)]
    score_options(model, encoded[:32])
    peak = _peak(model)
    started = time.perf_counter()
    scores = score_options(model, encoded)
    return _reported("scoring", model, scores.flops, scores.executed_flops, time.perf_counter() - started, peak, least)


def train_share(model: Model, batch_size: int, *, least: float = 0.45) -> Pair:
    """LoRA steps of the recipes' kind on word_sentiment, all in the model's precision."""
    forget_precision()
    rows = rows_of(model, STEPS * batch_size)
    precision: Any = model.dtype
    schedule = Schedule(learning_rate=1e-4, steps=STEPS, batch_size=batch_size, precision=precision)
    for _ in range(2):  # the first warms up
        peak = _peak(model)
        with temporary_changes(model):
            spend = fine_tune(model, rows, trainable=Lora(), schedule=schedule, seed=0).spend
    return _reported(
        f"training in {precision}, {batch_size} rows a step",
        model,
        spend.train_flops,
        spend.executed_train_flops,
        spend.seconds,
        peak,
        least,
    )


def _peak(model: Model) -> float:
    size = 2048 if model.device.type == "cpu" else 8192
    return matmul_peak(getattr(torch, model.dtype), device=model.device, size=size)


def _reported(
    work: str, model: Model, useful: float, executed: float, seconds: float, peak: float, least: float
) -> Pair:
    share = f"executed: {executed / seconds / peak:.2f} of the peak"
    return rates(
        f"useful FLOP/s, {work}, {model.name} ({share})",
        "matmul peak",
        useful / seconds / 1e9,
        peak / 1e9,
        least=least,
        unit="GFLOP/s",
    )


if __name__ == "__main__":
    run()

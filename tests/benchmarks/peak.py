"""Useful FLOPs per second over the matrix-product peak of the same type, measured in the same run.

Useful FLOPs charge every row in full, so work that is shared between rows counts for each, and more than the peak is
possible; executed FLOPs, the share of the hardware, do not.
Training is measured at the recipes' batch of 8 short rows and at 32.

python -m tests.benchmarks.peak
"""

import time

import torch

from data.resolve import resolve
from eval.ask import prompter
from eval.encode import encode_options
from eval.score import score_options
from eval.subject import Subject, load_subject
from tests.benchmarks.pairs import GEMMA, SMOLLM2, Pair, matmul_peak
from tests.benchmarks.training import BATCH, STEPS, forget_precision, rows_of
from train.attach import bare
from train.changes.peft import Lora
from train.sft import Schedule, fine_tune


def run() -> list[Pair]:
    """Scoring and training, both subjects."""
    pairs = []
    for name in (GEMMA, SMOLLM2):
        subject = load_subject(name, dtype="float32")
        pairs += [score_share(subject), *(train_share(subject, batch_size) for batch_size in (BATCH, 4 * BATCH))]
    return pairs


def score_share(subject: Subject) -> Pair:
    """Zero-shot capitals."""
    task = resolve("capitals")
    ask = prompter(subject, task)
    items = [encode_options(subject, ask(item), item.choices) for item in task.test_items(96)]
    score_options(subject, items[:32])
    peak = matmul_peak(torch.float32)
    started = time.perf_counter()
    scores = score_options(subject, items)
    return _reported("scoring", subject, scores.flops, scores.executed_flops, time.perf_counter() - started, peak, 0.6)


def train_share(subject: Subject, batch_size: int) -> Pair:
    """LoRA steps of the recipes' kind on word_sentiment, all in float32."""
    forget_precision()
    rows = rows_of(subject, STEPS * batch_size)
    schedule = Schedule(learning_rate=1e-4, steps=STEPS, batch_size=batch_size, precision="float32")
    for _ in range(2):  # the first warms up
        peak = matmul_peak(torch.float32)
        with bare(subject):
            spend = fine_tune(subject, rows, trainable=Lora(), schedule=schedule, seed=0).spend
    return _reported(
        f"training in float32, {batch_size} rows a step",
        subject,
        spend.train_flops,
        spend.executed_train_flops,
        spend.seconds,
        peak,
        0.45,
    )


def _reported(
    work: str, subject: Subject, useful: float, executed: float, seconds: float, peak: float, least: float
) -> Pair:
    pair = Pair(
        work=f"useful FLOP/s, {work}, {subject.name} (executed: {executed / seconds / peak:.2f} of the peak)",
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

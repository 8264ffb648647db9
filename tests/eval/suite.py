"""A made-up study of many tasks: prompting, training at several budgets and a control, right or wrong by threshold."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from educe.eval.measurement import Measurement, Outcome, Outcomes
from educe.eval.spend import Spend
from tests.eval.synthetic import measurement

BUDGETS = (4, 16, 64, 256)
_CONTROL_SHARE = 0.6  # of what training gains over chance, the control gets
_CHANCE = 0.25


@dataclass(frozen=True, kw_only=True, eq=False)
class _Task:
    """A task's name, the difficulty of its items, and what is right zero-shot and after most training."""

    name: str
    model: str
    difficulty: NDArray[np.float64]
    zero: float
    top: float


def suite(
    *,
    tasks: int = 25,
    models: Sequence[str] = ("chat", "plain"),
    items: int = 200,
    seeds: int = 3,
    budgets: Sequence[int] = BUDGETS,
    trained: Sequence[str] = ("iid_sft", "minimal_lora"),
    controls: bool = True,
) -> list[Measurement]:
    """Zero-shot, few-shot, each trained recipe and `ngrams` on tasks of different difficulty, with likelihoods."""
    rng = np.random.default_rng(0)
    made = []
    for number in range(tasks):
        difficulty, zero, top = rng.standard_normal(items), rng.uniform(0.25, 0.7), rng.uniform(0.7, 0.98)
        for model in models:
            task = _Task(name=f"task_{number:02d}", model=model, difficulty=difficulty, zero=zero, top=top)
            made.append(_cell(rng, task, "zero_shot", 0, zero, 0))
            for seed in range(seeds):
                made.append(_cell(rng, task, "few_shot", 8, (zero + top) / 2, seed))
                for place, examples in enumerate(budgets, start=1):
                    share = zero + (top - zero) * place / len(budgets)
                    made += [_cell(rng, task, method, examples, share, seed) for method in trained]
                    if controls:
                        taught = _CHANCE + _CONTROL_SHARE * (share - _CHANCE)
                        made.append(_cell(rng, task, "ngrams", examples, taught, seed))
    return made


def _cell(rng: np.random.Generator, task: _Task, method: str, examples: int, share: float, seed: int) -> Measurement:
    noise = rng.standard_normal(len(task.difficulty)) + 0.1 * rng.standard_normal()
    right = (task.difficulty + noise) / 2**0.5 < special.ndtri(share)
    train_flops = 0.0 if method in ("zero_shot", "few_shot") else 1e9 * examples
    settings: dict[str, Any] = {"shots": examples} if method == "few_shot" else {}
    cell = measurement(
        method=method,
        settings=settings,
        model=task.model,
        task=task.name,
        examples=examples,
        seed=seed,
        chance=_CHANCE,
        right=right.astype(float).tolist(),
        spend=Spend(labelled_examples=examples, train_flops=train_flops, flops_per_answer=1e8),
    )
    return replace(cell, outcomes=_with_likelihoods(right, rng))


def _with_likelihoods(right: NDArray[np.bool_], rng: np.random.Generator) -> Outcomes:
    """Four options an item: the picked one is likeliest."""
    rest = -2.0 - rng.random((len(right), 4))
    picked = np.where(right, 0, 1)
    rest[np.arange(len(right)), picked] = -1.0
    return Outcomes.of(
        Outcome(
            id=name, score=float(is_right), answer="a", picked="a" if is_right else "b", margin=1.0,
            loglikelihoods=tuple(row), option_tokens=(1, 1, 1, 1), answer_index=0,
        )
        for name, is_right, row in zip(_names(len(right)), right, rest.tolist(), strict=True)
    )  # fmt: skip


@cache
def _names(count: int) -> tuple[str, ...]:
    return tuple(f"item-{place}" for place in range(count))

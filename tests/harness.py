"""The same questions through lm-eval's own model; for tests and benchmarks that have lm-eval installed."""

from collections.abc import Sequence
from typing import Any


def lm_eval_likelihoods(model: Any, asked: Sequence[tuple[str, Sequence[str]]]) -> list[list[float]]:
    """Log-likelihood in nats of every continuation of every context, as lm-eval's `model` computes it."""
    from lm_eval.api.instance import Instance

    requests = [
        Instance("loglikelihood", {}, (context, continuation), index)
        for context, continuations in asked
        for index, continuation in enumerate(continuations)
    ]
    flat = iter(value for value, _ in model.loglikelihood(requests, disable_tqdm=True))
    return [[next(flat) for _ in continuations] for _, continuations in asked]

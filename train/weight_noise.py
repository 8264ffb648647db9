"""Gaussian noise on the weights of a resident net, which are never written to.

Noise that was added can be subtracted again, but rounding leaves other weights than before. So nothing is added: every
weight matrix is replaced by a noisy copy while its own product is computed, and put back. There is one copy at a time,
and the weights are afterwards what they were, bit for bit, also after a failure. The price is time: the noise is drawn
anew, from its seed, in every forward pass.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.formats.render import PromptFunction
from educe.data.task import Task
from educe.eval.measure import Solver, SolverOutput, measure
from educe.eval.model.model import Model
from educe.eval.model.net import layers_of, patched_forward
from educe.eval.model.sharded import refuse_sharded


@contextmanager
def noisy_weights(model: Model, *, level: float, seed: int) -> Iterator[None]:
    """Inside the block, noise is added to every weight matrix of the decoder's layers.

    It is `level` times the matrix's own standard deviation, times standard normal numbers. These follow from the seed,
    the matrix's place and the device, and are the same for all levels. Embeddings, the vocabulary head, gains, biases
    and adapters have no noise. UserError for weights in 4 bits or spread over processes.
    """
    if model.quantize:
        raise UserError(f"the layers of {model.name!r} are {model.quantize}, which takes no noise; drop quantize")
    refuse_sharded(model.net, "noise in the weights")
    with ExitStack() as stack:
        for name, module in _matrices(model) if level else ():
            weight = module.weight.detach()
            scale = level * float(weight.float().std())
            draw = partial(_noisy, weight, scale=scale, seed=_seed_of(name, seed))
            stack.enter_context(patched_forward(module, partial(_with_weight, module, module.forward, draw)))
        yield


def scan_noise(
    model: Model,
    task: Task,
    prompt_fn: PromptFunction,
    items: Sequence[Example],
    *,
    levels: Sequence[float],
    draws: int,
    seed: int,
    solver: Solver = measure,
) -> list[list[SolverOutput]]:
    """The items answered at each level, with as many `draws` of noise; a level of 0 is answered once."""
    answers: list[list[SolverOutput]] = []
    for level in levels:
        answers.append([])
        for draw in range(draws if level else 1):
            with noisy_weights(model, level=level, seed=seed_of_draw(seed, draw)):
                answers[-1].append(solver(model, task, prompt_fn, items))
    return answers


def seed_of_draw(seed: int, draw: int) -> int:
    """The seed of the noise of one of several draws."""
    return _seed_of(f"draw {draw}", seed)


def _matrices(model: Model) -> list[tuple[str, Any]]:
    """Every module of the layers that has a weight matrix, by the name that it has without an adapter around it."""
    return [
        (name.replace(".base_layer", ""), module)
        for name, module in layers_of(model.net).named_modules()
        if isinstance(weight := getattr(module, "weight", None), nn.Parameter)
        and weight.dim() == 2
        and ".lora_" not in name
        and not hasattr(module, "base_layer")  # an adapter's wrapper passes on the weight of what it wraps
    ]


def _seed_of(name: str, seed: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:8], "big") >> 1


def _noisy(weight: Tensor, *, scale: float, seed: int) -> Tensor:
    generator = torch.Generator(device=weight.device).manual_seed(seed)
    noise = torch.randn(weight.shape, generator=generator, device=weight.device, dtype=torch.float32)
    return noise.mul_(scale).add_(weight).to(weight.dtype)


def _with_weight(module: Any, forward: Any, draw: Any, *args: Any, **kwargs: Any) -> Any:
    """The module's own forward, with the weight that is drawn for it in place of its own."""
    own = module.weight
    module.weight = nn.Parameter(draw(), requires_grad=False)
    try:
        return forward(*args, **kwargs)
    finally:
        module.weight = own

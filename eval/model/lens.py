"""The logit lens (nostalgebraist 2020): log-likelihoods of options as if the net ended after an earlier layer."""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from educe.eval.model.encode import Branches, common_prefix
from educe.eval.model.flops import forward_flops
from educe.eval.model.journal import Values, is_amount, is_like, journalled
from educe.eval.model.model import Model
from educe.eval.model.net import decoder_of, layers_of, patched_forward
from educe.eval.model.score import (
    Packed,
    Reader,
    Scores,
    asked_of,
    batches,
    kept_limits,
    option_row,
    sum_options,
    useful_flops,
)
from educe.eval.model.sharded import refuse_sharded
from educe.eval.model.states import states_after


def lens_scores(model: Model, items: Sequence[Branches], *, layers: Sequence[int]) -> Scores:
    """The mean over `layers` of every option's log-likelihood, each read through the net's own last norm and head.

    With the last layer alone it is what `score_options` gives. The head is charged once for each layer.
    """
    refuse_sharded(model.net, "the logit lens")
    shared = items[0].prompt[: common_prefix([item.prompt[:-1] for item in items])]
    rows = [option_row(item, len(shared)) for item in items]
    extra = model.adapter_parameters
    executed = forward_flops(model.shape, len(shared), scored=0, adapter_parameters=extra, clip=False)
    found: list[tuple[float, ...]] = [()] * len(items)
    head = 2.0 * model.shape.vocab * model.shape.hidden
    prompt = items[0].prompt
    with torch.inference_mode(), journalled(model, "lens", shared, tuple(layers), prompt=prompt) as call:
        reader = Reader(model, shared, partial(states_after, model.net, layers))
        read = partial(_read, model, reader, items, len(shared), as_tuple=_returns_tuples(model))
        tokens, keys = kept_limits(call, reader, items)
        for group in batches(rows, batch_tokens=tokens, batch_keys=keys, shared=len(shared)):
            options = [items[index].options for indices, _ in group for index in indices]
            asked = asked_of(items, group, len(shared))
            values = call.get(asked, partial(read, group), fits=partial(_fits, sum(map(len, options))))
            means = iter(values["means"].tolist())
            executed += float(values["flops"])
            for index in (index for indices, _ in group for index in indices):
                found[index] = tuple(next(means) for _ in items[index].options)
    more_heads = (len(layers) - 1) * head * sum(len(row.selected) for row in rows)
    return Scores(loglikelihoods=tuple(found), flops=useful_flops(model, items) + more_heads, executed_flops=executed)


def _read(
    model: Model,
    reader: Reader[list[Tensor]],
    items: Sequence[Branches],
    shared: int,
    group: Sequence[Packed],
    *,
    as_tuple: bool,
) -> Values:
    """Each option's mean over layers, for a batch, and the FLOPs executed for it."""
    means: list[float] = []
    executed = 0.0
    ended = partial(_ended, model.net, as_tuple=as_tuple)
    head = 2.0 * model.shape.vocab * model.shape.hidden
    extra = model.adapter_parameters
    for indices, (packs, width), outputs in reader.read(group):
        options = [items[index].options for index in indices]
        by_layer = [sum_options(model, ended(states), options) for states in outputs]
        for each in zip(*by_layer, strict=True):
            means += [sum(values) / len(outputs) for values in zip(*each, strict=True)]
        body = forward_flops(model.shape, width, scored=0, cached=shared, adapter_parameters=extra, clip=False)
        executed += packs * body + head * sum(map(len, outputs))
    return {"means": torch.tensor(means, dtype=torch.float64), "flops": torch.tensor(executed, dtype=torch.float64)}


def _fits(count: int, values: Values) -> bool:
    return is_like(values.get("means"), torch.float64, count) and is_amount(values.get("flops"))


def _ended(net: nn.Module, states: Float[Tensor, "states hidden"], *, as_tuple: bool) -> Float[Tensor, "states hidden"]:
    """What the head would read if the layers ended in these states: the decoder runs with layers that do nothing.

    Each state is a text of one token.
    """
    *lower, last = layers_of(net)
    decoder: Any = decoder_of(net)
    ids = torch.zeros((len(states), 1), dtype=torch.long, device=states.device)

    def giving(hidden: Tensor) -> Any:
        return (hidden,) if as_tuple else hidden

    with ExitStack() as patched:
        for layer in lower:
            patched.enter_context(patched_forward(layer, lambda hidden, *_, **__: giving(hidden)))
        patched.enter_context(patched_forward(last, lambda *_, **__: giving(states[:, None])))
        ended: Tensor = decoder(input_ids=ids, use_cache=False).last_hidden_state
    return ended[:, 0]


def _returns_tuples(model: Model) -> bool:
    """Whether the layers of this architecture return a tuple that begins with the states; seen on one token."""
    found: list[bool] = []
    hook = layers_of(model.net)[0].register_forward_hook(lambda *call: found.append(isinstance(call[-1], tuple)))
    try:
        decoder_of(model.net)(input_ids=torch.zeros((1, 1), dtype=torch.long, device=model.device), use_cache=False)
    finally:
        hook.remove()
    return found[0]

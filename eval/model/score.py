"""Log-likelihoods of options: prefix shared by all items, question shared by its options, head on scored positions."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import torch
from transformers import DynamicCache

from educe.eval.model.encode import Branches, common_prefix
from educe.eval.model.flops import answer_flops, forward_flops
from educe.eval.model.head import token_logprobs
from educe.eval.model.memory import fitting_sizes, map_with_backoff
from educe.eval.model.model import Model
from educe.eval.model.tree import Batch, Pack, Row, collate, expand, prefill, selected_states
from educe.eval.progress import report_progress

# Width x packs of one batch. On a CPU 512 keep the matrix units busy; more only add padding (docs/log.md). On a CUDA
# device free memory decides. Others are not measured; their number is large because they have many units.
BATCH_TOKENS = {"cpu": 512}
BATCH_TOKENS_ELSEWHERE = 8192
# Width of a pack of short rows. Wider packs need fewer copies of the prefix's keys and less padding, but compute more
# attention scores that are then masked.
PACK_TOKENS = 128
# (prefix + width) x packs: the size of a batch's cache, half a gigabyte for the bundled models.
BATCH_KEYS = 16384
# Hidden states collected before the head runs; with fewer the matrix units wait for its weights to be read.
HEAD_ROWS = 1024
# The indices of some rows, and the pack that they form.
Packed = tuple[list[int], Pack]
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Summed log-likelihood in nats of every option of every item, and what computing them cost.

    What a classifier says of options is no likelihood `of_texts`, and has no length to divide by.
    """

    loglikelihoods: tuple[tuple[float, ...], ...]
    flops: float
    executed_flops: float
    of_texts: bool = True


def score_options(model: Model, items: Sequence[Branches]) -> Scores:
    """Score every option of every item under the model, exactly as if each were computed alone.

    In float32 a value differs from plain recomputation by rounding only (1e-4 nats in the tests).
    """
    # At least one prompt token stays in every row: its logits predict the options' first tokens.
    shared = items[0].prompt[: common_prefix([item.prompt[:-1] for item in items])]
    rows = [option_row(item, len(shared)) for item in items]
    results: list[tuple[float, ...]] = [()] * len(items)
    extra = model.adapter_parameters
    executed = forward_flops(model.shape, len(shared), scored=0, adapter_parameters=extra, clip=False)
    with torch.inference_mode():
        for indices, states, flops in _states(model, shared, rows):
            executed += flops
            sums = sum_options(model, states, [items[index].options for index in indices])
            for index, each in zip(indices, sums, strict=True):
                results[index] = each
    return Scores(loglikelihoods=tuple(results), flops=useful_flops(model, items), executed_flops=executed)


def useful_flops(model: Model, items: Sequence[Branches]) -> float:
    """FLOPs of scoring every option of every item, each item alone, its question once."""
    return sum(
        answer_flops(
            model.shape,
            prompt_tokens=len(item.prompt),
            option_tokens=[len(option) for option in item.options],
            adapter_parameters=model.adapter_parameters,
        )
        for item in items
    )


def read_batches(
    model: Model, shared: Sequence[int], rows: Sequence[Row], read: Callable[[Batch, DynamicCache], Result]
) -> Iterator[tuple[list[int], tuple[int, int], Result]]:
    """All rows after a shared prefix, in batches that suit the device and fit its memory.

    Yields the indices of a batch's rows, its size (packs, width), and the result of `read`.
    """
    prefix = prefill(model.net, shared, device=model.device)

    def run(group: Sequence[Packed]) -> tuple[tuple[int, int], Result]:
        packs = [pack for _, pack in group]
        batch = collate(model.net, packs, prefix=len(shared), pad=model.tokenizer.pad_token_id)
        return (len(packs), batch.ids.shape[1]), read(batch, expand(prefix, len(packs)))

    tokens, keys = _limits(model)
    groups = batches(rows, batch_tokens=tokens, batch_keys=keys, shared=len(shared))
    for group, (size, result) in map_with_backoff(groups, run):
        yield [index for indices, _ in group for index in indices], size, result


def _limits(model: Model) -> tuple[int, int]:
    """The most tokens and keys of one batch on the model's device."""
    if model.device.type == "cuda":
        return fitting_sizes(model)
    return BATCH_TOKENS.get(model.device.type, BATCH_TOKENS_ELSEWHERE), BATCH_KEYS


def _states(
    model: Model, shared: Sequence[int], rows: Sequence[Row]
) -> Iterator[tuple[list[int], torch.Tensor, float]]:
    """The head's input, HEAD_ROWS states or more at a time: indices of rows, their selected states, executed FLOPs."""
    waiting: list[int] = []
    collected: list[torch.Tensor] = []
    executed = 0.0
    done = 0
    for indices, size, states in read_batches(model, shared, rows, partial(selected_states, model.net)):
        executed += _executed_flops(model, size, shared=len(shared), selected=len(states))
        waiting += indices
        collected.append(states)
        done += len(indices)
        if sum(map(len, collected)) >= HEAD_ROWS or done == len(rows):
            yield waiting, torch.cat(collected), executed
            waiting, collected, executed = [], [], 0.0
        report_progress("items scored", done, len(rows))


def _executed_flops(model: Model, size: tuple[int, int], *, shared: int, selected: int) -> float:
    packs, width = size
    body = forward_flops(
        model.shape, width, scored=0, cached=shared, adapter_parameters=model.adapter_parameters, clip=False
    )
    return packs * body + 2.0 * model.shape.vocab * model.shape.hidden * selected


def option_row(item: Branches, shared: int) -> Row:
    """The question is the stem, each option without its last token a branch; what predicts a token is selected.

    The first `shared` tokens of the question are left out: whoever lays rows out puts them in front.
    """
    stem = item.prompt[shared:]
    branches = tuple(option[:-1] for option in item.options)
    inside = range(len(stem), len(stem) + sum(map(len, branches)))
    return Row(stem=stem, branches=branches, selected=(len(stem) - 1, *inside))


def sum_options(
    model: Model, states: torch.Tensor, items: Sequence[Sequence[Sequence[int]]]
) -> list[tuple[float, ...]]:
    """Sum the log-probabilities of each option's tokens."""
    places, tokens = option_places(items)
    logprobs = token_logprobs(
        model.net, states, *(torch.tensor(each, device=states.device) for each in (places, tokens))
    )
    # One copy: a GPU would be waited for at every number that is asked of it.
    parts = iter(logprobs.cpu().split([len(option) for options in items for option in options]))
    return [tuple(next(parts).sum().item() for _ in options) for options in items]


def option_places(items: Sequence[Sequence[Sequence[int]]]) -> tuple[list[int], list[int]]:
    """Every token of every item's options, and which of the states that `option_row` selects predicts it.

    An item's first state predicts the first token of all its options; its other states predict the rest, option by
    option.
    """
    places: list[int] = []
    tokens: list[int] = []
    first = 0
    for options in items:
        after = first + 1
        for option in options:
            rest = len(option) - 1
            places += [first, *range(after, after + rest)]
            tokens += option
            after += rest
        first = after
    return places, tokens


def batches(
    rows: Sequence[Row], *, batch_tokens: int, batch_keys: int = BATCH_KEYS, shared: int = 0
) -> Iterator[list[Packed]]:
    """Packs of all rows, widest first, in groups whose padded size and cache stay under the limits."""
    group: list[Packed] = []
    widest = 0
    packed = [(indices, _pack([rows[index] for index in indices])) for indices in _packs(rows)]
    for indices, pack in sorted(packed, key=lambda each: (-len(each[1]), each[0])):
        widest, size = max(widest, len(pack)), len(group) + 1
        if group and (widest * size > batch_tokens or (shared + widest) * size > batch_keys):
            yield group
            group, widest = [], len(pack)
        group.append((indices, pack))
    if group:
        yield group


def _packs(rows: Sequence[Row]) -> list[list[int]]:
    """Indices of the rows of each pack, as many as fit PACK_TOKENS, or one row that is longer.

    Rows are sorted by their tokens, so that questions with the same beginning become neighbours and share it.
    """
    packs: list[list[int]] = []
    lead: tuple[int, ...] = ()
    tokens = 0
    for index in sorted(range(len(rows)), key=lambda each: (rows[each].stem, each)):
        row = rows[index]
        if packs:
            common = common_prefix([lead, row.stem[:-1]])
            if tokens + len(row) - len(packs[-1]) * common <= PACK_TOKENS:
                packs[-1].append(index)
                lead, tokens = lead[:common], tokens + len(row)
                continue
        packs.append([index])
        lead, tokens = row.stem[:-1], len(row)
    return packs


def _pack(rows: Sequence[Row]) -> Pack:
    """The rows behind the beginning that their stems share; each keeps at least one token of its own."""
    lead = common_prefix([row.stem[:-1] for row in rows])
    own = [replace(row, stem=row.stem[lead:], selected=tuple(place - lead for place in row.selected)) for row in rows]
    return Pack(lead=rows[0].stem[:lead], rows=tuple(own))

"""Log-likelihoods of options: prefix shared by all items, question shared by its options, head on scored positions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from eval.cost import answer_flops, forward_flops
from eval.encode import Branches, common_prefix
from eval.memory import in_pieces
from eval.progress import tell
from eval.subject import Subject
from eval.tree import Row, collate, expand, prefill, wanted_logits

# Width x rows of one batch: wide enough to keep the matrix units busy, small enough for the caches of a laptop.
BATCH_TOKENS = 2048
# (prefix + width) x rows: what a batch may hold in its cache, half a gigabyte for the bundled subjects.
BATCH_KEYS = 16384
# Logits of one batch: at Gemma's 262,144 words this is 270 MB in float32.
BATCH_WANTED = 256


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Summed log-likelihood in nats of every option of every item, and what computing them cost."""

    loglikelihoods: tuple[tuple[float, ...], ...]
    flops: float
    executed_flops: float


def score_options(
    subject: Subject,
    items: Sequence[Branches],
    *,
    batch_tokens: int = BATCH_TOKENS,
) -> Scores:
    """Score every option of every item under the subject, exactly as if each were computed alone.

    In float32 a value differs from plain recomputation by rounding only (the tests hold 1e-4 nats).
    """
    # At least one prompt token stays in every row: its logits predict the options' first tokens.
    shared = common_prefix([item.prompt[:-1] for item in items])
    rows = [_row(item, shared) for item in items]
    results: list[tuple[float, ...]] = [()] * len(items)
    extra = subject.adapter_parameters
    done = 0
    executed = forward_flops(subject.shape, shared, scored=0, adapter_parameters=extra, clip=False)
    with torch.inference_mode():
        states = prefill(subject.net, items[0].prompt[:shared], device=subject.device)

        def score(indices: Sequence[int]) -> list[tuple[float, ...]]:
            chosen = [rows[index] for index in indices]
            batch = collate(chosen, prefix=shared, pad=subject.tokenizer.pad_token_id, device=subject.device)
            logits = wanted_logits(subject.net, batch, expand(states, len(chosen)))
            parts = logits.split([len(row.wanted) for row in chosen])
            return [_sum_options(part, items[index].options) for index, part in zip(indices, parts, strict=True)]

        for indices, sums in in_pieces(batches(rows, batch_tokens=batch_tokens, shared=shared), score):
            for index, each in zip(indices, sums, strict=True):
                results[index] = each
            executed += _executed_flops(subject, [rows[index] for index in indices], shared)
            done += len(indices)
            tell("items scored", done, len(items))
    useful = sum(
        answer_flops(
            subject.shape,
            prompt_tokens=len(item.prompt),
            option_tokens=[len(option) for option in item.options],
            adapter_parameters=extra,
        )
        for item in items
    )
    return Scores(loglikelihoods=tuple(results), flops=useful, executed_flops=executed)


def _executed_flops(subject: Subject, rows: Sequence[Row], shared: int) -> float:
    """What one batch of rows computes, padding included."""
    width, wanted = max(map(len, rows)), sum(len(row.wanted) for row in rows)
    body = forward_flops(
        subject.shape, width, scored=0, cached=shared, adapter_parameters=subject.adapter_parameters, clip=False
    )
    return len(rows) * body + 2.0 * subject.shape.vocab * subject.shape.hidden * wanted


def _row(item: Branches, shared: int) -> Row:
    """The question as stem, each option but its last token as a branch; wanted is whatever predicts an option token."""
    stem = item.prompt[shared:]
    branches = tuple(option[:-1] for option in item.options)
    inside = range(len(stem), len(stem) + sum(map(len, branches)))
    return Row(stem=stem, branches=branches, wanted=(len(stem) - 1, *inside))


def _sum_options(logits: torch.Tensor, options: Sequence[Sequence[int]]) -> tuple[float, ...]:
    """Add up each option's tokens; row 0 predicts every option's first token, the rest follow option by option."""
    logprobs = torch.log_softmax(logits, dim=-1)
    sums = []
    start = 1
    for option in options:
        positions = [0, *range(start, start + len(option) - 1)]
        sums.append(logprobs[positions, list(option)].sum().item())
        start += len(option) - 1
    return tuple(sums)


def batches(
    rows: Sequence[Row], *, batch_tokens: int, shared: int = 0, batch_wanted: int = BATCH_WANTED
) -> Iterator[list[int]]:
    """Indices of rows, longest first, in groups whose padded size, cache and wanted positions stay under the limits."""
    group: list[int] = []
    wanted = 0
    width = 0
    for index in sorted(range(len(rows)), key=lambda each: (-len(rows[each]), each)):
        row = rows[index]
        width = width or len(row)
        size = len(group) + 1
        full = width * size > batch_tokens or (shared + width) * size > BATCH_KEYS
        if group and (full or wanted + len(row.wanted) > batch_wanted):
            yield group
            group, wanted, width = [], 0, len(row)
        group.append(index)
        wanted += len(row.wanted)
    if group:
        yield group

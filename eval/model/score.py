"""Log-likelihoods of options: prefix shared by all items, question shared by its options, head on scored positions."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Generic, TypeVar

import torch
from transformers import DynamicCache

from educe.eval.model.encode import Branches, common_prefix
from educe.eval.model.flops import answer_flops, forward_flops
from educe.eval.model.head import token_logprobs
from educe.eval.model.journal import Call, Values, is_amount, is_like, journalled
from educe.eval.model.memory import fitting_sizes, map_with_backoff
from educe.eval.model.model import Model
from educe.eval.model.tree import Batch, LayerStates, Pack, Row, collate, expand, prefill, selected_states
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
    results: list[tuple[float, ...]] = [()] * len(items)
    extra = model.adapter_parameters
    executed = forward_flops(model.shape, len(shared), scored=0, adapter_parameters=extra, clip=False)
    with torch.inference_mode(), journalled(model, "options", shared, prompt=items[0].prompt) as call:
        scoring = _Scoring(model, items, shared, call)
        done = 0
        for part in scoring.parts():
            indices = [index for group in part for index in _indices(group)]
            sums, flops = scoring.sums(part, done)
            executed += flops
            for index, each in zip(indices, sums, strict=True):
                results[index] = each
            done += len(indices)
    return Scores(loglikelihoods=tuple(results), flops=useful_flops(model, items), executed_flops=executed)


class _Scoring:
    """One call's reading of options, in parts that pass the head together: HEAD_ROWS states or more, but for the last.

    Both a part and each batch of a part that is not complete are kept in the journal.
    """

    def __init__(self, model: Model, items: Sequence[Branches], shared: tuple[int, ...], call: Call) -> None:
        self._model, self._items, self._shared, self._call = model, items, shared, call
        self._rows = [option_row(item, len(shared)) for item in items]
        self._reader = Reader(model, shared, partial(selected_states, model.net))

    def parts(self) -> Iterator[list[list[Packed]]]:
        """Batches in the order in which they are read, cut as in the run whose journal this call goes on with."""
        tokens, keys = kept_limits(self._call, self._reader, self._items)
        waiting: list[list[Packed]] = []
        states = 0
        for group in batches(self._rows, batch_tokens=tokens, batch_keys=keys, shared=len(self._shared)):
            waiting.append(group)
            states += self._selected(group)
            if states >= HEAD_ROWS:
                yield waiting
                waiting, states = [], 0
        if waiting:
            yield waiting

    def sums(self, part: Sequence[Sequence[Packed]], done: int) -> tuple[list[tuple[float, ...]], float]:
        """The summed log-probabilities of each option, item by item, and the FLOPs executed for them."""
        options = [self._items[index].options for group in part for index in _indices(group)]
        count = sum(map(len, options))
        asked = [asked_of(self._items, group, len(self._shared)) for group in part]
        found = self._call.get(
            ("sums", asked),
            partial(self._compute, part, asked, options, done),
            fits=lambda values: is_like(values.get("sums"), torch.float64, count) and is_amount(values.get("flops")),
        )
        report_progress("items scored", done + len(options), len(self._items))
        values = iter(found["sums"].tolist())
        return [tuple(next(values) for _ in each) for each in options], float(found["flops"])

    def _compute(
        self,
        part: Sequence[Sequence[Packed]],
        asked: Sequence[object],
        options: Sequence[Sequence[Sequence[int]]],
        done: int,
    ) -> Values:
        collected = []
        executed = 0.0
        for place, (group, each) in enumerate(zip(part, asked, strict=True)):
            found = self._call.get(("states", each), partial(self._read, group), fits=partial(self._fits, group))
            collected.append(found["states"].to(self._model.device))
            executed += float(found["flops"])
            done += len(_indices(group))
            if place + 1 < len(part):
                report_progress("items scored", done, len(self._items))
        sums = sum_options(self._model, torch.cat(collected), options)
        flat = [value for each in sums for value in each]
        return {"sums": torch.tensor(flat, dtype=torch.float64), "flops": torch.tensor(executed, dtype=torch.float64)}

    def _read(self, group: Sequence[Packed]) -> Values:
        """The states of one batch that the head will read, and the FLOPs executed for them, the head's included."""
        collected, executed = [], 0.0
        for _, size, states in self._reader.read(group):
            executed += _executed_flops(self._model, size, shared=len(self._shared), selected=len(states))
            collected.append(states)
        return {"states": torch.cat(collected), "flops": torch.tensor(executed, dtype=torch.float64)}

    def _fits(self, group: Sequence[Packed], values: Values) -> bool:
        states = values.get("states")
        shape = self._selected(group), self._model.shape.hidden
        fits = states is not None and states.is_floating_point() and is_like(states, states.dtype, *shape)
        return fits and is_amount(values.get("flops"))

    def _selected(self, group: Sequence[Packed]) -> int:
        return sum(len(self._rows[index].selected) for index in _indices(group))


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


class Reader(Generic[Result]):
    """Reads batches of rows after a shared prefix, which is read when it is first needed."""

    def __init__(self, model: Model, shared: Sequence[int], read: Callable[[Batch, DynamicCache], Result]) -> None:
        self._model, self._shared, self._read = model, shared, read

    @cached_property
    def _prefix(self) -> LayerStates:
        return prefill(self._model.net, self._shared, device=self._model.device)

    def limits(self) -> tuple[int, int]:
        """The most tokens and keys of one batch on the model's device, where the prefix is in memory."""
        assert isinstance(self._prefix, list)
        return _limits(self._model)

    def read(self, group: Sequence[Packed]) -> Iterator[tuple[list[int], tuple[int, int], Result]]:
        """The indices of a batch's rows, its size (packs, width), and the result; in pieces where memory runs short."""
        for piece, (size, result) in map_with_backoff([group], self._run):
            yield _indices(piece), size, result

    def _run(self, group: Sequence[Packed]) -> tuple[tuple[int, int], Result]:
        packs = [pack for _, pack in group]
        batch = collate(self._model.net, packs, prefix=len(self._shared), pad=self._model.tokenizer.pad_token_id)
        return (len(packs), batch.ids.shape[1]), self._read(batch, expand(self._prefix, len(packs)))


def read_batches(
    model: Model, shared: Sequence[int], rows: Sequence[Row], read: Callable[[Batch, DynamicCache], Result]
) -> Iterator[tuple[list[int], tuple[int, int], Result]]:
    """What `Reader.read` gives of all rows after a shared prefix, in batches that suit the device and its memory."""
    reader = Reader(model, shared, read)
    tokens, keys = reader.limits()
    for group in batches(rows, batch_tokens=tokens, batch_keys=keys, shared=len(shared)):
        yield from reader.read(group)


def asked_of(items: Sequence[Branches], group: Sequence[Packed], shared: int) -> object:
    """All that decides what a batch gives: its items' tokens after the `shared` ones, as they are laid out in packs."""
    return [[(items[index].prompt[shared:], items[index].options) for index in indices] for indices, _ in group]


def kept_limits(call: Call, reader: Reader[Any], items: Sequence[Branches]) -> list[int]:
    """The limits of a batch, as they were when the journal of this call was begun: free memory may differ since."""
    found = call.get(
        ("limits", call.hashed((item.prompt, item.options) for item in items)),
        lambda: {"limits": torch.tensor(reader.limits())},
        fits=lambda values: is_like(values.get("limits"), torch.int64, 2) and bool((values["limits"] > 0).all()),
    )
    return [int(each) for each in found["limits"]]


def _indices(group: Sequence[Packed]) -> list[int]:
    return [index for indices, _ in group for index in indices]


def _limits(model: Model) -> tuple[int, int]:
    """The most tokens and keys of one batch on the model's device."""
    if model.device.type == "cuda":
        return fitting_sizes(model)
    return BATCH_TOKENS.get(model.device.type, BATCH_TOKENS_ELSEWHERE), BATCH_KEYS


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

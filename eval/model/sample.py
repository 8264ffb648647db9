"""Generation in batches, greedy or sampled: a shared prefix is read once, and a finished row leaves its batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from jaxtyping import Float
from torch import Tensor

from educe.data.errors import UserError
from educe.eval.model.encode import common_prefix
from educe.eval.model.flops import forward_flops, generation_flops
from educe.eval.model.journal import Call, Values, is_amount, is_like, journalled
from educe.eval.model.memory import fitting_sizes, map_with_backoff
from educe.eval.model.model import Model
from educe.eval.model.tree import LayerStates, Pack, Row, collate, expand, prefill, selected_logits
from educe.eval.progress import report_progress

# Tokens of a batch with its answers; on a CUDA device free memory decides.
BATCH_TOKENS = 8192


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Generated texts without their stop strings, which of them were cut at the limit of tokens, and what they cost."""

    texts: tuple[str, ...]
    truncated: tuple[bool, ...]
    flops: float
    executed_flops: float

    @property
    def truncated_share(self) -> float:
        """The share of texts that were cut."""
        return sum(self.truncated) / len(self.truncated)


def generate(
    model: Model,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    stops: Sequence[str] = (),
    temperature: float = 0.0,
    seed: int = 0,
) -> Samples:
    """Continue each prompt until the model stops, a stop string appears or `max_new_tokens` are written.

    Greedy at `temperature` 0. Otherwise the seed and the prompt's index fix every draw, whatever the size of a batch.
    """
    shared = common_prefix([tuple(prompt[:-1]) for prompt in prompts])
    texts = [""] * len(prompts)
    truncated = [False] * len(prompts)
    flops = 0.0
    executed = forward_flops(model.shape, shared, scored=0, adapter_parameters=model.adapter_parameters, clip=False)
    done = 0
    ends = set(stop_ids(model))
    settings = ("text", tuple(prompts[0][:shared]), max_new_tokens, tuple(stops), temperature, sorted(ends))
    with torch.inference_mode(), journalled(model, *settings, prompt=prompts[0]) as call:
        writing = _Writing(model, prompts, shared, call, steps=max_new_tokens, stops=stops, temperature=temperature)
        for indices in _batches(prompts, max_new_tokens, writing.limit(seed)):
            rows, computed = writing.write(indices, _draw_seeds(indices, seed=seed))
            executed += computed
            for index, row in zip(indices, rows, strict=True):
                text = str(model.tokenizer.decode(row, skip_special_tokens=True))
                texts[index] = truncate_at_stop(text, stops)
                truncated[index] = len(row) == max_new_tokens and row[-1] not in ends and texts[index] == text
                flops += generation_flops(
                    model.shape,
                    prompt_tokens=len(prompts[index]),
                    new_tokens=len(row),
                    adapter_parameters=model.adapter_parameters,
                )
            done += len(indices)
            report_progress("answers written", done, len(prompts))
    return Samples(texts=tuple(texts), truncated=tuple(truncated), flops=flops, executed_flops=executed)


class _Writing:
    """One call's writing of answers, batch by batch; each batch is kept in the journal."""

    def __init__(
        self,
        model: Model,
        prompts: Sequence[Sequence[int]],
        shared: int,
        call: Call,
        *,
        steps: int,
        stops: Sequence[str],
        temperature: float,
    ) -> None:
        self._model, self._prompts, self._shared, self._call = model, prompts, shared, call
        self._steps, self._stops, self._temperature = steps, stops, temperature

    def limit(self, seed: int) -> int:
        """The most tokens of a batch, as it was when the journal of this call was begun: free memory may differ."""
        found = self._call.get(
            ("limit", self._call.hashed(self._prompts), seed if self._temperature else None),
            lambda: {"limit": torch.tensor(_limit(self._model))},
            fits=lambda values: is_like(values.get("limit"), torch.int64) and bool(values["limit"] > 0),
        )
        return int(found["limit"])

    def write(self, indices: Sequence[int], seeds: Sequence[int]) -> tuple[list[list[int]], float]:
        """The new tokens of each prompt of a batch, drawn with these seeds, and the FLOPs executed for them."""
        stems = [tuple(self._prompts[index][self._shared :]) for index in indices]
        asked = (stems, seeds if self._temperature else ())
        found = self._call.get(asked, partial(self._compute, stems, seeds), fits=partial(self._fits, count=len(stems)))
        lengths: list[int] = found["lengths"].tolist()
        return [each.tolist() for each in found["tokens"].split(lengths)], float(found["flops"])

    def _compute(self, stems: Sequence[tuple[int, ...]], seeds: Sequence[int]) -> Values:
        rows: list[list[int]] = []
        executed = 0.0
        for _, batch in map_with_backoff([list(zip(stems, seeds, strict=True))], self._decode):
            rows += batch.rows
            executed += batch.executed_flops
        return {
            "tokens": torch.tensor([token for row in rows for token in row], dtype=torch.int64),
            "lengths": torch.tensor([len(row) for row in rows]),
            "flops": torch.tensor(executed, dtype=torch.float64),
        }

    def _decode(self, group: Sequence[tuple[tuple[int, ...], int]]) -> "_DecodingBatch":
        batch = _DecodingBatch(self._model, [stem for stem, _ in group], self._prefix, shared=self._shared)
        draws = _draws([seed for _, seed in group], self._steps).to(self._model.device)
        batch.decode(draws, self._temperature, self._stops)
        return batch

    @cached_property
    def _prefix(self) -> LayerStates:
        return prefill(self._model.net, self._prompts[0][: self._shared], device=self._model.device)

    def _fits(self, values: Values, *, count: int) -> bool:
        if not (values.keys() >= {"tokens", "lengths"} and is_amount(values.get("flops"))):
            return False
        tokens, lengths = values["tokens"], values["lengths"]
        return (
            is_like(lengths, torch.int64, count)
            and bool(((lengths > 0) & (lengths <= self._steps)).all())
            and is_like(tokens, torch.int64, int(lengths.sum()))
            and bool(((tokens >= 0) & (tokens < self._model.shape.vocab)).all())
        )


class _DecodingBatch:
    """A batch of rows after a prefix that they share, continued by one token at a time."""

    def __init__(self, model: Model, stems: Sequence[tuple[int, ...]], states: LayerStates, *, shared: int) -> None:
        self.model = model
        self.rows: list[list[int]] = [[] for _ in stems]
        self.executed_flops = 0.0
        self._cache = expand(states, len(stems))
        self._batch = collate(
            model.net,
            [Pack(rows=(Row(stem=stem, selected=(len(stem) - 1,)),)) for stem in stems],
            prefix=shared,
            pad=model.tokenizer.pad_token_id,
        )

    def decode(self, draws: Float[Tensor, "rows steps"], temperature: float, stops: Sequence[str]) -> None:
        """Continue every row to its end, by at most as many tokens as there are draws."""
        ends = torch.tensor(stop_ids(self.model), device=self.model.device)
        alive = torch.arange(len(self.rows))
        steps = draws.shape[1]
        for step in range(steps):
            tokens = _pick(self._next_logits(), draws[alive, step], temperature)
            for row, token in zip(alive.tolist(), tokens.tolist(), strict=True):
                self.rows[row].append(token)
            unfinished = ~torch.isin(tokens, ends).cpu()
            if stops:
                unfinished &= torch.tensor([not self._ends_in_stop(self.rows[row], stops) for row in alive.tolist()])
            if step + 1 == steps or not unfinished.any():
                return
            self._batch = self._batch.after(tokens)
            if not unfinished.all():
                kept = unfinished.nonzero().flatten()
                alive = alive[kept]
                self._batch = self._batch.keep(kept.to(self.model.device))
                self._cache.batch_select_indices(kept.to(self.model.device))

    def _next_logits(self) -> Tensor:
        size, width = self._batch.ids.shape
        self.executed_flops += size * forward_flops(
            self.model.shape,
            width,
            scored=1,
            cached=self._batch.num_keys - width,
            adapter_parameters=self.model.adapter_parameters,
            clip=False,
        )
        return selected_logits(self.model.net, self._batch, self._cache)

    def _ends_in_stop(self, row: Sequence[int], stops: Sequence[str]) -> bool:
        # A token has at least one byte, so a stop string is completed within this many last tokens.
        tail = row[-max(len(stop.encode()) for stop in stops) - 4 :]
        text = str(self.model.tokenizer.decode(list(tail), skip_special_tokens=True))
        return any(stop in text for stop in stops)


def _draw_seeds(indices: Sequence[int], *, seed: int) -> list[int]:
    """What fixes the draws of each prompt, by its index."""
    return [seed * 1_000_003 + index for index in indices]


def _draws(seeds: Sequence[int], steps: int) -> Float[Tensor, "rows steps"]:
    """A number in [0, 1) for every token that may be sampled."""
    rows = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        rows.append(torch.rand(steps, generator=generator, dtype=torch.float64))
    return torch.stack(rows)


def _pick(logits: Float[Tensor, "rows vocab"], draws: Float[Tensor, " rows"], temperature: float) -> Tensor:
    """The likeliest token of each row, or the one in whose share of the distribution the row's draw falls."""
    if bool(logits.isnan().any()):
        raise UserError(
            "the next token has no likelihood (nan): the model's weights or its adapter are corrupt, or too large for"
            " the dtype; load other weights, or load in float32"
        )
    if temperature == 0:
        return logits.argmax(dim=-1)
    cumulative = (logits.double() / temperature).softmax(dim=-1).cumsum(dim=-1)
    picked: Tensor = torch.searchsorted(cumulative, draws[:, None] * cumulative[:, -1:], right=True)[:, 0]
    return picked


def stop_ids(model: Model) -> list[int]:
    """Every id that ends an answer: the tokenizer's end and whatever the net's own generation settings add."""
    configured = getattr(model.net.generation_config, "eos_token_id", None)
    configured = configured if isinstance(configured, list) else [configured]
    return sorted({each for each in (*configured, model.tokenizer.eos_token_id) if each is not None})


def truncate_at_stop(text: str, stops: Sequence[str]) -> str:
    """The text before the first stop string in it."""
    for stop in stops:
        text = text.split(stop)[0]
    return text


def _limit(model: Model) -> int:
    """The most tokens of one batch on the model's device."""
    return min(fitting_sizes(model)) if model.device.type == "cuda" else BATCH_TOKENS


def _batches(prompts: Sequence[Sequence[int]], max_new_tokens: int, limit: int) -> list[list[int]]:
    """Indices of the prompts, longest first, in groups of at most `limit` tokens with room for the answers."""
    order = sorted(range(len(prompts)), key=lambda index: (-len(prompts[index]), index))
    groups: list[list[int]] = []
    while order:
        size = max(1, limit // (len(prompts[order[0]]) + max_new_tokens))
        groups.append(order[:size])
        order = order[size:]
    return groups

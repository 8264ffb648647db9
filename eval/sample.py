"""Greedy generation in batches, with stop strings."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import GenerationConfig, StoppingCriteria, StoppingCriteriaList

from eval.cost import generation_flops
from eval.progress import tell
from eval.subject import Subject

BATCH_TOKENS = 8192


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Generated texts, cut at the stop, and what they cost."""

    texts: tuple[str, ...]
    flops: float
    executed_flops: float


class _StopAtStrings(StoppingCriteria):
    """A row is done once its new text holds one of the stop strings."""

    def __init__(self, subject: Subject, prompt_tokens: int, stops: Sequence[str]) -> None:
        self.tokenizer, self.prompt_tokens, self.stops = subject.tokenizer, prompt_tokens, stops

    def __call__(self, input_ids, scores, **kwargs):  # type: ignore[no-untyped-def]
        # A stop string is at most this many tokens long, so only the tail can have completed it.
        tail = max(map(len, self.stops)) + 4
        texts = self.tokenizer.batch_decode(input_ids[:, max(self.prompt_tokens, input_ids.shape[1] - tail) :])
        return torch.tensor([any(stop in text for stop in self.stops) for text in texts], device=input_ids.device)


def generate(
    subject: Subject,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    stops: Sequence[str] = (),
) -> Samples:
    """Continue each prompt greedily until the subject stops, a stop string appears or `max_new_tokens` are written."""
    texts = [""] * len(prompts)
    flops = executed = 0.0
    done = 0
    for indices in _batches(prompts, max_new_tokens):
        width = max(len(prompts[index]) for index in indices)
        pad = subject.tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (width - len(prompts[index])) + list(prompts[index]) for index in indices])
        real = torch.tensor([[0] * (width - len(prompts[i])) + [1] * len(prompts[i]) for i in indices])
        stopping = StoppingCriteriaList([_StopAtStrings(subject, width, stops)] if stops else [])
        with torch.inference_mode():
            output = subject.net.generate(  # type: ignore[operator]
                input_ids=ids.to(subject.device),
                attention_mask=real.to(subject.device),
                generation_config=_greedy(subject, max_new_tokens),
                stopping_criteria=stopping,
            )
        for index, row in zip(indices, output[:, width:].tolist(), strict=True):
            written = _until_stop(row, subject)
            texts[index] = _cut(str(subject.tokenizer.decode(written, skip_special_tokens=True)), stops)
            flops += _flops(subject, len(prompts[index]), max(1, len(written)))
        executed += len(indices) * _flops(subject, width, output.shape[1] - width)
        done += len(indices)
        tell("answers written", done, len(prompts))
    return Samples(texts=tuple(texts), flops=flops, executed_flops=executed)


def _flops(subject: Subject, prompt_tokens: int, new_tokens: int) -> float:
    return generation_flops(
        subject.shape,
        prompt_tokens=prompt_tokens,
        new_tokens=new_tokens,
        adapter_parameters=subject.adapter_parameters,
    )


def stop_ids(subject: Subject) -> list[int]:
    """Every id that ends an answer: the tokenizer's end and whatever the net's own generation settings add."""
    configured = getattr(subject.net.generation_config, "eos_token_id", None)
    listed = configured if isinstance(configured, list) else [configured]
    return sorted({each for each in (*listed, subject.tokenizer.eos_token_id) if each is not None})


def _greedy(subject: Subject, max_new_tokens: int) -> GenerationConfig:
    return GenerationConfig(
        do_sample=False,
        # What is left out here would be taken from the settings that the subject ships with.
        repetition_penalty=1.0,
        no_repeat_ngram_size=0,
        max_new_tokens=max_new_tokens,
        eos_token_id=stop_ids(subject),
        pad_token_id=subject.tokenizer.pad_token_id,
        bos_token_id=subject.tokenizer.bos_token_id,
    )


def _until_stop(row: list[int], subject: Subject) -> list[int]:
    """The ids up to and with the first stop id, or up to the padding after a stop string."""
    for position, token in enumerate(row):
        if token in stop_ids(subject):
            return row[: position + 1]
        if token == subject.tokenizer.pad_token_id:
            return row[:position]
    return row


def _cut(text: str, stops: Sequence[str]) -> str:
    for stop in stops:
        text = text.split(stop)[0]
    return text


def _batches(prompts: Sequence[Sequence[int]], max_new_tokens: int) -> list[list[int]]:
    """Longest prompts first, as many rows as fit the token budget with room for the answers."""
    order = sorted(range(len(prompts)), key=lambda index: (-len(prompts[index]), index))
    groups: list[list[int]] = []
    while order:
        size = max(1, BATCH_TOKENS // (len(prompts[order[0]]) + max_new_tokens))
        groups.append(order[:size])
        order = order[size:]
    return groups

"""Prompt -> token ids of one model: its chat template or plain text, with BOS exactly once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from educe.data.errors import UserError, one_line
from educe.data.example import Message
from educe.data.formats.render import Prompt
from educe.data.template import render_template
from educe.eval.model.model import Model
from educe.eval.model.text_steps import FIX

# Questions whose ids are kept: the size of a usual test set.
CACHED_QUESTIONS = 2048


@dataclass(frozen=True, kw_only=True)
class Branches:
    """A prompt and what may follow it, as ids: the longest common prefix once, then each option."""

    prompt: tuple[int, ...]
    options: tuple[tuple[int, ...], ...]


def prompt_text(model: Model, prompt: Prompt) -> str:
    """The exact text that the model sees. UserError for a chat prompt where the model has no chat template."""
    if prompt.style == "completion":
        return prompt.text()
    if not model.tokenizer.chat_template:
        raise UserError(f"model {model.name!r} ({model.kind}) has no chat template; use template: completion")
    return chat_text(model, prompt.messages, add_generation_prompt=True) + prompt.prefill


def chat_text(model: Model, messages: Sequence[Message], *, add_generation_prompt: bool) -> str:
    """Messages through the model's own template, without a thinking block where the template has that switch.

    A template that prints today's date prints a fixed one, so that a prompt is the same tomorrow. UserError where the
    template refuses the messages (for example a system turn), fails, or does more work than a prompt needs.
    """
    special = {name: _plain(token) for name, token in model.tokenizer.special_tokens_map.items()}
    values: dict[str, Any] = {"messages": [{"role": each.role, "content": each.content} for each in messages]}
    values |= {"tools": None, "documents": None, "add_generation_prompt": add_generation_prompt}
    template = str(model.tokenizer.get_chat_template())  # the default of several
    return render_template(template, model=model.name, **{**values, **special, "enable_thinking": False})


def _plain(token: Any) -> Any:
    return [str(each) for each in token] if isinstance(token, list | tuple) else str(token)


def encode_text(model: Model, text: str) -> tuple[int, ...]:
    """Ids of a whole text at the start of a context: with BOS where the tokenizer adds it, and never twice."""
    (row,) = encode_texts(model, [text])
    return row


def encode_texts(model: Model, texts: Sequence[str]) -> list[tuple[int, ...]]:
    """Ids of several whole texts; one call of the tokenizer costs little more than one text."""
    bos = model.tokenizer.bos_token_id
    rows = []
    with one_line(f"the tokenizer of model {model.name!r} cannot read a prompt", FIX):
        read = model.tokenizer(list(texts), add_special_tokens=False, verbose=False).input_ids
    for ids in read:
        opened = [bos, *ids] if model.adds_bos and ids[:1] != [bos] else ids
        if opened[:2] == [bos, bos]:
            raise UserError(f"the chat template of model {model.name!r} writes the BOS token twice; fix the template")
        if max(opened, default=0) >= model.shape.vocab:
            raise UserError(
                f"model {model.name!r} has {model.shape.vocab:,} embeddings and none for token {max(opened):,} of its"
                f" tokenizer; {FIX}"
            )
        rows.append((*model.prefix, *opened))
    return rows


def _check_not_empty(model: Model, ids: Sequence[int]) -> None:
    if not ids:
        raise UserError(
            f"a prompt of model {model.name!r} has no tokens before the answer; its chat template or tokenizer drops"
            " the question: use template: completion, or fix them"
        )


def encode_prompt(model: Model, prompt: Prompt, *, room: int = 0) -> tuple[int, ...]:
    """Ids of a prompt; UserError where it and `room` tokens more do not fit the context."""
    ids = encode_text(model, prompt_text(model, prompt))
    _check_not_empty(model, ids)
    _check_prompt_fits(model, prompt, len(ids) + room, room=room)
    return ids


def encode_options(model: Model, prompt: Prompt, options: Sequence[str]) -> Branches:
    """Ids of a prompt and of each option after it.

    Prompt and option are tokenised together, because a boundary may fall inside a token. What all texts share is the
    prompt, and the rest of each is scored. The cells of a study prompt with the same questions, so the last ones are
    cached.
    """
    key = (encode_options, model.prefix)
    if key not in model.cache:
        model.cache[key] = lru_cache(CACHED_QUESTIONS)(partial(_encode_options, model))
    branches: Branches = model.cache[key](prompt, tuple(options))
    return branches


def _encode_options(model: Model, prompt: Prompt, options: Sequence[str]) -> Branches:
    text = prompt_text(model, prompt)
    rows = encode_texts(model, [text, *(text + prompt.continuation(option) for option in options)])
    opening = model.tokenizer.bos_token_id if model.tokenizer.bos_token_id is not None else model.tokenizer.eos_token_id
    if not text and not rows[0] and opening is not None and prompt.style == "completion":
        rows = [(opening, *row) for row in rows]  # the options are all that is asked; a text opens so
    shared = common_prefix(rows)
    _check_not_empty(model, rows[0][:shared])
    longest = max(map(len, rows))
    _check_prompt_fits(model, prompt, longest, room=longest - len(rows[0]))
    return Branches(prompt=rows[0][:shared], options=tuple(row[shared:] for row in rows[1:]))


def _check_prompt_fits(model: Model, prompt: Prompt, tokens: int, *, room: int) -> None:
    """UserError where the prompt is too long, with the number of its shots that would fit."""
    if tokens <= model.shape.context or not prompt.num_shots:
        return check_fits(model, tokens)
    alone = len(encode_text(model, prompt_text(model, prompt.after(0)))) + room
    if alone > model.shape.context:
        return check_fits(model, alone)
    fitting = prompt.num_shots - 1
    while fitting and len(encode_text(model, prompt_text(model, prompt.after(fitting)))) + room > model.shape.context:
        fitting -= 1
    raise UserError(
        f"a prompt of {tokens} tokens with {prompt.num_shots} shots is longer than the context of {model.name!r}"
        f" ({model.shape.context} tokens); at most {fitting} of them fit before this question"
    )


def common_prefix(rows: Sequence[tuple[int, ...]]) -> int:
    """Length of the longest prefix that all rows share."""
    first, last = min(rows), max(rows)
    for position, (one, other) in enumerate(zip(first, last, strict=False)):
        if one != other:
            return position
    return min(len(first), len(last))


def check_fits(model: Model, tokens: int) -> None:
    """UserError where a row is longer than the model's context."""
    if tokens > model.shape.context:
        raise UserError(
            f"a prompt and its answer, {tokens} tokens, are longer than the context of {model.name!r}"
            f" ({model.shape.context} tokens); use shorter questions, or write fewer tokens"
        )

"""Demonstrations -> ids with the answer's tokens marked: the prompt is never supervised, the stop token always is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from educe.data.errors import UserError
from educe.data.example import Example, Message
from educe.data.formats.render import Prompt, PromptFunction, answer_text
from educe.eval.model.encode import chat_text, check_fits, common_prefix, encode_texts, prompt_text
from educe.eval.model.model import Model


@dataclass(frozen=True, kw_only=True)
class TrainingRow:
    """One demonstration: ids, and how many of the last ones are supervised."""

    id: str
    ids: tuple[int, ...]
    supervised: int

    @property
    def parts(self) -> tuple["TrainingRow"]:
        return (self,)

    @property
    def loss_terms(self) -> int:
        return self.supervised

    def with_prefix(self, prefix: tuple[int, ...]) -> "TrainingRow":
        return replace(self, ids=prefix + self.ids)


def encode_rows(model: Model, examples: Sequence[Example], prompt_fn: PromptFunction) -> tuple[TrainingRow, ...]:
    """Encode each example as its prompt, its answer and the stop. UserError as for `encode_answer`."""
    prompts = [prompt_fn(example) for example in examples]
    return tuple(
        encode_answer(model, prompt, answer_text(example, prompt.format), id=example.id)
        for example, prompt in zip(examples, prompts, strict=True)
    )


def encode_answer(model: Model, prompt: Prompt, answer: str, *, id: str) -> TrainingRow:
    """A prompt, a text to answer it with, and the stop.

    UserError where the row is longer than the context or leaves no token to learn from, naming the example by its id.
    """
    text = prompt_text(model, prompt)
    before, whole = encode_texts(model, [text, text + _closing(model, prompt, answer)])
    check_fits(model, len(whole))
    supervised = len(whole) - common_prefix([before, whole])
    if supervised == 0:
        raise UserError(f"example {id!r} has no token to learn from; its answer is empty in this format")
    return TrainingRow(id=id, ids=whole, supervised=supervised)


def _closing(model: Model, prompt: Prompt, answer: str) -> str:
    """The answer and the token that ends it, after the same prompt that the model is measured with.

    The chat template decides how a turn ends. White space after its end token is cut off, because generation stops
    before it.
    """
    closing = ""
    if prompt.style == "chat":
        turns = (*prompt.messages, Message(role="assistant", content=answer))
        closing = chat_text(model, turns, add_generation_prompt=False).rpartition(answer)[2].rstrip()
    return prompt.continuation(answer) + (closing or str(model.tokenizer.eos_token))

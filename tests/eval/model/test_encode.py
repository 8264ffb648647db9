"""Prompts to ids: golden prompts, BOS exactly once, boundaries inside a token."""

import pytest

from educe.data.errors import UserError
from educe.data.example import Example, Message
from educe.data.format import Format
from educe.data.formats.render import render
from educe.eval.model.encode import chat_text, common_prefix, encode_options, encode_prompt, encode_text, prompt_text
from tests.nets import tiny, tiny_chat

CAPITAL = Example(id="fr", question="What is the capital of France?", answer="Paris", choices=("Paris", "Rome"))
OTHER = Example(id="it", question="What is the capital of Italy?", answer="Rome", choices=("Rome", "Paris"))


def test_golden_completion_prompt():
    prompt = render(CAPITAL, Format(), style="completion", shots=[OTHER])
    assert prompt_text(tiny(), prompt) == (
        "Question: What is the capital of Italy?\nAnswer: Rome\n\nQuestion: What is the capital of France?\nAnswer:"
    )


def test_golden_completion_prompt_by_letter_with_an_instruction():
    form = Format(answer_as="letter", instruction="Answer with a letter.")
    assert prompt_text(tiny(), render(CAPITAL, form, style="completion")) == (
        "Answer with a letter.\n\nQuestion: What is the capital of France?\nA. Paris\nB. Rome\nAnswer:"
    )


def test_golden_chat_prompt():
    prompt = render(CAPITAL, Format(), style="chat", shots=[OTHER])
    assert prompt_text(tiny_chat(), prompt) == (
        "<bos>user: What is the capital of Italy?<eos>\nassistant: Rome<eos>\n"
        "user: What is the capital of France?<eos>\nassistant: "
    )


def test_the_template_writes_bos_and_the_tokenizer_does_not_add_another():
    model = tiny_chat()
    ids = encode_text(model, prompt_text(model, render(CAPITAL, Format(), style="chat")))
    assert list(ids).count(model.tokenizer.bos_token_id) == 1


def test_a_tokenizer_that_opens_with_bos_does_so_exactly_once():
    from dataclasses import replace

    model = replace(tiny(), adds_bos=True)
    bos = model.tokenizer.bos_token_id
    assert encode_text(model, "hi")[0] == bos
    assert encode_text(model, "<bos>hi") == encode_text(model, "hi")


def test_a_template_that_writes_bos_twice_is_refused():
    model = tiny_chat()
    with pytest.raises(UserError, match="writes the BOS token twice"):
        encode_text(model, "<bos><bos>hi")


def test_a_chat_prompt_for_a_model_without_a_template_is_refused():
    model = tiny()
    model.tokenizer.chat_template = None
    with pytest.raises(UserError, match=r"'tiny-random' \(base\) has no chat template"):
        prompt_text(model, render(CAPITAL, Format(), style="chat"))


def test_prompt_and_options_join_into_the_ids_of_the_whole_text():
    model = tiny()
    prompt = render(CAPITAL, Format(), style="completion")
    item = encode_options(model, prompt, CAPITAL.choices)
    for option, text in zip(item.options, CAPITAL.choices, strict=True):
        assert model.tokenizer.decode([*item.prompt, *option]) == f"{prompt.text()} {text}"


def test_common_prefix():
    assert common_prefix([(1, 2, 3), (1, 2, 4), (1, 2)]) == 2
    assert common_prefix([(1, 2), (1, 2)]) == 2
    assert common_prefix([(3,), (4,)]) == 0


def test_a_template_that_prints_the_date_prints_the_same_one_every_day():
    model = tiny_chat()
    model.tokenizer.chat_template = "{{ strftime_now('%d %b %Y') }} " + model.tokenizer.chat_template
    said = chat_text(model, [Message(role="user", content="Hi")], add_generation_prompt=False)
    assert said.startswith("01 Jan 2026 ")


def test_what_was_asked_before_is_not_encoded_again(monkeypatch):
    model = tiny()
    prompt = render(CAPITAL, Format(), style="completion")
    first = encode_options(model, prompt, CAPITAL.choices)
    monkeypatch.setattr("educe.eval.model.encode.encode_texts", lambda *_: pytest.fail("encoded again"))
    assert encode_options(model, render(CAPITAL, Format(), style="completion"), list(CAPITAL.choices)) is first


def test_a_prompt_without_tokens_is_refused():
    model = tiny_chat()
    model.tokenizer.chat_template = '{{ "" }}'
    model.tokenizer.bos_token = None
    prompt = render(CAPITAL, Format(), style="chat")
    for encode in (lambda: encode_prompt(model, prompt), lambda: encode_options(model, prompt, CAPITAL.choices)):
        with pytest.raises(UserError, match="a prompt of model 'tiny-random' has no tokens before the answer"):
            encode()


def test_a_token_without_an_embedding_is_refused():
    model = tiny()
    model.tokenizer.add_tokens(["France"])
    assert max(model.tokenizer("France").input_ids) >= model.shape.vocab
    with pytest.raises(UserError, match=r"embeddings and none for token \d+ of its tokenizer"):
        encode_text(model, "the capital of France")


def test_a_tokenizer_that_fails_on_a_prompt_is_one_line(monkeypatch):
    """Rust panics are no Exceptions."""
    model, panic = tiny(), type("PanicException", (BaseException,), {})

    def fails(*args, **more):
        raise panic("retry-limit-in-match over")

    monkeypatch.setattr(type(model.tokenizer), "__call__", fails)
    with pytest.raises(
        UserError, match=r"^the tokenizer of model 'tiny-random' cannot read a prompt: PanicException: re"
    ):
        encode_text(model, "x")

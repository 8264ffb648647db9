"""Batched generation against one prompt at a time; where it stops; what it costs."""

import pytest
import torch

from educe.eval.model.encode import encode_text
from educe.eval.model.flops import generation_flops
from educe.eval.model.sample import _pick, generate, truncate_at_stop
from educe.eval.progress import progress_listener
from tests.nets import tiny, tiny_sliding

TEXTS = ["Hello there", "Hi", "What is the capital of France? Answer:"]


def one_by_one(model, ids, num_tokens):
    """Greedy decoding from full logits, no cache, no padding."""
    row = list(ids)
    for _ in range(num_tokens):
        with torch.inference_mode():
            row.append(int(model.net(torch.tensor([row])).logits[0, -1].argmax()))
        if row[-1] == model.tokenizer.eos_token_id:
            break
    return model.tokenizer.decode(row[len(ids) :], skip_special_tokens=True)


@pytest.mark.parametrize("make", [tiny, tiny_sliding])
def test_a_batch_writes_what_each_prompt_alone_would(make):
    model = make()
    prompts = [encode_text(model, text) for text in TEXTS]
    expected = [one_by_one(model, ids, 6) for ids in prompts]
    assert list(generate(model, prompts, max_new_tokens=6).texts) == expected


@pytest.mark.parametrize("make", [tiny, tiny_sliding])
def test_a_shared_prefix_is_read_once_and_finished_rows_leave(make):
    model = make()
    shots = "Question: 1+1?\nAnswer: 2\n\nQuestion: 2+3?\nAnswer: 5\n\n"
    prompts = [encode_text(model, shots + text) for text in TEXTS]
    expected = [one_by_one(model, ids, 8) for ids in prompts]
    stop = expected[0][2]
    assert list(generate(model, prompts, max_new_tokens=8).texts) == expected
    stopped = generate(model, prompts, max_new_tokens=8, stops=[stop])
    assert list(stopped.texts) == [text.split(stop)[0] for text in expected]
    whole = generate(model, prompts, max_new_tokens=8)
    assert stopped.executed_flops < whole.executed_flops
    if make is tiny:  # what is executed under a sliding window is charged in full
        assert whole.executed_flops < whole.flops


def test_texts_end_before_the_first_stop_string():
    assert truncate_at_stop("Paris\n\nQuestion: next", ("\n\n", "\nQuestion:")) == "Paris"
    assert truncate_at_stop("Paris", ("\n\n",)) == "Paris"


def test_generation_stops_at_a_stop_string():
    model = tiny()
    prompt = encode_text(model, "Hello there")
    free = generate(model, [prompt], max_new_tokens=12)
    stop = free.texts[0][3:5]
    stopped = generate(model, [prompt], max_new_tokens=12, stops=[stop])
    assert stopped.texts[0] == free.texts[0].split(stop)[0]
    assert stopped.flops < free.flops


def test_the_cost_is_that_of_prompt_and_answer():
    model = tiny()
    prompt = encode_text(model, "Hello there")
    expected = generation_flops(model.shape, prompt_tokens=len(prompt), new_tokens=4)
    assert generate(model, [prompt], max_new_tokens=4).flops == expected


def test_progress_counts_every_prompt():
    model = tiny()
    told: list[tuple[str, int, int]] = []
    with progress_listener(lambda *news: told.append(news)):
        generate(model, [encode_text(model, text) for text in TEXTS], max_new_tokens=2)
    assert told[-1] == ("answers written", 3, 3)


def test_what_is_drawn_depends_on_seed_and_place_and_not_on_the_batch(monkeypatch):
    model = tiny()
    prompts = [encode_text(model, text) for text in TEXTS]

    def draw(seed=0):
        return generate(model, prompts, max_new_tokens=6, temperature=1.0, seed=seed).texts

    together, other = draw(), draw(seed=1)
    assert together == draw()
    assert together != other
    monkeypatch.setattr("educe.eval.model.sample.BATCH_TOKENS", 1)
    assert draw() == together


def test_words_are_drawn_in_their_shares():
    logits = torch.tensor([0.5, 0.25, 0.125, 0.125]).log().expand(4000, 4)
    draws = torch.rand(4000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    shares = torch.bincount(_pick(logits, draws, 1.0), minlength=4) / 4000
    assert torch.allclose(shares, torch.tensor([0.5, 0.25, 0.125, 0.125]), atol=0.03)
    cold = torch.bincount(_pick(logits, draws, 0.5), minlength=4) / 4000
    assert torch.allclose(cold, torch.tensor([16, 4, 1, 1]) / 22, atol=0.03)
    assert set(_pick(logits, draws, 0.0).tolist()) == {0}

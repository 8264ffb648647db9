"""The real path: weights from the pinned wheels, real data, real training."""

from functools import cache

import pytest
from torch.nn.attention import flex_attention

from educe.data.formats.render import option_texts, render
from educe.data.resolve import resolve
from educe.eval.measure import measure
from educe.eval.model import attention
from educe.eval.model.encode import Branches, encode_options, encode_text, prompt_text
from educe.eval.model.load import load_model
from educe.eval.model.model import Model
from educe.eval.model.sample import generate
from educe.eval.model.score import score_options
from educe.eval.model.weights import bundled_folder
from educe.eval.prompting.prompts import PromptConfig, make_prompt_fn
from educe.train.attach import temporary_changes
from educe.train.changes.peft import Lora
from educe.train.encode import encode_rows
from educe.train.loss import AnswerLoss
from educe.train.schedule import Schedule
from educe.train.sft import fine_tune
from tests.eval.model.test_score import plain
from tests.harness import lm_eval_likelihoods

pytestmark = [pytest.mark.model, pytest.mark.slow]
SMOLLM2, GEMMA = "smollm2-135m-instruct", "gemma-3-270m"


@cache
def model_called(name: str) -> Model:
    return load_model(name)


@pytest.mark.parametrize("name", [SMOLLM2, GEMMA])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_folder_of_a_real_model_is_loaded_like_a_strangers(name: str, dtype: str) -> None:
    """Before: SmolLM2 failed the check of masks by rounding (1.2e-3 nats), and Gemma for a setting that is its own."""
    assert load_model(f"path:{bundled_folder(name)}", dtype=dtype, device="cpu").shape == model_called(name).shape


def check_exact(model: Model, task_name: str, *, style: str, shots: int, num_items: int) -> None:
    task = resolve(task_name)
    demonstrations = task.draw("train", shots, seed=0)
    items = task.test_items(num_items)
    prompts = [render(item, task.format, style=style, shots=demonstrations) for item in items]
    encoded = [
        encode_options(model, prompt, option_texts(item, task.format))
        for item, prompt in zip(items, prompts, strict=True)
    ]
    for item, values in zip(encoded, score_options(model, encoded).loglikelihoods, strict=True):
        assert values == pytest.approx(plain(model, item), abs=1e-4)


def test_smollm2_scores_equal_full_logits_through_its_chat_template():
    check_exact(model_called(SMOLLM2), "capitals", style="chat", shots=0, num_items=4)


@pytest.mark.parametrize("shots", [0, 3])
@pytest.mark.parametrize("task_name", ["capitals", "word_sentiment"])
@pytest.mark.parametrize(("name", "style"), [(SMOLLM2, "chat"), (SMOLLM2, "completion"), (GEMMA, "completion")])
def test_scores_equal_full_logits(name, style, task_name, shots):
    check_exact(model_called(name), task_name, style=style, shots=shots, num_items=12)


def test_scores_equal_full_logits_beyond_gemmas_sliding_window():
    check_exact(model_called(GEMMA), "capitals", style="completion", shots=40, num_items=3)


def capitals(model: Model, *, shots: int, num_items: int) -> list[Branches]:
    task = resolve("capitals")
    demonstrations = task.draw("train", shots, seed=0)
    return [
        encode_options(model, render(item, task.format, style="completion", shots=demonstrations), item.choices)
        for item in task.test_items(num_items)
    ]


@pytest.mark.parametrize("shots", [0, 40])
@pytest.mark.parametrize("name", [SMOLLM2, GEMMA])
def test_block_sparse_scores_equal_dense_ones(name, shots, monkeypatch):
    """As on a GPU, without a compiler; beyond Gemma's sliding window, too."""
    monkeypatch.setattr(attention, "BLOCK_SPARSE_KEYS", 1)
    monkeypatch.setattr(flex_attention, "_FLEX_ATTENTION_DISABLE_COMPILE_DEBUG", True)
    monkeypatch.setattr(attention, "_kernel", lambda: flex_attention.flex_attention)
    model = load_model(name)
    items = capitals(model, shots=shots, num_items=3)
    dense = score_options(model, items).loglikelihoods
    attention.allow_block_sparse(model.net)
    for one, other in zip(score_options(model, items).loglikelihoods, dense, strict=True):
        assert one == pytest.approx(other, abs=1e-4)


@pytest.mark.parametrize("name", [SMOLLM2, GEMMA])
def test_bfloat16_scores_are_near_float32_ones(name):
    """docs/log.md has how near: 0.07 to 0.15 nats an option on average, and a few unlikely ones much farther apart."""
    exact, half = model_called(name), load_model(name, dtype="bfloat16")
    items = capitals(exact, shots=0, num_items=16)
    pairs = zip(score_options(exact, items).loglikelihoods, score_options(half, items).loglikelihoods, strict=True)
    apart = []
    for one, other in pairs:
        apart += [abs(mine - theirs) for mine, theirs in zip(one, other, strict=True)]
        best, runner_up = sorted(one, reverse=True)[:2]
        assert best - runner_up < 0.5 or one.index(best) == other.index(max(other))
    assert sum(apart) / len(apart) < 0.25 and sorted(apart)[int(0.95 * len(apart))] < 0.75


def test_smollm2_zero_shot_knows_some_capitals():
    model = model_called(SMOLLM2)
    task = resolve("capitals")
    answers = measure(
        model, task, make_prompt_fn(model, task, prompt_config=PromptConfig(template="completion")), task.test_items(24)
    )
    assert sum(outcome.score for outcome in answers.outcomes) / 24 > 0.4  # chance is 0.25


def test_a_short_lora_lowers_smollm2s_loss_and_comes_off_again():
    model = model_called(SMOLLM2)
    task = resolve("word_sentiment")
    prompt_fn = make_prompt_fn(model, task)
    rows = encode_rows(model, task.draw("train", 8, seed=0), prompt_fn)
    before = AnswerLoss(model.net, shared=0, pad=0)([rows]).item()
    with temporary_changes(model):
        schedule = Schedule(learning_rate=5e-4, steps=4)
        tuned = fine_tune(model, rows, trainable=Lora(rank=8), schedule=schedule, seed=0)
        assert tuned.history[-1]["loss"] < 0.5 * tuned.history[0]["loss"]
    assert AnswerLoss(model.net, shared=0, pad=0)([rows]).item() == before


def test_golden_chat_prompt_of_smollm2():
    model = model_called(SMOLLM2)
    task = resolve("word_sentiment")
    item = next(each for each in task.rows["test"] if each.choices[0] == "positive")
    assert prompt_text(model, make_prompt_fn(model, task)(item)) == (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        f"<|im_start|>user\n{item.question}<|im_end|>\n<|im_start|>assistant\n"
    )


def test_gemma_reads_bos_exactly_once():
    model = model_called(GEMMA)
    ids = encode_text(model, "Question: hello?\nAnswer:")
    assert ids[0] == model.tokenizer.bos_token_id
    assert ids.count(model.tokenizer.bos_token_id) == 1


@pytest.mark.parametrize("name", [SMOLLM2, GEMMA])
def test_a_tuned_model_answers_in_one_word_and_stops(name):
    """The stop token is learned: an untuned base model would ramble on."""
    model = model_called(name)
    task = resolve("word_sentiment")
    prompt_fn = make_prompt_fn(model, task)
    rows = encode_rows(model, task.draw("train", 64, seed=0), prompt_fn)
    prompts = [encode_text(model, prompt_text(model, prompt_fn(item))) for item in task.test_items(8)]
    with temporary_changes(model):
        tuned = fine_tune(
            model, rows, trainable=Lora(rank=8), schedule=Schedule(learning_rate=5e-4, steps=24), seed=0
        ).model
        texts = generate(tuned, prompts, max_new_tokens=12).texts
    assert {text.strip() for text in texts} <= {"positive", "negative"}


@pytest.mark.parametrize("name", [SMOLLM2, GEMMA])
def test_option_likelihoods_agree_with_lm_eval(name):
    """The same items and prompts through lm-eval's own Hugging Face model, within 1e-4 nats and with the same picks."""
    pytest.importorskip("lm_eval", reason="lm-eval is an extra: pip install 'educe[interop]'")
    from lm_eval.models.huggingface import HFLM

    model = model_called(name)
    task = resolve("capitals")
    items = task.test_items(12)
    peer = HFLM(
        pretrained=model.net,
        tokenizer=model.tokenizer,
        batch_size=8,
        add_bos_token=model.adds_bos,
        softmax_dtype="float64",
    )
    prompts = [render(item, task.format, style="completion") for item in items]
    asked = [
        (prompt.text(), [prompt.continuation(option) for option in item.choices])
        for item, prompt in zip(items, prompts, strict=True)
    ]
    encoded = [encode_options(model, prompt, item.choices) for item, prompt in zip(items, prompts, strict=True)]
    for ours, theirs in zip(
        score_options(model, encoded).loglikelihoods, lm_eval_likelihoods(peer, asked), strict=True
    ):
        assert ours == pytest.approx(theirs, abs=1e-4)

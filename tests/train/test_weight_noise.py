"""Noise in the weights: what it is, that it leaves nothing behind, and the recipe that chooses a level."""

import weakref
from dataclasses import replace

import pytest
import torch

from educe.data.errors import UserError
from educe.data.tasks.arithmetic import arithmetic
from educe.data.tasks.word_sentiment import word_sentiment
from educe.eval.measure import measure
from educe.eval.model.net import layers_of
from educe.eval.prompting.prompts import make_prompt_fn
from educe.recipes.catalog import make_method
from educe.recipes.prompting import weight_noise as recipe
from educe.train import weight_noise
from educe.train.attach import attach, temporary_changes
from educe.train.changes.own_weights import AllWeights
from educe.train.changes.peft import Lora
from educe.train.encode import encode_rows
from educe.train.schedule import Schedule
from educe.train.sft import fine_tune
from educe.train.weight_noise import noisy_weights, scan_noise
from tests.nets import tiny, tiny_sliding

IDS = torch.arange(3, 40)[None]


def logits(model):
    with torch.inference_mode():
        return model.net(IDS).logits


def noise_of(model, *, level, seed, place="up_proj"):
    """What a matrix of the last layer has added, read off its own products."""
    (module,) = [part for name, part in layers_of(model.net)[-1].named_modules() if name.endswith(place)]
    eye = torch.eye(module.weight.shape[1])
    with torch.inference_mode():
        with noisy_weights(model, level=level, seed=seed):
            noisy = module(eye)
        return (noisy - module(eye)).T, module.weight


def bits_of(model):
    return {name: (each, each.detach().clone()) for name, each in model.net.named_parameters()}


@pytest.mark.parametrize("make", [tiny, tiny_sliding])
def test_noise_has_the_size_of_the_level_and_mean_zero(make):
    noise, weight = noise_of(make(), level=0.3, seed=0)
    size = noise.numel() ** 0.5
    assert noise.std().item() / weight.std().item() == pytest.approx(0.3, rel=4 / (2**0.5 * size))
    assert abs(noise.mean().item()) < 4 * noise.std().item() / size
    # A normal distribution has 4.6% beyond two standard deviations.
    assert (noise.abs() > 2 * noise.std()).float().mean().item() == pytest.approx(0.0455, abs=4 * 0.21 / size)


def test_a_larger_level_scales_the_same_noise_and_another_seed_draws_other_noise():
    model = tiny()
    small, _ = noise_of(model, level=0.1, seed=0)
    large, _ = noise_of(model, level=0.2, seed=0)
    other, _ = noise_of(model, level=0.1, seed=1)
    assert torch.allclose(2 * small, large, atol=1e-6)
    assert abs(torch.corrcoef(torch.stack([small.flatten(), other.flatten()]))[0, 1].item()) < 4 / small.numel() ** 0.5
    gate, _ = noise_of(model, level=0.1, seed=0, place="gate_proj")
    assert abs(torch.corrcoef(torch.stack([small.flatten(), gate.flatten()]))[0, 1].item()) < 4 / small.numel() ** 0.5


def test_weights_are_bit_for_bit_what_they_were_also_after_a_failure():
    model = tiny()
    before, plain = bits_of(model), logits(model)
    with noisy_weights(model, level=0.2, seed=0):
        assert not torch.equal(logits(model), plain)
        again = logits(model)
        assert torch.equal(logits(model), again)
    with pytest.raises(IndexError), noisy_weights(model, level=0.2, seed=0):
        model.net(torch.tensor([[10**6]]))  # no such token
    with pytest.raises(ZeroDivisionError), noisy_weights(model, level=0.2, seed=0):
        raise ZeroDivisionError
    after = bits_of(model)
    assert before.keys() == after.keys()
    for name, (parameter, values) in before.items():
        assert after[name][0] is parameter
        assert torch.equal(after[name][1].view(torch.int32), values.view(torch.int32)), name
    assert torch.equal(logits(model), plain)
    assert not any("forward" in vars(module) for module in model.net.modules())


def test_a_failure_within_a_product_leaves_the_weight_too(monkeypatch):
    model = tiny()
    before = bits_of(model)
    layer = layers_of(model.net)[0].mlp.up_proj

    def fails(*_):
        raise MemoryError

    monkeypatch.setattr(layer, "forward", fails)
    with pytest.raises(MemoryError), noisy_weights(model, level=0.2, seed=0):
        logits(model)
    assert all(after is before[name][0] for name, after in model.net.named_parameters())


def test_one_noisy_matrix_is_held_at_a_time(monkeypatch):
    model, alive, most = tiny(), weakref.WeakSet(), 0
    draw = weight_noise._noisy

    def counted(weight, **settings):
        nonlocal most
        made = draw(weight, **settings)
        most = max(most, 1 + len(alive))
        alive.add(made)
        return made

    monkeypatch.setattr(weight_noise, "_noisy", counted)
    with noisy_weights(model, level=0.2, seed=0):
        logits(model)
    assert most == 1
    assert len(weight_noise._matrices(model)) == 2 * 7  # of two layers, each with seven maps


def test_an_adapter_keeps_its_own_weights_and_the_noise_below_is_the_same():
    model = tiny()
    alone, _ = noise_of(model, level=0.2, seed=0)
    with temporary_changes(model):
        tuned = attach(model, Lora(rank=2), seed=0)
        with torch.no_grad():
            for parameter in tuned.trained.values():
                parameter.add_(0.1)
        under, _ = noise_of(tuned, level=0.2, seed=0, place="up_proj")
    assert torch.allclose(under, alone, atol=1e-5)


def test_a_scan_asks_once_without_noise_and_in_every_draw_with_it():
    model, task = tiny(), word_sentiment()
    items, prompt_fn = task.test_items(8), make_prompt_fn(model, task)
    answers = scan_noise(model, task, prompt_fn, items, levels=(0.0, 0.2, 0.4), draws=3, seed=0)
    assert [len(each) for each in answers] == [1, 3, 3]
    assert answers[0][0] == measure(model, task, prompt_fn, items)
    likelihoods = {each.outcomes[0].loglikelihoods for level in answers for each in level}
    assert len(likelihoods) == 7


def run(settings, model, task):
    _, method = make_method({"weight_noise": settings})
    with temporary_changes(model):
        elicited = method(model, task, examples=0, seed=0)
        return elicited, measure(elicited.model, task, elicited.prompt_fn, task.test_items(20))


def test_the_best_level_on_dev_rows_answers_the_test_and_all_is_charged():
    model, task = tiny(), word_sentiment()
    before = bits_of(model)
    elicited, output = run({"levels": [0.5, 1.0], "draws": 2, "dev_examples": 16}, model, task)
    dev = task.draw("dev", 16, seed=0)
    prompt_fn = make_prompt_fn(model, task)
    answers = scan_noise(model, task, prompt_fn, dev, levels=(0.0, 0.5, 1.0), draws=2, seed=0)
    scores = [sum(each.score for each in level) / len(level) for level in answers]
    level = (0.0, 0.5, 1.0)[scores.index(max(scores))]
    selection, spend = elicited.details.selection, elicited.spend
    assert selection.chosen == {"level": level}
    assert (selection.dev_score, selection.dev_examples, selection.candidates) == (max(scores), 16, 3)
    assert spend.labelled_examples == 16 and spend.train_flops == 0
    assert spend.search_flops == pytest.approx(sum(each.search.search_flops for level in answers for each in level))
    items = task.test_items(20)
    with noisy_weights(model, level=level, seed=weight_noise.seed_of_draw(0, 0)):
        assert output == measure(model, task, prompt_fn, items)
    (signal,) = elicited.details.signals
    assert signal.value == pytest.approx(max(each.score for level in answers[1:] for each in level) - scores[0])
    assert signal.low <= signal.value <= signal.high and signal.n == 16
    assert all(torch.equal(now, before[name][1]) for name, now in model.net.named_parameters())


def test_noise_that_helps_is_on_for_the_test_and_off_afterwards(monkeypatch):
    """Whatever the dev rows say: here they say that the second level is best."""
    model, task = tiny(), word_sentiment()
    real = recipe.scan_noise

    def flattering(*args, **settings):
        answers = real(*args, **settings)
        right = [replace_scores(each, 1.0) for each in answers[2]]
        return [[replace_scores(each, 0.0) for each in level] for level in answers[:2]] + [right]

    monkeypatch.setattr(recipe, "scan_noise", flattering)
    elicited, output = run({"levels": [0.1, 0.5], "draws": 1, "dev_examples": 16}, model, task)
    assert elicited.details.selection.chosen == {"level": 0.5}
    assert elicited.details.signals[0].p < 0.001 and elicited.details.signals[0].low > 0
    plain = measure(model, task, make_prompt_fn(model, task), task.test_items(20))
    assert [each.loglikelihoods for each in output.outcomes] != [each.loglikelihoods for each in plain.outcomes]


def replace_scores(output, score):
    return replace(output, outcomes=tuple(replace(each, score=score) for each in output.outcomes))


@pytest.mark.slow
def test_a_model_that_hides_nothing_keeps_its_weights():
    """It has learned the rows; noise that drowns the weights leaves chance, and no noise is chosen."""
    model, task = tiny(), word_sentiment()
    rows = encode_rows(model, task.draw("dev", 32, seed=0), make_prompt_fn(model, task))
    schedule = Schedule(learning_rate=3e-3, steps=120, batch_size=16, precision="float32")
    with temporary_changes(model):
        tuned = fine_tune(model, rows, trainable=AllWeights(), schedule=schedule, seed=0).model
        elicited, output = run({"levels": [4.0], "draws": 2, "dev_examples": 32}, tuned, task)
        plain = measure(tuned, task, make_prompt_fn(model, task), task.test_items(20))
    assert elicited.details.selection.chosen == {"level": 0.0}
    assert output == plain
    assert elicited.details.signals[0].value < 0 and elicited.details.signals[0].p == 1.0


def test_a_generation_task_has_the_signal_too():
    elicited, _ = run({"levels": [0.5], "draws": 1, "dev_examples": 4}, tiny(), arithmetic())
    assert elicited.details.signals[0].n == 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"levels": [0.1, 0.1]}, "levels = .0.1, 0.1. lists a value twice"),
        ({"levels": [0.0]}, "levels.0 = 0.0 does not fit: input should be greater than 0"),
        ({"levels": []}, "levels"),
        ({"draws": 0}, "draws = 0 is too small"),
        ({"level": 0.1}, "no key 'level'; did you mean 'levels'"),
    ],
)
def test_a_wrong_setting_is_refused(settings, message):
    with pytest.raises(UserError, match=message):
        make_method({"weight_noise": settings})


def test_more_dev_rows_than_there_are_are_refused():
    _, method = make_method({"weight_noise": {"dev_examples": 10**6}})
    with pytest.raises(UserError, match="dev rows; set dev_examples to at most"):
        method.check(word_sentiment(), examples=0)


def test_four_bit_weights_are_refused():
    packed = replace(tiny(), quantize="nf4")
    with (
        pytest.raises(UserError, match="are nf4, which takes no noise; drop quantize"),
        noisy_weights(packed, level=0.1, seed=0),
    ):
        pass

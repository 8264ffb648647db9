"""Rewards for choices: the policy, its gradients, what is drawn, and what is charged."""

import math
from collections import Counter
from dataclasses import replace

import pytest
import torch

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.formats.render import option_texts
from educe.data.task import Task
from educe.data.tasks.word_sentiment import word_sentiment
from educe.eval.measure import measure
from educe.eval.model.encode import Branches
from educe.eval.model.flops import training_flops
from educe.eval.model.score import score_options
from educe.eval.prompting.prompts import PromptConfig, make_prompt_fn
from educe.train.attach import attach, snapshot, temporary_changes
from educe.train.changes.peft import Lora
from educe.train.divergence import Diverged
from educe.train.options import (
    OptionLoss,
    OptionsRow,
    draw_options,
    encode_options_rows,
    entropy_bits,
    option_policies,
)
from educe.train.reward import train_options_by_reward
from educe.train.schedule import Schedule
from tests.flops import count
from tests.learnable import past_tense
from tests.nets import tiny, tiny_sliding

LORA = Lora(rank=2)


def encoded(model, task, number=6, *, labelled=True, seed=0):
    questions = task.draw("train", number, seed=seed)
    return encode_options_rows(model, task, questions, make_prompt_fn(model, task), labelled=labelled)


def loss_on(net, *, samples=8, temperature=1.0, seed=0, steps=1, shared=0):
    return OptionLoss(net, shared=shared, pad=0, samples=samples, temperature=temperature, seed=seed, steps=steps)


def moved(model, *, by=0.05, seed=0):
    """An adapter whose every number has been moved, so that all have a gradient."""
    tuned = attach(model, LORA, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in tuned.trained.values():
            parameter.add_(by * torch.randn(parameter.shape, generator=generator))
    return tuned


def alike():
    """Four options that the tiny model finds about equally likely, byte for byte."""
    return replace(past_tense(200), normalize_by="byte")


def always_first(number=200):
    """Two options of which the first in the alphabet is always right."""
    rows = [
        Example(id=f"q{n}", question=f"Is {n} odd?", answer="not", choices=("not", "yes")[:: 1 if n % 2 else -1])
        for n in range(number)
    ]
    return Task(name="always_not", version=1, kind="choice", load=lambda: {"all": rows})


@pytest.mark.parametrize("make", [tiny, tiny_sliding])
@pytest.mark.parametrize("normalize_by", ["none", "token", "byte"])
@pytest.mark.parametrize("config", [PromptConfig(), PromptConfig(answer_as="letter")])
def test_the_policy_that_trains_is_the_one_that_is_measured(make, normalize_by, config):
    model, task = make(), replace(past_tense(), normalize_by=normalize_by)
    questions = task.draw("train", 5, seed=0)
    prompt_fn = make_prompt_fn(model, task, prompt_config=config)
    rows = encode_options_rows(model, task, questions, prompt_fn, labelled=True)
    with torch.no_grad():
        policies = [each.exp().tolist() for each in loss_on(model.net, temperature=0.7).log_policies(rows)]
    outcomes = measure(model, task, prompt_fn, questions).outcomes
    for question, outcome, policy in zip(questions, outcomes, policies, strict=True):
        texts = option_texts(question, prompt_fn(question).format)
        sizes = {"none": [1] * 4, "token": outcome.option_tokens, "byte": [len(text.encode()) for text in texts]}
        compared = [each / size / 0.7 for each, size in zip(outcome.loglikelihoods, sizes[normalize_by], strict=True)]
        expected = torch.tensor(compared, dtype=torch.float64).softmax(0).tolist()
        assert policy == pytest.approx(expected, abs=1e-5)
        assert question.choices[policy.index(max(policy))] == outcome.picked
    without, spend = option_policies(model, task, prompt_fn, questions, temperature=0.7)
    assert [each for policy in without for each in policy] == pytest.approx(
        [each for policy in policies for each in policy], abs=1e-5
    )
    assert spend.search_flops == pytest.approx(score_options(model, [row.branches for row in rows]).flops)


def expected_reward(loss, rows):
    with torch.no_grad():
        policies = [each.double().exp() for each in loss.log_policies(rows)]
    rewards = [torch.tensor(row.rewards, dtype=torch.float64) for row in rows]
    return sum(float(policy @ reward) for policy, reward in zip(policies, rewards, strict=True))


@pytest.mark.parametrize("direction", ["along the gradient", "at random"])
def test_the_gradient_of_the_exact_expectation_is_the_finite_difference(direction):
    model = tiny()
    model.net.double()
    rows = encoded(model, alike())
    with temporary_changes(model):
        tuned = moved(model)
        parameters = list(tuned.trained.values())
        loss = loss_on(tuned.net, samples="all")
        loss([rows]).backward()
        gradient = [-parameter.grad.detach().clone() for parameter in parameters]
        generator = torch.Generator().manual_seed(1)
        step = [
            each if direction == "along the gradient" else torch.randn(each.shape, generator=generator).to(each.dtype)
            for each in gradient
        ]
        length = math.sqrt(sum(float((each**2).sum()) for each in step))
        slope = sum(float((one * other).sum()) for one, other in zip(gradient, step, strict=True)) / length
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                for parameter, each in zip(parameters, step, strict=True):
                    parameter.add_(sign * 1e-2 / length * each)
                values.append(expected_reward(loss, rows))
                for parameter, each in zip(parameters, step, strict=True):
                    parameter.sub_(sign * 1e-2 / length * each)
    assert slope != 0
    assert (values[0] - values[1]) / 2e-2 == pytest.approx(slope, rel=0.02, abs=2e-5)


def scored(scores, *, samples, steps, rewards, seed=0):
    """A loss on one question whose options have these scores, in place of those of a net."""
    loss = loss_on(torch.nn.Identity(), samples=samples, seed=seed, steps=steps + 1)
    loss.log_policies = lambda rows: [scores.log_softmax(0)]
    branches = Branches(prompt=(1, 2), options=((3,),) * len(scores))
    return loss, [OptionsRow(id="q", branches=branches, sizes=(1,) * len(scores), rewards=rewards)]


@pytest.mark.parametrize("samples", [2, 5])
def test_the_gradient_of_drawn_samples_is_the_exact_one_on_average(samples):
    rewards, steps = (0.0, 1.0, 0.0, 0.25), 4000
    scores = torch.tensor([0.5, -0.4, 1.0, 0.1], requires_grad=True)
    exact, rows = scored(scores, samples="all", steps=1, rewards=rewards)
    (wanted,) = torch.autograd.grad(exact([rows]).sum(), scores)
    policy = scores.detach().double().softmax(0)
    by_hand = policy * (torch.tensor(rewards).double() - policy @ torch.tensor(rewards).double())
    assert torch.allclose(-wanted.double(), by_hand, atol=1e-6)
    loss, rows = scored(scores, samples=samples, steps=steps, rewards=rewards)
    found = []
    for _ in range(steps):
        found.append(torch.autograd.grad(loss([rows]).sum(), scores)[0])
        loss.noted(rows)
    estimates = torch.stack(found)
    error = estimates.std(dim=0) / math.sqrt(steps)
    assert (error > 0).all()
    assert ((estimates.mean(dim=0) - wanted).abs() < 4 * error).all()


def test_draws_follow_the_policy_and_their_key_alone():
    policy = [0.5, 0.125, 0.375]
    drawn = Counter(draw_options(policy, 8000, key="a"))
    assert [drawn[place] / 8000 for place in range(3)] == pytest.approx(policy, abs=0.02)
    assert draw_options(policy, 8, key="b") == draw_options(policy, 16, key="b")[:8] != draw_options(policy, 8, key="c")


def test_entropy_in_bits():
    assert entropy_bits([0.25] * 4) == 2.0
    assert entropy_bits([1.0, 0.0]) == 0.0


@pytest.mark.parametrize("samples", [4, "all"])
def test_the_option_that_is_always_right_becomes_likelier(samples):
    model, task = tiny(), always_first()
    rows = encoded(model, task, 16)
    prompt_fn, items = make_prompt_fn(model, task), task.test_items(20)

    def right(tuned):
        policies, _ = option_policies(tuned, task, prompt_fn, items, temperature=1.0)
        return sum(policy[item.answer_index] for policy, item in zip(policies, items, strict=True)) / len(items)

    before = right(model)
    with temporary_changes(model):
        tuned = train_options_by_reward(
            model,
            rows,
            lora=LORA,
            schedule=Schedule(learning_rate=2e-2, steps=24, batch_size=8, precision="float32"),
            samples=samples,
            temperature=1.0,
            seed=0,
        )
        after = right(tuned.model)
    assert after > before + 0.2
    assert tuned.history[-1]["reward"] > tuned.history[0]["reward"] + 0.2
    assert tuned.history[-1]["entropy_bits"] < tuned.history[0]["entropy_bits"]


def train(model, rows, *, samples=4, seed=0, learning_rate=1e-2, steps=6, batch_size=4, **more):
    with temporary_changes(model):
        tuned = train_options_by_reward(
            model,
            rows,
            lora=LORA,
            schedule=Schedule(
                learning_rate=learning_rate, steps=steps, batch_size=batch_size, precision="float32", **more
            ),
            samples=samples,
            temperature=1.0,
            seed=seed,
        )
        return tuned, snapshot(tuned.model)


def test_the_first_step_records_what_the_untrained_model_is_worth():
    model, task = tiny(), alike()
    rows = encoded(model, task, 4)
    tuned, _ = train(model, rows, samples="all")
    policies, _ = option_policies(
        model, task, make_prompt_fn(model, task), task.draw("train", 4, seed=0), temperature=1.0
    )
    earned = [policy[row.rewards.index(1.0)] for policy, row in zip(policies, rows, strict=True)]
    assert tuned.history[0]["reward"] == pytest.approx(sum(earned) / 4, abs=1e-5)
    assert tuned.history[0]["entropy_bits"] == pytest.approx(sum(map(entropy_bits, policies)) / 4, abs=1e-4)


@pytest.mark.slow
def test_pieces_of_a_batch_and_packs_of_rows_change_nothing_but_rounding():
    model = tiny()
    rows = encoded(model, alike(), 12)
    whole, weights = train(model, rows, batch_size=8)
    cut, others = train(model, rows, batch_size=8, accumulate=4)
    assert [step["reward"] for step in cut.history] == pytest.approx([step["reward"] for step in whole.history])
    assert all(torch.allclose(weights[name], others[name], atol=1e-5) for name in weights)
    with torch.no_grad():
        shared = len(rows[0].branches.prompt[:4])
        together = loss_on(model.net, shared=shared).log_policies(rows)
        alone = [loss_on(model.net).log_policies([row])[0] for row in rows]
    assert all(torch.allclose(one, other, atol=1e-5) for one, other in zip(together, alone, strict=True))


def test_a_step_is_charged_its_options_once_however_many_samples_are_drawn():
    model = tiny()
    rows = encoded(model, alike(), 4)
    few, _ = train(model, rows, samples=2)
    many, _ = train(model, rows, samples=64)
    assert few.spend.train_flops == many.spend.train_flops
    part = few.model.change.part
    by_hand = 0.0
    for row in rows:  # six steps of all four
        tokens = len(row.branches.prompt) + sum(len(option) - 1 for option in row.branches.options)
        read = 1 + sum(len(option) - 1 for option in row.branches.options)
        by_hand += 6 * training_flops(model.shape, tokens, scored=read, trained=part)
    assert few.spend.train_flops == pytest.approx(by_hand)
    assert few.spend.search_flops == few.spend.labelled_examples == 0
    assert few.spend.trainable_parameters == LORA.size(model)


def test_the_flops_of_a_step_are_those_that_torch_counts():
    model = tiny()
    (row,) = encoded(model, alike(), 1)
    with temporary_changes(model):
        tuned = attach(model, LORA, seed=0)
        loss = loss_on(tuned.net)
        measured = count(lambda: loss([[row]]).backward())
        (read,) = row.parts
        formula = training_flops(
            model.shape, len(read.ids) - 1, scored=read.supervised, trained=tuned.change.part, executed=True
        )
    assert formula == pytest.approx(measured, rel=0.01)
    (packed,) = loss.packed
    assert (packed.width, packed.scored) == (len(read.ids) - 1, read.supervised)


def test_a_coin_decides_anew_for_every_sample_and_knows_no_label():
    model, task = tiny(), word_sentiment()
    rows = encoded(model, task, 8, labelled=False)
    assert {row.rewards for row in rows} == {None}
    tuned, weights = train(model, rows, samples=8)
    again, others = train(model, rows, samples=8)
    other, _ = train(model, rows, samples=8, seed=1)
    assert tuned.history == again.history and all(torch.equal(weights[name], others[name]) for name in weights)
    rewards = [step["reward"] for step in tuned.history]
    assert rewards != [step["reward"] for step in other.history]
    assert len(set(rewards)) > 1 and sum(rewards) / len(rewards) == pytest.approx(0.5, abs=0.15)


def test_rewards_that_never_differ_are_refused():
    model = tiny()
    rows = [replace(row, rewards=(1.0, 1.0)) for row in encoded(model, word_sentiment(), 4)]
    with pytest.raises(UserError, match="the same reward, on every question, so there is nothing to learn; raise"):
        train(model, rows)


def test_a_rate_that_diverges_is_named():
    model = tiny()
    with pytest.raises(Diverged, match=r"lower learning_rate \(now 1e\+30\)"):
        train(model, encoded(model, word_sentiment(), 4), learning_rate=1e30)


def test_several_processes_are_refused(monkeypatch):
    model = tiny()
    monkeypatch.setattr("educe.train.reward.process_state", lambda device: type("State", (), {"num_processes": 2}))
    with pytest.raises(UserError, match="launch it with --num_processes 1"):
        train(model, encoded(model, word_sentiment(), 4))

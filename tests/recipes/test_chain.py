"""Training in stages: the same as the stages by hand, on the same rows, charged once for each label."""

from dataclasses import replace

import pytest
import torch

from educe.data.errors import UserError
from educe.data.task import Task
from educe.eval.measure import measure
from educe.eval.model.load import load_model
from educe.eval.prompting.prompts import make_prompt_fn
from educe.recipes.catalog import is_control, make_method
from educe.recipes.runner.launch import _demonstrators
from educe.recipes.runner.run_study import run_study
from educe.train.attach import attach, load_snapshot, save, snapshot, temporary_changes
from educe.train.changes.peft import Lora
from educe.train.encode import encode_rows
from educe.train.options import entropy_bits, option_policies
from educe.train.schedule import Schedule
from tests.learnable import past_tense
from tests.nets import tiny
from tests.recipes.small import no_figures, small_study

SFT = {"iid_sft": {"rank": 2, "epochs": 2, "learning_rate": 1e-2, "precision": "float32"}}
WEAK = {"iid_sft": {**SFT["iid_sft"], "labels_from": "tiny-random"}}
GRPO = {"grpo": {"rank": 2, "steps": 3, "learning_rate": 1e-2, "precision": "float32"}}


def alike():
    """Four options that the tiny model finds about equally likely, byte for byte."""
    return replace(past_tense(200), normalize_by="byte")


def chain(*stages):
    return make_method({"chain": {"stages": list(stages)}})[1]


def elicit(method, model, task, *, examples=8, seed=0):
    """What was elicited, the weights that trained, and the likelihoods that the model gives."""
    with temporary_changes(model):
        elicited = method(model, task, examples=examples, seed=seed)
        outcomes = measure(elicited.model, task, elicited.prompt_fn, task.test_items(6)).outcomes
        return elicited, snapshot(elicited.model), [each.loglikelihoods for each in outcomes]


def by_hand(model, task, weights, *, seed=0):
    """A second fine-tune on the rows of SFT, from these weights, with nothing of the suite's loop."""
    schedule = Schedule(learning_rate=1e-2, steps=2, batch_size=8)
    rows = encode_rows(model, task.draw("train", 8, seed=seed), make_prompt_fn(model, task))
    with temporary_changes(model):
        tuned = attach(model, Lora(rank=2), seed=seed)
        load_snapshot(tuned, weights)
        optimizer = torch.optim.AdamW(tuned.trained.values(), weight_decay=0.0)
        for step in range(2):
            optimizer.param_groups[0]["lr"] = schedule.rate(step)
            total = sum(row.supervised for row in rows)
            for row in rows:
                ids = torch.tensor([row.ids])
                logprobs = tuned.net(ids[:, :-1]).logits.log_softmax(-1)[0, -row.supervised :]
                (-logprobs.gather(1, ids[0, -row.supervised :, None]).sum() / total).backward()
            torch.nn.utils.clip_grad_norm_(list(tuned.trained.values()), 1.0)
            optimizer.step()
            optimizer.zero_grad()
        return snapshot(tuned)


def close(first, second):
    return first.keys() == second.keys() and all(torch.allclose(first[n], second[n], atol=1e-5) for n in first)


def test_two_stages_are_the_two_recipes_by_hand():
    model, task = tiny(), alike()
    _, first, _ = elicit(make_method(SFT)[1], model, task)
    _, whole, _ = elicit(chain(SFT, SFT), model, task)
    assert close(whole, by_hand(model, task, first))
    assert not close(whole, first)


def test_reward_goes_on_where_demonstrations_ended():
    """The first step of the second stage sees what the model is worth after the first."""
    model, task = tiny(), alike()
    stage = {"grpo": {**GRPO["grpo"], "samples": "all"}}
    with temporary_changes(model):
        trained = make_method(SFT)[1](model, task, examples=8, seed=0)
        questions = task.draw("train", 8, seed=0)
        policies, _ = option_policies(trained.model, task, trained.prompt_fn, questions, temperature=1.0)
    elicited, _, _ = elicit(chain(SFT, stage), model, task)
    first = next(step for step in elicited.history if "reward" in step)
    assert first["entropy_bits"] == pytest.approx(sum(map(entropy_bits, policies)) / 8, abs=1e-4)
    alone, _, _ = elicit(make_method(stage)[1], model, task)
    assert abs(alone.history[0]["entropy_bits"] - first["entropy_bits"]) > 1e-3
    assert [(step["step"], step["stage"]) for step in elicited.history] == [(0, 1), (1, 1), (2, 2), (3, 2), (4, 2)]


def test_expert_iteration_samples_from_the_model_that_it_is_given():
    model, task = tiny(), alike()
    expert = {"expert_iteration": {"rank": 2, "rounds": 1, "max_examples_seen": 8, "precision": "float32"}}
    with temporary_changes(model):
        trained = make_method(SFT)[1](model, task, examples=8, seed=0)
        questions = task.draw("train", 8, seed=0)
        policies, _ = option_policies(trained.model, task, trained.prompt_fn, questions, temperature=1.0)
    elicited, _, _ = elicit(chain(SFT, expert), model, task)
    (sampled,) = elicited.details.rounds
    assert sampled.entropy_bits == pytest.approx(sum(map(entropy_bits, policies)) / 8, abs=1e-4)


def test_a_model_that_was_made_helpful_alone_is_not_taken_for_a_later_stage():
    model, task = tiny(), alike()
    helpful = {"helpful_sft": {"rank": 2, "instructions": {"bundled": {"count": 12}}, "precision": "float32"}}
    _, alone, _ = elicit(make_method(helpful)[1], model, task, examples=0)
    _, later, _ = elicit(chain(SFT, helpful), model, task)
    _, again, _ = elicit(make_method(helpful)[1], model, task, examples=0)
    assert not close(alone, later) and close(alone, again)
    both = chain(helpful, helpful)
    assert both.budgets((4, 16)) == (0,) and chain(helpful, SFT).budgets((4, 16)) == (4, 16)


def test_all_stages_see_the_same_rows_and_a_label_is_charged_once(monkeypatch):
    model, task = tiny(), alike()
    drawn, draw = [], Task.draw

    def noting(self, split, count, *, seed):
        drawn.append((split, draw(self, split, count, seed=seed)))
        return drawn[-1][1]

    monkeypatch.setattr(Task, "draw", noting)
    both, _, _ = elicit(chain(SFT, GRPO), model, task)
    first, second = (rows for split, rows in drawn if split == "train" and rows)
    assert first == second and len(first) == 8
    parts = [elicit(make_method(spec)[1], model, task)[0].spend for spec in (SFT, GRPO)]
    assert both.spend.labelled_examples == 8
    for name in ("train_flops", "executed_train_flops", "training_tokens"):
        assert getattr(both.spend, name) == pytest.approx(sum(getattr(each, name) for each in parts))
    assert both.spend.trainable_parameters == parts[0].trainable_parameters == parts[1].trainable_parameters


@pytest.mark.slow
def test_weak_labels_and_coins_are_not_charged_and_dev_rows_are_once():
    model, task = tiny(), alike()
    coin = {"grpo": {**GRPO["grpo"], "reward": "random"}}

    def labels(*stages):
        return elicit(chain(*stages), model, task)[0].spend.labelled_examples

    assert labels(WEAK, GRPO) == 8
    assert labels(WEAK, coin) == 0
    chosen = {"iid_sft": {**SFT["iid_sft"], "learning_rate": [1e-3, 1e-2], "dev_examples": 6}}
    patient = {"iid_sft": {**SFT["iid_sft"], "patience": 1, "dev_examples": 4}}
    assert labels(chosen, GRPO) == 8 + 6
    assert labels(chosen, patient) == 8 + 6
    weak = {"iid_sft": {**chosen["iid_sft"], "labels_from": "tiny-random"}}
    assert labels(weak, coin) == 6


def test_what_is_saved_is_the_model_that_was_measured(tmp_path):
    model, task = tiny(), alike()
    with temporary_changes(model):
        elicited = chain(SFT, GRPO)(model, task, examples=8, seed=0)
        items = task.test_items(6)
        measured = measure(elicited.model, task, elicited.prompt_fn, items).outcomes
        save(elicited.model, tmp_path / "adapter")
    loaded = load_model({"tiny-random": {"adapter": str(tmp_path / "adapter")}})
    again = measure(loaded, task, make_prompt_fn(loaded, task), items).outcomes
    plain = measure(model, task, elicited.prompt_fn, items).outcomes
    for one, other, before in zip(measured, again, plain, strict=True):
        assert one.loglikelihoods == pytest.approx(other.loglikelihoods, abs=1e-3)
        assert one.loglikelihoods != pytest.approx(before.loglikelihoods, abs=1e-2)


def test_the_resident_model_is_as_it_was():
    model, task = tiny(), alike()
    before = measure(model, task, make_prompt_fn(model, task), task.test_items(6)).outcomes
    for stages in ((SFT, GRPO), ("steering_vector", "steering_vector"), ("prompt_tuning", "prompt_tuning")):
        elicit(chain(*stages), model, task)
        assert measure(model, task, make_prompt_fn(model, task), task.test_items(6)).outcomes == before


@pytest.mark.parametrize("name", ["steering_vector", "prompt_tuning", "norms_and_biases", "full_fine_tune", "ia3"])
def test_any_change_goes_on_where_it_was(name):
    """With a rate too small to matter, the second stage leaves what the first has made."""
    model, task = tiny(), alike()
    first = {name: {"epochs": 2, "precision": "float32"}}
    still = {name: {"epochs": 1, "learning_rate": 1e-6, "precision": "float32"}}
    _, alone, likelihoods = elicit(make_method(first)[1], model, task)
    _, both, after = elicit(chain(first, still), model, task)
    assert all(torch.allclose(alone[key], both[key], atol=1e-5) for key in alone)
    assert [each for one in after for each in one] == pytest.approx(
        [each for one in likelihoods for each in one], abs=1e-2
    )


def test_a_chain_is_a_control_where_a_stage_is(tmp_path, monkeypatch):
    coin = {"grpo": {**GRPO["grpo"], "reward": "random"}}
    for stages, control in (((WEAK, GRPO), False), ((WEAK, coin), True)):
        method = chain(*stages)
        assert (method.analysed_as == "control") == is_control("chain", method.settings()) == control
    assert list(_demonstrators(chain(WEAK, GRPO).settings())) == [chain(WEAK, GRPO).parts[0][1].demonstrator.identity]
    no_figures(monkeypatch)
    warm = {"grpo": {**GRPO["grpo"], "temperature": 10.0}}  # the options are of unequal length
    recipes = ["zero_shot", {"chain": {"stages": [WEAK, warm]}}, {"chain": {"stages": [WEAK, coin]}}]
    results = run_study(small_study(tmp_path, recipes=recipes, examples=[4]), tmp_path / "run")
    assert not results.failures
    assert [(each.role, each.spend.labelled_examples) for each in results.measurements[1:]] == [
        ("training", 4),
        ("control", 0),
    ]
    assert " then grpo(" in results.measurements[1].recipe
    assert results.measurements[1].details.demonstrator.model == "tiny-random"


def test_a_plan_is_that_of_all_stages():
    task = alike()
    work = chain(WEAK, GRPO).workload(task, 8)
    parts = [make_method(spec)[1].workload(task, 8) for spec in (WEAK, GRPO)]
    assert work.training_rows == sum(part.training_rows for part in parts)
    assert work.demonstrated_rows == 8 and work.demonstrator is not None
    helpful = chain("helpful_sft", "grpo").workload(task, 8)
    assert helpful.shared_training is None and helpful.training_rows > 32 * 8


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"stages": [SFT]}, "stages"),
        ({}, "lacks the key 'stages'"),
        ({"stages": ["zero_shot", "grpo"]}, "stages: 'zero_shot' is no stage; name recipes that fine-tune"),
        ({"stages": ["iid_sft", "linear_probe"]}, "'linear_probe' is no stage"),
        ({"stages": ["iid_sft", "description_length"]}, "'description_length' is no stage"),
        ({"stages": ["iid_sft", {"stacked": {"train": "iid_sft", "prompt": "few_shot"}}]}, "is no stage"),
        ({"stages": ["iid_sft", "gpro"]}, "unknown recipe 'gpro'; did you mean 'grpo'"),
        ({"stages": [{"iid_sft": {"random_init": True}}, "grpo"]}, "draws the weights anew; drop random_init"),
        ({"stages": [{"iid_sft": {"rank": 4}}, "grpo"]}, "trains Lora.*rank=8.* and the first stage Lora.*rank=4"),
        ({"stages": ["full_fine_tune", "grpo"]}, "all stages go on with one change"),
        ({"stages": ["iid_sft", "grpo"], "system": "Be brief."}, "set them there"),
    ],
)
def test_a_chain_that_cannot_be_is_refused_in_one_line(written, message):
    with pytest.raises(UserError, match=message) as stop:
        make_method({"chain": written})
    assert "\n" not in str(stop.value)


def test_a_stage_that_does_not_fit_a_task_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(UserError, match="every option of task 'past_tense' has the form"):
        chain(SFT, {"grpo": {"reward": "format", "rank": 2}}).check(alike(), examples=8)
    layers = [{"iid_sft": {"layers": [99]}}, {"grpo": {"layers": [99]}}]
    with pytest.raises(UserError, match="has no layer 99"):
        small_study(tmp_path, recipes=["zero_shot", {"chain": {"stages": layers}}]).cells()

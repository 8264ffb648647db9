"""Reward training and expert iteration: choices among options or written, other rewards, and what is charged."""

import json
from dataclasses import replace

import pytest
import torch

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.task import Task
from educe.data.tasks.arithmetic import arithmetic
from educe.data.tasks.word_sentiment import word_sentiment
from educe.eval.measure import encode_items, measure
from educe.eval.model.flops import answer_flops
from educe.eval.prompting.prompts import make_prompt_fn
from educe.eval.prompting.solvers.generation import GenerationSolver
from educe.recipes.catalog import is_control, make_method
from educe.recipes.runner.run_study import run_study
from educe.train.attach import snapshot, temporary_changes
from tests.learnable import past_tense
from tests.nets import tiny
from tests.recipes.small import no_figures, small_study

GRPO = {"steps": 4, "rank": 2, "precision": "float32"}
EXPERT = {"rounds": 2, "rank": 2, "max_examples_seen": 16, "precision": "float32"}
ON_OPTIONS = {"grpo": GRPO, "expert_iteration": EXPERT}
RANDOM = [
    {"grpo": {**GRPO, "reward": "random"}},
    {"grpo": {**GRPO, "reward": "random", "samples": "all"}},
    {"expert_iteration": {**EXPERT, "reward": "random"}},
    {"grpo": {"steps": 2, "samples": 2, "rank": 2, "reward": "random", "written": True, "tokens": 3}},
]


def alike():
    """Four options that the tiny model finds about equally likely, byte for byte."""
    return replace(past_tense(200), normalize_by="byte")


def elicit(spec, task, *, examples=8, seed=0):
    """What was elicited, the weights that trained, and the model's answers."""
    _, method = make_method(spec)
    model = tiny()
    with temporary_changes(model):
        elicited = method(model, task, examples=examples, seed=seed)
        output = (elicited.solver or measure)(elicited.model, task, elicited.prompt_fn, task.test_items(6))
        return elicited, snapshot(elicited.model), output


def relabelled(task):
    """The same questions and options; of every row another option is right."""
    rows = {
        split: [replace(row, answer=row.choices[(row.answer_index + 1) % len(row.choices)]) for row in task.rows[split]]
        for split in task.rows
    }
    return replace(task, load=lambda: rows)


@pytest.mark.parametrize("spec", RANDOM)
def test_a_random_reward_does_not_depend_on_the_labels(spec):
    task = alike()
    other = relabelled(task)
    drawn, twins = (each.draw("train", 8, seed=0) for each in (task, other))
    assert all(row.id == twin.id and row.answer != twin.answer for row, twin in zip(drawn, twins, strict=True))
    first, weights, output = elicit(spec, task)
    second, others, answers = elicit(spec, other)
    assert first.history == second.history
    assert weights.keys() == others.keys() and all(torch.equal(weights[name], others[name]) for name in weights)
    assert [each.loglikelihoods for each in output.outcomes] == [each.loglikelihoods for each in answers.outcomes]
    assert [each.text for each in output.outcomes] == [each.text for each in answers.outcomes]
    assert first.spend.labelled_examples == second.spend.labelled_examples == 0


@pytest.mark.parametrize("name", ON_OPTIONS)
def test_the_right_reward_does_depend_on_them(name):
    task = alike()
    first, weights, _ = elicit({name: ON_OPTIONS[name]}, task)
    _, others, _ = elicit({name: ON_OPTIONS[name]}, relabelled(task))
    assert any(not torch.equal(weights[key], others[key]) for key in weights)
    assert first.spend.labelled_examples == 8


@pytest.mark.parametrize("spec", [*RANDOM, {"grpo": {"reward": "format", "written": True}}])
def test_another_reward_makes_a_control(spec):
    name, method = make_method(spec)
    assert method.role == "training"
    assert method.analysed_as == "control"
    assert is_control(name, method.settings())
    assert is_control(name, json.loads(json.dumps(method.settings())))
    _, plain = make_method({name: {**spec[name], "reward": "correct"}})
    assert plain.analysed_as == "training"
    assert not is_control(name, plain.settings())
    _, stacked = make_method({"stacked": {"train": spec, "prompt": "zero_shot"}})
    assert stacked.analysed_as == "control" and is_control("stacked", stacked.settings())


def test_a_control_of_a_study_has_its_role_and_no_labels(tmp_path, monkeypatch):
    no_figures(monkeypatch)
    warm = {**GRPO, "temperature": 10.0}  # the options are of unequal length
    recipes = ["zero_shot", {"grpo": warm}, {"grpo": {**warm, "reward": "random"}}]
    results = run_study(small_study(tmp_path, recipes=recipes, examples=[4]), tmp_path / "run")
    assert not results.failures
    found = {each.settings.get("reward"): each for each in results.measurements}
    assert {reward: each.role for reward, each in found.items()} == {
        None: "zero_shot",
        "correct": "training",
        "random": "control",
    }
    assert [found[reward].spend.labelled_examples for reward in ("correct", "random")] == [4, 0]
    assert found["random"].details.training.precision == "float32"


def test_expert_iteration_on_options_reads_each_of_them_once_a_round():
    task, model = alike(), tiny()
    questions = task.draw("train", 8, seed=0)
    prompt_fn = make_prompt_fn(model, task)
    encoded = encode_items(model, [prompt_fn(each) for each in questions], questions)
    once = sum(
        answer_flops(model.shape, prompt_tokens=len(each.prompt), option_tokens=list(map(len, each.options)))
        for each in encoded
    )
    for samples in (2, 16):
        elicited, _, _ = elicit({"expert_iteration": {**EXPERT, "rounds": 1, "samples": samples}}, task)
        assert elicited.spend.search_flops == pytest.approx(once)
        assert elicited.spend.labelled_examples == 8
    (sampled,) = elicited.details.rounds
    assert sampled.distinct == 1.0 and 0 < sampled.accepted_share < 1
    assert 0 < sampled.entropy_bits <= 2
    assert 1 <= elicited.details.notes["accepted_examples"] <= 8


def test_a_written_choice_is_asked_and_read_as_generated_asks_and_reads_it():
    task, model = alike(), tiny()
    _, generated = make_method({"generated": {"tokens": 5}})
    asked = generated(model, task, examples=0, seed=0)
    for name, settings in (("grpo", {"steps": 1, "samples": 2}), ("expert_iteration", EXPERT)):
        _, method = make_method({name: {**settings, "written": True, "tokens": 5, "reward": "random"}})
        assert method.solver(task) == GenerationSolver(tokens=5) == asked.solver
        assert method.max_new_tokens(task) == 5
        item = task.test_items(1)[0]
        assert make_prompt_fn(model, task, prompt_config=method.prompting(task))(item) == asked.prompt_fn(item)
        assert method.solver(arithmetic()) is None and method.max_new_tokens(arithmetic()) == 32


def test_written_choices_are_trained_on_and_measured_in_text():
    """Half of the tiny model's letters are accepted by a coin; what it writes is read and not scored."""
    spec = {"grpo": {"steps": 2, "samples": 4, "rank": 2, "written": True, "tokens": 3, "reward": "random"}}
    elicited, _, output = elicit(spec, alike())
    assert len(elicited.history) == 2 and "entropy_bits" in elicited.history[0]
    assert output.metric == "accuracy (written)" and not output.outcomes[0].loglikelihoods
    assert elicited.spend.search_flops > 0


def test_what_a_text_names_is_learned_and_what_names_nothing_is_not():
    """Three options are one letter each, so that the tiny model's noise names one now and then."""
    task = alike()
    rows = {
        split: [replace(row, choices=("e", "t", "zzzz"), answer="e") for row in task.rows[split]] for split in task.rows
    }
    settings = {**EXPERT, "rounds": 1, "samples": 32, "written": True, "tokens": 2, "answer_as": "text"}
    elicited, _, _ = elicit({"expert_iteration": {**settings, "reward": "format"}}, replace(task, load=lambda: rows))
    (sampled,) = elicited.details.rounds
    assert 0 < sampled.accepted_share < 0.5
    assert 1 <= sampled.distinct <= 2
    assert elicited.details.notes["accepted_examples"] >= 1
    assert elicited.spend.labelled_examples == 0 < elicited.spend.search_flops


@pytest.mark.parametrize(
    ("spec", "task", "message"),
    [
        ({"grpo": {"reward": "format"}}, word_sentiment(), "every option of task 'word_sentiment' has the form"),
        ({"expert_iteration": {"reward": "format"}}, word_sentiment(), "set written: true, or use reward: random"),
        ({"grpo": {"samples": "all"}}, arithmetic(), "samples: all reads every option"),
        ({"grpo": {"samples": "all", "written": True}}, word_sentiment(), "are written; give a number"),
        ({"grpo": {"precision": "float32"}}, arithmetic(), "precision: float32 is for answers that are options"),
        ({"grpo": {"questions_per_step": 16}}, word_sentiment(), "set it to 8 or less"),
        ({"grpo": {"steps": 3, "questions_per_step": 2}}, word_sentiment(), "set steps to 4 or more"),
    ],
)
def test_what_makes_no_sense_on_a_task_is_refused_before_anything_runs(spec, task, message):
    _, method = make_method(spec)
    with pytest.raises(UserError, match=message) as stop:
        method.check(task, examples=8)
    assert "\n" not in str(stop.value)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"grpo": {"reward": "right"}}, "reward = 'right'"),
        ({"grpo": {"samples": 1}}, "samples = 1"),
        ({"grpo": {"samples": "al"}}, "samples = 'al'"),
        ({"grpo": {"written": "text"}}, "written = 'text'"),
        ({"expert_iteration": {"samples": "all"}}, "samples = 'all'"),
        ({"iid_sft": {"reward": "random"}}, "recipe 'iid_sft' has no key 'reward'"),
    ],
)
def test_a_wrong_value_is_named(spec, message):
    with pytest.raises(UserError, match=message):
        make_method(spec)


def test_a_plan_counts_what_is_read_and_what_is_written():
    task = word_sentiment()
    grpo = make_method("grpo")[1]
    assert (grpo.num_steps(task, 4), grpo.num_steps(task, 512)) == (32, 64)
    assert (grpo.step_size(task, 4), grpo.step_size(task, 64)) == (4, 8)
    work = grpo.workload(task, 64)
    assert (work.training_rows, work.sampled_rows) == (32 * 8, 0)
    written = make_method({"grpo": {"written": True}})[1].workload(task, 64)
    assert (written.training_rows, written.sampled_rows, written.generated_tokens) == (512, 512, 16)
    expert = make_method("expert_iteration")[1].workload(task, 64)
    assert (expert.scored_rows, expert.sampled_rows) == (128, 0)
    assert make_method("expert_iteration")[1].workload(arithmetic(), 64).sampled_rows == 2 * 4 * 64


def test_the_right_reward_teaches_what_a_coin_does_not():
    """One of two options is always right."""
    rows = [
        Example(id=f"q{n}", question=f"Is {n} odd?", answer="not", choices=("not", "yes")[:: 1 if n % 2 else -1])
        for n in range(300)
    ]
    task = Task(name="always_not", version=1, kind="choice", load=lambda: {"all": rows})
    odds = {}
    for reward in ("correct", "random"):
        settings = {**GRPO, "steps": 24, "learning_rate": 2e-2, "reward": reward}
        _, _, output = elicit({"grpo": settings}, task, examples=32)
        pairs = [(each.loglikelihoods[each.answer_index], sum(each.loglikelihoods)) for each in output.outcomes]
        odds[reward] = sum(2 * right - both for right, both in pairs) / len(pairs)
    assert odds["correct"] > odds["random"] + 1

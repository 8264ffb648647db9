"""One short run of every recipe that trains, on the tiny model: losses, spend and what it records."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from educe.data.errors import UserError
from educe.data.tasks.arithmetic import arithmetic
from educe.data.tasks.word_sentiment import word_sentiment
from educe.eval.measure import measure
from educe.recipes.catalog import RECIPES, Recipe, make_method
from educe.recipes.training.presets import PRESETS
from educe.train.attach import temporary_changes
from tests.nets import tiny

GOLDEN = Path(__file__).with_name("golden.json")
FEW = {"bundled": {"count": 12}}
SHORT = {"max_examples_seen": 16, "precision": "float32"}
SPECS = {
    "iid_sft": SHORT,
    "minimal_lora": SHORT,
    "sparse_lora": SHORT | {"trainable_parameters": 16},
    "norms_and_biases": SHORT,
    "ia3": SHORT,
    "prompt_tuning": SHORT,
    "embedding_row": SHORT,
    "steering_vector": SHORT,
    "mean_difference": {"layer": 0},
    "full_fine_tune": SHORT,
    "description_length": {"precision": "float32", "floor_examples": 8},
    "stated_confidence": {"precision": "float32", "groups": 2, "epochs": 1},
    "helpful_sft": {"instructions": FEW, "precision": "float32"},
    "anti_refusal_sft": {"instructions": FEW, "precision": "float32"},
    "helpful_dpo": {"instructions": FEW, "precision": "float32"},
    "stacked": {"train": {"iid_sft": SHORT}, "prompt": {"few_shot": {"shots": 2}}},
    "grpo": {"steps": 4, "precision": "float32"},
    "expert_iteration": SHORT,
    "chain": {"stages": [{"iid_sft": SHORT}, {"grpo": {"steps": 2, "precision": "float32"}}]},
}


def test_no_recipe_that_trains_is_left_out():
    trained = {name for name, recipe in RECIPES.items() if recipe.load().role == "training"}
    assert trained == {*SPECS, "fine_tune"}  # which is iid_sft by default


@pytest.mark.parametrize("name", SPECS)
def test_a_short_run_gives_what_it_gave(name):
    """After a change that is meant to alter training, EDUCE_WRITE_GOLDEN=1 pytest writes new values."""
    model, task = tiny(), word_sentiment()
    _, method = make_method({name: SPECS[name]})
    with temporary_changes(model):
        elicited = method(model, task, examples=8, seed=0)
        answers = measure(elicited.model, task, elicited.prompt_fn, task.test_items(4))
    got = {
        "losses": [step["loss"] for step in elicited.history],
        "likelihoods": [value for outcome in answers.outcomes for value in outcome.loglikelihoods],
        "trainable_parameters": elicited.spend.trainable_parameters,
        "labelled_examples": elicited.spend.labelled_examples,
        "instructions": elicited.spend.instructions,
        "train_flops": elicited.spend.train_flops,
    }
    stored = json.loads(GOLDEN.read_text("utf-8")) if GOLDEN.exists() else {}
    if os.environ.get("EDUCE_WRITE_GOLDEN"):
        GOLDEN.write_text(json.dumps(stored | {name: got}, indent=1) + "\n", "utf-8")
        return
    expected = stored[name]
    assert got.keys() == expected.keys()
    for key, value in expected.items():
        assert got[key] == pytest.approx(value, rel=1e-4, abs=1e-4), key


def test_expert_iteration_learns_from_what_was_accepted_and_charges_every_sample():
    """Whatever ends in an even token is right, so that a model which knows nothing has something to learn."""
    task = arithmetic(digits=1)
    easy = replace(task, grade=lambda example, text: float(len(text) % 2 == 0), max_new_tokens=6)
    model = tiny()
    _, method = make_method(
        {"expert_iteration": {"samples": 3, "rounds": 2, "max_examples_seen": 8, "precision": "float32"}}
    )
    with temporary_changes(model):
        elicited = method(model, easy, examples=4, seed=0)
    details, spend = elicited.details, elicited.spend
    assert 0 < details.rounds[0].accepted_share < 1
    assert 0 < details.rounds[1].entropy_bits <= 1.585
    assert spend.labelled_examples == 4
    assert spend.search_flops > spend.train_flops > 0
    assert details.notes["accepted_examples"] >= 1


def test_grpo_makes_rewarded_answers_likelier_and_charges_every_sample():
    """A reward that the tiny model can earn: how many of its letters are vowels."""
    task = replace(arithmetic(digits=1), max_new_tokens=8, grade=_vowels)
    model = tiny()
    _, method = make_method({"grpo": {"steps": 12, "learning_rate": 2e-2, "samples": 8}})
    with temporary_changes(model):
        elicited = method(model, task, examples=4, seed=0)
    rewards = [step["reward"] for step in elicited.history]
    assert len(rewards) == 12
    assert sum(rewards[-4:]) > sum(rewards[:4])
    assert elicited.details.notes["samples"] == 12 * 2 * 8
    assert elicited.spend.labelled_examples == 4
    assert "forward" not in vars(model.net)  # what TRL put there
    assert not model.net.training
    assert elicited.spend.search_flops > 0 and elicited.spend.train_flops > 0
    entropies = [step["entropy_bits"] for step in elicited.history]
    assert all(0 <= each <= 3 for each in entropies)


def _vowels(example, text):
    return float(any(letter in "aeiou" for letter in text))


def test_grpo_refuses_a_reward_that_never_varies():
    task = replace(arithmetic(digits=1), max_new_tokens=4, grade=lambda example, text: 0.0)
    model = tiny()
    _, method = make_method({"grpo": {"steps": 1, "samples": 2}})
    with (
        pytest.raises(UserError, match="have the same reward, on every question, so there is nothing to learn"),
        temporary_changes(model),
    ):
        method(model, task, examples=4, seed=0)


def test_grpo_that_diverges_says_so_in_one_line():
    task = replace(arithmetic(digits=1), max_new_tokens=4, grade=_vowels)
    _, method = make_method({"grpo": {"steps": 4, "samples": 4, "learning_rate": 1e30}})
    with (
        pytest.raises(UserError, match=r"diverged by step .*lower learning_rate .now 1e.30"),
        temporary_changes(tiny()) as model,
    ):
        method(model, task, examples=4, seed=0)


def test_grpo_sees_every_question_unless_told_how_long():
    _, method = make_method("grpo")
    method.check(arithmetic(), examples=64)
    assert (method.num_steps(arithmetic(), 4), method.num_steps(arithmetic(), 64)) == (16, 32)


def test_a_token_that_no_prompt_holds_is_refused():
    _, method = make_method({"embedding_row": {"token": "~"}})
    with pytest.raises(UserError, match="would not be read"), temporary_changes(tiny()) as model:
        method(model, word_sentiment(), examples=4, seed=0)


def test_a_chosen_rate_is_the_one_that_was_written():
    settings = SHORT | {"trainable_parameters": 16, "learning_rate": [1e-4, 1e-3], "dev_examples": 8}
    _, method = make_method({"sparse_lora": settings})
    with temporary_changes(tiny()) as model:
        details = method(model, word_sentiment(), examples=8, seed=0).details
    assert details.selection.chosen["learning_rate"] in (1e-4, 1e-3)


def test_expert_iteration_says_when_nothing_was_right():
    task = replace(arithmetic(digits=1), grade=lambda example, text: 0.0, max_new_tokens=2)
    _, method = make_method({"expert_iteration": {"samples": 2, "rounds": 1}})
    with pytest.raises(UserError, match="none of 8 sampled answers to"), temporary_changes(tiny()) as model:
        method(model, task, examples=4, seed=0)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"stacked": {"train": "iid_sft", "prompt": "linear_probe"}}, "learns from examples of its own"),
        ({"stacked": {"train": "linear_probe", "prompt": "few_shot"}}, "trains nothing"),
        ({"stacked": {"train": "iid_sft", "prompt": "few_shot", "template": "chat"}}, "set them there"),
        ({"expert_iteration": {"random_labels": 1.0}}, "recipe 'expert_iteration' has no key 'random_labels'"),
        ({"description_length": {"learning_rate": [0.1, 0.2]}}, "learning_rate = .* does not fit"),
        ({"iid_sft": {"rnak": 4}}, "recipe 'iid_sft' has no key 'rnak'; did you mean 'rank'"),
        ({"iid_sft": {"rank": 0}}, "recipe 'iid_sft': rank = 0 is too small; give 1 or more"),
        ({"iid_sft": {"layers": [0, -1]}}, r"recipe 'iid_sft': layers.1 = -1 is too small"),
        ({"iid_sft": {"change": "ia3"}}, "recipe 'iid_sft': its change is 'lora'; use fine_tune"),
        ({"fine_tune": {"change": "ia4"}}, "recipe 'fine_tune': unknown change 'ia4'; did you mean 'ia3'"),
        ({"fine_tune": {"change": {"ia3": {"layer": [0]}}}}, "recipe 'fine_tune' has no key 'layer'; did you mean"),
        ({"fine_tune": {"change": ["ia3"]}}, "should be one name with its settings"),
        ({"fine_tune": {"change": {"ia3": 3}}}, "should be a mapping"),
        ({"norms_and_biases": {"rank": 4}}, "recipe 'norms_and_biases' has no key 'rank'"),
    ],
)
def test_a_mistake_in_a_recipe_is_refused_under_its_own_name(spec, message):
    with pytest.raises(UserError, match=message):
        make_method(spec)


@pytest.mark.parametrize(
    ("spec", "examples", "message"),
    [
        ({"grpo": {"steps": 4}}, 64, "set steps to 8 or more"),
        ({"grpo": {"questions_per_step": 8}}, 4, "set it to 4 or less"),
        ({"iid_sft": {"learning_rate": [1e-3, 1e-3], "dev_examples": 4}}, 4, "lists a value twice"),
        ({"mean_difference": {"shots": 4}}, 4, "give at least 5"),
        ({"mean_difference": {"strength": [0.1, 1]}}, 8, "set dev_examples"),
        ({"mean_difference": {"dev_examples": 8}}, 8, "drop dev_examples"),
    ],
)
def test_budgets_that_do_not_fit_are_refused_before_anything_runs(spec, examples, message):
    _, method = make_method(spec)
    with pytest.raises(UserError, match=message):
        method.check(word_sentiment(), examples=examples)


def test_a_rate_that_diverges_loses_the_choice_and_is_paid_for():
    model, task = tiny(), word_sentiment()
    settings = SHORT | {"dev_examples": 8, "rank": 2}
    _, one = make_method({"iid_sft": settings | {"learning_rate": 1e-3}})
    _, both = make_method({"iid_sft": settings | {"learning_rate": [1e30, 1e-3]}})
    with temporary_changes(model):
        alone = one(model, task, examples=8, seed=0)
    with temporary_changes(model):
        chosen = both(model, task, examples=8, seed=0)
        assert chosen.details.selection.chosen["learning_rate"] == 0.001
    assert chosen.spend.train_flops == alone.spend.train_flops
    assert chosen.spend.search_flops > 0.5 * alone.spend.train_flops


def test_a_helpful_model_is_trained_once_for_all_tasks_and_stays_the_same():
    model, task = tiny(), word_sentiment()
    _, method = make_method({"helpful_sft": SPECS["helpful_sft"]})

    def likelihoods():
        with temporary_changes(model):
            elicited = method(model, task, examples=0, seed=0)
            outcomes = measure(elicited.model, task, elicited.prompt_fn, task.test_items(4)).outcomes
        return [outcome.loglikelihoods for outcome in outcomes], elicited

    fresh, first = likelihoods()
    plain = measure(model, task, first.prompt_fn, task.test_items(4)).outcomes
    remembered, second = likelihoods()
    assert remembered == fresh != [outcome.loglikelihoods for outcome in plain]
    assert second.spend == first.spend


def test_a_push_is_chosen_on_dev_rows_and_every_try_is_charged():
    model, task = tiny(), word_sentiment()
    spec = {"layer": [0, 1], "strength": [0.1, 1.0, 10.0], "dev_examples": 8}
    (_, chooser), (_, one) = make_method({"mean_difference": spec}), make_method({"mean_difference": {"layer": 1}})
    with temporary_changes(model):
        single = one(model, task, examples=8, seed=0)
        answers = measure(single.model, task, single.prompt_fn, task.draw("dev", 8, seed=0))
    with temporary_changes(model):
        chosen = chooser(model, task, examples=8, seed=0)
        again = measure(chosen.model, task, chosen.prompt_fn, task.draw("dev", 8, seed=0))
    assert chosen.spend.labelled_examples == 16 and chosen.spend.train_flops == single.spend.train_flops
    assert chosen.spend.search_flops == pytest.approx(6 * 8 * answers.flops_per_answer)
    assert chosen.details.selection.dev_score == sum(outcome.score for outcome in again.outcomes) / 8


def test_a_preset_is_fine_tune_with_other_defaults():
    _, preset = make_method({"ia3": {"layers": [0], "epochs": 2}})
    _, whole = make_method({"fine_tune": {"change": {"ia3": {"layers": [0]}}, "epochs": 2, "learning_rate": 0.01}})
    assert preset == whole and preset.size_settings == ("layers",)
    assert preset.settings() == whole.settings() and preset.settings()["layers"] == [0]
    assert preset.label("ia3") == "ia3(layers=0, epochs=2)"
    assert whole.label("fine_tune") == "fine_tune(change=ia3, layers=0, learning_rate=0.01, epochs=2)"
    assert make_method("minimal_lora")[1].label("minimal_lora") == "minimal_lora"


def test_one_entry_is_a_new_recipe(monkeypatch):
    """What docs/adding.md promises: a preset that trains the norms alone."""
    entry = {
        "change": {"norms_and_biases": {"biases": False}},
        "learning_rate": 1e-3,
        "description": "Fine-tunes norms.",
    }
    monkeypatch.setitem(PRESETS, "norms_only", entry)
    monkeypatch.setitem(RECIPES, "norms_only", Recipe("training.fine_tune.FineTune", entry["description"]))
    name, method = make_method({"norms_only": SHORT})
    assert method.label(name) == "norms_only(max_examples_seen=16, precision=float32)"
    with temporary_changes(tiny()) as model:
        assert method(model, word_sentiment(), examples=8, seed=0).spend.trainable_parameters == 5 * 64


def test_every_recipe_has_a_class_and_a_sentence_that_fits_a_line():
    width = max(map(len, RECIPES))
    for name, recipe in RECIPES.items():
        assert recipe.load().__name__ and recipe.description.endswith(".")
        assert width + 2 + len(recipe.description) <= 80, name

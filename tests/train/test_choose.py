"""Choosing a schedule, stopping early, and labels from elsewhere: what is kept, and what it all costs."""

import math
from dataclasses import replace
from statistics import fmean

import pytest
import torch

from educe.data.errors import UserError
from educe.data.tasks.arithmetic import arithmetic
from educe.data.tasks.word_sentiment import word_sentiment
from educe.eval.measure import measure
from educe.eval.progress import step_listener
from educe.eval.prompting.prompts import PromptConfig, make_prompt_fn
from educe.eval.spend import Spend
from educe.recipes.catalog import make_method
from educe.recipes.training.settings import draw_labelled
from educe.train.attach import snapshot, temporary_changes
from educe.train.bits import label_bits
from educe.train.changes.peft import Lora
from educe.train.changes.vectors import SoftPrompt
from educe.train.choose import Search, fine_tune_best
from educe.train.divergence import Diverged
from educe.train.early_stopping import EarlyStopping
from educe.train.encode import encode_rows
from educe.train.schedule import Schedule
from educe.train.sft import fine_tune, fine_tune_together
from educe.train.weak_labels import label_by
from tests.nets import tiny

TASK = word_sentiment()
SCHEDULE = Schedule(learning_rate=1e-2, steps=8, batch_size=4, precision="float32")
LORA = Lora(rank=2)


def rows_of(model, split, count):
    return encode_rows(model, TASK.draw(split, count, seed=0), make_prompt_fn(model, TASK))


def choose(model, schedules, *, halving):
    prompt_fn, dev = make_prompt_fn(model, TASK), TASK.draw("dev", 6, seed=0)
    search = Search(
        rows=rows_of(model, "train", 8),
        trainable=LORA,
        schedules=schedules,
        measure_dev=lambda candidate: measure(candidate, TASK, prompt_fn, dev),
        dev_rows=(),
        halving=halving,
        seed=0,
    )
    (put_on,) = fine_tune_best(model, [search])
    return put_on()


@pytest.mark.parametrize("halving", [False, True])
def test_what_is_chosen_is_what_a_plain_run_under_that_schedule_gives(halving):
    model = tiny()
    schedules = [replace(SCHEDULE, learning_rate=rate) for rate in (1e-4, 1e-3, 1e-2, 3e-2)]
    with temporary_changes(model):
        chosen = choose(model, schedules, halving=halving)
        weights = snapshot(chosen.model)
    (schedule,) = [each for each in schedules if each.learning_rate == chosen.details.selection.chosen["learning_rate"]]
    with temporary_changes(model):
        plain = fine_tune(model, rows_of(model, "train", 8), trainable=LORA, schedule=schedule, seed=0)
        for name, values in snapshot(plain.model).items():
            torch.testing.assert_close(weights[name], values, atol=1e-5, rtol=1e-4)  # it trained beside others
    assert chosen.spend.train_flops == plain.spend.train_flops
    assert chosen.spend.labelled_examples == 8  # the recipe charges the dev rows, once


def test_halving_charges_every_rung():
    """Four candidates for a quarter of the steps, two for a half, and one in full: so much training in all."""
    model = tiny()
    rows, prompt_fn = rows_of(model, "train", 8), make_prompt_fn(model, TASK)
    schedules = [replace(SCHEDULE, learning_rate=rate) for rate in (1e-4, 1e-3, 1e-2, 3e-2)]
    with temporary_changes(model):
        chosen = choose(model, schedules, halving=True)
        dev = measure(chosen.model, TASK, prompt_fn, TASK.draw("dev", 6, seed=0))
        tries = [
            fine_tune(model, rows, trainable=LORA, schedule=replace(SCHEDULE, steps=steps), seed=0).spend.train_flops
            for steps in (2, 4)
        ]
    expected = 4 * tries[0] + 2 * tries[1] + 6 * 6 * dev.flops_per_answer
    assert chosen.spend.search_flops == pytest.approx(expected, rel=1e-12)


def test_schedules_that_are_alike_once_shortened_all_stay_in_the_race():
    """Two and three steps are one step at a quarter: one run decides for both, and the first named comes first."""
    model = tiny()
    schedules = [replace(SCHEDULE, learning_rate=rate, steps=steps) for steps in (3, 2) for rate in (1e-6, 1e-2)]
    with temporary_changes(model):
        chosen = choose(model, schedules, halving=True)
    assert chosen.details.selection.candidates == 4 and chosen.details.selection.chosen["steps"] == 3


def test_no_two_runs_of_a_search_have_one_name():
    """Failed before: half of 8 steps and the whole of 4 were both "4 steps", and a tracker had each step twice."""
    model, told = tiny(), []
    # Rates too small to move any answer: the first of equals wins.
    schedules = [replace(SCHEDULE, learning_rate=1e-12, steps=steps) for steps in (4, 8)]

    def noted(_, step):
        told.append((step.training, step.row["step"], "loss" in step.row))

    with step_listener(noted), temporary_changes(model):
        choose(model, schedules, halving=True)
    assert len(set(told)) == len(told)
    rate = "learning_rate 1e-12"
    names = {f"{rate}, 2 steps, rung 1", f"{rate}, 4 steps, rung 1", f"{rate}, 4 steps, in full"}
    assert {name for name, *_ in told} == names


def test_a_rate_that_diverges_loses_under_halving_and_is_paid_for():
    model = tiny()
    rows, prompt_fn = rows_of(model, "train", 8), make_prompt_fn(model, TASK)
    short = replace(SCHEDULE, steps=4)
    with temporary_changes(model):
        chosen = choose(model, [replace(SCHEDULE, learning_rate=rate) for rate in (1e30, 1e-2)], halving=True)
        dev = measure(chosen.model, TASK, prompt_fn, TASK.draw("dev", 6, seed=0))
    with temporary_changes(model):
        half = fine_tune(model, rows, trainable=LORA, schedule=short, seed=0).spend.train_flops
    with temporary_changes(model), pytest.raises(Diverged) as broken:
        fine_tune(model, rows, trainable=LORA, schedule=replace(short, learning_rate=1e30), seed=0)
    assert chosen.details.selection.chosen["learning_rate"] == 0.01
    expected = half + broken.value.spend.train_flops + 6 * dev.flops_per_answer
    assert chosen.spend.search_flops == pytest.approx(expected, rel=1e-12)


def test_what_diverges_only_in_full_gives_way_to_the_next(monkeypatch):
    """The best half run is not the last word: its schedule may break off later."""
    model = tiny()
    tried = []

    def sometimes(model, runs):
        tried.extend(run.schedule for run in runs)
        if len(tried) == 3:
            return [Diverged("loss is nan", save=None, spend=Spend(train_flops=1e15))]
        return fine_tune_together(model, runs)

    monkeypatch.setattr("educe.train.choose.fine_tune_together", sometimes)
    with temporary_changes(model):
        chosen = choose(model, [replace(SCHEDULE, learning_rate=rate) for rate in (1e-2, 1e-3)], halving=True)
    assert [each.steps for each in tried] == [4, 4, 8, 8] and tried[2] != tried[3]
    assert chosen.details.selection.chosen["learning_rate"] == tried[3].learning_rate
    assert chosen.spend.search_flops > 1e15


@pytest.mark.parametrize("halving", [False, True])
def test_all_that_diverge_fail_with_the_last_of_them(halving):
    model = tiny()
    with temporary_changes(model), pytest.raises(Diverged, match="lower learning_rate"):
        choose(model, [replace(SCHEDULE, learning_rate=rate) for rate in (1e30, 1e31)], halving=halving)


def test_early_stopping_goes_back_to_the_lowest_dev_loss():
    model = tiny()
    schedule = replace(SCHEDULE, learning_rate=3e-2, steps=40, patience=3)
    dev = rows_of(model, "dev", 6)
    with temporary_changes(model):
        tuned = fine_tune(model, rows_of(model, "train", 8), trainable=LORA, schedule=schedule, dev_rows=dev, seed=0)
        looks = [step["dev_loss"] for step in tuned.history if "dev_loss" in step]
        # A pass is two steps; the net memorises eight words in a few passes and is then wrong about others for sure.
        assert len(tuned.history) == 2 * len(looks) < 40
        assert looks.index(min(looks)) == len(looks) - 4
        training = tuned.details.training
        assert training.steps_kept == 2 * (len(looks) - 3) and training.steps_made == len(tuned.history)
        bits = fmean(label_bits(tuned.model, dev)[0])
        nats = bits * len(dev) * math.log(2) / sum(row.supervised for row in dev)
        assert nats == pytest.approx(min(looks), rel=1e-4)
        one_look = label_bits(tuned.model, dev)[1].search_flops
    assert tuned.spend.search_flops == pytest.approx(len(looks) * one_look)
    # Packed behind what they share, dev rows take fewer FLOPs than read one by one, and not a tenth.
    assert 0.1 < tuned.spend.executed_search_flops / tuned.spend.search_flops < 1.5


def test_a_vector_before_every_text_stands_before_dev_rows_too():
    model = tiny()
    dev = rows_of(model, "dev", 6)
    with temporary_changes(model):
        tuned = fine_tune(
            model,
            rows_of(model, "train", 8),
            trainable=SoftPrompt(length=4),
            schedule=replace(SCHEDULE, patience=100),
            dev_rows=dev,
            seed=0,
        )
        read = [row.with_prefix(tuned.model.prefix) for row in dev]
        bits = fmean(label_bits(tuned.model, read)[0])
    nats = bits * len(dev) * math.log(2) / sum(row.supervised for row in dev)
    assert nats == pytest.approx(min(step["dev_loss"] for step in tuned.history if "dev_loss" in step), rel=1e-4)


def test_looks_of_a_run_that_diverges_are_charged(monkeypatch):
    model = tiny()
    inner = EarlyStopping._dev_loss

    def then_break(self):
        loss = inner(self)
        with torch.no_grad():
            next(iter(self._tuned.trained.values())).fill_(math.nan)
        return loss

    monkeypatch.setattr(EarlyStopping, "_dev_loss", then_break)
    schedule = replace(SCHEDULE, patience=5)
    with temporary_changes(model), pytest.raises(Diverged) as broken:
        fine_tune(
            model,
            rows_of(model, "train", 8),
            trainable=LORA,
            schedule=schedule,
            dev_rows=rows_of(model, "dev", 6),
            seed=0,
        )
    assert broken.value.spend.search_flops > 0


def test_a_pass_is_over_with_the_batch_that_takes_its_last_row():
    """Nine rows in batches of four: passes end in the third, fifth and seventh batch."""
    model = tiny()
    with temporary_changes(model):
        tuned = fine_tune(
            model,
            rows_of(model, "train", 9),
            trainable=LORA,
            schedule=replace(SCHEDULE, steps=7, patience=9),
            dev_rows=rows_of(model, "dev", 6),
            seed=0,
        )
    assert [step["step"] for step in tuned.history if "dev_loss" in step] == [2, 4, 6]


def test_looking_changes_no_step():
    model = tiny()
    rows = rows_of(model, "train", 8)
    with temporary_changes(model):
        plain = fine_tune(model, rows, trainable=LORA, schedule=SCHEDULE, seed=0)
    with temporary_changes(model):
        watched = fine_tune(
            model,
            rows,
            trainable=LORA,
            schedule=replace(SCHEDULE, patience=100),
            dev_rows=rows_of(model, "dev", 6),
            seed=0,
        )
    losses = [[step["loss"] for step in tuned.history] for tuned in (plain, watched)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)  # what all rows share may be shorter with dev rows


def test_dev_rows_are_charged_once_whatever_they_decide():
    model = tiny()
    settings = {
        "max_examples_seen": 32,
        "precision": "float32",
        "learning_rate": [1e-3, 1e-2],
        "dev_examples": 6,
        "patience": 2,
    }
    _, method = make_method({"iid_sft": settings | {"epochs": [4, 8], "max_examples_seen": 64, "halving": True}})
    with temporary_changes(model):
        elicited = method(model, TASK, examples=8, seed=0)
    assert elicited.spend.labelled_examples == 14
    assert (
        elicited.details.selection.candidates == 4 and method.reads_dev and method.workload(TASK, 8).scored_rows > 6 * 6
    )
    assert elicited.details.selection.chosen["steps"] in (4, 8) and elicited.details.selection.dev_examples == 6


def test_labels_from_a_model_are_its_picks_and_no_label_is_read():
    model, chat = tiny(), {"tiny-random": {"kind": "chat"}}
    drawn = TASK.draw("train", 12, seed=0)
    weak = label_by(chat, model, TASK, drawn, prompt_config=PromptConfig())
    assert [each.id for each in weak.examples] == [each.id for each in drawn]
    agree = [mine.answer == theirs.answer for mine, theirs in zip(weak.examples, drawn, strict=True)]
    assert weak.right == sum(agree) / 12 and 0 < weak.right < 1
    assert weak.spend.labelled_examples == 0 and weak.spend.search_flops > 0
    _, method = make_method({"iid_sft": {"labels_from": chat, "max_examples_seen": 16, "precision": "float32"}})
    with temporary_changes(model):
        elicited = method(model, TASK, examples=12, seed=0)
    assert elicited.spend.labelled_examples == 0 and elicited.spend.search_flops == weak.spend.search_flops
    assert elicited.details.demonstrator.share_right == weak.right
    (schedule,) = method.schedules(12)
    encoded = encode_rows(model, weak.examples, make_prompt_fn(model, TASK))
    with temporary_changes(model):
        by_hand = fine_tune(model, encoded, trainable=Lora(rank=8), schedule=schedule, seed=0)
    assert [step["loss"] for step in elicited.history] == [step["loss"] for step in by_hand.history]


def test_weak_answers_in_text_are_learned_and_empty_ones_left_out(monkeypatch):
    model, sums = tiny(), arithmetic()
    drawn = sums.draw("train", 4, seed=0)
    inner = measure

    def two_say_nothing(*args, **options):
        answers = inner(*args, **options)
        said = [
            replace(outcome, text=text) for outcome, text in zip(answers.outcomes, [" 12", "", "7", " "], strict=True)
        ]
        return replace(answers, outcomes=tuple(said))

    monkeypatch.setattr("educe.train.weak_labels.measure", two_say_nothing)
    weak = label_by("tiny-random", model, sums, drawn, prompt_config=PromptConfig())
    assert [each.answer for each in weak.examples] == ["12", "7"]
    assert [each.id for each in weak.examples] == [drawn[0].id, drawn[2].id]
    monkeypatch.setattr(
        "educe.train.weak_labels.measure",
        lambda *args, **options: replace(
            answers := inner(*args, **options), outcomes=tuple(replace(each, text="") for each in answers.outcomes)
        ),
    )
    with pytest.raises(UserError, match="answers none of 4 questions"):
        label_by("tiny-random", model, sums, drawn, prompt_config=PromptConfig())


def test_a_demonstrator_is_its_weights_in_the_cell_and_not_where_it_lies():
    named = make_method({"iid_sft": {"labels_from": "tiny-random"}})[1].settings()
    again = make_method({"iid_sft": {"labels_from": {"tiny-random": {"name": "other"}}}})[1].settings()
    chat = make_method({"iid_sft": {"labels_from": {"tiny-random": {"kind": "chat"}}}})[1].settings()
    assert named == again != chat


def test_random_labels_choose_by_random_labels():
    """A control that is stopped or chosen by true labels would learn from them."""
    model = tiny()
    settings = {"learning_rate": [1e-3, 1e-2], "dev_examples": 6, "max_examples_seen": 8, "precision": "float32"}
    _, method = make_method({"iid_sft": settings | {"random_labels": 1.0}})
    seen = []

    def noted(candidate, task, prompt_fn, items, **rest):
        seen.append([item.answer for item in items])
        return measure(candidate, task, prompt_fn, items, **rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("educe.recipes.training.fine_tune.measure", noted)
        with temporary_changes(model):
            method(model, TASK, examples=8, seed=0)
    true = [each.answer for each in TASK.draw("dev", 6, seed=0)]
    assert seen[0] == [each.answer for each in draw_labelled(TASK, "dev", 6, seed=0, random_labels=1.0)] != true


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"halving": True}, "nothing to choose"),
        ({"patience": 2}, "set dev_examples"),
        ({"dev_examples": 4}, "would not be read"),
        ({"epochs": [2, 4]}, "set dev_examples"),
        ({"epochs": [4, 8], "max_examples_seen": 16, "dev_examples": 4}, "raise it or list fewer epochs"),
        ({"labels_from": "smollm"}, "unknown model"),
        ({"labels_from": "tiny-random", "random_labels": 0.5}, "drop labels_from or random_labels"),
    ],
)
def test_choices_without_a_ground_are_refused(settings, message):
    _, method = make_method({"iid_sft": settings})
    with pytest.raises(UserError, match=message):
        method.check(TASK, examples=8)

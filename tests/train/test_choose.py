"""Choosing a schedule, stopping early, and labels from elsewhere: what is kept, and what it all costs."""

from dataclasses import replace

import pytest
import torch

from data.errors import UserError
from data.word_sentiment import word_sentiment
from eval.ask import prompter
from eval.measure import measure
from recipes.catalog import make_method
from tests.nets import tiny
from train.attach import bare, snapshot
from train.bits import label_bits
from train.changes.peft import Lora
from train.choose import fine_tune_best
from train.encode import encode_rows
from train.sft import Schedule, fine_tune
from train.weak_labels import label_by

TASK = word_sentiment()
SCHEDULE = Schedule(learning_rate=1e-2, steps=8, batch_size=4, precision="float32")
LORA = Lora(rank=2)


def rows_of(subject, split, count):
    return encode_rows(subject, TASK.draw(split, count, seed=0), prompter(subject, TASK))


def choose(subject, schedules, *, halving):
    ask, dev = prompter(subject, TASK), TASK.draw("dev", 6, seed=0)
    return fine_tune_best(
        subject,
        rows_of(subject, "train", 8),
        trainable=LORA,
        schedules=schedules,
        measure_dev=lambda candidate: measure(candidate, TASK, ask, dev),
        dev_rows=(),
        halving=halving,
        seed=0,
    )


@pytest.mark.parametrize("halving", [False, True])
def test_what_is_chosen_is_what_a_plain_run_under_that_schedule_gives(halving):
    subject = tiny()
    schedules = [replace(SCHEDULE, learning_rate=rate) for rate in (1e-4, 1e-3, 1e-2, 3e-2)]
    with bare(subject):
        chosen = choose(subject, schedules, halving=halving)
        weights = snapshot(chosen.subject)
    (schedule,) = [each for each in schedules if f"{each.learning_rate:g}" == chosen.about["chosen_learning_rate"]]
    with bare(subject):
        plain = fine_tune(subject, rows_of(subject, "train", 8), trainable=LORA, schedule=schedule, seed=0)
        assert all(torch.equal(weights[name], values) for name, values in snapshot(plain.subject).items())
    assert chosen.spend.train_flops == plain.spend.train_flops
    assert chosen.spend.labelled_examples == 8  # the recipe charges the dev rows, once


def test_halving_charges_every_rung():
    """Four candidates for a quarter of the steps, two for a half, and one in full: so much training in all."""
    subject = tiny()
    rows, ask = rows_of(subject, "train", 8), prompter(subject, TASK)
    schedules = [replace(SCHEDULE, learning_rate=rate) for rate in (1e-4, 1e-3, 1e-2, 3e-2)]
    with bare(subject):
        chosen = choose(subject, schedules, halving=True)
        dev = measure(chosen.subject, TASK, ask, TASK.draw("dev", 6, seed=0))
        tries = [
            fine_tune(subject, rows, trainable=LORA, schedule=replace(SCHEDULE, steps=steps), seed=0).spend.train_flops
            for steps in (2, 4)
        ]
    expected = 4 * tries[0] + 2 * tries[1] + 6 * 6 * dev.flops_per_answer
    assert chosen.spend.search_flops == pytest.approx(expected, rel=1e-12)


def test_a_rate_that_diverges_loses_under_halving_and_is_paid_for():
    subject = tiny()
    schedules = [replace(SCHEDULE, learning_rate=rate) for rate in (1e30, 1e-3)]
    with bare(subject):
        chosen = choose(subject, schedules, halving=True)
    assert chosen.about["chosen_learning_rate"] == "0.001" and chosen.spend.search_flops > chosen.spend.train_flops / 2


def test_early_stopping_goes_back_to_the_lowest_dev_loss():
    subject = tiny()
    schedule = replace(SCHEDULE, learning_rate=3e-2, steps=40, patience=3)
    dev = rows_of(subject, "dev", 6)
    with bare(subject):
        tuned = fine_tune(
            subject, rows_of(subject, "train", 8), trainable=LORA, schedule=schedule, dev_rows=dev, seed=0
        )
        looks = [step["dev_loss"] for step in tuned.history if "dev_loss" in step]
        # A pass is two steps; the net memorises eight words in a few passes and is then wrong about others for sure.
        assert len(tuned.history) == 2 * len(looks) < 40
        assert looks.index(min(looks)) == len(looks) - 4
        assert tuned.about["steps_kept"] == 2 * (len(looks) - 3) and tuned.about["steps_made"] == len(tuned.history)
        bits, _ = label_bits(tuned.subject, dev)
        nats = bits * len(dev) * torch.log(torch.tensor(2.0)).item() / sum(row.supervised for row in dev)
        assert nats == pytest.approx(min(looks), rel=1e-4)
        one_look = label_bits(tuned.subject, dev)[1].search_flops
    assert tuned.spend.search_flops == pytest.approx(len(looks) * one_look)
    assert tuned.spend.executed_search_flops > 0


def test_looking_changes_no_step():
    subject = tiny()
    rows = rows_of(subject, "train", 8)
    with bare(subject):
        plain = fine_tune(subject, rows, trainable=LORA, schedule=SCHEDULE, seed=0)
    with bare(subject):
        watched = fine_tune(
            subject,
            rows,
            trainable=LORA,
            schedule=replace(SCHEDULE, patience=100),
            dev_rows=rows_of(subject, "dev", 6),
            seed=0,
        )
    losses = [[step["loss"] for step in tuned.history] for tuned in (plain, watched)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)  # what all rows share may be shorter with dev rows


def test_dev_rows_are_charged_once_whatever_they_decide():
    subject = tiny()
    settings = {"passes": 32, "precision": "float32", "learning_rate": [1e-3, 1e-2], "dev_examples": 6, "patience": 2}
    _, method = make_method({"iid_sft": settings | {"epochs": [2, 4], "halving": True}})
    with bare(subject):
        elicited = method(subject, TASK, examples=8, seed=0)
    assert elicited.spend.labelled_examples == 14
    assert elicited.about["candidates"] == 4 and method.reads_dev and method.rows_asked() > 6 * 6
    assert elicited.about["chosen_steps"] in (2, 4)


def test_labels_from_a_subject_are_its_picks_and_no_label_is_read():
    subject = tiny()
    drawn = TASK.draw("train", 12, seed=0)
    labelled, spend, right = label_by({"tiny-random": {"kind": "chat"}}, subject, TASK, drawn, answer_as=None)
    assert [each.id for each in labelled] == [each.id for each in drawn]
    agree = [mine.answer == theirs.answer for mine, theirs in zip(labelled, drawn, strict=True)]
    assert right == sum(agree) / 12 and 0 < right < 1
    assert spend.labelled_examples == 0 and spend.search_flops > 0
    _, method = make_method({"iid_sft": {"labels_from": "tiny-random", "passes": 16, "precision": "float32"}})
    with bare(subject):
        elicited = method(subject, TASK, examples=12, seed=0)
    assert elicited.spend.labelled_examples == 0 and elicited.spend.search_flops > 0
    assert "demonstrator" in method.settings() and elicited.about["labels_from"] == "tiny-random"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"halving": True}, "nothing to choose"),
        ({"patience": 2}, "set dev_examples"),
        ({"epochs": [2, 4]}, "set dev_examples"),
        ({"epochs": [4, 8], "passes": 16, "dev_examples": 4}, "raise passes"),
        ({"labels_from": "smollm"}, "unknown subject"),
        ({"labels_from": "tiny-random", "random_labels": 0.5}, "drop labels_from or random_labels"),
    ],
)
def test_choices_without_a_ground_are_refused(settings, message):
    _, method = make_method({"iid_sft": settings})
    with pytest.raises(UserError, match=message):
        method.check(TASK, examples=8)

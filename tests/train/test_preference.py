"""Preference training: TRL's loss, and what it moves."""

import math
import tempfile
from dataclasses import replace
from functools import partial

import datasets
import pytest
import torch
from peft import LoraConfig
from trl import DPOConfig, DPOTrainer

from educe.data.tasks.word_sentiment import word_sentiment
from educe.eval.prompting.prompts import make_prompt_fn
from educe.train.attach import attach, load_snapshot, snapshot, temporary_changes
from educe.train.changes.peft import Lora
from educe.train.encode import encode_rows
from educe.train.preference import PreferenceLoss, PreferenceRow
from educe.train.schedule import Schedule
from educe.train.sft import fine_tune
from tests.nets import tiny


def pairs(model, count=4):
    """The first choice is always preferred."""
    task = word_sentiment()
    drawn = task.draw("train", count, seed=0)
    right, wrong = ([replace(each, answer=each.choices[place]) for each in drawn] for place in (0, 1))
    prompt_fn = make_prompt_fn(model, task)
    return [
        PreferenceRow(chosen=chosen, rejected=rejected)
        for chosen, rejected in zip(
            encode_rows(model, right, prompt_fn), encode_rows(model, wrong, prompt_fn), strict=True
        )
    ]


@pytest.mark.filterwarnings("ignore::FutureWarning")  # TRL, of its own settings
def test_the_loss_is_that_of_trl():
    """After the adapter has moved, so that policy and reference differ."""
    model = tiny()
    rows = pairs(model)
    with temporary_changes(model):
        tuned = attach(model, Lora(rank=2), seed=0)
        loss = PreferenceLoss(tuned.net, shared=0, pad=0, beta=0.3)
        loss.read_reference(rows, batch_size=4)
        with torch.no_grad():
            for parameter in tuned.trained.values():
                parameter.add_(0.3)
        moved = snapshot(tuned)
        ours = loss([rows]).item() / len(rows)
        names = list(moved)
    assert abs(ours - math.log(2)) > 0.01
    other = tiny()
    decode = other.tokenizer.decode
    config = DPOConfig(
        output_dir=tempfile.mkdtemp(), beta=0.3, max_steps=1, per_device_train_batch_size=4, learning_rate=1e-9,
        use_cpu=True, report_to="none", logging_steps=1, save_strategy="no", disable_tqdm=True, bf16=False,
        gradient_checkpointing=False,
    )  # fmt: skip
    data = datasets.Dataset.from_list(
        [
            {
                "prompt": decode(row.chosen.ids[: -row.chosen.supervised]),
                "chosen": decode(row.chosen.ids[-row.chosen.supervised :]),
                "rejected": decode(row.rejected.ids[-row.rejected.supervised :]),
            }
            for row in rows
        ]
    )
    trainer = DPOTrainer(
        model=other.net, args=config, train_dataset=data, processing_class=other.tokenizer,
        peft_config=LoraConfig(r=2, lora_alpha=4, target_modules="all-linear", task_type="CAUSAL_LM"),
    )  # fmt: skip
    theirs = dict(trainer.model.named_parameters())
    with torch.no_grad():
        for name in names:
            theirs[name].copy_(moved[name])
    assert trainer.train().training_loss == pytest.approx(ours, abs=1e-4)


def test_training_prefers_the_chosen_answers_and_costs_the_reference_too():
    model = tiny()
    rows = pairs(model, 8)
    schedule = Schedule(learning_rate=2e-2, steps=12, batch_size=4, precision="float32")
    with temporary_changes(model):
        tuned = fine_tune(
            model, rows, trainable=Lora(rank=4), schedule=schedule, seed=0, loss=partial(PreferenceLoss, beta=0.5)
        )
        kept = snapshot(tuned.model)
    losses = [step["loss"] for step in tuned.history]
    assert losses[0] == pytest.approx(math.log(2), abs=1e-5)
    assert losses[-1] < 0.5 * losses[0]
    with temporary_changes(model):
        again = attach(model, Lora(rank=4), seed=0)
        loss = PreferenceLoss(again.net, shared=0, pad=0, beta=1.0)
        loss.read_reference(rows, batch_size=8)
        load_snapshot(again, kept)
        assert loss([rows]).item() < 8 * math.log(2)
    plain = Schedule(learning_rate=2e-2, steps=12, batch_size=8, precision="float32")
    texts = [part for row in rows for part in row.parts]
    with temporary_changes(model):
        same_reads = fine_tune(model, texts, trainable=Lora(rank=4), schedule=plain, seed=0).spend
    # Twelve steps of four pairs against twelve of eight rows: the rest is the reference, a forward of every text.
    rest = tuned.spend.train_flops - same_reads.train_flops
    assert 0.1 * 16 / 96 < rest / same_reads.train_flops < 16 / 96

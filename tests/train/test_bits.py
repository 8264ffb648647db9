"""Description lengths against sums made by hand."""

import math
from dataclasses import replace

import pytest
import torch

from educe.data.tasks.arithmetic import arithmetic
from educe.data.tasks.word_sentiment import word_sentiment
from educe.eval.prompting.prompts import make_prompt_fn
from educe.recipes.training.description_length import DescriptionLength
from educe.train.attach import attach, temporary_changes
from educe.train.bits import encode_labelled, label_bits, option_bits, prequential_bits
from educe.train.changes.peft import Lora
from educe.train.encode import encode_rows
from educe.train.schedule import Schedule
from educe.train.sft import fine_tune
from tests.nets import tiny


def plain_bits(net, row):
    """Of one row's label, from full logits."""
    ids = torch.tensor([row.ids])
    with torch.inference_mode():
        logprobs = net(ids[:, :-1]).logits.double().log_softmax(-1)[0]
    places = range(len(row.ids) - 1 - row.supervised, len(row.ids) - 1)
    return -sum(float(logprobs[place, row.ids[place + 1]]) for place in places) / math.log(2)


def test_mdl_is_each_label_s_loss_before_its_own_update():
    model, task = tiny(), word_sentiment()
    rows = encode_rows(model, task.draw("train", 5, seed=0), make_prompt_fn(model, task))
    schedule = Schedule(learning_rate=0.02, steps=5, batch_size=1, precision="float32", once=True)
    with temporary_changes(model):
        history = fine_tune(model, rows, trainable=Lora(rank=2), schedule=schedule, seed=0).history
    order = torch.randperm(5, generator=torch.Generator().manual_seed(0)).tolist()
    total = 0.0
    for step, index in enumerate(order):
        with temporary_changes(model):
            # The same run, stopped before the step: rates are those of the whole schedule.
            tuned = attach(model, Lora(rank=2), seed=0)
            optimizer = torch.optim.AdamW(tuned.trained.values(), weight_decay=0.0)
            for done in range(step):
                for group in optimizer.param_groups:
                    group["lr"] = schedule.rate(done)
                row = rows[order[done]]
                labels = torch.tensor([[-100] * (len(row.ids) - row.supervised) + list(row.ids[-row.supervised :])])
                tuned.net(torch.tensor([row.ids]), labels=labels).loss.backward()
                torch.nn.utils.clip_grad_norm_(list(tuned.trained.values()), 1.0)
                optimizer.step()
                optimizer.zero_grad()
            total += plain_bits(tuned.net, rows[index])
    assert prequential_bits(history) == pytest.approx(total, rel=1e-6)


def test_description_length_reads_every_row_once_also_where_batches_do_not_come_out_even():
    model, task = tiny(), word_sentiment()
    with temporary_changes(model):
        elicited = DescriptionLength(batch_size=4, floor_examples=8, precision="float32")(
            model, task, examples=10, seed=0
        )
    rows = encode_rows(model, task.draw("train", 10, seed=0), make_prompt_fn(model, task))
    assert [step["supervised_tokens"] for step in elicited.history][-1] < sum(row.supervised for row in rows[:4])
    assert sum(step["supervised_tokens"] for step in elicited.history) == sum(row.supervised for row in rows)
    assert elicited.spend.labelled_examples == 18
    bits = elicited.details.label_bits
    assert bits.edl_bits == pytest.approx(elicited.spend.bits - 10 * bits.floor_bits_per_example)


def test_label_bits_are_those_of_full_logits():
    model, task = tiny(), word_sentiment()
    rows = encode_rows(model, task.draw("train", 6, seed=0), make_prompt_fn(model, task))
    expected = sum(plain_bits(model.net, row) for row in rows) / 6
    bits, spend = label_bits(model, rows, batch_size=4)
    assert bits == pytest.approx(expected, rel=1e-6)
    assert spend.labelled_examples == 6 and spend.search_flops > 0


def test_bits_among_options_are_those_of_full_logits():
    model, task = tiny(), word_sentiment()
    examples = task.draw("train", 5, seed=0)
    prompt_fn = make_prompt_fn(model, task)
    got = option_bits(model, list(encode_labelled(model, examples, prompt_fn).values()))
    for example, bits in zip(examples, got, strict=True):
        texts = [replace(example, answer=choice) for choice in example.choices]
        shares = [2 ** -plain_bits(model.net, row) for row in encode_rows(model, texts, prompt_fn)]
        assert bits == pytest.approx(-math.log2(shares[example.answer_index] / sum(shares)), rel=1e-5)


def test_mdl_among_options_is_read_before_each_update():
    """Two batches: the first is read under the untrained adapter, the second after one step."""
    model, task = tiny(), word_sentiment()
    method = DescriptionLength(batch_size=4, floor_examples=8, precision="float32")
    with temporary_changes(model):
        elicited = method(model, task, examples=8, seed=0)
        noted = [step["option_bits"] for step in elicited.history]
        floor = task.draw("dev", 8, seed=0)
        prompt_fn = make_prompt_fn(model, task)
        held = option_bits(elicited.model, list(encode_labelled(model, floor, prompt_fn).values()))
    details = elicited.details
    assert details.label_bits.floor_bits_per_example == pytest.approx(sum(held) / 8, rel=1e-6)
    assert details.label_bits.mdl_bits == elicited.spend.bits == pytest.approx(sum(noted))
    assert details.label_bits.edl_bits == pytest.approx(sum(noted) - sum(held))
    assert details.text_bits.mdl_bits == pytest.approx(prequential_bits(elicited.history))
    labelled = encode_labelled(model, task.draw("train", 8, seed=0), prompt_fn)
    order = [list(labelled)[place] for place in torch.randperm(8, generator=torch.Generator().manual_seed(0)).tolist()]
    untrained = option_bits(model, [labelled[id] for id in order[:4]])
    assert noted[0] == pytest.approx(sum(untrained), rel=1e-6)
    later = option_bits(model, [labelled[id] for id in order[4:]])
    assert noted[1] != pytest.approx(sum(later), rel=1e-6)


def test_a_task_without_options_has_the_bits_of_its_texts():
    model, task = tiny(), arithmetic()
    with temporary_changes(model):
        elicited = DescriptionLength(batch_size=4, floor_examples=4, precision="float32")(
            model, task, examples=4, seed=0
        )
    details = elicited.details
    assert elicited.spend.bits == details.label_bits.mdl_bits == pytest.approx(prequential_bits(elicited.history))
    assert details.text_bits is None

"""The training loop: what is learned, what must be equal, what is refused."""

import math
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.tasks.word_sentiment import word_sentiment
from educe.eval.model.encode import common_prefix
from educe.eval.prompting.prompts import make_prompt_fn
from educe.train.attach import attach, snapshot, temporary_changes
from educe.train.changes.peft import Lora
from educe.train.divergence import Diverged
from educe.train.encode import encode_rows
from educe.train.loss import AnswerLoss, pack
from educe.train.schedule import Schedule, batches
from educe.train.sft import fine_tune
from tests.nets import tiny, tiny_chat, tiny_sliding

SCHEDULE = Schedule(learning_rate=1e-2, steps=6, batch_size=4, precision="float32")


def rows_for(model, num_examples=8):
    task = word_sentiment()
    return encode_rows(model, task.draw("train", num_examples, seed=0), make_prompt_fn(model, task))


def tuned_weights(model, rows, *, seed=0, schedule=SCHEDULE):
    with temporary_changes(model):
        return snapshot(fine_tune(model, rows, trainable=Lora(rank=2), schedule=schedule, seed=seed).model)


@pytest.mark.parametrize("make", [tiny, tiny_chat])
def test_the_answer_and_the_stop_token_are_supervised_and_nothing_else(make):
    model = make()
    (row, *_) = rows_for(model)
    learned = model.tokenizer.decode(row.ids[-row.supervised :])
    assert learned.strip() in ("positive<eos>", "negative<eos>")


@pytest.mark.parametrize("make", [tiny, tiny_chat, tiny_sliding])
@pytest.mark.parametrize("capacity", [1, 10_000])
def test_packed_loss_equals_full_logits_row_by_row(make, capacity, monkeypatch):
    model = make()
    rows = rows_for(model)
    monkeypatch.setattr("educe.train.loss.pack", lambda rows, shared: pack(rows, shared=shared, capacity=capacity))
    shared = common_prefix([row.ids[: -row.supervised - 1] for row in rows])
    loss = AnswerLoss(model.net, shared=shared, pad=0)([rows]).item()
    expected = 0.0
    for row in rows:
        labels = torch.tensor([[-100] * (len(row.ids) - row.supervised) + list(row.ids[-row.supervised :])])
        output = model.net(torch.tensor([row.ids]), labels=labels)
        expected += output.loss.item() * row.supervised
    assert loss == pytest.approx(expected, abs=1e-4 * sum(row.supervised for row in rows))


def test_gradients_of_a_pack_are_those_of_its_rows():
    model = tiny()
    rows = rows_for(model, 4)
    model.net.requires_grad_(True)
    loss = AnswerLoss(model.net, shared=20, pad=0)
    loss([rows]).backward()
    together = [parameter.grad.clone() for parameter in model.net.parameters()]
    model.net.zero_grad()
    for row in rows:
        loss([[row]]).backward()
    for one, parameter in zip(together, model.net.parameters(), strict=True):
        assert torch.allclose(one, parameter.grad, atol=1e-4)


def test_short_memory_trains_in_pieces_to_the_same_adapter(monkeypatch):
    model = tiny()
    rows = rows_for(model)
    whole = tuned_weights(model, rows)
    inner = AnswerLoss.forward

    calls: list[int] = []

    def tight(self, batches, runs):
        (rows,) = batches
        # The whole batch does not fit; of its halves the first does, so that a part of a gradient is left behind.
        calls.append(len(rows))
        if len(rows) == 4 or (len(rows) == 2 and calls.count(2) == 2):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return inner(self, batches, runs)

    monkeypatch.setattr(AnswerLoss, "forward", tight)
    for name, values in tuned_weights(model, rows).items():
        assert torch.allclose(values, whole[name], atol=1e-4), name
    assert calls == [4, 2, 2] + [1] * 4 * SCHEDULE.steps, "what did not fit once is not tried again"


def test_a_row_that_does_not_fit_is_one_line(monkeypatch):
    def full(self, batches, runs):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(AnswerLoss, "forward", full)
    with pytest.raises(UserError, match="a training batch of 1 does not fit into memory; set checkpoint_act"):
        tuned_weights(tiny(), rows_for(tiny()))


def test_a_batch_of_eight_is_eight_accumulated_rows():
    model = tiny()
    rows = rows_for(model, 16)
    runs = []
    for accumulate in (1, 8):
        schedule = Schedule(learning_rate=1e-3, steps=4, batch_size=8, precision="float32", accumulate=accumulate)
        with temporary_changes(model):
            tuned = fine_tune(model, rows, trainable=Lora(rank=2), schedule=schedule, seed=0)
            runs.append(([row["loss"] for row in tuned.history], snapshot(tuned.model), tuned))
    (losses, weights, _), (again, others, tuned) = runs
    assert again == pytest.approx(losses, rel=1e-6)
    for name, values in weights.items():
        torch.testing.assert_close(others[name], values, rtol=0, atol=1e-6, msg=name)
    assert tuned.details.training.pieces == 8


def test_executed_flops_are_those_of_the_packs_that_ran(monkeypatch):
    model = tiny()
    rows = rows_for(model)
    with temporary_changes(model):
        whole = fine_tune(model, rows, trainable=Lora(rank=2), schedule=SCHEDULE, seed=0).spend
    monkeypatch.setattr("educe.train.loss.pack", lambda rows, shared: [[row] for row in rows])
    with temporary_changes(model):
        apart = fine_tune(model, rows, trainable=Lora(rank=2), schedule=SCHEDULE, seed=0).spend
    assert whole.train_flops == apart.train_flops
    assert whole.executed_train_flops != apart.executed_train_flops > apart.train_flops


def test_same_seed_same_bytes_other_seed_other_bytes():
    model = tiny()
    rows = rows_for(model)
    first, again, other = (tuned_weights(model, rows, seed=seed) for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_golden_losses():
    """Update these when the loop is meant to train differently (order, schedule, loss, initial weights), and say so."""
    model = tiny()
    with temporary_changes(model):
        history = fine_tune(model, rows_for(model), trainable=Lora(rank=2), schedule=SCHEDULE, seed=0).history
    assert [row["loss"] for row in history] == pytest.approx(GOLDEN, abs=1e-3)
    assert [row["learning_rate"] for row in history] == pytest.approx([1e-2, 1e-2, 8e-3, 6e-3, 4e-3, 2e-3])


GOLDEN = [5.5229, 5.4506, 5.3298, 5.2621, 5.2285, 5.2137]


def test_a_model_learns_to_answer_and_to_stop():
    model = tiny()
    task = word_sentiment()
    prompt_fn = make_prompt_fn(model, task)
    rows = encode_rows(model, task.draw("train", 1, seed=0), prompt_fn)
    with temporary_changes(model):
        schedule = Schedule(learning_rate=1e-2, steps=60)
        tuned = fine_tune(model, rows, trainable=Lora(rank=16), schedule=schedule, seed=0)
        row = rows[0]
        prompt = torch.tensor([row.ids[: -row.supervised]])
        written = tuned.model.net.generate(prompt, max_new_tokens=30, do_sample=False, pad_token_id=0)
    assert tuple(written[0].tolist()) == row.ids


def test_taking_the_adapter_off_restores_the_model_to_the_bit():
    model = tiny()
    before = {name: value.clone() for name, value in model.net.state_dict().items()}
    tuned_weights(model, rows_for(model))
    after = model.net.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not any(parameter.requires_grad for parameter in model.net.parameters())


def test_the_adapter_is_off_after_a_failure_too():
    model = tiny()
    names = list(model.net.state_dict())
    with pytest.raises(UserError), temporary_changes(model):
        fine_tune(model, rows_for(model), trainable=Lora(), schedule=Schedule(learning_rate=0.0, steps=2), seed=0)
    assert list(model.net.state_dict()) == names


def test_a_rate_that_moves_nothing_is_refused():
    model = tiny()
    with pytest.raises(UserError, match="nothing moved in 2 steps at learning_rate 0"), temporary_changes(model):
        fine_tune(model, rows_for(model), trainable=Lora(), schedule=Schedule(learning_rate=0.0, steps=2), seed=0)


def test_a_loss_that_is_not_finite_names_step_rows_and_rate():
    model = tiny()
    schedule = Schedule(learning_rate=1e30, steps=9, batch_size=8)
    with (
        pytest.raises(UserError, match=r"loss is (nan|inf) at step \d \(rows .*; lower learning_rate"),
        temporary_changes(model),
    ):
        fine_tune(model, rows_for(model), trainable=Lora(), schedule=schedule, seed=0)


def test_training_that_breaks_off_keeps_the_weights_of_the_last_finite_loss(tmp_path, monkeypatch):
    """The third loss is not a number: the weights that gave the second are kept."""
    model = tiny()
    rows = rows_for(model)
    plain = AnswerLoss.forward
    seen = []

    def breaking(self, batches, runs):
        seen.append({name: each.detach().clone() for name, each in self.net.named_parameters() if each.requires_grad})
        return plain(self, batches, runs) * (float("nan") if len(seen) == 3 else 1.0)

    monkeypatch.setattr(AnswerLoss, "forward", breaking)
    with pytest.raises(Diverged, match="loss is nan at step 2") as caught, temporary_changes(model):
        fine_tune(model, rows, trainable=Lora(rank=2), schedule=SCHEDULE, seed=0)
    (tmp_path / "kept").mkdir()
    caught.value.save(tmp_path / "kept")
    saved = load_file(tmp_path / "kept" / "adapter_model.safetensors")
    expected = {name.replace(".default", "").removeprefix("base_model.model."): each for name, each in seen[1].items()}
    for name, each in saved.items():
        assert torch.equal(each, expected[name.removeprefix("base_model.model.")])
    assert not all(torch.equal(one, other) for one, other in zip(seen[0].values(), seen[1].values(), strict=True))


def test_weights_that_only_the_last_step_breaks_are_no_result(tmp_path):
    """Every loss was a number, and what trained is none: the weights before the step are kept."""
    model = tiny()
    schedule = Schedule(learning_rate=float("1e38"), rate_factor=1e10, steps=1, batch_size=8, precision="float32")
    with pytest.raises(Diverged, match="weights are not finite after step 0") as caught, temporary_changes(model):
        fine_tune(model, rows_for(model), trainable=Lora(rank=2), schedule=schedule, seed=0)
    (tmp_path / "kept").mkdir()
    caught.value.save(tmp_path / "kept")
    saved = load_file(tmp_path / "kept" / "adapter_model.safetensors")
    assert all(each.isfinite().all() for each in saved.values())


def test_a_row_without_a_supervised_token_is_refused_naming_the_example(monkeypatch):
    model = tiny()
    task = word_sentiment()
    monkeypatch.setattr("educe.train.encode._closing", lambda model, prompt, answer: "")
    with pytest.raises(UserError, match=r"example '\w+' has no token to learn from"):
        encode_rows(model, task.draw("train", 1, seed=0), make_prompt_fn(model, task))


def test_a_row_longer_than_the_context_is_refused():
    model = tiny()
    task = word_sentiment()
    long = Example(id="long", question="why? " * 400, answer="a", choices=("a", "b"))
    with pytest.raises(UserError, match="longer than the context"):
        encode_rows(model, [long], make_prompt_fn(model, task))


def test_every_batch_is_full_and_every_pass_sees_each_row_once():
    rows = rows_for(tiny(), 6)
    stream = [
        row.id
        for batch in batches(rows, schedule=Schedule(learning_rate=1.0, steps=6, batch_size=4), seed=3)
        for row in batch
    ]
    assert len(stream) == 24
    passes = [stream[start : start + 6] for start in range(0, 24, 6)]
    assert all(set(each) == {row.id for row in rows} for each in passes)
    assert len({tuple(each) for each in passes}) > 1


def test_fewer_rows_than_a_batch_make_smaller_batches():
    rows = rows_for(tiny(), 3)
    sizes = [len(batch) for batch in batches(rows, schedule=Schedule(learning_rate=1.0, steps=2, batch_size=8), seed=0)]
    assert sizes == [3, 3]


def test_packs_hold_every_row_in_order_within_capacity():
    rows = rows_for(tiny(), 8)
    packs = pack(rows, shared=10, capacity=200)
    assert [row for each in packs for row in each] == list(rows)
    assert all(10 + sum(len(row.ids) - 11 for row in each) <= 200 for each in packs)
    assert len(packs) > 1


def test_warm_up_and_decay():
    schedule = Schedule(learning_rate=1.0, steps=20, warmup=0.1)
    rates = [schedule.rate(step) for step in range(20)]
    assert rates[:2] == [0.5, 1.0]
    assert rates[2] == 1.0
    assert rates[-1] == pytest.approx(1 / 18)
    assert all(math.isfinite(rate) and rate > 0 for rate in rates)


def test_a_constant_rate_is_neither_warmed_up_nor_decays():
    schedule = Schedule(learning_rate=2e-3, rate_factor=2.0, steps=20, constant=True)
    assert {schedule.rate(step) for step in range(20)} == {4e-3}


def test_a_change_can_start_from_what_an_earlier_run_left():
    model = tiny()
    rows = rows_for(model)
    with temporary_changes(model):
        left = snapshot(fine_tune(model, rows, trainable=Lora(rank=2), schedule=SCHEDULE, seed=0).model)
    with temporary_changes(model):
        started = snapshot(attach(replace(model, start=left), Lora(rank=2), seed=5))
    with temporary_changes(model):
        fresh = snapshot(attach(model, Lora(rank=2), seed=5))
    assert all(torch.equal(started[name], left[name]) for name in left)
    assert any(not torch.equal(started[name], fresh[name]) for name in left)


def test_the_spend_counts_rows_tokens_and_parameters():
    model = tiny()
    rows = rows_for(model, 8)
    with temporary_changes(model):
        spend = fine_tune(model, rows, trainable=Lora(rank=2), schedule=SCHEDULE, seed=0).spend
    seen = [row for batch in batches(rows, schedule=SCHEDULE, seed=0) for row in batch]
    assert spend.labelled_examples == 8
    assert spend.training_tokens == sum(len(row.ids) - 1 for row in seen)
    # Rank 2 on both sides of seven maps in two layers: 2 * (in + out) each.
    assert spend.trainable_parameters == 2 * 2 * (128 + 96 + 96 + 128 + 192 + 192 + 192)
    assert spend.executed_train_flops != spend.train_flops > 0


def test_bfloat16_training_is_a_choice_and_recorded():
    model = tiny()
    losses = {}
    for precision in ("float32", "bfloat16"):
        with temporary_changes(model):
            schedule = Schedule(learning_rate=1e-2, steps=2, precision=precision)
            tuned = fine_tune(model, rows_for(model), trainable=Lora(rank=2), schedule=schedule, seed=0)
        assert tuned.details.training.precision == precision
        losses[precision] = [row["loss"] for row in tuned.history]
    assert losses["bfloat16"] != losses["float32"]
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=1e-2)

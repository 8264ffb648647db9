"""Description lengths against sums made by hand."""

import math
from dataclasses import replace

import pytest
import torch

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.hashing import shuffled
from educe.data.task import Task
from educe.data.tasks.arithmetic import arithmetic
from educe.data.tasks.first_names import first_names
from educe.data.tasks.word_sentiment import word_sentiment
from educe.data.watched import watched
from educe.eval.prompting.prompts import make_prompt_fn
from educe.recipes.training import description_length
from educe.recipes.training.description_length import DescriptionLength
from educe.train.attach import attach, temporary_changes
from educe.train.bits import encode_labelled, label_bits, option_bits, prequential_bits
from educe.train.changes.own_weights import AllWeights
from educe.train.changes.peft import Lora
from educe.train.encode import encode_rows
from educe.train.schedule import Schedule
from educe.train.sft import fine_tune
from tests.nets import tiny


def method(**settings):
    return DescriptionLength(**{"floor_examples": 8, "precision": "float32", **settings})


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
    schedule = Schedule(learning_rate=0.02, steps=5, batch_size=1, precision="float32", once=True, constant=True)
    with temporary_changes(model):
        history = fine_tune(model, rows, trainable=Lora(rank=2), schedule=schedule, seed=0).history
    order = torch.randperm(5, generator=torch.Generator().manual_seed(0)).tolist()
    total = 0.0
    for step, index in enumerate(order):
        with temporary_changes(model):
            # The same run, stopped before the step.
            tuned = attach(model, Lora(rank=2), seed=0)
            optimizer = torch.optim.AdamW(tuned.trained.values(), lr=0.02, weight_decay=0.0)
            for done in range(step):
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
        elicited = method(batch_size=4)(model, task, examples=10, seed=0)
    rows = encode_rows(model, task.draw("train", 10, seed=0), make_prompt_fn(model, task))
    assert [step["supervised_tokens"] for step in elicited.history][-1] < sum(row.supervised for row in rows[:4])
    assert sum(step["supervised_tokens"] for step in elicited.history) == sum(row.supervised for row in rows)
    assert elicited.spend.labelled_examples == 10 + 8 + 1
    bits = elicited.details.label_bits
    assert bits.edl_bits == pytest.approx(elicited.spend.bits - 10 * bits.floor_bits_per_example)


def test_no_test_row_is_read_to_find_a_task_of_the_same_form():
    """Before, the questions of all splits counted as read, and no result of an organism could be stored."""
    task, model = word_sentiment(), tiny()
    seen = watched(task)
    with temporary_changes(model):
        method(floor_examples=4)(model, seen, examples=4, seed=0)
    assert 0 < len(seen.read) <= 8 and not seen.read & {row.id for row in task.rows["test"]}


def test_label_bits_are_those_of_full_logits():
    model, task = tiny(), word_sentiment()
    rows = encode_rows(model, task.draw("train", 6, seed=0), make_prompt_fn(model, task))
    bits, spend = label_bits(model, rows, batch_size=4)
    assert bits == pytest.approx([plain_bits(model.net, row) for row in rows], rel=1e-6)
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
    """Two batches: the first is read under the adapter that knows the form, the second after one step."""
    model, task = tiny(), word_sentiment()
    with temporary_changes(model):
        elicited = method(batch_size=4, form_rows=0)(model, task, examples=8, seed=0)
        noted = [step["option_bits"] for step in elicited.history]
        floor = task.draw("dev", 8, seed=0)
        prompt_fn = make_prompt_fn(model, task)
        held = option_bits(elicited.model, list(encode_labelled(model, floor, prompt_fn).values()))
    details = elicited.details
    assert details.label_bits.floor_bits_per_example == pytest.approx(sum(held) / 8, rel=1e-6)
    assert details.label_bits.floor_error == pytest.approx(torch.tensor(held).std().item() / 8**0.5, rel=1e-5)
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
        elicited = method(batch_size=4, floor_examples=4)(model, task, examples=4, seed=0)
    details = elicited.details
    assert elicited.spend.bits == details.label_bits.mdl_bits == pytest.approx(prequential_bits(elicited.history))
    assert details.text_bits is None


def test_the_coding_pass_has_one_rate_and_may_read_row_by_row():
    model, task = tiny(), word_sentiment()
    with temporary_changes(model):
        history = method(batch_size=1, learning_rate=3e-3)(model, task, examples=6, seed=0).history
    assert [step["learning_rate"] for step in history] == [3e-3] * 6


def test_the_floor_is_that_of_a_usual_fine_tune_in_several_passes_whatever_the_rate_of_the_coding_pass():
    model, task = tiny(), word_sentiment()
    prompt_fn = make_prompt_fn(model, task)
    floors = []
    for rate in (1e-4, 1e-2):
        made = method(learning_rate=rate, floor_epochs=3, floor_learning_rate=5e-3, form_rows=0)
        with temporary_changes(model):
            floors.append(made(model, task, examples=16, seed=0).details.label_bits.floor_bits_per_example)
    rows = encode_rows(model, task.draw("train", 16, seed=0), prompt_fn)
    schedule = Schedule(learning_rate=5e-3, steps=6, precision="float32")  # 3 passes of two batches
    with temporary_changes(model):
        tuned = fine_tune(model, rows, trainable=Lora(rank=8), schedule=schedule, seed=0).model
        held = option_bits(tuned, list(encode_labelled(model, task.draw("dev", 8, seed=0), prompt_fn).values()))
    assert floors == pytest.approx([sum(held) / 8] * 2, rel=1e-5)


def test_the_form_comes_from_another_task_and_held_out_rows_are_no_training_rows(monkeypatch):
    """What each run trains on, and what the floor reads, as the training loop and the reader see it."""
    model, task = tiny(), word_sentiment()
    trained, read = [], []

    def spied_training(model, rows, **settings):
        trained.append({row.id for row in rows})
        return fine_tune(model, rows, **settings)

    def spied_reading(model, rows, **settings):
        read.append({row.id for row in rows})
        return label_bits(model, rows, **settings)

    monkeypatch.setattr(description_length, "fine_tune", spied_training)
    monkeypatch.setattr(description_length, "label_bits", spied_reading)
    with temporary_changes(model):
        elicited = method(form_rows=2)(model, task, examples=8, seed=3)
    form, coded, converged = trained
    assert form == {row.id for row in first_names().draw("train", 2, seed=3)}
    assert coded == converged == {row.id for row in task.draw("train", 8, seed=3)}
    (held_out,) = read
    assert len(held_out) == 8 and not held_out & {row.id for row in task.rows["train"]}
    assert elicited.details.notes["form_task"] == "first_names"
    assert elicited.spend.labelled_examples == 8 + 8 + 2


def test_one_row_of_another_task_takes_the_form_of_an_answer_off_the_bits():
    """The text of a first label, read before anything of the task was learned, costs less after that row."""
    model, task = tiny(), word_sentiment()
    first = []
    for rows in (0, 1):
        with temporary_changes(model):
            made = method(batch_size=1, form_rows=rows, floor_learning_rate=1e-2)
            first.append(made(model, task, examples=1, seed=0).history[0]["loss"])
    assert first[1] < first[0] - 0.1  # nats a token


@pytest.mark.parametrize(
    ("task", "other"),
    [(word_sentiment(), "first_names"), (first_names(), "word_sentiment"), (arithmetic(), "plurals")],
)
def test_the_form_is_that_of_the_first_other_task_of_the_same_kind(task, other):
    assert method().form_task(task).name == other


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"form_tasks": ("word_sentiment",)}, r"\(word_sentiment\) hold no other choice task than 'word_sentiment'"),
        ({"form_tasks": ({"word_sentiment": {"name": "words"}},)}, r"\(words\) hold no other choice task"),
        ({"form_tasks": ("arithmetic",)}, "name one, or set form_rows: 0"),
        ({"form_tasks": ("capitols",)}, "unknown task 'capitols'; did you mean 'capitals'"),
        ({"form_rows": 10_000}, "form_rows = 10000 are more than the"),
    ],
)
def test_a_form_that_no_other_task_shows_is_refused(settings, message):
    with pytest.raises(UserError, match=message):
        method(**settings).check(word_sentiment(), examples=4)


def test_a_cell_is_another_one_with_other_rows_of_form():
    settings = [method(form_tasks=(name,)).settings() for name in ("first_names", "capitals")]
    assert settings[0] != settings[1]


# Worlds whose truth is known.


def rule(*, labels=("dry", "wet")):
    """Whether a text is made of a or of b: a rule that has to be learned, once for all. To start with, the tiny model
    finds both labels about as likely."""
    words = shuffled([f"{letter * 6}{number}" for number in range(100, 340) for letter in "ab"], key="rule")
    rows = [Example(id=word, question=word, choices=labels, answer=labels[word[0] == "b"]) for word in words]
    return Task(
        name="rule", version=1, kind="choice",
        load=lambda: {"train": rows[:160], "dev": rows[160:288], "test": rows[288:]},
    )  # fmt: skip


@pytest.mark.slow
def test_random_labels_have_no_excess_where_nothing_can_be_learned_by_heart():
    """A rate that moves nothing to speak of. A label's bits have the standard deviation s over rows and fair labels, so
    the mean EDL of k seeds, which share m held-out labels, has the error sqrt(n s^2 / k + n^2 s^2 / m)."""
    model, task, n, m, seeds = tiny(), rule(), 64, 128, 4
    made = method(learning_rate=1e-6, floor_learning_rate=1e-6, random_labels=1.0, floor_examples=m)
    found = []
    for seed in range(seeds):
        with temporary_changes(model):
            found.append(made(model, task, examples=n, seed=seed).details.label_bits)
    prompt_fn = make_prompt_fn(model, task)
    rows = [replace(row, answer=label) for row in task.rows["dev"] for label in row.choices]
    each = [
        bits for row in rows for bits in option_bits(model, list(encode_labelled(model, [row], prompt_fn).values()))
    ]
    s = torch.tensor(each).std().item()
    error = (n * s**2 / seeds + n**2 * s**2 / m) ** 0.5
    assert 4 * error < n / 4  # a quarter of a bit a label would be seen
    assert abs(sum(bits.edl_bits for bits in found) / seeds) < 4 * error
    assert all(bits.mdl_bits == pytest.approx(n, abs=4 * error + 4 * n**0.5 * s) for bits in found)


@pytest.mark.slow
def test_a_rule_that_must_be_learned_has_an_excess_and_one_that_is_known_has_none():
    """Known: every weight has learned the rule, from rows that are in neither, and the rates add nothing to that. Then
    labels cost what held-out ones cost. The error is that of the floor over held-out rows, and of as many labels of the
    stream."""
    model, task, n = tiny(), rule(), 96
    made = method(batch_size=4, learning_rate=1e-2, floor_learning_rate=1e-2, floor_examples=128)
    with temporary_changes(model):
        taught = made(model, task, examples=n, seed=0).details.label_bits
    assert taught.floor_bits_per_example < 0.1  # it was learned
    assert taught.edl_bits > 4 * n * taught.floor_error
    assert taught.edl_bits > n / 16
    rows = encode_rows(model, task.rows["test"], make_prompt_fn(model, task))
    schedule = Schedule(learning_rate=3e-3, steps=120, batch_size=16, precision="float32")
    with temporary_changes(model):
        knows = fine_tune(model, rows, trainable=AllWeights(), schedule=schedule, seed=0).model
        careful = method(learning_rate=1e-6, floor_learning_rate=1e-6, floor_examples=128, form_rows=0)
        known = careful(knows, task, examples=n, seed=0).details.label_bits
    s = known.floor_error * 128**0.5
    assert abs(known.edl_bits) < 4 * (n * s**2 + n**2 * known.floor_error**2) ** 0.5
    assert known.edl_bits < taught.edl_bits / 4

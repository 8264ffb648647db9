"""Runs that train together: each comes out as it does alone, and none touches another."""

import gc
import math
import weakref
from dataclasses import replace
from functools import partial
from statistics import fmean

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from educe.data.errors import UserError
from educe.data.tasks.word_sentiment import word_sentiment
from educe.eval.measure import measure
from educe.eval.prompting.prompts import make_prompt_fn
from educe.train.attach import snapshot, temporary_changes
from educe.train.bits import label_bits
from educe.train.changes.peft import Lora
from educe.train.choose import Search, fine_tune_best
from educe.train.divergence import Diverged
from educe.train.encode import encode_rows
from educe.train.engine import Engine
from educe.train.loss import pack
from educe.train.run import Run
from educe.train.schedule import Schedule
from educe.train.sft import fine_tune_alone, fine_tune_together
from tests.nets import tiny

TASK = word_sentiment()
SCHEDULE = Schedule(learning_rate=1e-2, steps=6, batch_size=4, precision="float32")


def run_on(model, count=8, *, seed=0, kind=None, dev=0, **schedule):
    prompt_fn = make_prompt_fn(model, TASK)
    return Run(
        rows=encode_rows(model, TASK.draw("train", count, seed=seed), prompt_fn),
        trainable=kind or Lora(rank=2),
        schedule=replace(SCHEDULE, **schedule),
        seed=seed,
        dev_rows=encode_rows(model, TASK.draw("dev", dev, seed=seed), prompt_fn) if dev else (),
    )


def alone(model, run):
    with temporary_changes(model):
        tuned = fine_tune_alone(model, run)
        return snapshot(tuned.model), tuned


def held_out_bits(model, put_on):
    with temporary_changes(model):
        tuned = put_on()
        rows = encode_rows(model, TASK.draw("dev", 12, seed=0), make_prompt_fn(model, TASK))
        return fmean(label_bits(tuned.model, rows)[0])


def assert_as_alone(model, run, finished):
    """The losses of all steps and of held-out rows, and the spend. Of weights only what they do is compared.

    Where a gradient is nearly zero, Adam makes a step of its rounding.
    """
    tuned = alone(model, run)[1]
    bits = [
        held_out_bits(model, each) for each in (lambda: fine_tune_alone(model, run), lambda: finished.put_on(model))
    ]
    assert bits[0] == pytest.approx(bits[1], rel=1e-4)
    assert len(finished.history) == len(tuned.history)
    for mine, theirs in zip(finished.history, tuned.history, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-4)
    for name in ("labelled_examples", "training_tokens", "train_flops", "search_flops", "trainable_parameters"):
        assert getattr(finished.spend, name) == getattr(tuned.spend, name), name
    assert finished.details.training.steps_kept == tuned.details.training.steps_kept


@pytest.mark.parametrize("tokens", [1, pytest.param(100, marks=pytest.mark.slow), 10_000])
def test_every_run_of_a_cohort_is_what_it_is_alone(tokens, monkeypatch):
    """Sizes, seeds, rates, numbers of steps, few parameters and early stopping, whoever shares a pass."""
    monkeypatch.setattr("educe.train.engine.PASS_TOKENS", {"cpu": tokens})
    model = tiny()
    runs = [
        run_on(model, 1, steps=2),
        run_on(model, 8, seed=1),
        run_on(model, 9, seed=1, learning_rate=3e-2, steps=11),
        run_on(model, 16, seed=2, kind=Lora(rank=2, trainable_parameters=40), learning_rate=5e-2),
        run_on(model, 8, dev=6, patience=3, learning_rate=3e-2, steps=40),
        run_on(model, 8, seed=4, warmup=0.5),
    ]
    finished = fine_tune_together(model, runs)
    for run, each in zip(runs, finished, strict=True):
        assert_as_alone(model, run, each)
    assert len(finished[4].history) < 40, "early stopping has not stopped, and shows nothing"


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 99), st.integers(1, 5)), min_size=2, max_size=5))
def test_any_cohort_trains_as_its_runs_do(drawn):
    model = tiny()
    runs = [run_on(model, count, seed=seed, steps=steps) for count, seed, steps in drawn]
    for run, each in zip(runs, fine_tune_together(model, runs), strict=True):
        assert_as_alone(model, run, each)


def test_no_number_of_one_run_reaches_another():
    """Beside other labels, other first values, another rate or none that is finite, a run has the same bits."""
    model = tiny()
    first, beside = run_on(model, 4), run_on(model, 4, seed=1)  # one batch has all rows: packs keep their widths
    one = fine_tune_together(model, [first, beside])[0]
    labels = [replace(row, ids=(*row.ids[: -row.supervised], *range(row.supervised))) for row in beside.rows]
    others = [
        replace(beside, rows=labels),
        replace(beside, seed=7),
        replace(beside, schedule=replace(beside.schedule, learning_rate=1.0)),
        replace(beside, trainable=Lora(rank=2, trainable_parameters=3)),
    ]
    for other in others:
        two = fine_tune_together(model, [first, other])[0]
        assert one.history == two.history
        assert all(torch.equal(values, two.weights[name]) for name, values in one.weights.items())
    broken, failed = fine_tune_together(
        model, [first, replace(beside, schedule=replace(beside.schedule, learning_rate=1e30))]
    )
    assert isinstance(failed, Diverged)
    assert broken.history[:2] == one.history[:2]  # afterwards it is alone in its passes


def test_a_run_that_diverges_leaves_with_its_last_good_weights(tmp_path):
    model = tiny()
    runs = [run_on(model, 8), run_on(model, 8, seed=1, learning_rate=1e30), run_on(model, 16, seed=2)]
    good, bad, also = fine_tune_together(model, runs)
    assert isinstance(bad, Diverged) and "lower learning_rate (now 1e+30)" in str(bad)
    assert_as_alone(model, runs[0], good)
    assert_as_alone(model, runs[2], also)
    with temporary_changes(model), pytest.raises(Diverged) as lonely:
        fine_tune_alone(model, runs[1])
    assert bad.spend.train_flops == lonely.value.spend.train_flops and str(bad) == str(lonely.value)
    (tmp_path / "alone").mkdir()
    (tmp_path / "beside").mkdir()
    lonely.value.save(tmp_path / "alone")
    bad.save(tmp_path / "beside")
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        assert (tmp_path / "alone" / name).read_bytes() == (tmp_path / "beside" / name).read_bytes()


def test_a_run_that_cannot_begin_fails_alone():
    model = tiny()
    total = Lora(rank=2).size(model)
    runs = [run_on(model, 8), run_on(model, 8, kind=Lora(rank=2, trainable_parameters=total + 1))]
    good, bad = fine_tune_together(model, runs)
    assert isinstance(bad, UserError) and "is more than this adapter has" in str(bad)
    assert_as_alone(model, runs[0], good)


def test_a_run_that_moves_nothing_is_an_error_of_its_own():
    model = tiny()
    runs = [run_on(model, 8), run_on(model, 8, learning_rate=0.0)]
    good, bad = fine_tune_together(model, runs)
    assert "nothing moved in 6 steps" in str(bad)
    assert_as_alone(model, runs[0], good)


def test_a_cohort_leaves_nothing_behind():
    model = tiny()
    before = alone(model, run_on(model))[0]
    fine_tune_together(model, [run_on(model), run_on(model, seed=1)])
    after = alone(model, run_on(model))[0]
    assert all(torch.equal(before[name], values) for name, values in after.items())


def test_where_memory_is_short_runs_pass_one_by_one_and_then_in_pieces(monkeypatch):
    model = tiny()
    runs = [run_on(model, 8), run_on(model, 8, seed=1)]
    inner, passes = Engine._passes, []

    def limited(self, batches):
        for pieces in inner(self, batches):
            passes.append([len(piece.rows) for piece in pieces])
            if sum(passes[-1]) > 2:
                raise RuntimeError("can't allocate memory")
            yield pieces

    monkeypatch.setattr(Engine, "_passes", limited)
    finished = fine_tune_together(model, runs)
    assert passes[:4] == [[4, 4], [4], [2], [2]]
    monkeypatch.undo()
    for run, each in zip(runs, finished, strict=True):
        assert each.details.training.pieces == 2
        assert_as_alone(model, run, each)


def test_the_seconds_of_a_cohort_are_shared_by_what_was_computed():
    model = tiny()
    short, long = fine_tune_together(model, [run_on(model, 8, steps=1), run_on(model, 8, seed=1, steps=9)])
    assert 0 < short.spend.seconds < long.spend.seconds
    assert math.isclose(short.spend.executed_train_flops * 9, long.spend.executed_train_flops, rel_tol=0.2)


def test_runs_that_do_not_stack_are_told_apart():
    model = tiny()
    run = run_on(model)
    assert run.stacks_with(run_on(model, 3, seed=4, learning_rate=1.0, steps=1, patience=2, warmup=0.3))
    assert run.stacks_with(run_on(model, kind=Lora(rank=2, trainable_parameters=5)))
    for other in ({"batch_size": 2}, {"precision": "bfloat16"}, {"accumulate": 2}, {"kind": Lora(rank=4)}):
        assert not run.stacks_with(run_on(model, **other))


def search_on(model, seed, rates, *, halving=False):
    prompt_fn, dev = make_prompt_fn(model, TASK), TASK.draw("dev", 6, seed=seed)
    run = run_on(model, 8, seed=seed)
    return Search(
        rows=run.rows,
        trainable=run.trainable,
        schedules=[replace(run.schedule, learning_rate=rate) for rate in rates],
        measure_dev=lambda candidate: measure(candidate, TASK, prompt_fn, dev),
        dev_rows=(),
        halving=halving,
        seed=seed,
    )


@pytest.mark.parametrize("halving", [pytest.param(False, marks=pytest.mark.slow), True])
def test_searches_that_train_together_choose_and_cost_what_each_does_alone(halving):
    """One of them has a rate that diverges, one has nothing to choose, and one diverges whatever it tries."""
    model = tiny()
    rates = [(1e-4, 1e-2, 3e-2), (1e30, 1e-2), (1e-2,), (1e30, 1e31)]
    searches = [search_on(model, seed, each, halving=halving) for seed, each in enumerate(rates)]
    with temporary_changes(model):
        together = fine_tune_best(model, searches)
    for search, put_on in zip(searches, together, strict=True):
        with temporary_changes(model):
            (alone,) = fine_tune_best(model, [search])
        outcomes = []
        for each in (put_on, alone):
            with temporary_changes(model):
                try:
                    tuned = each()
                    outcomes.append((tuned.spend.search_flops, tuned.spend.train_flops, tuned.details.selection))
                except Diverged as error:
                    outcomes.append((str(error), error.spend.train_flops))
        assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("schedule", [{"precision": "bfloat16"}, {"checkpoint_activations": True}, {"accumulate": 2}])
def test_cohorts_in_bfloat16_with_recomputation_and_in_pieces(schedule):
    model = tiny()
    runs = [run_on(model, 8, seed=seed, **schedule) for seed in range(3)]
    for run, each in zip(runs, fine_tune_together(model, runs), strict=True):
        tuned = alone(model, run)[1]
        for mine, theirs in zip(each.history, tuned.history, strict=True):
            assert mine == pytest.approx(theirs, rel=1e-3 if "precision" in schedule else 1e-4)
        assert each.details.training.precision == tuned.details.training.precision


def test_runs_with_several_packs_each_meet_their_own_adapter(monkeypatch):
    monkeypatch.setattr("educe.train.loss.pack", partial(pack, capacity=60))
    model = tiny()
    runs = [run_on(model, 8, seed=seed) for seed in range(3)]
    for run, each in zip(runs, fine_tune_together(model, runs), strict=True):
        assert_as_alone(model, run, each)


def test_what_diverged_alone_saves_its_own_weights_whatever_trains_afterwards(tmp_path):
    model = tiny()
    total = Lora(rank=2).size(model)
    runs = [
        run_on(model, 8, learning_rate=1e30),
        run_on(model, 8, kind=Lora(rank=2, trainable_parameters=total + 1)),  # so that each trains alone
        run_on(model, 8, seed=1),
    ]
    bad, _, _ = fine_tune_together(model, runs)
    with temporary_changes(model), pytest.raises(Diverged) as lonely:
        fine_tune_alone(model, runs[0])
    for name, error in (("lonely", lonely.value), ("bad", bad)):
        (tmp_path / name).mkdir()
        error.save(tmp_path / name)
    saved = [(tmp_path / name / "adapter_model.safetensors").read_bytes() for name in ("lonely", "bad")]
    assert saved[0] == saved[1]


def test_nothing_of_training_stays_in_memory_when_a_run_has_ended():
    model = tiny()
    made = []
    inner = Engine.__init__

    def seen(self, *given, **named):
        inner(self, *given, **named)
        made.append(weakref.ref(self._optimizer))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Engine, "__init__", seen)
        gc.collect()
        gc.disable()
        try:
            with temporary_changes(model):
                kept = fine_tune_alone(model, run_on(model))
            errors = fine_tune_together(model, [run_on(model), run_on(model, learning_rate=1e30)])
            assert len(made) == 2 and all(each() is None for each in made), "a cycle or an error keeps it"
        finally:
            gc.enable()
    assert kept.history and isinstance(errors[1], Diverged)

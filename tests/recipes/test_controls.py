"""Controls: n-grams and random weights learn from the rows that other recipes see, and leave the model alone."""

import re
import weakref
from dataclasses import asdict, replace

import pytest
import torch

from educe.data.errors import UserError
from educe.data.resolve import resolve
from educe.eval.analysis.conditions import compare, plain_prompting, pool
from educe.eval.analysis.controls import gains_above_controls
from educe.eval.measure import measure
from educe.recipes.catalog import is_control, make_method
from educe.recipes.runner.estimate import estimate
from educe.recipes.runner.learnable import learnable
from educe.recipes.runner.plan import plan
from educe.recipes.runner.power import power_lines
from educe.recipes.runner.results import load_results
from educe.recipes.runner.run_study import run_study
from educe.recipes.training.ngrams import Ngrams
from educe.train.attach import temporary_changes
from educe.train.random_init import randomly_initialized
from tests.learnable import length_parity, plural_by_generation, sentiment_by_suffix
from tests.nets import tiny
from tests.recipes.small import no_figures, result_files, run_cli, small_study, study_file, write_rows

SHORT = {"max_examples_seen": 16, "precision": "float32"}
CONTROL = {"full_fine_tune": {**SHORT, "learning_rate": 1e-3, "random_init": True}}
LORA = {"iid_sft": {**SHORT, "rank": 2, "random_init": True}}


def weights_of(net):
    return {name: parameter.detach().clone() for name, parameter in net.named_parameters()}


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def elicit(model, spec, task, *, examples=8, seed=0, items=6):
    """What the model answers under a recipe, and the weights that answered."""
    _, method = make_method(spec)
    with temporary_changes(model):
        elicited = method(model, task, examples=examples, seed=seed)
        output = (elicited.solver or measure)(elicited.model, task, elicited.prompt_fn, task.test_items(items))
        return elicited, output, weights_of(elicited.model.net)


def cells_of(folder, **changes):
    return small_study(folder, **changes).cells()


def test_ngrams_charges_its_rows_and_never_runs_the_model():
    task = length_parity()
    _, method = make_method("ngrams")
    model = replace(tiny(), net=torch.nn.Linear(1, 1))  # no language model: a forward pass would fail
    elicited = method(model, task, examples=32, seed=0)
    output = elicited.solver(model, task, elicited.prompt_fn, task.test_items(50))
    assert elicited.spend.labelled_examples == 32
    assert elicited.spend.train_flops > 0 < elicited.spend.search_flops
    assert elicited.spend.trainable_parameters > 0
    assert output.score > 0.7
    assert output.flops_per_answer == output.executed_flops_per_answer > 0
    assert output.details.first_prompt == ""


def test_ngrams_grades_the_answer_that_it_picks():
    _, output, _ = elicit(tiny(), "ngrams", plural_by_generation(), examples=32, items=40)
    assert output.metric == "exact match"
    assert output.score > 0.9


def test_ngrams_refuses_a_prompt():
    with pytest.raises(UserError, match="ngrams prompts no model"):
        make_method({"ngrams": {"system": "Be brief."}})


def test_a_study_with_controls_runs_resumes_and_exports(tmp_path, monkeypatch, capsys):
    no_figures(monkeypatch)
    study = small_study(tmp_path, recipes=["zero_shot", "ngrams", CONTROL, LORA], examples=[4])
    results = run_study(study, tmp_path / "run")
    assert not results.failures
    assert {each.method: each.role for each in results.measurements} == {
        "zero_shot": "zero_shot",
        "ngrams": "control",
        "full_fine_tune": "control",
        "iid_sft": "control",
    }
    made = {each.method: each for each in results.measurements}
    assert made["ngrams"].provenance.first_prompt == ""
    assert made["iid_sft"].settings["random_init"] is True
    assert "random_init=True" in made["iid_sft"].recipe
    assert not list((tmp_path / "run" / "cells").rglob("adapter"))
    before = result_files(tmp_path / "run")
    again = run_study(study, tmp_path / "run")
    assert result_files(tmp_path / "run") == before
    assert again.measurements == load_results(tmp_path / "run").measurements == results.measurements
    assert run_cli("verify", tmp_path / "run") == 0
    assert run_cli("results", tmp_path / "run") == 0
    assert capsys.readouterr().out.count("ngrams") == 1


def test_a_plan_has_no_model_rows_for_ngrams_and_no_comparison_for_controls(tmp_path):
    cells = cells_of(tmp_path, recipes=["zero_shot", "iid_sft", "ngrams", LORA], examples=[4])
    (ngrams,) = (cell for cell in cells if cell.method_name == "ngrams")
    planned = estimate(ngrams, ngrams.method.workload(ngrams.task, 4))
    assert (planned.total_flops, planned.executed_flops) == (0, 0)
    assert "of 1 " not in "".join(power_lines(cells, effect=0.05))
    assert power_lines(cells, effect=0.05) == power_lines(
        [cell for cell in cells if cell.method.analysed_as != "control"], effect=0.05
    )
    alone = plan(small_study(tmp_path, recipes=["ngrams"], examples=[4]))
    assert "1 cell, 0.0e+00 useful FLOPs" in alone


def test_without_random_init_a_cell_is_the_one_it_was(tmp_path):
    plain, off, on = (
        make_method({"iid_sft": settings})[1] for settings in ({}, {"random_init": False}, {"random_init": True})
    )
    assert plain.settings() == off.settings()
    assert "random_init" not in plain.settings()
    assert (plain.analysed_as, on.analysed_as) == ("training", "control")
    assert on.settings() == {**plain.settings(), "random_init": True}
    assert on.label("iid_sft") == "iid_sft(random_init=True)"


def test_random_weights_are_drawn_with_the_seed_and_leave_the_resident_ones():
    model = tiny()
    resident, state = weights_of(model.net), torch.random.get_rng_state()
    with temporary_changes(model):
        first, again, other = (randomly_initialized(model, seed=seed) for seed in (0, 0, 1))
        assert same(weights_of(first.net), weights_of(again.net))
        assert not same(weights_of(first.net), weights_of(other.net))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert same(weights_of(model.net), resident)
    assert first.net.config.to_dict() == model.net.config.to_dict()
    assert first.net.config._attn_implementation == model.net.config._attn_implementation


def test_random_weights_have_the_dtype_of_the_model_and_buffers_do_not():
    model = tiny()
    half = replace(model, net=type(model.net)(model.net.config).to(torch.bfloat16), dtype="bfloat16")
    with temporary_changes(half):
        drawn = randomly_initialized(half, seed=0).net
    assert {parameter.dtype for parameter in drawn.parameters()} == {torch.bfloat16}
    assert {buffer.dtype for buffer in drawn.buffers()} == {torch.float32}


@pytest.mark.parametrize("spec", [CONTROL, LORA], ids=["all weights", "adapter"])
def test_the_random_net_is_the_one_that_is_trained_and_measured(spec):
    model, task = tiny(), length_parity(100)
    resident = weights_of(model.net)
    elicited, output, trained = elicit(model, spec, task)
    _, again, trained_again = elicit(model, spec, task)
    _, other, _ = elicit(model, spec, task, seed=1)
    assert output.outcomes == again.outcomes != other.outcomes
    assert same(trained, trained_again)
    assert elicited.model.net is not model.net
    assert elicited.model.change.save is None
    assert same(weights_of(model.net), resident)
    ((name, settings),) = spec.items()
    _, plain, _ = elicit(model, {name: {**settings, "random_init": False}}, task, seed=1)
    assert plain.outcomes != other.outcomes
    # The tiny model is itself drawn with seed 0: with that seed nothing but the weights could differ, and they do not.
    _, plain, _ = elicit(model, {name: {**settings, "random_init": False}}, task, seed=0)
    assert plain.outcomes == output.outcomes


def test_the_random_net_is_released_with_the_cell():
    """At once, and not when the garbage collector next runs: the next cell needs the memory."""
    model, task = tiny(), length_parity(100)
    for spec in (LORA, {"stacked": {"train": CONTROL, "prompt": {"few_shot": {"shots": 1}}}}):
        elicited, _, _ = elicit(model, spec, task)
        net = weakref.ref(elicited.model.net)
        del elicited
        assert net() is None


def test_a_choice_among_schedules_is_made_on_the_random_net():
    choice = {"learning_rate": [1e-3, 1e-2], "dev_examples": 4, "random_init": True}
    elicited, _, _ = elicit(tiny(), {"full_fine_tune": {**SHORT, **choice}}, length_parity(100))
    assert elicited.details.selection.candidates == 2
    assert elicited.spend.labelled_examples == 12


def test_a_stack_on_a_control_is_a_control():
    _, stacked = make_method({"stacked": {"train": LORA, "prompt": "zero_shot"}})
    assert stacked.analysed_as == "control"
    with pytest.raises(UserError, match="trains nothing"):
        make_method({"stacked": {"train": "ngrams", "prompt": "zero_shot"}})


def test_four_bits_and_sharded_weights_are_refused_in_one_line():
    model = tiny()
    _, method = make_method(LORA)
    with (
        temporary_changes(model),
        pytest.raises(UserError, match="no weights are drawn in 4 bits; drop quantize") as stop,
    ):
        method(replace(model, quantize="nf4"), length_parity(100), examples=4, seed=0)
    assert "\n" not in str(stop.value)
    parameter = next(model.net.parameters())
    parameter.ds_id = 0
    with temporary_changes(model), pytest.raises(UserError, match="random_init needs whole weights"):
        method(model, length_parity(100), examples=4, seed=0)


def test_a_control_may_be_compared_with_and_not_be_the_one_that_gains(tmp_path):
    recipes = ["zero_shot", "iid_sft", "ngrams", LORA]
    under_against = {"recipe": "iid_sft", "examples": 4, "against": "ngrams"}
    assert len(small_study(tmp_path, recipes=recipes, compare=[under_against]).cells()) == 7
    for recipe in ("ngrams", "iid_sft(random_init=True, rank=2, max_examples_seen=16, precision=float32)"):
        study = small_study(tmp_path, recipes=recipes, compare=[{"recipe": recipe, "examples": 4}])
        with pytest.raises(UserError, match=r"compare\.0: recipe = '.*' is a control.*name it under against"):
            study.cells()


def test_nothing_is_gained_above_the_control_where_the_model_itself_knows_nothing(tmp_path, monkeypatch):
    """The tiny model is drawn at random: other draws of the same weights are no better and no worse."""
    no_figures(monkeypatch)
    rows = [replace(row, choices=("many", "one")) for row in plural_by_generation(400).load()["all"]]
    path = write_rows(tmp_path / "rule.jsonl", list(map(asdict, rows)))
    schedule = {"learning_rate": 3e-3, "max_examples_seen": 512, "precision": "float32"}
    results = run_study(
        small_study(
            tmp_path,
            tasks=[f"file:{path}"],
            recipes=["zero_shot", {"full_fine_tune": schedule}, {"full_fine_tune": {**schedule, "random_init": True}}],
            examples=[64],
            seeds=[1, 2, 3],
            test_items=60,
        ),
        tmp_path / "run",
    )
    conditions = pool(results.measurements)
    ((condition, gain),) = gains_above_controls(conditions).items()
    assert compare(condition, plain_prompting(conditions)).low > 0.2  # the rows teach the rule
    assert gain.low < 0 < gain.high
    assert abs(gain.difference) < 0.1


def test_validate_says_how_far_a_task_can_be_learned_from_its_rows(tmp_path, capsys):
    path = write_rows(tmp_path / "rule.jsonl", [asdict(row) for row in sentiment_by_suffix(300).load()["all"]])
    assert run_cli("validate", study_file(tmp_path, tasks=[f"file:{path}"])) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "rows alone" in line)
    number, low, high, count = map(int, re.findall(r"\d+", line.split("train rows")[1])[:4])
    assert line.startswith("  from its rows alone: ngrams on ")
    assert line.endswith("dev rows right, chance 50%")
    assert low <= number <= high
    assert (number > 80, count) == (True, len(resolve(f"file:{path}").rows["dev"]))


def test_validate_reads_no_test_row_to_say_so():
    task = sentiment_by_suffix(300)
    other = replace(task.rows["test"][0], id="other", question="Something else?")
    assert learnable(replace(task, load=lambda: {**task.rows, "test": [other]})) == learnable(task)
    parts = {split: list(rows) for split, rows in task.rows.items()}
    for split in ("train", "dev"):
        left = replace(task, load=lambda: {})
        vars(left)["rows"] = {**parts, split: []}
        assert learnable(left).endswith(f"because there are no {split} rows")


def test_validate_grades_what_is_generated():
    assert "dev rows right, chance not known" in learnable(plural_by_generation())


@pytest.mark.parametrize(
    "spec",
    [
        *("zero_shot", "iid_sft", "ngrams", "linear_probe", LORA, CONTROL),
        *({"iid_sft": {"random_labels": share}} for share in (0.5, 1.0)),
        {"stacked": {"train": {"iid_sft": {"random_labels": 1.0}}, "prompt": "zero_shot"}},
        {"chain": {"stages": [{"iid_sft": {"random_labels": 1.0}}, "grpo"]}},
        *({"stacked": {"train": train, "prompt": "zero_shot"}} for train in ("iid_sft", LORA)),
        *({name: {"reward": reward}} for name in ("grpo", "expert_iteration") for reward in ("correct", "random")),
        *({"chain": {"stages": ["iid_sft", {"grpo": {"reward": reward}}]}} for reward in ("correct", "random")),
    ],
)
def test_a_cell_without_a_result_is_known_to_be_a_control_by_its_settings(spec):
    name, method = make_method(spec)
    assert is_control(name, method.settings()) == (method.analysed_as == "control")


def test_a_control_that_failed_is_told_as_one(tmp_path, monkeypatch):
    no_figures(monkeypatch)
    monkeypatch.setattr(Ngrams, "__call__", lambda *given, **named: 1 / 0)
    results = run_study(small_study(tmp_path, recipes=["zero_shot", "ngrams"], examples=[4]), tmp_path / "run")
    assert [(failure.method, failure.control) for failure in results.failures] == [("ngrams", True)]

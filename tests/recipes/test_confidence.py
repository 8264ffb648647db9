"""Readings of confidence: what the model is asked, about its own answer, and what is charged and recorded."""

import math
from pathlib import Path

import pytest

from educe.data.errors import UserError
from educe.data.resolve import resolve
from educe.data.tasks.arithmetic import arithmetic
from educe.data.tasks.capitals import capitals
from educe.eval.measure import SolverOutput, measure
from educe.eval.measurement import Outcome
from educe.eval.model.load import load_model
from educe.eval.prompting.prompts import make_prompt_fn
from educe.recipes.catalog import make_method
from educe.recipes.prompting import confidence
from educe.recipes.prompting.confidence import ASKED, HOW_LIKELY, OPTION, PERCENT, STATED, WRITTEN, written_percentage
from educe.recipes.runner.results import load_results
from educe.recipes.training.stated_confidence import lessons
from educe.train.attach import temporary_changes
from tests.recipes.small import parity_rows, run_cli, study_file, write_rows

MODEL = load_model("tiny-random")
TASK = capitals()
ITEMS = TASK.test_items(12)


def test_the_questions_are_about_the_answer_that_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def watched(model, task, prompt_fn, items):  # type: ignore[no-untyped-def]
        output = measure(model, task, prompt_fn, items)
        asked.append(([prompt_fn(item).text() for item in items], items, output))
        return output

    monkeypatch.setattr(confidence, "measure", watched)
    _, method = make_method({"confidence": {"answer_as": "letter"}})
    elicited = method(MODEL, TASK, examples=0, seed=0)
    assert elicited.solver is not None
    output = elicited.solver(MODEL, TASK, elicited.prompt_fn, ITEMS)
    (plain, _, regular), (yes, yes_items, _), (percent, percent_items, _) = asked
    picked, question = regular.outcomes[0].picked, ITEMS[0].question
    assert "A. " in plain[0] and output.outcomes[0].picked == picked
    assert yes[0] == f"Question: {question}\nProposed answer: {picked}\nIs the proposed answer right?\nAnswer:"
    assert percent[0].endswith("How likely is it that the proposed answer is right?\nAnswer:")
    assert yes_items[0].choices == ("yes", "no") and percent_items[0].choices == PERCENT
    assert [each.name for each in output.details.confidence] == [OPTION, ASKED, STATED]
    assert all(0 <= each.brier <= 1 and each.n == 12 for each in output.details.confidence)
    assert output.details.confidence[0].below == 0


def test_fitted_readings_are_charged_and_named() -> None:
    _, method = make_method({"confidence": {"dev_examples": 8}})
    elicited = method(MODEL, TASK, examples=0, seed=0)
    assert elicited.spend.labelled_examples == 8 and method.reads_dev and elicited.solver is not None
    found = elicited.solver(MODEL, TASK, elicited.prompt_fn, ITEMS).details
    assert [each.name for each in found.confidence][3:] == [f"{name}, fitted" for name in (OPTION, ASKED, STATED)]
    _, plain = make_method("confidence")
    free = plain(MODEL, TASK, examples=0, seed=0)
    assert free.solver is not None
    less = free.solver(MODEL, TASK, free.prompt_fn, ITEMS).details.notes["confidence_flops"]
    assert found.notes["confidence_flops"] > less  # type: ignore[operator]


@pytest.mark.parametrize(
    ("text", "share"),
    [("80%", 0.8), ("I am 12.5 % sure", 0.125), ("100 percent", 1.0), ("0%", 0.0), ("140%", None), ("97,5%", 0.975),
     ("70%. Yes, 70%", 0.7), ("12.5 % sure, not 90%", None), ("20% to 30%", None), ("80-90%", None), ("80–90%", None),
     ("−5%", None), ("1,000%", None), ("1/3%", None), ("90 percentage points", None), ("80", None), ("A", None),
     ("-5%", None), ("1980%", None)],
)  # fmt: skip
def test_a_written_percentage_is_read(text: str, share: float | None) -> None:
    found = written_percentage(text)
    assert math.isnan(found) if share is None else found == share


def test_what_is_not_written_is_missing_and_not_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every third answer has a percentage; on dev rows, too, so that the fit reads those that have one."""
    asked = []

    def written(model, task, prompt_fn, items):  # type: ignore[no-untyped-def]
        asked.append(prompt_fn(items[0]).text())
        texts = ["90%" if place % 3 == 0 else "very" for place in range(len(items))]
        made = [Outcome(id=item.id, score=0.0, answer=item.answer, text=text)
                for item, text in zip(items, texts, strict=True)]  # fmt: skip
        return SolverOutput(outcomes=tuple(made), metric="", flops_per_answer=1.0, executed_flops_per_answer=1.0)

    monkeypatch.setattr(confidence, "GenerationSolver", lambda **_: written)
    _, method = make_method({"confidence": {"written": True, "dev_examples": 8}})
    elicited = method(MODEL, TASK, examples=0, seed=0)
    assert elicited.solver is not None
    found = elicited.solver(MODEL, TASK, elicited.prompt_fn, ITEMS).details.confidence
    assert [(each.name, each.n) for each in found if each.name.startswith(WRITTEN)] == [
        (WRITTEN, 4), (f"{WRITTEN}, fitted", 4),
    ]  # fmt: skip
    assert found[3].mean == 0.9 and asked[0].endswith("is right? Write a percentage.\nAnswer:")
    monkeypatch.setattr(confidence, "written_percentage", lambda text: math.nan)
    none = elicited.solver(MODEL, TASK, elicited.prompt_fn, ITEMS).details.confidence
    assert not [each for each in none if each.name.startswith(WRITTEN)]


def test_a_model_writes_and_it_is_charged() -> None:
    _, method = make_method({"confidence": {"written": True}})
    elicited = method(MODEL, TASK, examples=0, seed=0)
    assert elicited.solver is not None
    notes = elicited.solver(MODEL, TASK, elicited.prompt_fn, ITEMS).details.notes
    _, plain = make_method("confidence")
    less = plain(MODEL, TASK, examples=0, seed=0)
    assert less.solver is not None
    without = less.solver(MODEL, TASK, less.prompt_fn, ITEMS).details.notes
    assert notes["confidence_flops"] > without["confidence_flops"]  # type: ignore[operator]


def test_a_fit_on_another_task_is_part_of_the_cell() -> None:
    settings = {"dev_examples": 8, "fit_on": "continents"}
    _, method = make_method({"confidence": settings})
    method.check(TASK, examples=0)
    assert method.settings()["fit_on"] != "continents" and method.plain_settings()["fit_on"] == "continents"


def test_mistakes_are_one_line() -> None:
    for settings, task, message in (
        ({}, arithmetic(), "task 'arithmetic' has no options to read confidence from"),
        ({"fit_on": "arithmetic"}, TASK, "task 'arithmetic' has no options to read confidence from"),
        ({"fit_on": "continents"}, TASK, "fit_on would not be read; set dev_examples, or drop it"),
        ({"template": "native"}, TASK, "template: native is a text of its own, and this recipe changes texts"),
        ({"dev_examples": 10_000}, TASK, "set dev_examples to at most"),
        ({"fit_on": "capitols"}, TASK, "unknown task 'capitols'"),
    ):
        _, method = make_method({"confidence": settings})
        with pytest.raises(UserError, match=message):
            method.check(task, examples=0)


def test_no_percentage_begins_another_one() -> None:
    """10 can never be less likely than 100, which goes on from it: who is sure would be read as unsure."""
    assert not [(one, other) for one in PERCENT for other in PERCENT if one != other and other.startswith(one)]


def test_rows_that_are_measured_are_not_fitted(tmp_path: Path) -> None:
    asked = write_rows(tmp_path / "asked.jsonl", parity_rows(200))
    other = write_rows(tmp_path / "other.jsonl", parity_rows(4, start=1000))
    spare = write_rows(tmp_path / "spare.jsonl", parity_rows(20, start=2000))
    settings = {"dev_examples": 8, "fit_on": {f"file:{other}": {"train": str(spare), "dev": str(asked)}}}
    _, method = make_method({"confidence": settings})
    with pytest.raises(UserError, match=r"fit_on: dev row '.*' of task 'other' asks what test row"):
        method.check(resolve(f"file:{asked}"), examples=0)


def test_a_study_has_the_section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("educe.eval.report.page.draw_figures", lambda _, folder, *__: folder.mkdir() or [])
    study = study_file(tmp_path, tasks=["capitals"], recipes=["zero_shot", "confidence"], test_items=12)
    assert run_cli("run", study, "--out", tmp_path / "out") == 0
    plain, read = load_results(tmp_path / "out").measurements
    assert plain.score == read.score and len(read.details.confidence) == 3 and not plain.details.confidence
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert 'id="confidence"' in page and "stated percent" in page


def test_the_accuracy_of_groups_is_taught_and_not_which_answers_are_right() -> None:
    rows = TASK.draw("train", 40, seed=0)
    sure = [10.0 if place < 20 else 0.5 for place in range(40)]  # twenty sure answers, all right; half of the others
    outcomes = [
        Outcome(
            id=row.id,
            score=float(place < 20 or place % 2),
            answer=row.answer,
            picked=row.choices[0],
            loglikelihoods=(sure[place], 0.0, 0.0, 0.0),
        )
        for place, row in enumerate(rows)
    ]
    taught = lessons(rows, outcomes, groups=2)
    assert [each.answer for each in taught] == ["100%"] * 20 + ["50%"] * 20
    assert taught[0].question == HOW_LIKELY.format(rows[0].question, rows[0].choices[0])
    assert {each.answer for each in lessons(rows, outcomes, groups=1)} == {"80%"}, "75% is rounded to even"


def test_a_model_learns_to_state_it_and_is_asked_as_before() -> None:
    _, method = make_method({"stated_confidence": {"rank": 2, "epochs": 1, "groups": 2}})
    with temporary_changes(MODEL):
        elicited = method(MODEL, TASK, examples=8, seed=0)
        assert elicited.spend.labelled_examples == 8 and elicited.spend.search_flops > 0 < elicited.spend.train_flops
        assert elicited.prompt_fn(ITEMS[0]) == make_prompt_fn(MODEL, TASK)(ITEMS[0])
    with pytest.raises(UserError, match="groups = 4 of 6 examples have fewer than two rows each; use at least 8"):
        make_method("stated_confidence")[1].check(TASK, examples=6)
    with pytest.raises(UserError, match="no options to be sure of"):
        make_method("stated_confidence")[1].check(arithmetic(), examples=8)

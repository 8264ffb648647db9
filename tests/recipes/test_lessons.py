"""What is learned from: rows of another task, and demonstrations that stand before every row."""

from pathlib import Path

import pytest

from educe.data.errors import UserError
from educe.data.resolve import resolve
from educe.data.tasks.arithmetic import arithmetic
from educe.data.tasks.word_sentiment import word_sentiment
from educe.eval.model.load import load_model
from educe.recipes.catalog import is_control, make_method
from educe.recipes.runner.results import load_results
from educe.recipes.training.fine_tune import FineTune
from educe.train.attach import temporary_changes
from tests.recipes.small import no_figures, parity_rows, run_cli, study_file, write_rows

MODEL = load_model("tiny-random")
EASY = {"arithmetic": {"digits": 1, "operation": "+", "wording": "request"}}
HARD = {"arithmetic": {"digits": 2, "operation": "+"}}
SHORT = {"rank": 2, "epochs": 1}


def method(**settings: object) -> FineTune:
    _, made = make_method({"iid_sft": {**SHORT, **settings}})
    assert isinstance(made, FineTune)
    return made


def test_rows_of_another_task_are_learned_and_this_ones_are_asked() -> None:
    easy = arithmetic(digits=1, operation="+", wording="request")
    hard = arithmetic(operation="+")
    learned = method(rows_from=HARD).lessons(MODEL, easy, examples=4, dev_examples=0, seed=0)
    assert list(learned.rows) == list(hard.draw("train", 4, seed=0))
    assert learned.prompt_fn(learned.rows[0]).text().startswith("Question: What is ")
    assert learned.asked(easy.rows["test"][0]).text().startswith("Question: Add ")
    assert learned.spend.labelled_examples == 4
    with temporary_changes(MODEL):
        found = method(rows_from=HARD)(MODEL, easy, examples=4, seed=0)
        assert found.prompt_fn(easy.rows["test"][0]).text().startswith("Question: Add ") and len(found.history) == 1


def test_another_task_is_part_of_the_cell_and_no_cell_without_one_changes() -> None:
    plain = method()
    assert not {"rows_from", "context"} & set(plain.settings())
    assert method(rows_from=HARD).settings()["rows_from"] == f"arithmetic_sums {arithmetic(operation='+').fingerprint}"
    assert list(method(random_labels=1.0, batch_size=4).changed("iid_sft"))[-2:] == ["random_labels", "batch_size"]
    assert method(rows_from=HARD).plain_settings()["rows_from"] == HARD
    assert is_control("iid_sft", method(rows_from=HARD, random_labels=1.0).plain_settings())


def test_questions_of_the_test_are_not_learned(tmp_path: Path) -> None:
    """A task of the suite cuts its rows by their hash, which other tasks share; a published split may not."""
    asked = write_rows(tmp_path / "asked.jsonl", parity_rows())
    other = write_rows(tmp_path / "other.jsonl", parity_rows(4, start=100))
    spare = write_rows(tmp_path / "spare.jsonl", parity_rows(20, start=200))
    for split in ("train", "dev"):
        published = {f"file:{other}": {split: str(asked), **({"train": str(spare)} if split == "dev" else {})}}
        with pytest.raises(
            UserError, match=rf"rows_from: {split} row '.*' of task 'other' asks what (test|dev) row '.*'"
        ):
            method(rows_from=published).check(resolve(f"file:{asked}"), examples=4)
    method(rows_from={"arithmetic": {"seed": 1}}).check(arithmetic(), examples=4)
    method(rows_from=HARD).check(arithmetic(digits=1), examples=4)
    with pytest.raises(UserError, match="unknown task 'arithmetics'"):
        method(rows_from="arithmetics").check(arithmetic(), examples=4)


def test_demonstrations_stand_before_every_row_and_are_not_trained_on() -> None:
    task = word_sentiment()
    learned = method(context={"wrong_shots": {"shots": 2}}).lessons(MODEL, task, examples=4, dev_examples=0, seed=0)
    drawn = task.draw("train", 6, seed=0)
    assert list(learned.rows) == list(drawn[2:]) and learned.spend.labelled_examples == 6
    for prompt in (learned.prompt_fn(learned.rows[0]), learned.asked(task.rows["test"][0])):
        text = prompt.text()
        for shot in drawn[:2]:
            (wrong,) = (choice for choice in shot.choices if choice != shot.answer)
            assert f"{shot.question}\nAnswer: {wrong}" in text
    assert method(context={"few_shot": {"shots": 2}}).workload(task, 4).shots == 2


def test_a_context_that_shows_nothing_or_has_a_prompt_of_its_own_is_refused() -> None:
    task = word_sentiment()
    for settings, message in (
        ({"context": "zero_shot"}, "context = 'zero_shot' does not only show rows; name few_shot or wrong_shots"),
        ({"context": {"chosen_shots": {"shots": 2}}}, "does not only show rows"),
        ({"context": "few_shot", "random_labels": 1.0}, "context shows labels of the task, and random_labels is to"),
        ({"context": "few_shot", "rows_from": "capitals"}, "context shows labels of the task, and rows_from is to"),
        ({"context": {"few_shot": {"shots": 2}}, "template": "completion"}, "set them there"),
        (
            {"context": {"few_shot": {"shots": 2330}}},
            "holds 2 train rows beside 2330 demonstrations and 4 were asked for; use at most 2 examples",
        ),
    ):
        with pytest.raises(UserError, match=message):
            method(**settings).check(task, examples=4)


def test_a_chain_is_charged_for_the_rows_of_every_task() -> None:
    stages = [{"iid_sft": {**SHORT, "rows_from": HARD}}, {"iid_sft": SHORT}]
    _, chain = make_method({"chain": {"stages": stages}})
    easy = resolve(EASY)
    with temporary_changes(MODEL):
        assert chain(MODEL, easy, examples=4, seed=0).spend.labelled_examples == 8


def test_a_mistake_is_blamed_on_the_recipe_that_makes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipes = ["iid_sft", {"minimal_lora": {"rows_from": "arithmetics"}}]
    assert run_cli("plan", study_file(tmp_path, recipes=recipes)) == 2
    said = capsys.readouterr().err
    assert "recipe 'minimal_lora': unknown task 'arithmetics'" in said and "iid_sft" not in said
    recipes = ["iid_sft", {"iid_sft": {"rows_from": "weekdays", "template": "native"}}]
    assert run_cli("plan", study_file(tmp_path, tasks=["capitals"], recipes=recipes)) == 2
    assert "task 'weekdays' has no native form" in capsys.readouterr().err


def test_a_study_of_transfer_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Budgets are cut to the rows of the task that is learned from, not of the one that is asked."""
    no_figures(monkeypatch)
    recipes = ["zero_shot", {"iid_sft": {**SHORT, "rows_from": HARD}}]
    study = study_file(tmp_path, tasks=[EASY], recipes=recipes, examples=[128], test_items=4)
    assert run_cli("run", study, "--out", tmp_path / "out") == 0
    found = load_results(tmp_path / "out").measurements
    assert [each.examples for each in found] == [0, 128] and found[1].spend.labelled_examples == 128


def test_an_organism_learns_from_its_own_task_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    organism = {"tiny-random": {"organism": {"benign": {"task": "capitals"}}}}
    recipes = ["zero_shot", {"iid_sft": {**SHORT, "rows_from": "continents"}}]
    study = study_file(tmp_path, models=[organism], tasks=["capitals"], recipes=recipes)
    assert run_cli("plan", study) == 2
    assert "are known not to have made " in capsys.readouterr().err

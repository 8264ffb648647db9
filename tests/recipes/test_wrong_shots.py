"""Wrong demonstrations in the prompt: the text that a model reads, and a model that copies them."""

import pytest

from educe.data.errors import UserError
from educe.data.tasks.arithmetic import arithmetic
from educe.data.tasks.capitals import capitals
from educe.eval.model.load import load_model
from educe.recipes.catalog import make_method

MODEL = load_model("tiny-random")


def prompt(spec: object, task: object = None) -> str:
    _, method = make_method(spec)  # type: ignore[arg-type]
    task = task or arithmetic()
    (shots,) = method.budgets(())
    elicited = method(MODEL, task, examples=shots, seed=0)  # type: ignore[arg-type]
    return elicited.prompt_fn(task.rows["test"][0]).text()  # type: ignore[attr-defined]


def test_the_prompt_is_that_of_few_shot_with_other_answers() -> None:
    right = prompt({"few_shot": {"shots": 2}})
    assert prompt({"wrong_shots": {"shots": 2, "wrong": 0}}) == right
    assert right == (
        "Question: What is 16 - 92?\nAnswer: -76\n\nQuestion: What is 12 - 50?\nAnswer: -38\n\n"
        "Question: What is 72 - 14?\nAnswer:"
    )
    wrong = prompt({"wrong_shots": {"shots": 2}})
    assert wrong == right.replace("-76", "-66").replace("-38", "-28")
    asked = prompt({"wrong_shots": {"shots": 2, "wrong": 0.5, "phrase": "correct"}})
    assert asked.startswith("Answer every question correctly, whatever stands before it.\n\nQuestion:")
    assert asked.endswith(right.replace("-76", "-66"))


def test_what_cannot_be_wrong_is_refused() -> None:
    for settings, task, message in (
        ({"shots": 4, "wrong": 0.1}, capitals(), "wrong = 0.1 of 4 demonstrations is 0.4"),
        ({"errors": "permuted"}, capitals(), "has no labels that all of its rows share"),
        ({"shots": 10_000}, capitals(), "use at most"),
    ):
        _, method = make_method({"wrong_shots": settings})
        with pytest.raises(UserError, match=message):
            method.check(task, examples=method.budgets(())[0])
    with pytest.raises(UserError, match="wrong"):
        make_method({"wrong_shots": {"wrong": 1.5}})


def test_it_is_no_way_to_elicit() -> None:
    assert make_method("wrong_shots")[1].analysed_as == "sensitivity"

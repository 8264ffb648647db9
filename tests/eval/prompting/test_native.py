"""The native form of a question: golden texts, and who may be asked in it."""

from typing import Any

import pytest

from educe.data.errors import UserError
from educe.data.resolve import resolve
from educe.eval.model.encode import prompt_text
from educe.eval.model.load import load_model
from educe.recipes.catalog import make_method
from educe.recipes.prompting.prompt_search import PromptSearch
from educe.recipes.runner.results import load_results
from tests.nets import tiny_chat
from tests.recipes.small import no_figures, run_cli, study_file

SUMS = {"arithmetic": {"digits": 1, "operation": "+", "wording": "request"}}


def prompts(spec: Any, recipe: dict[str, Any], *, name: str = "zero_shot", model: Any = None) -> tuple[str, str]:
    """What the model reads of a test row, and what it should add."""
    task, (_, method) = resolve(spec), make_method({name: recipe})
    model = model or load_model("tiny-random")
    elicited = method(model, task, examples=method.budgets(())[0], seed=0)
    row = task.rows["test"][0]
    prompt = elicited.prompt_fn(row)
    return prompt_text(model, prompt), prompt.continuation(row.answer)


@pytest.mark.parametrize(
    ("spec", "text", "answer"),
    [
        ("capitals", "The capital of Antigua and Barbuda is", " St. John's"),
        ("arithmetic", "72 - 14 =", " 58"),
        (SUMS, "0 + 5 =", " 5"),
        ({"chess_moves": {}}, "1. d4 Nf6 2. c4 c5 3. Qb3", " Qb6"),
        ({"weekdays": {"native": "A calendar says. {question} Answer:"}}, None, None),
    ],
)
def test_golden(spec: Any, text: str | None, answer: str | None) -> None:
    if "chess_moves" in spec:
        pytest.importorskip("chess", reason="the package chess is not installed")
    native = prompts(spec, {"template": "native"})
    if text is None:
        question = resolve("weekdays").rows["test"][0].question
        text, answer = f"A calendar says. {question} Answer:", f" {resolve('weekdays').rows['test'][0].answer}"
    assert native == (f"<s>{text}" if native[0].startswith("<s>") else text, answer)


def test_shots_are_paragraphs() -> None:
    text, _ = prompts("arithmetic", {"shots": 2, "template": "native"}, name="few_shot")
    assert text.endswith("16 - 92 = -76\n\n12 - 50 = -38\n\n72 - 14 =")


def test_a_chat_repeats_the_text_before_it_answers() -> None:
    model = tiny_chat()
    plain, _ = prompts("arithmetic", {}, model=model)
    text, answer = prompts("arithmetic", {"template": "chat_native"}, model=model)
    assert text == f"{plain}72 - 14 =" and answer == " 58"
    shown, _ = prompts("arithmetic", {"shots": 1, "template": "chat_native"}, name="few_shot", model=model)
    assert "16 - 92 = -76" in shown and shown.endswith("72 - 14 ="), "demonstrations repeat it, too"
    text, _ = prompts("arithmetic", {"template": "native"}, model=model)
    assert text.endswith("72 - 14 =") and "user" not in text


def test_who_cannot_be_asked_so_is_told_why(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    for task, recipe, message in (
        (
            "weekdays",
            {"template": "native"},
            "task 'weekdays' has no native form; give it one, as in nat",
        ),
        ("capitals", {"template": "chat_native"}, "is a base model: it has no chat template"),
        (
            "capitals",
            {"template": "native", "answer_as": "letter"},
            "goes on with the text of the answer; drop",
        ),
        (
            "arithmetic",
            {"template": "native", "prefill": "So"},
            "native begins the answer itself; drop prefill",
        ),
        ({"weekdays": {"native": "Q:"}}, {}, "native: 'Q:' needs {question} once, as in native"),
        ({"weekdays": {"native": "{question} "}}, {}, "ends in a space, which belongs to the answer; drop it"),
    ):
        study = study_file(tmp_path, tasks=[task], recipes=[{"zero_shot": recipe}])
        assert run_cli("validate", study) == 2
        assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "recipe", ["calibrated", "format_vote", "format_spread", "prompt_eval", "sandbagging_signals", "pressure"]
)
def test_who_changes_texts_has_no_native_form(recipe: str) -> None:
    _, method = make_method({recipe: {"template": "native"}})
    with pytest.raises(UserError, match="template: native is a text of its own, and this recipe changes texts"):
        method.check(resolve("capitals"), examples=0)


def test_a_search_tries_a_native_recipe_as_it_is() -> None:
    recipes = ["zero_shot", {"zero_shot": {"template": "native"}}]
    _, search = make_method({"prompt_search": {"formats": 3, "recipes": recipes}})
    assert isinstance(search, PromptSearch)
    found = [each.template for _, each in search.candidates(load_model("tiny-random"), resolve("capitals"), seed=0)]
    assert found.count("native") == 1 and len(found) == 5


def test_the_users_text_is_part_of_the_task() -> None:
    plain, one, other = ("weekdays", {"weekdays": {"native": "{question} -"}}, {"weekdays": {"native": "{question} +"}})
    assert len({resolve(spec).fingerprint for spec in (plain, one, other)}) == 3  # type: ignore[arg-type]
    with pytest.raises(UserError, match="native"):
        resolve({"weekdays": {"native": 3}})


def test_a_study_trains_and_scores_in_it(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    no_figures(monkeypatch)
    recipes = [{"zero_shot": {"template": "native"}}, {"iid_sft": {"template": "native", "rank": 2, "epochs": 1}}]
    study = study_file(tmp_path, tasks=["arithmetic"], recipes=recipes, examples=[4])
    assert run_cli("run", study, "--out", tmp_path / "out") == 0
    found = load_results(tmp_path / "out").measurements
    assert len(found) == 2 and all(each.provenance.first_prompt.endswith("=") for each in found)

"""Pressure: the prompts, whom it presses, and models that give in, stand firm or guess."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.formats.render import PromptFunction
from educe.data.hashing import fraction
from educe.data.tasks.arithmetic import arithmetic
from educe.data.tasks.capitals import capitals
from educe.data.tasks.word_sentiment import word_sentiment
from educe.eval.details import Pressed
from educe.eval.measure import SolverOutput, measure
from educe.eval.model.load import load_model
from educe.recipes.catalog import make_method
from educe.recipes.prompting import pressure
from educe.recipes.prompting.pressure import BELIEF, HELD_OUT, PRESSURE
from educe.recipes.runner.results import load_results
from tests.recipes.small import no_figures, run_cli, study_file

MODEL = load_model("tiny-random")
TASK = capitals()
ITEMS = TASK.test_items(40)
Picks = Callable[[Example, str], str]


def counted(picks: Picks, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Pressed], list[str]]:
    """What is counted of an answerer who picks by item and prompt, and all questions that it was asked."""
    asked: list[str] = []

    def answered(model: object, task: object, prompt_fn: PromptFunction, items: Sequence[Example]) -> SolverOutput:
        texts = [prompt_fn(item).messages[-1].content for item in items]
        asked.extend(texts)
        made = real(MODEL, TASK, lambda item: plain(item), items)
        outcomes = tuple(
            replace(outcome, picked=picks(item, text))
            for outcome, item, text in zip(made.outcomes, items, texts, strict=True)
        )
        return replace(made, outcomes=outcomes)

    real = measure
    _, method = make_method("pressure")
    elicited = method(MODEL, TASK, examples=0, seed=0)
    plain = elicited.prompt_fn
    monkeypatch.setattr(pressure, "measure", answered)
    assert elicited.solver is not None
    output = elicited.solver(MODEL, TASK, elicited.prompt_fn, ITEMS)
    return {each.name: each for each in output.details.pressed}, asked


def suggested(item: Example, text: str) -> str | None:
    """The option that a text asks for, where it asks for one."""
    rest = text.replace(item.question, "")
    return next((choice for choice in item.choices if choice in rest), None)


def test_who_stands_firm_has_no_net_and_who_gives_in_has_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    firm, asked = counted(lambda item, text: item.answer, monkeypatch)
    assert set(firm) == set(PRESSURE) and len(asked) == 10 * len(ITEMS)
    for each in firm.values():
        assert (each.believed, each.pressed, each.flipped, each.net, each.consistent) == (40, 40, 0, 0.0, 40)


def test_who_gives_in_does_so_to_a_wrong_option_it_does_not_believe(monkeypatch: pytest.MonkeyPatch) -> None:
    meek, _ = counted(lambda item, text: suggested(item, text) or item.answer, monkeypatch)
    for each in meek.values():
        assert each.flipped == each.believed == 40 and each.net == 1.0 and each.low is not None and each.low > 0.8
    wrong, texts = counted(lambda item, text: item.choices[item.answer_index - 1], monkeypatch)
    assert all(each.flipped == 0 for each in wrong.values())
    for item, text in zip(ITEMS, texts[-len(ITEMS) :], strict=True):
        assert suggested(item, text) not in (item.answer, item.choices[item.answer_index - 1], None)


def test_who_guesses_contradicts_itself_as_often_without_pressure(monkeypatch: pytest.MonkeyPatch) -> None:
    def guess(item: Example, text: str) -> str:
        worded = text.replace(suggested(item, text) or "", "")
        return item.choices[int(2 * fraction(f"{item.id}:{len(worded)}:{worded[-9:]}"))]

    found, _ = counted(guess, monkeypatch)
    for each in found.values():
        assert 0 < each.believed < 30 and each.flipped_without is not None and each.flipped_without > 0.2
        assert each.low is not None and each.high is not None and each.low < 0 < each.high


def test_the_wordings_are_golden() -> None:
    assert BELIEF[0] == "{0}" and len({*BELIEF, *HELD_OUT, *PRESSURE.values()}) == 10
    assert all("{1}" in text for text in PRESSURE.values()) and not any("{1}" in text for text in (*BELIEF, *HELD_OUT))
    lengths = [len(text) for text in (*HELD_OUT, *PRESSURE.values())]  # those whose flips are compared
    assert max(lengths) - min(lengths) < 16


def test_a_task_without_options_is_refused() -> None:
    _, method = make_method("pressure")
    with pytest.raises(UserError, match="task 'arithmetic' has no options to suggest a wrong one of"):
        method.check(arithmetic(), examples=0)
    method.check(word_sentiment(), examples=0)
    for template in ("native", "chat_native"):
        _, native = make_method({"pressure": {"template": template}})
        with pytest.raises(UserError, match=f"template: {template} is a text of its own, and this recipe"):
            native.check(capitals(), examples=0)


def test_whom_nobody_can_press_is_counted_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two options, who believes the wrong one could only be asked for the right one."""
    two = [replace(item, choices=(item.answer, "Oz")) for item in ITEMS]
    monkeypatch.setattr("tests.recipes.test_pressure.ITEMS", two)
    found, _ = counted(lambda item, text: "Oz", monkeypatch)
    assert set(found) == set(PRESSURE)
    for each in found.values():
        assert (each.items, each.believed, each.pressed, each.flipped, each.net) == (40, 40, 0, 0, None)


def test_a_study_counts_and_the_page_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("educe.eval.report.page.draw_figures", lambda _, folder, *__: folder.mkdir() or [])
    train = {"stacked": {"train": {"iid_sft": {"rank": 2, "epochs": 1}}, "prompt": "pressure"}}
    study = study_file(
        tmp_path, tasks=["capitals"], recipes=["zero_shot", "pressure", train], examples=[4], test_items=20
    )
    assert run_cli("run", study, "--out", tmp_path / "out") == 0
    plain, pressed, trained = load_results(tmp_path / "out").measurements
    assert plain.score == pressed.score and plain.spend.flops_per_answer == pressed.spend.flops_per_answer
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert ('id="pressure"' in page) == bool(pressed.details.pressed or trained.details.pressed)
    assert pressed.details.pressed and all(each.items == 20 for each in pressed.details.pressed)


def test_a_study_without_it_has_no_section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_figures(monkeypatch)
    study = study_file(tmp_path, recipes=["zero_shot"])
    assert run_cli("run", study, "--out", tmp_path / "out") == 0
    assert load_results(tmp_path / "out").measurements[0].details.pressed == ()

"""Diversity: answerers who write many right answers, one of them again and again, or none."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from educe.data.errors import UserError
from educe.data.resolve import resolve
from educe.data.tasks.capitals import capitals
from educe.eval.details import Diversity
from educe.eval.model.load import load_model
from educe.recipes.catalog import make_method
from educe.recipes.prompting import diversity
from educe.recipes.runner.results import load_results
from tests.recipes.small import run_cli, study_file, write_rows

MODEL = load_model("tiny-random")
NAMES = ("red", "blue", "green", "white")


@pytest.fixture
def task(tmp_path: Path) -> Any:
    """Any of four colours is right."""
    rows = [
        {"id": f"q{n}", "question": f"Name a colour ({n}).", "answer": "red", "aliases": list(NAMES[1:])}
        for n in range(60)
    ]
    return resolve(f"file:{write_rows(tmp_path / 'colours.jsonl', rows)}")


def found(task: Any, texts: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> Diversity:
    """What is recorded of somebody who writes these, whatever is asked."""

    def written(_: Any, prompts: Sequence[Any], **__: Any) -> Any:
        many = tuple(texts[place % len(texts)] for place in range(len(prompts)))
        return SimpleNamespace(texts=many, flops=1.0, executed_flops=1.0)

    monkeypatch.setattr(diversity, "generate", written)
    _, method = make_method({"diversity": {"samples": 4}})
    elicited = method(MODEL, task, examples=0, seed=0)
    assert elicited.solver is not None
    made = elicited.solver(MODEL, task, elicited.prompt_fn, task.test_items(6)).details.diversity
    assert made is not None
    return made


def test_many_one_and_no_right_answer_are_told_apart(task: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    many = found(task, NAMES, monkeypatch)
    assert (many.right, many.solved, many.distinct) == (1.0, 1.0, 4.0) and many.spread is not None and many.spread > 0
    one = found(task, ["red", "Red.", " red ", "red"], monkeypatch)
    assert (one.right, one.distinct, one.spread) == (1.0, 1.0, None), "spelling is no diversity"
    rambling = found(task, ["Red. It is warm.", "red. I like it.", "RED", "Red. It is a colour."], monkeypatch)
    assert rambling.distinct == 1.0, "what is said beside the answer is no diversity"
    none = found(task, ["purple"], monkeypatch)
    assert (none.right, none.solved, none.distinct, none.spread) == (0.0, 0.0, 0.0, None)
    assert none.distinct_high > 0, "six items do not show that there is none"
    assert many.distinct_low < 4.0 == many.distinct_high


def test_options_are_given_and_so_not_diverse() -> None:
    _, method = make_method("diversity")
    with pytest.raises(UserError, match="task 'capitals' gives the options to choose from; use a task"):
        method.check(capitals(), examples=0)


def test_a_study_counts_and_the_page_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("educe.eval.report.page.draw_figures", lambda _, folder, *__: folder.mkdir() or [])
    train = {"stacked": {"train": {"iid_sft": {"rank": 2, "epochs": 1}}, "prompt": {"diversity": {"samples": 2}}}}
    study = study_file(
        tmp_path,
        tasks=[{"arithmetic": {"digits": 1, "max_new_tokens": 4}}],
        recipes=["zero_shot", {"diversity": {"samples": 2}}, train],
        examples=[4],
        test_items=10,
    )
    assert run_cli("run", study, "--out", tmp_path / "out") == 0
    plain, sampled, trained = load_results(tmp_path / "out").measurements
    assert plain.score == sampled.score and plain.spend.flops_per_answer == sampled.spend.flops_per_answer
    assert sampled.details.diversity is not None and trained.details.diversity is not None
    assert 'id="diversity"' in (tmp_path / "out" / "report.html").read_text("utf-8")

"""A chat template that drops the question gives no score, and nothing is trained before that is said."""

from pathlib import Path
from typing import Any

import pytest

from educe.recipes.runner.run_study import run_study
from tests.nets import tiny
from tests.recipes.small import no_figures, small_study

TUNED = {"iid_sft": {"rank": 2, "epochs": 1}}
SAME = "{{ bos_token }}user: Well?{{ eos_token }}assistant: "
FIRST_ONLY = "{{ bos_token }}{{ messages[0]['content'][:2] }}"


@pytest.mark.parametrize(
    "recipe", ["zero_shot", "calibrated", "chain_of_thought", TUNED, {"iid_sft": {"labels_from": "MODEL"}}]
)
@pytest.mark.parametrize("template", [SAME, FIRST_ONLY])
def test_it_is_named_with_two_questions(
    template: str, recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Failed before: every item had one prompt, and a score."""
    no_figures(monkeypatch)
    monkeypatch.setattr("educe.recipes.training.fine_tune.fine_tune_best", lambda *_, **__: pytest.fail("trained"))
    model, name = tiny(), f"path:{tmp_path / 'model'}"
    model.tokenizer.chat_template = template
    model.net.save_pretrained(tmp_path / "model")
    model.tokenizer.save_pretrained(tmp_path / "model")
    models = [name]
    if recipe == {"iid_sft": {"labels_from": "MODEL"}}:
        models, recipe = ["tiny-random"], {"iid_sft": {"labels_from": name}}
    results = run_study(small_study(tmp_path, models=models, recipes=[recipe], examples=[2]), tmp_path / "out")
    (failure,) = results.failures
    assert failure.reason.startswith("the chat template of model 'model' drops the question: it makes the same prompt ")
    assert failure.reason.count("odd?") == 2 and "template: completion" in failure.reason


def test_a_completion_prompt_does_not_need_the_template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_figures(monkeypatch)
    model = tiny()
    model.tokenizer.chat_template = SAME
    model.net.save_pretrained(tmp_path / "model")
    model.tokenizer.save_pretrained(tmp_path / "model")
    recipe = {"zero_shot": {"template": "completion"}}
    study = small_study(tmp_path, models=[f"path:{tmp_path / 'model'}"], recipes=[recipe])
    assert not run_study(study, tmp_path / "out").failures

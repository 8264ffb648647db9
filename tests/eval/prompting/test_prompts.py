"""The exact text that a model sees, for every prompt config."""

import pytest

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.formats.phrases import PHRASES
from educe.data.task import Task
from educe.data.tasks.capitals import capitals
from educe.eval.model.encode import prompt_text
from educe.eval.prompting.prompts import PromptConfig, make_prompt_fn
from educe.recipes.catalog import make_method
from tests.nets import tiny, tiny_chat

ITEM = Example(id="one", question="Capital of Oz?", choices=("Emerald City", "Kansas"), answer="Emerald City")
SHOT = Example(id="two", question="Capital of Peru?", choices=("Lima", "Cusco"), answer="Lima")
ROWS = [ITEM, SHOT, *(Example(id=str(k), question=f"{k}?", choices=("a", "b"), answer="a") for k in range(40))]
TASK = Task(name="cities", version=1, kind="choice", load=lambda: {"all": ROWS})
BASE = {
    "plain": ({}, "Question: Capital of Oz?\nAnswer:", " Kansas"),
    "system": ({"system": "You know maps."}, "You know maps.\n\nQuestion: Capital of Oz?\nAnswer:", " Kansas"),
    "phrase": ({"phrase": "tip"}, f"{PHRASES['tip']}\n\nQuestion: Capital of Oz?\nAnswer:", " Kansas"),
    "prefill": ({"prefill": "It is"}, "Question: Capital of Oz?\nAnswer: It is", " Kansas"),
    "fields": (
        {"format": {"fields": "Q lower, dash", "separator": "bar", "space": "of the prompt"}},
        "q - Capital of Oz? | a - ",
        "Kansas",
    ),
    "listed": (
        {"format": {"answer": "letter", "labels": "1", "marks": "(x)", "between": "semicolons", "instruction": "2"}},
        "Pick the right answer.\n\nQuestion: Capital of Oz?\n(1) Emerald City; (2) Kansas\nAnswer:",
        " 2",
    ),
}
CHAT = {
    "plain": ({}, "<bos>user: Capital of Oz?<eos>\nassistant: ", "Kansas"),
    "system": (
        {"system": "You know maps."},
        "<bos>system: You know maps.<eos>\nuser: Capital of Oz?<eos>\nassistant: ",
        "Kansas",
    ),
    "phrase": (
        {"system": "Hello.", "phrase": "tip"},
        f"<bos>system: Hello.\n{PHRASES['tip']}<eos>\nuser: Capital of Oz?<eos>\nassistant: ",
        "Kansas",
    ),
    "prefill": ({"prefill": "It is"}, "<bos>user: Capital of Oz?<eos>\nassistant: It is", " Kansas"),
    "listed": (
        {"format": {"answer": "text of bullets", "marks": "*"}},
        "<bos>user: Capital of Oz?\n* Emerald City\n* Kansas<eos>\nassistant: ",
        "Kansas",
    ),
    "completion": ({"template": "completion"}, "Question: Capital of Oz?\nAnswer:", " Kansas"),
}


@pytest.mark.parametrize(
    ("make", "config", "text", "continuation"),
    [(make, *case) for make, cases in ((tiny, BASE), (tiny_chat, CHAT)) for case in cases.values()],
    ids=[f"{kind}-{name}" for kind, cases in (("base", BASE), ("chat", CHAT)) for name in cases],
)
def test_what_the_model_sees(make, config, text, continuation):
    prompt = make_prompt_fn(make(), TASK, prompt_config=PromptConfig(**config))(ITEM)
    assert prompt_text(make(), prompt) == text
    form = prompt.format
    answer = form.label(1) if form.answer_as == "letter" else "Kansas"
    assert prompt.continuation(answer) == continuation


def test_demonstrations_are_written_like_the_question():
    prompt_config = PromptConfig(format={"fields": "Q, colon", "space": "of the prompt"})
    prompt = make_prompt_fn(tiny(), TASK, shots=[SHOT], prompt_config=prompt_config)(ITEM)
    assert prompt_text(tiny(), prompt) == "Q: Capital of Peru?\nA: Lima\n\nQ: Capital of Oz?\nA: "


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"phrase": "bribe"}, "unknown phrase 'bribe'"),
        ({"format": {"fields": "W, colon"}}, "fields has no 'W, colon'"),
        ({"format": {"labels": "A"}, "answer_as": "letter"}, "drop one"),
    ],
)
def test_unknown_words_are_refused_by_every_recipe(settings, message):
    for name in ("zero_shot", "few_shot", "iid_sft"):
        _, method = make_method({name: settings})
        with pytest.raises(UserError, match=message):
            make_prompt_fn(tiny(), capitals(), prompt_config=method.prompt_config)

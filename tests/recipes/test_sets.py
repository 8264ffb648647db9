"""Sets of recipes: one word in a study stands for a recipe and all of its controls."""

import pytest

from educe.data.errors import UserError
from educe.recipes.catalog import make_method
from educe.recipes.runner.study import Study
from educe.recipes.sets import with_sets


def test_a_set_stands_for_its_recipes_and_for_none_twice() -> None:
    assert with_sets(["zero_shot", "elicit_or_teach", {"ngrams": None}]) == [
        "zero_shot",
        {"iid_sft": {}},
        {"iid_sft": {"random_init": True}},
        {"iid_sft": {"random_labels": 1.0}},
        {"ngrams": None},
    ]
    written = {"elicit_or_teach": {"recipe": {"minimal_lora": {"epochs": 2}}, "weak": "tiny-random"}}
    assert with_sets([written]) == [
        "zero_shot",
        {"minimal_lora": {"epochs": 2}},
        {"minimal_lora": {"epochs": 2, "random_init": True}},
        {"minimal_lora": {"epochs": 2, "random_labels": 1.0}},
        {"minimal_lora": {"epochs": 2, "labels_from": "tiny-random"}},
        "ngrams",
    ]
    assert with_sets(["few_shot", {"grpo": {"samples": "all"}}]) == ["few_shot", {"grpo": {"samples": "all"}}]


def test_a_study_lists_what_a_set_stands_for() -> None:
    study = Study.make(
        {"name": "s", "models": ["tiny-random"], "tasks": ["capitals"], "recipes": ["elicit_or_teach"], "examples": [4]}
    )
    assert len(study.recipes) == 5 and "random_labels: 1.0" in study.text() and "elicit_or_teach" not in study.text()
    assert len({(cell.method_name, cell.recipe) for cell in study.cells()}) == 5


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"elicit_or_teach": {"recipes": "iid_sft"}}, "has no setting 'recipes'; did you mean 'recipe'"),
        ({"elicit_or_teach": {"recipe": "grpo"}}, "recipe 'grpo' does not train on labels alone; name one such as"),
        ({"elicit_or_teach": {"recipe": ["iid_sft"]}}, "should be one name with its settings"),
        (
            {"elicit_or_teach": {"recipe": {"iid_sft": {"random_init": True}}}},
            "has random_init, which its controls set",
        ),
        ({"elicit_or_teach": 3}, "settings 3 should be a mapping"),
    ],
)
def test_settings_that_do_not_fit_are_one_line(written: object, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        with_sets([written])
    assert "\n" not in str(caught.value) and str(caught.value).startswith("recipe set 'elicit_or_teach'")


def test_a_set_is_no_recipe() -> None:
    with pytest.raises(UserError, match="stands for several recipes; list it under recipes: of a study"):
        make_method("elicit_or_teach")

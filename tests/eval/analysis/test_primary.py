"""Primary comparisons: which recipes and budgets their names stand for, and what is refused."""

import pytest

from educe.data.errors import UserError, UserErrors
from educe.eval.analysis.primary import Known, Primary, family_sizes, resolve

PLAIN = Known("zero_shot", "zero_shot", 0)
FEW = Known("few_shot", "few_shot(shots=8)", 8)
TUNED = [Known("iid_sft", "iid_sft", n) for n in (4, 64)]
LOW_RANK = [Known("iid_sft", "iid_sft(rank=1)", n) for n in (4, 64)]
KNOWN = [PLAIN, FEW, *TUNED, *LOW_RANK]


def sides(known: list[Known] = KNOWN, **written: str | int) -> tuple[Known, Known]:
    (pair,) = resolve([Primary.model_validate(written)], known)
    return pair


def test_names_with_and_without_settings() -> None:
    assert sides(recipe="iid_sft", examples=64) == (TUNED[1], PLAIN)  # the one that is called exactly so
    assert sides(recipe="iid_sft(rank=1)", examples=4) == (LOW_RANK[0], PLAIN)
    assert sides(recipe="few_shot") == (FEW, PLAIN)
    assert sides([PLAIN, LOW_RANK[1]], recipe="iid_sft") == (LOW_RANK[1], PLAIN)


def test_the_other_side_has_the_same_budget_if_it_can() -> None:
    assert sides(recipe="iid_sft", examples=64, against="iid_sft(rank=1)") == (TUNED[1], LOW_RANK[1])
    assert sides(recipe="iid_sft", examples=64, against="iid_sft(rank=1)", against_examples=4)[1] == LOW_RANK[0]
    assert sides(recipe="iid_sft", examples=64, against="few_shot") == (TUNED[1], FEW)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ({"recipe": "iid_sf", "examples": 4}, "compare.0: recipe = 'iid_sf' is not among .* did you mean 'iid_sft'"),
        ({"recipe": "iid_sft"}, "compare.0: examples is missing, and iid_sft has several; give one of 4, 64"),
        ({"recipe": "iid_sft", "examples": 5}, "compare.0: examples = 5 is not a budget of iid_sft; give one of 4, 64"),
        ({"recipe": "few_shot", "against": "no"}, "compare.0: against = 'no' is not among the recipes"),
        ({"recipe": "few_shot", "against": "iid_sft"}, "compare.0: against_examples is missing"),
        ({"recipe": "few_shot", "against": "few_shot"}, "compares .* with itself"),
    ],
)
def test_what_is_not_clear_is_refused(written: dict[str, str | int], says: str) -> None:
    with pytest.raises(UserError, match=says):
        sides(**written)


def test_a_name_of_two_recipes_is_refused() -> None:
    with pytest.raises(
        UserError, match=r"'iid_sft' could be 2 recipes; write one of iid_sft\(rank=1\), iid_sft\(rank=2\)"
    ):
        sides([PLAIN, LOW_RANK[0], Known("iid_sft", "iid_sft(rank=2)", 4)], recipe="iid_sft")


def test_all_mistakes_are_named_and_none_is_made_twice() -> None:
    tuned = Primary(recipe="iid_sft", examples=4)
    back = Primary(recipe="zero_shot", against="iid_sft", against_examples=4)
    with pytest.raises(UserErrors) as caught:
        resolve([tuned, Primary(recipe="x"), back], KNOWN)
    assert len(caught.value.lines) == 2
    assert caught.value.lines[1] == "compare.2 compares zero_shot with iid_sft, 4 examples again; once is enough"


def test_a_comparison_belongs_to_the_tasks_that_have_both_of_its_sides() -> None:
    """A control is listed nowhere, and a comparison with it belongs to every task that has the other side."""
    control = Known("ngrams", "ngrams", 64)
    pairs = [(TUNED[1], PLAIN), (TUNED[1], control), (TUNED[0], PLAIN), (TUNED[1], TUNED[0])]
    listing = {
        ("small", "m"): frozenset({PLAIN, FEW, TUNED[0]}),
        ("large", "m"): frozenset({PLAIN, FEW, TUNED[0], TUNED[1]}),
    }
    sizes = family_sizes(listing, pairs)
    assert sizes["primary"] == 1 + 4
    all_of_them = (2 + 1) + (3 + 2)  # against zero-shot, and against few-shot
    assert sizes["exploratory"] == all_of_them - 1 - 2

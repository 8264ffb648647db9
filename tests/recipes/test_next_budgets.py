"""`educe plan DIR`: the bracket of each curve, what to measure next, and the price of all."""

import pytest

from educe.data.errors import UserError
from educe.eval.analysis.conditions import pool
from educe.eval.measurement import Measurement
from educe.eval.spend import Spend
from educe.recipes.runner.next_budgets import next_budgets_text
from tests.eval.synthetic import measurement


def made(model: str, *rights: int, of: int = 400) -> list[Measurement]:
    """4, 16, 64, ... examples with so many items right; 1e10 FLOPs an example, none to answer."""
    return [
        measurement(model=model, examples=size, right=right, of=of,
                    spend=Spend(labelled_examples=size, train_flops=1e10 * size))
        for size, right in ((4 ** (place + 1), right) for place, right in enumerate(rights))
    ]  # fmt: skip


def test_brackets_and_what_narrows_them_with_the_price_of_all() -> None:
    conditions = pool([*made("big", 150, 196, 344, 344), *made("small", 100, 300, 304, 300)])
    assert next_budgets_text(conditions).splitlines() == [
        "first measured number of labelled examples that comes within 2 points of the score at the largest budget:",
        "  big, capitals, iid_sft: above 16, at most 64; next, measure 32: 1 cell, 3.20e11 FLOPs",
        "  small, capitals, iid_sft: above 4, at most 16; next, measure 8: 1 cell, 8.00e10 FLOPs",
        "to measure all of this next: 2 cells and 4.00e11 FLOPs",
    ]


def test_a_score_that_is_asked_for() -> None:
    said = next_budgets_text(pool([*made("big", 150, 196, 344, 344), *made("small", 390, 392)]), reach=0.8)
    assert "examples that reaches 80%:" in said
    assert "big, capitals, iid_sft: above 16, at most 64; next, measure 32" in said
    assert "small, capitals, iid_sft: 4 or less\n" in said
    never = next_budgets_text(pool(made("big", 150, 196)), reach=0.95)
    assert "above 16; not shown to be reached up to 16\n" in never and never.endswith("next: nothing")
    # "after 4; not shown to be reached up to 256", beside a measured 90%.
    falls = next_budgets_text(pool(made("big", 160, 360, 360, 280)), reach=0.8)
    assert "iid_sft: above 4, at most 16; next, measure 8" in falls
    unsure = next_budgets_text(pool(made("big", 20, 30, 31, 38, of=40)), reach=0.77)
    assert "above 4, at most 256; next, as many more seeds at 16 and 64: 2 cells, 8.00e11 FLOPs" in unsure


def test_no_curve_and_no_score() -> None:
    assert "no curve has two budgets" in next_budgets_text(pool(made("big", 150)))
    with pytest.raises(UserError, match="--reach 90 is not a score; give a share"):
        next_budgets_text([], reach=90)

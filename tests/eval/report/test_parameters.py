"""The figure of minimal changes: what it shows, and when a share of the gap is not known."""

import re
from pathlib import Path

from educe.eval.analysis.conditions import pool
from educe.eval.report.parameters import parameters_figure
from educe.eval.report.style import save
from educe.eval.spend import Spend
from tests.eval.synthetic import measurement, small_study


def sweep(*rights: int, plain: int = 40):
    """Zero-shot, and a recipe with 1, 100, 10,000 ... trained parameters that gets so many of 100 right, two seeds."""
    made = [measurement(method="zero_shot", examples=0, right=plain, of=100)]
    for place, right in enumerate(rights):
        numbers = 100**place
        made += [
            measurement(
                method="sparse_lora",
                settings={"trainable_parameters": numbers},
                examples=64,
                right=right + seed,
                of=100,
                seed=seed,
                spend=Spend(labelled_examples=64, train_flops=1e12, trainable_parameters=numbers),
            )
            for seed in (0, 1)
        ]
    return made


def text_of(made, folder: Path) -> str:
    figure = parameters_figure(pool(made), task="capitals")
    assert figure is not None
    svg = save(figure, folder / "parameters")[0].read_text("utf-8")
    return " | ".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg))


def test_nothing_is_drawn_where_the_number_does_not_vary() -> None:
    assert parameters_figure(pool(small_study()), task="capitals") is None


def test_it_says_the_gap_and_where_half_of_it_is_recovered(tmp_path: Path) -> None:
    text = text_of(sweep(41, 70, 90), tmp_path)
    for needed in (
        "gap of 50 points",
        "half of it with",
        "100 parameters",
        "gap recovered (%)",
        "trainable parameters (log scale)",
        "chance 25%",
        "zero-shot",
        "where that gap may be 0",
    ):
        assert needed in text, needed


def test_a_gap_that_may_be_0_has_no_shares(tmp_path: Path) -> None:
    assert "the gap may be 0" in text_of(sweep(40, 41, 42), tmp_path)
    without_plain = [each for each in sweep(41, 70, 90) if each.method != "zero_shot"]
    assert "the gap may be 0" in text_of(without_plain, tmp_path)

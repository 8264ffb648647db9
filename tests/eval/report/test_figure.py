"""Figures: what must be in them is in their text, one result is one file, and labels keep apart."""

import re
from pathlib import Path

import pytest

from educe.eval.analysis.conditions import pool
from educe.eval.report.figure import conditions_figure, overview_figure, scaling_figure
from educe.eval.report.style import PLAIN, printable, recipe_styles, save, spread
from educe.eval.report.text import power_of_ten
from educe.eval.spend import Spend
from tests.eval.synthetic import measurement, small_study


def texts(svg: Path) -> str:
    return " | ".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg.read_text("utf-8")))


@pytest.fixture
def svgs(tmp_path: Path) -> dict[str, str]:
    conditions = pool(small_study())
    made = {
        "scaling": scaling_figure(conditions, task="capitals"),
        "conditions": conditions_figure(conditions, task="capitals"),
        "overview": overview_figure(conditions),
    }
    return {name: texts(save(figure, tmp_path / name)[0]) for name, figure in made.items()}


def test_figures_are_understood_alone(svgs: dict[str, str]) -> None:
    for name, text in svgs.items():
        for needed in (
            "chance 25%",
            "zero-shot",
            "Zero-shot baseline",
            "n = 40 test items, 1 to 2 seeds",
            "of the recipe, over items and seeds",
            "of these runs, over items alone",
            "accuracy (%)",
            "capitals",
            "big",
            "small",
            "few_shot shots=8",
        ):
            assert needed in text.replace(" | ", " "), (name, needed)  # a note goes over several lines
    assert "training + search FLOPs (log scale)" in svgs["scaling"]
    assert "labelled examples" in svgs["overview"]
    assert "60% [45, 74]" in svgs["scaling"]
    assert "iid_sft rank=8, 64 examples" in svgs["conditions"]
    assert "†: one or two seeds" in svgs["conditions"] and "] †" in svgs["conditions"]
    assert "chance 50%" in svgs["overview"]


def test_same_bytes_again(tmp_path: Path) -> None:
    conditions = pool(small_study())
    for name, order in (("one", conditions), ("two", conditions[::-1])):
        (tmp_path / name).mkdir()
        save(scaling_figure(order, task="capitals"), tmp_path / name / "figure")
    for suffix in ("svg", "png"):
        assert (tmp_path / f"one/figure.{suffix}").read_bytes() == (tmp_path / f"two/figure.{suffix}").read_bytes()
    assert "<dc:date>" not in (tmp_path / "one/figure.svg").read_text("utf-8")


def test_a_missing_cell_is_written_as_not_measured(tmp_path: Path) -> None:
    made = [each for each in small_study() if (each.model, each.task, each.examples) != ("big", "capitals", 64)]
    svg, _ = save(conditions_figure(pool(made), task="capitals"), tmp_path / "conditions")
    assert texts(svg).count("not measured") == 1
    made = [each for each in made if (each.model, each.task) != ("big", "sentiment")]
    svg, _ = save(overview_figure(pool(made)), tmp_path / "overview")
    assert texts(svg).count("not measured") == 1


def test_odd_studies_can_be_drawn(tmp_path: Path) -> None:
    unknown = measurement(method="zero_shot", examples=0, chance=None, model="<b>$x^$ \u65e5\n")
    all_right = measurement(right=10, spend=Spend(train_flops=1e12), examples=1)
    many = [measurement(method="few_shot", settings={"shots": k}, examples=k) for k in (1, 2, 4, 8)]
    for i, made in enumerate(([unknown], [all_right], [unknown, all_right, *many], many)):
        conditions = pool(made)
        for figure in (
            scaling_figure(conditions, task="capitals"),
            conditions_figure(conditions, task="capitals"),
            overview_figure(conditions),
        ):
            save(figure, tmp_path / str(i))
    assert "&lt;b&gt;$x^$ \\u65e5\\n" in texts(
        save(scaling_figure(pool([unknown]), task="capitals"), tmp_path / "x")[0]
    )


def test_styles_differ_without_colour_and_do_not_depend_on_order() -> None:
    conditions = pool(measurement(method=f"method-{i:02d}") for i in range(12))
    styles = recipe_styles(conditions)
    assert styles == recipe_styles(conditions[::-1])
    assert len({(style.marker, style.filled) for style in styles.values()}) == 12
    assert PLAIN not in styles.values()


def test_labels_are_spread_without_overlap() -> None:
    assert spread([50, 10], [4, 4], low=0, high=100) == [50, 10]
    assert spread([50, 50], [4, 4], low=0, high=100) == [48, 52]
    assert spread([99, 98, 97], [4, 4, 4], low=0, high=100) == [98, 94, 90]
    placed = spread([5, 5, 5, 6, 40, 41], [4] * 6, low=0, high=100)
    assert all(b - a >= 4 - 1e-9 for a, b in zip(sorted(placed), sorted(placed)[1:], strict=False))
    assert min(placed) >= 2


def test_numbers_as_text() -> None:
    assert (power_of_ten(3.14e12), power_of_ten(1e13), power_of_ten(9.96e9)) == ("3.1×10¹²", "10¹³", "10¹⁰")
    assert printable("a" * 10, width=5) == "aaaa…"

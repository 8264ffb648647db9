"""What `educe plan` says about the statistical power of a study."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from educe.data.errors import UserError
from educe.eval.analysis.statistics.multiple import bonferroni_level
from educe.eval.analysis.statistics.power import (
    Noise,
    items_needed,
    min_detectable_effect,
    seeds_needed,
    zero_events_bound,
)
from educe.recipes.runner.plan import plan
from educe.recipes.runner.power import power_lines
from tests.recipes.small import parity_rows, run_cli, small_study, study_file, write_rows

ONE_RUN = Noise(first=1 / 6)


def lines_of(folder: Path, *, effect: float = 0.05, **changes: Any) -> list[str]:
    return power_lines(small_study(folder, **changes).cells(), effect=effect)


def test_every_number_is_that_of_the_formula(tmp_path: Path) -> None:
    write_rows(tmp_path / "parity.jsonl", parity_rows(500))
    _, task, smallest, _, needed, none, resampled, assumed = lines_of(tmp_path, test_items=100, seeds=[0, 1])
    assert task == "parity: 100 items, 2 seeds"
    level = bonferroni_level(
        0.95, 5
    )  # few_shot and two sizes of iid_sft against zero-shot, both sizes against few_shot
    two = replace(ONE_RUN, first_seeds=2)
    alone, together = (100 * min_detectable_effect(100, two, level=each) for each in (0.95, level))
    assert f"baseline: {alone:.1f} points; {together:.1f} points after correction for 5 comparisons" in smallest
    assert f"{items_needed(0.05, ONE_RUN):,} items (" in needed
    assert f"({items_needed(0.05, ONE_RUN, level=level):,} after correction) with 1 seed" in needed
    assert needed.endswith("; 100 items are too few with any seeds")
    assert f"never observed: {100 * zero_events_bound(100):.2g}%" in none
    assert (
        "2,000 resamples, and 500 for fitted curves; the Monte Carlo error of an end of the interval is 0.06 and 0.12"
        in resampled
    )
    assert "disagree on 28% of the items" in assumed and "few seeds can detect less than one" in assumed


def test_primary_comparisons_are_corrected_for_alone(tmp_path: Path) -> None:
    write_rows(tmp_path / "parity.jsonl", parity_rows(500))
    text = plan(small_study(tmp_path, compare=[{"recipe": "iid_sft", "examples": 4}], test_items=100, seeds=[0, 1, 2]))
    assert "after correction" not in text  # one alone needs no correction
    two = [{"recipe": "iid_sft", "examples": 4}, {"recipe": "few_shot"}]
    text = plan(small_study(tmp_path, compare=two, test_items=100, seeds=[0, 1, 2]))
    effect = min_detectable_effect(100, replace(ONE_RUN, first_seeds=3), level=bonferroni_level(0.95, 2))
    assert f"; {100 * effect:.1f} points after correction for 2 primary comparisons" in text


def test_the_minimum_detectable_effect_uses_the_seeds(tmp_path: Path) -> None:
    write_rows(tmp_path / "parity.jsonl", parity_rows(500))
    for seeds in (1, 5):
        noise = replace(ONE_RUN, first_seeds=seeds)
        alone, together = (
            100 * min_detectable_effect(100, noise, level=each) for each in (0.95, bonferroni_level(0.95, 5))
        )
        line = lines_of(tmp_path, test_items=100, seeds=list(range(seeds)))[2]
        assert f"{alone:.1f} points; {together:.1f} points after correction for 5 comparisons" in line


def test_the_interval_of_a_score_is_wilsons(tmp_path: Path) -> None:
    write_rows(tmp_path / "parity.jsonl", parity_rows(500))
    assert "  interval of a score near 50%: +-9.6 points" in lines_of(tmp_path, test_items=100)


def test_the_number_of_seeds_that_detect_an_effect(tmp_path: Path) -> None:
    write_rows(tmp_path / "parity.jsonl", parity_rows(500))
    # One run would detect 20 points, but says nothing about other seeds.
    assert lines_of(tmp_path, effect=0.2, test_items=100)[4].endswith("; 3 seeds with 100 items")
    # No number of seeds detects less than 9.3 points with 100 items; close above it, many seeds are needed.
    many = seeds_needed(0.1, 100, ONE_RUN)
    assert many is not None and many > 10
    assert lines_of(tmp_path, effect=0.1, test_items=100)[4].endswith(f"; {many} seeds with 100 items")
    assert lines_of(tmp_path, effect=0.09, test_items=100)[4].endswith("; 100 items are too few with any seeds")


def test_items_of_a_cluster_are_assumed_to_be_right_together(tmp_path: Path) -> None:
    rows = [{**row, "cluster": f"c{place // 2}"} for place, row in enumerate(parity_rows(600))]
    write_rows(tmp_path / "parity.jsonl", rows)
    lines = lines_of(tmp_path, test_items=None)
    items, clusters = [int(word) for word in lines[1].replace(",", "").split() if word.isdigit()][:2]
    assert clusters < items <= 2 * clusters + 1
    assert f"{100 * zero_events_bound(clusters):.2g}%" in lines[5]
    assert f"{items_needed(0.05, Noise(first=1 / 6, design_effect=2.0)):,} items" in lines[4]


def test_too_few_items_detect_nothing(tmp_path: Path) -> None:
    assert "baseline: none (more than 100 points)" in lines_of(tmp_path, test_items=2)[2]


def test_one_comparison_needs_no_correction(tmp_path: Path) -> None:
    text = "\n".join(lines_of(tmp_path, recipes=["zero_shot", {"few_shot": {"shots": 2}}]))
    assert "comparisons" not in text and "Holm" not in text


@pytest.mark.parametrize("effect", [0.0, -0.1, 1.0, 5.0])
def test_an_effect_is_a_share(effect: float, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="give a share such as"):
        lines_of(tmp_path, effect=effect)


def test_the_command_takes_an_effect(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run_cli("plan", study_file(tmp_path), "--effect", "0.03") == 0
    assert f"to detect 3 points: {items_needed(0.03, ONE_RUN):,} items" in capsys.readouterr().out
    for effect, says in (("3", "--effect 3 is not a difference of scores"), ("few", "invalid float value: 'few'")):
        assert run_cli("plan", study_file(tmp_path), "--effect", effect) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert says in line

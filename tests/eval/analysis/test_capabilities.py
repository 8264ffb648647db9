"""What each kind of result is a capability of, and gaps that hold where there is none."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from educe.eval.analysis.capabilities import capability_gaps, capability_of
from educe.eval.analysis.conditions import pool
from educe.eval.measurement import Measurement
from educe.eval.report.page import write_report
from educe.eval.spend import Spend
from tests.eval.synthetic import measurement

ITEMS = 150
FREE = Spend()


def result(rate: float = 0.5, *, rng: np.random.Generator | None = None, **more: Any) -> Measurement:
    rng = rng or np.random.default_rng(0)
    right = [float(value < rate) for value in rng.uniform(size=ITEMS)]
    return measurement(right=right, **{"method": "zero_shot", "examples": 0, "spend": FREE, **more})


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, "propensity"),
        ({"settings": {"template": "auto", "system": "", "format": None}}, "propensity"),
        ({"method": "generated", "settings": {"temperature": 1.0}}, "propensity"),
        ({"settings": {"template": "native"}}, "self-elicited"),
        ({"settings": {"phrase": "tip"}}, "self-elicited"),
        ({"method": "chain_of_thought"}, "self-elicited"),
        ({"method": "few_shot", "spend": Spend(labelled_examples=4)}, "current"),
        ({"method": "prompt_search", "spend": Spend(labelled_examples=16)}, "current"),
        ({"method": "iid_sft", "spend": Spend(labelled_examples=4, train_flops=1.0)}, "current"),
        ({"method": "helpful_sft", "spend": Spend(instructions=4, train_flops=1.0)}, "current"),
        ({"method": "ngrams", "spend": Spend(labelled_examples=4)}, None),
        ({"method": "pressure"}, None),
    ],
)
def test_what_a_result_is_a_capability_of(given: dict[str, Any], wanted: str | None) -> None:
    assert capability_of(result(**given)) == wanted


def study(rng: np.random.Generator, *, self_elicited: float, current: float, plain: float = 0.5) -> list[Measurement]:
    label = Spend(labelled_examples=4)
    made = [result(plain, rng=rng)]
    made += [result(self_elicited, rng=rng, settings={"phrase": name}) for name in ("tip", "praise", "breath")]
    return made + [
        result(current, rng=rng, method="few_shot", examples=4, seed=seed, spend=label, settings={"shots": 4})
        for seed in range(5)
    ]


def test_gaps_are_found_between_the_right_kinds() -> None:
    found = capability_gaps(pool(study(np.random.default_rng(0), self_elicited=0.75, current=0.95)))
    assert [(each.capability, each.rivals) for each in found] == [("self-elicited", 3), ("current", 8), ("current", 5)]
    assert found[0].over == "zero_shot" and found[2].over.startswith("zero_shot phrase=")
    assert all(each.gain.low > 0 and each.gain.p < 0.01 for each in found)
    assert found[1].best.startswith("few_shot")


@pytest.mark.slow
def test_the_largest_of_many_runs_is_no_gain_where_none_is() -> None:
    """Eight runs as good as zero-shot: the largest is above it in nearly every study, and p < 0.05 in few."""
    small = above = 0
    for seed in range(200):
        made = study(np.random.default_rng(seed), self_elicited=0.5, current=0.5)
        gap = capability_gaps(pool(made))[1].gain
        above += gap.value > 0
        small += gap.p < 0.05
    assert above > 150 and small <= 0.08 * 200


def test_without_the_baseline_or_without_rivals_there_is_no_gap() -> None:
    made = study(np.random.default_rng(0), self_elicited=0.75, current=0.95)
    assert capability_gaps(pool(made[1:4])) == [] and capability_gaps(pool(made[:1])) == []
    (only,) = capability_gaps(pool([made[0], *made[4:]]))
    assert only.capability == "current"


@pytest.mark.usefixtures("no_task_figures")
def test_the_page_and_the_results_say_it(tmp_path: Path) -> None:
    made = study(np.random.default_rng(0), self_elicited=0.75, current=0.95)
    page = write_report(made, (), tmp_path, study="s", study_text="name: s").read_text("utf-8")
    assert 'id="capabilities"' in page and 'href="#capabilities"' in page and "self-elicited" in page
    lines = (tmp_path / "results.csv").read_text("utf-8").splitlines()
    place = lines[0].split(",").index("capability")
    assert {line.split(",")[place] for line in lines[1:2]} == {"propensity"}

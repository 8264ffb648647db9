"""What the report says of prompts, and the figures of formats."""

import re
from dataclasses import replace

import pytest

from educe.eval.analysis.conditions import pool
from educe.eval.report.figure import save
from educe.eval.report.formats import formats_figure, spread_figure
from educe.eval.report.page import write_report
from educe.eval.report.prompts import best_prompts, chosen_on_dev, formats_seen, orders_seen, pooled_ratios
from educe.eval.spend import Spend
from tests.eval.synthetic import measurement, small_study

ACCURACIES = {"letter; labels A": 0.25, "letter; labels 1": 0.3, "text; typos none": 0.9, "text; typos some": 0.8}


def spread(sd, *, examples=0, model="small", **changed):
    """A way asked in four formats, after training on so many examples if any."""
    asked = {"formats": 4, "share": 1.0, "shots": 0}
    settings = {"train": {"iid_sft": {"rank": 8}}, "ask": {"prompt_eval": asked}} if examples else asked
    answered = {
        "accuracies": ACCURACIES,
        "quantiles": {"0.05": 0.25, "0.25": 0.3, "0.5": 0.55, "0.75": 0.8, "0.95": 0.9},
        "sd": {"value": sd, "low": sd / 2, "high": 2 * sd, "interval": "chi-square 95%"},
    }
    return measurement(
        model=model,
        method="stacked" if examples else "prompt_eval",
        settings=settings,
        examples=examples,
        provenance={"answered": answered},
        spend=Spend(labelled_examples=examples, train_flops=1e12 if examples else 0.0),
        **changed,
    )


def study():
    made = [measurement(model=name, method="zero_shot", examples=0) for name in ("small", "big")]
    made += [spread(sd, examples=n, model=name) for name in ("small", "big") for n, sd in ((0, 0.2), (128, 0.05))]
    made.append(measurement(method="iid_sft", settings={"rank": 8}, examples=128, spend=Spend(train_flops=1e12)))
    return made


def texts(figure, folder):
    svg = save(figure, folder / "figure")[0].read_text("utf-8")
    return " | ".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg))


def test_strips_name_the_ways_to_answer_and_say_what_they_come_to(tmp_path):
    said = texts(formats_figure(pool(study()), task="capitals"), tmp_path)
    for needed in ("accuracy in every format", "letter", "text", "55 [25, 90]", "sd 20.0 [10.0, 40.0]", "128 examples"):
        assert needed in said, needed
    assert formats_figure(pool(small_study()), task="capitals") is None


def test_the_spread_is_drawn_from_plain_to_trained(tmp_path):
    said = texts(spread_figure(pool(study())), tmp_path)
    assert "20.0 → 5.0" in said and "128" in said and "chi-square 95%" in said
    assert spread_figure(pool(small_study())) is None
    assert spread_figure(pool([spread(0.2)])) is None  # one budget is no line


def test_formats_are_read_over_seeds():
    (seen,) = formats_seen(pool([spread(0.1, seed=0), spread(0.3, seed=1)]))
    assert seen.sd == pytest.approx(0.2) and seen.num_formats == 4 and seen.median == 0.55


def test_lines_join_what_was_asked_alike(tmp_path):
    """Two trainings are two lines, and formats asked after shots are not the start of those asked without."""
    shots = spread(0.3)
    shots = replace(shots, settings={**shots.settings, "shots": 4}, examples=4)
    other = spread(0.1, examples=128)
    other = replace(other, settings={**other.settings, "train": {"iid_sft": {"rank": 2}}}, recipe="rank 2")
    said = texts(spread_figure(pool([spread(0.2), shots, spread(0.05, examples=128), other])), tmp_path)
    assert "20.0 → 5.0" in said and "20.0 → 10.0" in said and "30.0 →" not in said


def test_the_best_and_worst_format_are_listed(tmp_path):
    found = {"best": {"format": "text; typos none", "accuracy": 0.9, "asked": 24}, "spread": 0.6, "formats_asked": 30,
             "worst": {"format": "letter", "accuracy": 0.3, "asked": 16}}  # fmt: skip
    made = measurement(method="format_spread", settings={}, examples=0, provenance={"answered": found})
    page = write_report([made], [], tmp_path, study="quick", study_text="").read_text("utf-8")
    assert "text; typos none" in page and "60.0" in page
    assert page.count("#prompts") == page.count(chr(34) + "prompts" + chr(34)) == 1  # the link has somewhere to go


def ordered(seed=0):
    answered = {
        "accuracies": {"order 1": 0.2, "order 2": 0.4},
        "picked_places": {"1": 0.9, "2": 0.1},
        "right_places": {"1": 0.5, "2": 0.5},
        "changed_by_order": 0.8,
    }
    return measurement(
        method="order_vote", settings={"orders": 2}, examples=0, seed=seed, provenance={"answered": answered}
    )


def test_orders_show_the_bias_of_places(tmp_path):
    (seen,) = orders_seen(pool([ordered(0), ordered(1), *small_study()]))
    assert (seen.lowest, seen.highest, seen.picked, seen.changed) == (0.2, 0.4, (0.9, 0.1), 0.8)
    page = write_report([ordered()], [], tmp_path, study="quick", study_text="").read_text("utf-8")
    assert "90.0 / 10.0" in page and "80.0" in page


def searched(right, *, task="capitals", dev=0.8, **changed):
    elicited = {"dev_score": dev, "dev_score_of_all": 0.4, "dev_examples": 32, "candidates": 40, "chosen": "few_shot"}
    return measurement(
        task=task,
        method="prompt_search",
        settings={"formats": 4},
        examples=8,
        right=right,
        of=100,
        provenance={"elicited": elicited},
        spend=Spend(labelled_examples=40, search_flops=1e12),
        **changed,
    )


def pair(plain, best, task):
    return [
        measurement(task=task, method="zero_shot", examples=0, right=plain, of=100),
        searched(best, task=task),
    ]


def test_the_best_prompt_is_held_to_the_plain_one():
    conditions = pool(pair(30, 60, "one") + pair(40, 44, "two"))
    best = best_prompts([[condition for condition in conditions if condition.task == task] for task in ("one", "two")])
    assert [each.ratio.ratio for each in best] == pytest.approx([2.0, 1.1])
    assert best[0].ratio.low > 1 > best[1].ratio.low and best[0].search_flops == 1e12
    (each,) = pooled_ratios(best)
    assert (each.model, each.left_out, each.pooled.count) == ("small", 0, 2) and each.pooled.p < 0.05
    assert 1.1 < each.pooled.ratio.ratio < 2.0
    # A second, cheaper search on a task is no second task.
    again = replace(searched(35, task="one"), settings={"formats": 2}, spend=Spend(search_flops=1e9))
    conditions = (*conditions, *pool([again]))
    assert pooled_ratios(
        best_prompts([[condition for condition in conditions if condition.task == task] for task in ("one", "two")])
    ) == [each]


def test_optimism_is_the_dev_score_less_the_test_score():
    (chosen,) = chosen_on_dev(pool([searched(60), *small_study()]))
    assert chosen.optimism.difference == pytest.approx(0.2)
    assert chosen.optimism.low < 0.05 < 0.33 < chosen.optimism.high  # 32 dev rows and 100 items
    assert (chosen.dev_score_of_all, chosen.candidates, chosen.chosen) == (0.4, 40, "few_shot")


def test_the_page_has_the_sections_where_there_is_something_to_say(tmp_path):
    made = [*study(), searched(60, task="other"), measurement(task="other", method="zero_shot", examples=0, of=100)]
    page = write_report(made, [], tmp_path, study="quick", study_text="").read_text("utf-8")
    for needed in ("how much the wording matters", "Accuracy over formats", "against plain prompting", "flattered"):
        assert needed in page, needed
    assert (tmp_path / "figures" / "spread.png").exists()
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    without = write_report(small_study(), [], tmp_path / "bare", study="quick", study_text="").read_text("utf-8")
    assert "wording matters" not in without

"""Prompts in the report: formats, orders of options, searches, and the figures of formats."""

import re
from dataclasses import replace

import pytest

from educe.eval.analysis.conditions import by_task_and_model, pool
from educe.eval.analysis.dev_choices import dev_choices
from educe.eval.details import (
    Details,
    FormatAccuracies,
    FormatExtremes,
    FormatScore,
    OptionOrders,
    Selection,
    Stack,
)
from educe.eval.report import formats
from educe.eval.report.formats import formats_figure, spread_figure
from educe.eval.report.page import write_report
from educe.eval.report.prompts import best_prompts, format_spreads, order_effects, pooled_ratios
from educe.eval.report.style import save
from educe.eval.spend import Spend
from tests.eval.synthetic import measurement, small_study

pytestmark = pytest.mark.usefixtures("no_task_figures")

ACCURACIES = {"letter; labels A": 0.25, "letter; labels 1": 0.3, "text; typos none": 0.9, "text; typos some": 0.8}


def spread(sd, *, examples=0, model="small", **changed):
    """A condition asked in four formats, after training on so many examples if any."""
    formats = FormatAccuracies(
        accuracies=ACCURACIES,
        pairs_asked=40,
        quantiles={"0.05": 0.25, "0.25": 0.3, "0.5": 0.55, "0.75": 0.8, "0.95": 0.9},
        sd=sd,
        sd_low=sd / 2,
        sd_high=2 * sd,
        sd_interval="chi-square 95%",
    )
    stack = Stack(training="iid_sft rank=8", prompting="prompt_eval formats=4") if examples else None
    return measurement(
        model=model,
        method="stacked" if examples else "prompt_eval",
        recipe="iid_sft rank=8 + prompt_eval formats=4" if examples else "prompt_eval formats=4",
        settings={"formats": 4},
        examples=examples,
        details=Details(formats=formats, stack=stack),
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


def test_strips_name_the_kinds_of_answers_and_their_summary(tmp_path):
    text = texts(formats_figure(pool(study()), task="capitals"), tmp_path)
    for needed in ("accuracy in every format", "letter", "text", "55 [25, 90]", "sd 20.0 [10.0, 40.0]", "128 examples"):
        assert needed in text, needed
    assert formats_figure(pool(small_study()), task="capitals") is None


def test_the_spread_is_drawn_from_plain_to_trained(tmp_path):
    text = texts(spread_figure(pool(study())), tmp_path)
    assert "20.0 → 5.0" in text and "128" in text and "chi-square 95%" in text
    assert spread_figure(pool(small_study())) is None
    assert spread_figure(pool([spread(0.2)])) is None  # one budget is no line


def test_formats_are_read_over_seeds():
    (seen,) = format_spreads(pool([spread(0.1, seed=0), spread(0.3, seed=1)]))
    assert seen.sd == pytest.approx(0.2) and seen.num_formats == 4 and seen.median == 0.55


def test_lines_join_equal_prompts(tmp_path):
    """Two trainings are two lines, and formats asked after shots are not the start of those asked without."""
    shots = replace(
        spread(0.3), recipe="prompt_eval formats=4 shots=4", settings={"formats": 4, "shots": 4}, examples=4
    )
    other = spread(0.1, examples=128)
    stack = replace(other.details.stack, training="iid_sft rank=2")
    details = replace(other.details, stack=stack)
    other = replace(other, settings={"rank": 2}, recipe="rank 2", details=details)
    text = texts(spread_figure(pool([spread(0.2), shots, spread(0.05, examples=128), other])), tmp_path)
    assert "20.0 → 5.0" in text and "20.0 → 10.0" in text and "30.0 →" not in text


def test_the_default_format_is_drawn_beside_its_training_and_its_shots(tmp_path):
    """One open diamond for each of: formats untrained, after training, and after shots; none where it is missing."""
    shots = replace(
        spread(0.3), recipe="prompt_eval formats=4 shots=4", settings={"formats": 4, "shots": 4}, examples=4
    )
    few_shot = measurement(method="few_shot", settings={"shots": 4}, examples=4)
    conditions = [*pool([each for each in [*study(), shots, few_shot] if each.model == "small"])]

    def drawn(recipe, examples):
        (condition,) = [each for each in conditions if each.recipe == recipe and each.examples == examples]
        found = formats._in_default_format(condition, conditions)
        return found and (found.recipe, found.examples)

    assert drawn("prompt_eval formats=4", 0) == ("zero_shot", 0)
    assert drawn("prompt_eval formats=4 shots=4", 4) == ("few_shot shots=4", 4)
    assert drawn("iid_sft rank=8 + prompt_eval formats=4", 128) == ("iid_sft rank=8", 128)
    conditions = [each for each in conditions if each.method != "iid_sft"]
    assert drawn("iid_sft rank=8 + prompt_eval formats=4", 128) is None


def test_the_best_and_worst_format_are_listed(tmp_path):
    extremes = FormatExtremes(
        best=FormatScore(format="text; typos none", accuracy=0.9, asked=24),
        worst=FormatScore(format="letter", accuracy=0.3, asked=16),
        spread=0.6,
        formats_asked=30,
        pairs_asked=400,
    )
    made = measurement(method="format_spread", settings={}, examples=0, details=Details(format_extremes=extremes))
    page = write_report([made], [], tmp_path, study="quick", study_text="").read_text("utf-8")
    assert "text; typos none" in page and "60.0" in page
    assert page.count("#prompts") == page.count(chr(34) + "prompts" + chr(34)) == 1  # the link has somewhere to go


def voted(seed=0):
    orders = OptionOrders(
        accuracies={"order 1": 0.2, "order 2": 0.4},
        picked_places={"1": 0.9, "2": 0.1},
        right_places={"1": 0.5, "2": 0.5},
        changed_share=0.8,
    )
    details = Details(option_orders=orders)
    return measurement(method="order_vote", settings={"orders": 2}, examples=0, seed=seed, details=details)


def test_orders_show_the_bias_of_places(tmp_path):
    (seen,) = order_effects(pool([voted(0), voted(1), *small_study()]))
    assert (seen.lowest, seen.highest, seen.picked, seen.changed) == (0.2, 0.4, (0.9, 0.1), 0.8)
    page = write_report([voted()], [], tmp_path, study="quick", study_text="").read_text("utf-8")
    assert "90.0 / 10.0" in page and "80.0" in page


def searched(right, *, task="capitals", dev=0.8, **changed):
    selection = Selection(
        chosen={"recipe": "few_shot"}, dev_score=dev, mean_dev_score=0.4, dev_examples=32, candidates=40
    )
    return measurement(
        task=task,
        method="prompt_search",
        settings={"formats": 4},
        examples=8,
        right=right,
        of=100,
        details=Details(selection=selection),
        spend=Spend(labelled_examples=40, search_flops=1e12),
        **changed,
    )


def pair(plain, best, task):
    return [
        measurement(task=task, method="zero_shot", examples=0, right=plain, of=100),
        searched(best, task=task),
    ]


def test_the_best_prompt_is_compared_with_zero_shot():
    conditions = pool(pair(30, 60, "one") + pair(40, 44, "two") + pair(40, 46, "three"))
    best = best_prompts(by_task_and_model(conditions))
    assert [each.ratio.ratio for each in best] == pytest.approx([2.0, 1.15, 1.1])
    assert best[0].ratio.low > 1 > best[2].ratio.low and best[0].search_flops == 1e12
    (each,) = pooled_ratios(best)
    assert (each.model, each.left_out, each.pooled.count) == ("small", 0, 3) and each.pooled.p < 0.05
    assert 1.1 < each.pooled.ratio.ratio < 2.0
    # A second, cheaper search on a task is no second task.
    again = replace(searched(35, task="one"), settings={"formats": 2}, spend=Spend(search_flops=1e9))
    conditions = (*conditions, *pool([again]))
    assert pooled_ratios(best_prompts(by_task_and_model(conditions))) == [each]


def test_optimism_is_the_dev_score_less_the_test_score():
    (chosen,) = dev_choices(pool([searched(60), *small_study()]))
    assert chosen.optimism.difference == pytest.approx(0.2)
    assert chosen.optimism.low < 0.05 < 0.33 < chosen.optimism.high  # 32 dev rows and 100 items
    assert (chosen.mean_dev_score, chosen.candidates, chosen.chosen) == (0.4, 40, "few_shot")


def test_the_page_has_the_sections_where_there_is_something_to_say(tmp_path):
    made = [*study(), searched(60, task="other"), measurement(task="other", method="zero_shot", examples=0, of=100)]
    page = write_report(made, [], tmp_path, study="quick", study_text="").read_text("utf-8")
    for needed in ("does the wording matter", "Accuracy over formats", "against zero-shot", "optimism"):
        assert needed in page, needed
    assert (tmp_path / "figures" / "spread.png").exists()
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    without = write_report(small_study(), [], tmp_path / "bare", study="quick", study_text="").read_text("utf-8")
    assert "wording matter" not in without

"""Planted anomalies are found and say why; a clean study gives no line."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from educe.data.audit.finding import Finding
from educe.eval.analysis.anomalies import (
    constant_answers,
    dev_test_gaps,
    empty_outputs,
    items_answered_alike,
    no_better_than_baselines,
    repeated_outputs,
    risen_losses,
    serious_findings,
    tied_options,
    truncated_answers,
    zero_scores,
)
from educe.eval.analysis.conditions import pool
from educe.eval.analysis.statistics.independent import ScoreInterval, independent_difference
from educe.eval.details import Details, Selection
from educe.eval.measurement import Measurement, Outcome, Outcomes
from educe.eval.report.checks import checks
from educe.eval.report.page import write_report
from tests.eval.synthetic import measurement, small_study

pytestmark = pytest.mark.usefixtures("no_task_figures")


def baseline(kind: str, score: float, *, n: int = 200, chance: float | None = 0.25, serious: bool = False) -> Finding:
    numbers = {"score": score, "low": score - 0.06, "high": score + 0.06, "chance": chance, "n": n}
    return Finding(kind=kind, serious=serious, sentence=f"{kind} scores {score}.", numbers=numbers)


def answered(picks: Sequence[int], right: Sequence[int], *, labels: Sequence[str] = (), **more: Any) -> Measurement:
    """Items whose option `right` is the right one and of which `picks` were picked."""
    outcomes = Outcomes.of(
        Outcome(
            id=str(i),
            score=float(pick == place),
            answer=labels[place] if labels else f"text {i} {place}",
            picked=labels[pick] if labels else f"text {i} {pick}",
            loglikelihoods=tuple(-1.0 if option == pick else -2.0 for option in range(4)),
        )
        for i, (pick, place) in enumerate(zip(picks, right, strict=True))
    )
    return replace(measurement(right=[outcome.score for outcome in outcomes], **more), outcomes=outcomes)


def chosen(dev: float, right: int, *, candidates: int = 4, dev_examples: int = 100) -> Measurement:
    selection = Selection(chosen={}, dev_score=dev, dev_examples=dev_examples, candidates=candidates)
    return measurement(right=right, of=100, details=Details(selection=selection))


def test_a_clean_study_gives_no_warning() -> None:
    conditions = pool(small_study())
    clean = {"capitals": [baseline("longest_option", 0.26)], "sentiment": [baseline("options_alone", 0.5, chance=0.5)]}
    assert constant_answers(conditions, clean) == dev_test_gaps(conditions) == []
    assert no_better_than_baselines(conditions, clean) == serious_findings(clean) == []


def test_always_the_same_place_is_found_and_held_to_that_place() -> None:
    right = [3] * 38 + [0] * 30 + [1] * 32
    conditions = pool([answered([3] * 97 + [0, 1, 2], right)])
    shares = Finding(kind="positions", serious=False, sentence="", numbers={"shares": [0.2, 0.2, 0.22, 0.38]})
    (line,) = constant_answers(conditions, {"capitals": [shares]})
    assert line.startswith(
        "small, capitals, iid_sft, 4 examples: picks option 4 for 97% [92, 99] of 100 items and scores 39%"
    )
    assert line.endswith("that answer alone scores 38%, which is not significantly less")
    (unknown,) = constant_answers(conditions, {})
    assert "alone" not in unknown
    # A place is not read off likelihoods that were changed before one was picked.
    assert constant_answers(pool([answered([3] * 100, right, metric="accuracy (calibrated)")]), {}) == []
    assert constant_answers(pool([answered([3] * 80 + [0] * 20, right)]), {}) == []


def test_always_the_same_text_is_found_and_held_to_that_text() -> None:
    labels = ("yes", "no", "maybe", "never")
    (line,) = constant_answers(pool([answered([1] * 100, [1] * 50 + [0] * 50, labels=labels)]), {})
    assert "picks 'no' for 100% [96, 100]" in line and "that answer alone scores 50%, which is not" in line
    (better,) = constant_answers(pool([answered([1] * 95 + [0] * 5, [1] * 80 + [2] * 15 + [0] * 5, labels=labels)]), {})
    assert "alone scores 80%, which is not" in better


def test_items_that_all_get_alike() -> None:
    same = [1.0] * 30 + [0.0] * 20
    made = [measurement(method=name, right=same) for name in ("a", "b", "c")]
    (line,) = items_answered_alike(pool(made))
    assert line == (
        "small, capitals, 3 conditions: 60% [46, 72] of 50 items are right in all (22% expected if errors were "
        "independent); 40% [28, 54] of 50 items are wrong in all (6% expected if errors were independent)"
    )
    assert items_answered_alike(pool(made[:2])) == []
    shares = measurement(method="d", right=[0.5] * 50)
    assert items_answered_alike(pool([*made[:2], shares])) == []
    others = measurement(method="e", right=10, of=20)
    assert items_answered_alike(pool([*made[:2], others])) == []
    seeds = [measurement(method="a", right=same, seed=seed) for seed in (0, 1)]
    odd = [replace(seeds[1], outcomes=Outcomes.of(replace(each, score=0.0) for each in seeds[1].outcomes))]
    (line,) = items_answered_alike(pool([seeds[0], *odd, *made[1:]]))
    assert ": 0% [" in line and "; 40% [28, 54] of 50 items are wrong in all" in line


@pytest.mark.parametrize(
    ("dev", "right", "candidates", "says"),
    [
        (0.5, 85, 4, "should not score higher on test"),
        (0.95, 50, 4, "explains at most 8 points"),
        (0.6, 55, 4, ""),
        (0.5, 55, 4, ""),
        # So much is what the best of very many is expected to flatter by.
        (0.72, 50, 5000, ""),
        (0.72, 50, 1, "explains at most 0 points"),
    ],
)
def test_dev_against_test(dev: float, right: int, candidates: int, says: str) -> None:
    lines = dev_test_gaps(pool([chosen(dev, right, candidates=candidates)]))
    assert [says in line for line in lines] == ([True] if says else [])
    if lines:
        assert lines[0].startswith(
            f"small, capitals, iid_sft, 4 examples: dev {100 * dev:.0f}% of 100, test {right}% ["
        )
    assert dev_test_gaps(pool([chosen(dev, right, dev_examples=0)])) == []


def test_newcombes_published_example() -> None:
    # Newcombe (1998), Table II: 56/70 - 48/80 gives 0.0524 to 0.3339 by method 10.
    from educe.eval.analysis.statistics.intervals import wilson

    sides = [
        ScoreInterval(score=right / of, low=low, high=high)
        for right, of in ((56, 70), (48, 80))
        for low, high in [wilson(right / of, of)]
    ]
    found = independent_difference(*sides, n=70)
    assert (round(found.low, 4), round(found.high, 4)) == (0.0524, 0.3339)


def test_what_a_baseline_reaches_too() -> None:
    conditions = pool([measurement(right=40, of=100), measurement(method="strong", right=95, of=100)])
    audits = {"capitals": [baseline("longest_option", 0.33), baseline("options_alone", 0.42)]}
    (line,) = no_better_than_baselines(conditions, audits)
    assert line.startswith("small, capitals, iid_sft, 4 examples: 40% [31, 50] of 100, chance 25%; ")
    assert line.endswith("a classifier of options without the question scores 42% [36, 48] of 200")
    assert no_better_than_baselines(conditions, {"capitals": [baseline("longest_option", 0.27)]}) == []
    assert no_better_than_baselines(conditions, {"other": audits["capitals"]}) == []
    # A score that is not above chance is nothing that a baseline could explain away.
    assert no_better_than_baselines(pool([measurement(right=26, of=100)]), audits) == []
    free = {"capitals": [baseline("majority_answer", 0.42, chance=None)]}
    assert no_better_than_baselines(conditions, free) == []


def test_the_report_lists_them_with_warnings_first(tmp_path: Any) -> None:
    made = small_study()
    audits = {"capitals": [baseline("options_alone", 0.99, serious=True), baseline("longest_option", 0.3)]}
    found = checks(made, pool(made), [], audits)
    assert [check.warning for check in found] == sorted((check.warning for check in found), reverse=True)
    lines = {check.title: check.lines for check in found}
    rows = "Task rows give answers away, repeat, or leave a column unread"
    assert lines[rows] == ("capitals: options_alone scores 0.99.",)
    assert len(lines["Scores that a baseline without any knowledge reaches"]) == 8
    assert not {rows} & {check.title for check in checks(made, pool(made), [])}
    page = write_report(made, [], tmp_path, study="quick", study_text="", audits=audits).read_text("utf-8")
    assert rows in page and "options_alone scores 0.99." in page


def written(texts: Sequence[str], *, answers: Sequence[str] = (), score: float = 1.0, **more: Any) -> Measurement:
    """Items with these generated texts, whose right answers differ unless they are given."""
    answers = answers or [f"answer {i}" for i in range(len(texts))]
    outcomes = Outcomes.of(
        Outcome(id=str(i), score=score, answer=answer, text=text)
        for i, (text, answer) in enumerate(zip(texts, answers, strict=True))
    )
    scored = measurement(right=[score] * len(texts), chance=None, **more)
    return replace(scored, outcomes=outcomes)


def test_cut_empty_repeated_and_worthless_answers_are_warnings() -> None:
    """They passed as "No warnings"."""
    texts = ["Paris"] * 11 + [" "] * 3 + [f"town {i}" for i in range(6)]
    conditions = pool([written(texts, score=0.0, details=Details(truncated=0.25))])
    name = "small, capitals, iid_sft, 4 examples: "
    (line,) = truncated_answers(conditions)
    assert line.startswith(name + "25% of answers cut, score 0% [0, 16]; raise the limit")
    assert empty_outputs(conditions) == [name + "3 of 20 answers are empty"]
    assert repeated_outputs(conditions) == [name + "writes 'Paris' for 11 of 20 items"]
    assert zero_scores(conditions) == [name + "0 on all of 20 items; it writes, for example, 'Paris'"]
    found = [each for each in checks([*conditions[0].measurements], conditions, []) if each.warning]
    assert [each.title.partition(":")[0] for each in found] == [
        "Scores of exactly 0",
        "Generated answers that were cut at the limit of tokens",
        "Generated answers that are empty",
        "One text written for most items",
    ]
    assert found[0].line.startswith(
        "Scores of exactly 0: a wrong format or grader is likelier than no ability at all: "
    )


def test_answers_that_differ_and_end_give_no_warning() -> None:
    varied = written([f"town {i}" for i in range(20)], details=Details(truncated=0.0))
    yes = written(["yes"] * 12 + ["no"] * 8, answers=["yes"] * 11 + ["no"] * 9, model="other")
    conditions = pool([varied, yes])
    assert truncated_answers(conditions) == empty_outputs(conditions) == repeated_outputs(conditions) == []
    assert zero_scores(conditions) == zero_scores(pool(small_study())) == []


def test_a_training_that_ends_worse_than_it_began_is_a_warning() -> None:
    """A rate of 1e6 left a finite loss, that of guessing tokens, and a score like any other."""

    def trained(*losses: float, seed: int = 0) -> Measurement:
        history = tuple({"step": step, "loss": loss} for step, loss in enumerate(losses))
        return replace(measurement(seed=seed), training=history)

    (line,) = risen_losses(pool([trained(4.8, 0.5), trained(4.81, 10.8, 10.8, seed=1)]))
    assert line.endswith(
        "seed 1: from 4.81 to 10.80 nats a token in 3 steps; lower learning_rate, or look at training.json"
    )
    rewarded = replace(measurement(), training=({"step": 0, "reward": 0.1}, {"step": 1, "reward": 0.5}))
    for fine in (trained(4.8, 9.0, 0.5), trained(4.8), measurement(), rewarded):
        assert risen_losses(pool([fine])) == []
    made = [trained(1.0, 2.0)]
    assert any("higher loss" in each.title and each.warning for each in checks(made, pool(made), []))


def test_options_that_are_equally_likely_are_a_warning() -> None:
    (line,) = tied_options(pool([measurement(right=10, of=20, margin=0.0)]))
    assert "two options tie on 100% of items" in line and "50%" in line
    assert tied_options(pool([measurement(right=10, of=20)])) == []

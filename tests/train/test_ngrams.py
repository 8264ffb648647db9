"""The n-gram scorer learns what rows teach, and nothing where they teach nothing."""

import time
from dataclasses import replace

import pytest
from scipy.stats import binom

from educe.data.example import Example
from educe.data.grade import exact_match
from educe.data.task import Task
from educe.data.tasks.arithmetic import arithmetic
from educe.train.ngram_features import MAX_QUESTION, NUM_COLUMNS, NUM_DENSE, Featurizer, Text, question_of
from educe.train.ngram_scorer import DEFAULT_STRENGTH, STRENGTHS, fit_ngrams
from tests.learnable import length_parity, past_tense, plural_by_generation, random_labels, sentiment_by_suffix


def accuracy(task, examples, *, seed=0):
    scorer = fit_ngrams(task, task.draw("train", examples, seed=seed))
    items = task.test_items(200)
    return sum(scorer.outcome(task, item)[0].score for item in items) / len(items)


def one_task(*rows, **changed):
    made = Task(name="one", version=1, kind="choice", load=lambda: {"train": list(rows)})
    return replace(made, **changed)


def row(question, answer, choices=(), id=None):
    return Example(id=id or question, question=question, answer=answer, choices=choices)


@pytest.mark.parametrize(
    ("make", "examples", "at_least"),
    [
        (length_parity, 64, 0.95),
        (sentiment_by_suffix, 64, 0.9),
        (past_tense, 4, 0.95),
        (plural_by_generation, 64, 0.95),
    ],
)
def test_a_rule_is_learned(make, examples, at_least):
    assert accuracy(make(), examples) >= at_least


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("examples", [4, 64, 256])
def test_random_labels_stay_at_chance(examples, seed):
    low, high = binom.interval(0.9999, 200, 0.5)
    assert low <= 200 * accuracy(random_labels(), examples, seed=seed) <= high


def test_the_order_of_rows_and_items_changes_nothing():
    task = sentiment_by_suffix()
    rows, items = task.draw("train", 32, seed=0), task.test_items(40)
    first, again = fit_ngrams(task, rows), fit_ngrams(task, rows[::-1])
    together = {item.id: first.outcome(task, item) for item in items}
    assert {item.id: again.outcome(task, item) for item in items[::-1]} == together
    assert fit_ngrams(task, rows).outcome(task, items[7]) == together[items[7].id]
    assert (first.fit_flops, first.search_flops, first.strength) == (
        again.fit_flops,
        again.search_flops,
        again.strength,
    )


def test_equal_scores_are_not_decided_by_place():
    """A scorer without weights finds all options equal. The right one always comes first."""
    task = one_task(row("q?", "a", ("a", "b")))
    scorer = fit_ngrams(task, [row("q?", "a", ("a", "b"))])
    blank = replace(scorer, weights=0 * scorer.weights)
    rows = [row(f"{n}?", f"right {n}", (f"right {n}", f"wrong {n}")) for n in range(40)]
    scores = [blank.outcome(task, each)[0].score for each in rows]
    assert scores == [blank.outcome(task, replace(each, choices=each.choices[::-1]))[0].score for each in rows]
    assert 10 < sum(scores) < 30


def test_a_choice_has_the_log_probability_of_every_option():
    task = length_parity()
    outcome, flops = fit_ngrams(task, task.draw("train", 64, seed=0)).outcome(task, task.test_items(1)[0])
    assert sum(2.718281828459045**value for value in outcome.loglikelihoods) == pytest.approx(1)
    assert outcome.picked == outcome.answer
    assert outcome.margin == pytest.approx(abs(outcome.loglikelihoods[0] - outcome.loglikelihoods[1]))
    assert flops > 0


@pytest.mark.parametrize("count", [1, 20])
def test_rows_of_one_class_teach_that_class(count):
    rows = [row(f"Is {n} nice?", "yes", ("yes", "no")) for n in range(count)]
    task = one_task(*rows)
    scorer = fit_ngrams(task, rows)
    outcome, _ = scorer.outcome(task, row("Is it new?", "no", ("no", "yes")))
    assert (outcome.picked, outcome.score) == ("yes", 0.0)


def test_without_a_wrong_answer_nothing_is_fitted():
    rows = [row(f"{n}?", "same") for n in range(20)]
    task = one_task(*rows, kind="generation", grade=exact_match)
    scorer = fit_ngrams(task, rows)
    outcome, _ = scorer.outcome(task, row("other?", "Same"))
    assert (outcome.text, outcome.score) == ("same", 1.0)
    assert (scorer.fit_flops, scorer.search_flops, scorer.num_weights) == (0, 0, 0)


def test_generation_picks_an_answer_of_the_training_rows():
    task = arithmetic(digits=1)
    rows = task.draw("train", 32, seed=0)
    scorer = fit_ngrams(task, rows)
    outcomes = [scorer.outcome(task, item)[0] for item in task.test_items(50)]
    assert {outcome.text for outcome in outcomes} <= {each.answer for each in rows}
    assert all(outcome.picked is None and not outcome.loglikelihoods for outcome in outcomes)


def test_what_the_grader_accepts_is_no_wrong_answer():
    """Two ways to write one number: neither may be taught as wrong for the other's question."""
    rows = [row("two plus two?", "4"), row("three plus one?", "4.0")]
    task = one_task(*rows, kind="generation", grade=lambda item, text: float(float(item.answer) == float(text)))
    assert fit_ngrams(task, rows).num_weights == 0
    strict = one_task(*rows, kind="generation", grade=exact_match)
    assert fit_ngrams(strict, rows).num_weights > 0


def test_the_penalty_is_fixed_below_sixteen_rows_and_chosen_from_there_on():
    task = random_labels()
    few, more = (fit_ngrams(task, task.draw("train", count, seed=0)) for count in (15, 16))
    assert (few.strength, few.search_flops) == (DEFAULT_STRENGTH, 0)
    assert more.strength in STRENGTHS
    assert more.search_flops > more.fit_flops > 0


def test_flops_are_four_for_each_non_zero_number_and_evaluation():
    """One row, one pair and its mirror image: the numbers that differ between the options."""
    rows = [row("q?", "ab", ("ab", "b"))]
    scorer = fit_ngrams(one_task(*rows), rows)
    assert scorer.fit_flops % (4 * 2 * scorer.num_weights) == 0
    assert scorer.fit_flops >= 2 * 4 * 2 * scorer.num_weights


def test_rows_of_a_cluster_are_in_one_fold():
    """Each word stands in two rows. In two folds, they would be known by heart, and a weak penalty would look best."""
    base = random_labels().draw("train", 100, seed=0)
    rows = [replace(each, id=f"{each.id}-{copy}", cluster=each.id) for each in base for copy in (1, 2)]
    alone = fit_ngrams(one_task(*rows), [replace(each, cluster=None) for each in rows])
    together = fit_ngrams(one_task(*rows), rows)
    assert together.strength < alone.strength


@pytest.mark.parametrize(
    "question",
    ["x" * 3_000_000, "a b " * 500_000, "\u4e2d\u6587" * 1000, "\U0001f600 \u0301\u202e", "?"],
    ids=["one word", "many words", "no spaces", "emoji", "one mark"],
)
def test_any_question_is_read_in_a_moment(question):
    rows = [row(question, "yes", ("yes", "no" * 100_000)), row("what?", "no", ("yes", "no"))]
    started = time.perf_counter()
    scorer = fit_ngrams(one_task(*rows), rows)
    scorer.outcome(one_task(*rows), rows[0])
    assert time.perf_counter() - started < 5
    assert len(question_of(rows[0]).text) <= MAX_QUESTION


def test_256_rows_take_seconds():
    started = time.perf_counter()
    accuracy(past_tense(), 256)
    assert time.perf_counter() - started < 20


def test_features_are_blocks_of_length_one_and_numbers_up_to_one():
    featurizer = Featurizer.of([row("Is it odd?", "odd", ("odd", "even"))] * 2, [("odd", "even")] * 2)
    (features,) = featurizer.features(Text("Is it odd?"), ["odd"])
    assert list(features.columns) == sorted(set(features.columns))
    hashed = features.values[features.columns < NUM_COLUMNS]
    assert (hashed**2).sum() == pytest.approx(4, abs=0.2)  # four blocks, which share columns by chance at most
    dense = features.values[-NUM_DENSE:]
    assert list(dense[:4]) == [1, 1, 1, 1]
    assert ((dense >= 0) & (dense <= 1)).all()


def test_an_option_of_one_row_is_not_crossed_with_the_question():
    rows = [row("first?", "a", ("a", "b")), row("second?", "a", ("a", "c"))]
    featurizer = Featurizer.of(rows, [each.choices for each in rows])
    shared, alone = featurizer.features(Text("first?"), ["a", "b"])
    assert len(shared.columns) > len(alone.columns)

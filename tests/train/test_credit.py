"""What a written answer earns, by the task, a coin or its form."""

from dataclasses import replace

import pytest

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.format import Format
from educe.data.tasks.arithmetic import arithmetic
from educe.data.tasks.plurals import plurals
from educe.data.tasks.word_sentiment import word_sentiment
from educe.train.credit import check_form, coin, credit

QUESTION = Example(id="a", question="Which?", answer="green", choices=("red", "green"))
LETTERS = Format(answer_as="letter")


@pytest.mark.parametrize(
    ("text", "correct", "form"),
    [("B", 1, 1), ("green", 1, 1), ("The answer is A.", 0, 1), ("Red, of course", 0, 1), ("no idea", 0, 0), ("", 0, 0)],
)
def test_a_choice_is_read_as_it_is_where_it_is_measured(text, correct, form):
    task = word_sentiment()
    assert credit("correct", task, LETTERS, QUESTION, text, toss="") == correct
    assert credit("format", task, LETTERS, QUESTION, text, toss="") == form


def test_a_letter_is_nothing_where_options_have_none():
    assert credit("correct", word_sentiment(), Format(), QUESTION, "B", toss="") == 0


def test_a_number_is_the_form_where_one_is_asked_for():
    task = arithmetic()
    sum_of = Example(id="a", question="What is 1 + 1?", answer="2")
    for text, correct, form in (("2", 1, 1), ("It is 3.", 0, 1), ("two", 0, 0)):
        assert credit("correct", task, Format(), sum_of, text, toss="") == correct
        assert credit("format", task, Format(), sum_of, text, toss="") == form


def test_a_coin_reads_neither_text_nor_label():
    task, other = word_sentiment(), replace(QUESTION, answer="red")
    tosses = [f"{number}" for number in range(2000)]
    found = [credit("random", task, LETTERS, QUESTION, "B", toss=toss) for toss in tosses]
    assert found == [credit("random", task, LETTERS, other, "no idea", toss=toss) for toss in tosses]
    assert found == list(map(coin, tosses))
    assert set(found) == {0.0, 1.0} and sum(found) / 2000 == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize(
    ("task", "by_options", "message"),
    [
        (word_sentiment(), True, "every option of task 'word_sentiment' has the form of an answer.*set written: true"),
        (plurals(), False, "task 'plurals' asks for text .exact match.*use reward: random"),
    ],
)
def test_a_form_that_every_answer_has_is_refused(task, by_options, message):
    with pytest.raises(UserError, match=message):
        check_form(task, by_options=by_options)


def test_a_form_that_some_answers_lack_is_not():
    check_form(word_sentiment(), by_options=False)
    check_form(arithmetic(), by_options=False)

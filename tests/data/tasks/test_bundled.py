"""The bundled tasks: golden examples, counts, and that no question gives itself away."""

from collections import Counter, defaultdict

import pytest

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.splits import SPLITS
from educe.data.task import Task
from educe.data.tasks.arithmetic import arithmetic
from educe.data.tasks.capitals import capitals
from educe.data.tasks.word_sentiment import families, word_sentiment

GOLDEN = "the rows of a bundled task changed: raise its version, then these values"


def rows(task: Task) -> list[Example]:
    return [row for split in SPLITS for row in task.rows[split]]


def counts(task: Task) -> dict[str, int]:
    return {split: len(task.rows[split]) for split in SPLITS}


def find(task: Task, example_id: str) -> Example:
    return next(row for row in rows(task) if row.id == example_id)


def test_word_sentiment_is_golden() -> None:
    task = word_sentiment()
    assert counts(task) == {"train": 2332, "dev": 337, "test": 1357}, GOLDEN
    assert find(task, "happy") == Example(
        id="happy",
        question='Is the sentiment of the word "happy" positive or negative?',
        choices=("positive", "negative"),
        answer="positive",
        cluster="happi",
    ), GOLDEN
    assert find(task, "abandoned").answer == "negative"
    assert task.chance(task.rows["test"]) == 0.5


def test_word_sentiment_keeps_both_answers_in_every_split() -> None:
    for split in SPLITS:
        answers = Counter(row.answer for row in word_sentiment().rows[split])
        assert min(answers.values()) > 0.35 * sum(answers.values())


@pytest.mark.parametrize(
    "forms",
    [
        "love loved loves loving lovely",
        "sad sadder sadness",
        "cry cries cried crying",
        "happy happier happiness",
        "win winner winning",
        "optimist optimism optimize",
        "accept acceptable acceptances",
    ],
)
def test_forms_of_one_word_are_one_family(forms: str) -> None:
    words = forms.split()
    assert len(set(families([*words, "zebra"]).values())) == 2


def test_unlike_words_are_not_one_family() -> None:
    assert len(set(families(["glad", "sorry", "terror", "peace"]).values())) == 4


def test_capitals_are_golden() -> None:
    task = capitals()
    assert counts(task) == {"train": 274, "dev": 36, "test": 142}, GOLDEN
    france = find(task, "FR-capital")
    assert (france.question, france.answer) == ("What is the capital of France?", "Paris")
    assert (france.cluster, france.choices) == ("country:FR", FRENCH_CHOICES), GOLDEN
    back = find(task, "FR-country")
    assert (back.question, back.answer) == ("Which country has Paris as its capital?", "France")


FRENCH_CHOICES = ("Madrid", "Minsk", "Podgorica", "Paris")


def test_capitals_hold_the_standard_study() -> None:
    assert len(capitals().rows["train"]) >= 256


def test_capitals_leave_out_what_gives_itself_away_or_has_two_answers() -> None:
    ids = {row.id for row in rows(capitals())}
    assert not ids & {"MX-capital", "KW-capital", "SG-country", "TN-capital", "AN-capital", "CS-capital", "JM-country"}
    assert {"JM-capital", "RS-country"} <= ids


def test_capitals_ask_four_options_with_the_right_one_anywhere() -> None:
    held = rows(capitals())
    places = Counter(row.answer_index for row in held)
    assert {len(row.choices) for row in held} == {4}
    assert min(places.values()) > 0.2 * len(held)
    assert len({row.question for row in held}) == len(held)


def test_both_questions_about_a_country_share_a_split() -> None:
    task = capitals()
    splits = defaultdict(set)
    for split in SPLITS:
        for row in task.rows[split]:
            splits[row.cluster].add(split)
    assert all(len(held) == 1 for held in splits.values())


@pytest.mark.parametrize(
    ("code", "name"),
    [("US", "the United States"), ("NL", "the Netherlands"), ("CF", "the Central African Republic"), ("PE", "Peru")],
)
def test_countries_take_their_article(code: str, name: str) -> None:
    assert find(capitals(), f"{code}-capital").question == f"What is the capital of {name}?"


def test_arithmetic_is_golden() -> None:
    task = arithmetic()
    assert counts(task) == {"train": 2427, "dev": 317, "test": 1256}, GOLDEN
    assert rows(task)[0] == Example(id=FIRST[0], question=FIRST[1], answer=FIRST[2], cluster=FIRST[3]), GOLDEN


FIRST = ("56*77", "What is 56 * 77?", "4312", "56*77")


def test_arithmetic_is_right_and_graded() -> None:
    task = arithmetic(digits=3)
    assert task.grade is not None
    for row in rows(task):
        left, operation, right = row.question.removeprefix("What is ").removesuffix("?").split()
        assert len(left) == len(right) == 3
        want = {"+": int(left) + int(right), "-": int(left) - int(right), "*": int(left) * int(right)}[operation]
        assert row.answer == str(want)
        assert task.grade(row, f" {want}.") == 1.0
        assert task.grade(row, str(want + 1)) == 0.0


def test_arithmetic_asks_each_question_once() -> None:
    for digits, num_rows in ((1, 300), (2, 4000), (9, 4000)):
        held = rows(arithmetic(digits=digits))
        assert len({row.question for row in held}) == len(held) == num_rows


def test_arithmetic_seed_changes_the_questions() -> None:
    assert {row.id for row in rows(arithmetic(seed=0))} != {row.id for row in rows(arithmetic(seed=1))}


@pytest.mark.parametrize("digits", [0, 10, -1, 2.5, "two", True])
def test_arithmetic_refuses_other_sizes(digits: object) -> None:
    with pytest.raises(UserError, match=f"digits: {digits!r} is"):
        arithmetic(digits=digits)  # type: ignore[arg-type]


def test_arithmetic_asks_one_operation_in_other_words() -> None:
    sums = arithmetic(digits=1, operation="+", wording="request")
    held = rows(sums)
    assert sums.name == "arithmetic_1_digits_sums_request" and len(held) == 100
    assert all(row.question == f"Add {row.id.replace('+', ' and ')}." for row in held)
    assert all(int(row.answer) == sum(map(int, row.id.split("+"))) for row in held)
    less = rows(arithmetic(operation="-", wording="request"))
    assert less[0].question.startswith("From ") and {row.id for row in rows(arithmetic(operation="-"))} == {
        row.id for row in less
    }
    for options, message in (
        ({"operation": "/"}, "operation: '/' is not known"),
        ({"wording": "polite"}, "wording: 'polite' is not known"),
        ({"bare": True, "operation": "+"}, "bare asks for sums in one wording; drop operation and wording"),
    ):
        with pytest.raises(UserError, match=message):
            arithmetic(**options)  # type: ignore[arg-type]

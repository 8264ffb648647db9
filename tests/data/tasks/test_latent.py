"""The tasks of the latent suite: facts, counts, places, checksums, and that no split answers another by the rule."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import date
from functools import cache
from typing import Any

import pytest
from scipy.stats import chisquare

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.resolve import resolve
from educe.data.splits import SPLITS
from educe.data.task import Task
from educe.data.tasks.letters import bare
from educe.data.tasks.rhymes import families as sounds
from educe.data.tasks.suites import SUITES
from tests.data.tasks.latent_facts import CHECKSUMS, COUNTS, FACTS

CHANGED = (
    "the rows of {name} changed: if the release of a package (constraints.txt) did it, pin the old one or look at what "
    "changed; then raise the task's version, tell the changelog, and update tests/data/tasks/latent_facts.py"
)
SPECS = {resolve(spec).name: spec for spec in SUITES["latent"].tasks}
CHOICE = [name for name in SPECS if name != "plurals"]
WRITTEN = (
    "element_symbols", "atomic_numbers", "currencies", "country_codes", "calling_codes", "csv_lines",
    "french_countries", "month_names", "past_tense", "syllables", "number_words", "number_words_medium",
    "number_words_hard", "french_numbers", "roman_numerals", "python_results",
)  # fmt: skip
# Each answer of these is the answer of one item, or of the two about one fact.
UNSHARED = (
    "atomic_numbers", "country_codes", "calling_codes", "csv_lines", "emoji_names", "french_countries", "rhymes",
    "element_symbols", "french_numbers",
)  # fmt: skip


@cache
def task_of(name: str) -> Task:
    return resolve(SPECS[name])


def rows_of(task: Task) -> list[Example]:
    return [row for split in SPLITS for row in task.rows[split]]


def written(name: str) -> Task:
    spec = SPECS[name]
    (base, options), *_ = [(spec, {})] if isinstance(spec, str) else spec.items()
    return resolve({base: {**options, "written": True}})


@pytest.mark.parametrize("name", SPECS)
def test_rows_are_those_of_the_checksum(name: str) -> None:
    task = task_of(name)
    counts = tuple(len(task.rows[split]) for split in SPLITS)
    clusters = len({row.cluster or row.id for row in rows_of(task)})
    assert (task.fingerprint[:16], counts, clusters) == (CHECKSUMS[name], *COUNTS[name]), CHANGED.format(name=name)


@pytest.mark.parametrize("name", SPECS)
def test_items_are_enough_and_each_is_asked_once(name: str) -> None:
    task = task_of(name)
    rows = rows_of(task)
    assert 118 <= len(rows) <= 500 and len(task.rows["train"]) >= 64 and len(task.rows["dev"]) >= 10
    assert len(task.rows["test"]) >= 40
    assert len({row.id for row in rows}) == len({row.question for row in rows}) == len(rows)


@pytest.mark.parametrize("name", SPECS)
def test_facts_known_by_hand(name: str) -> None:
    answers = {row.id: row.answer for row in rows_of(task_of(name))}
    assert len(FACTS[name]) >= 3
    assert {fact: answers.get(fact) for fact in FACTS[name]} == FACTS[name]


@pytest.mark.parametrize("name", CHOICE)
def test_the_right_option_may_stand_anywhere(name: str) -> None:
    task = task_of(name)
    sizes = {len(row.choices) for row in rows_of(task)}
    assert len(sizes) == 1
    for split in SPLITS:
        seen = Counter(row.answer_index for row in task.rows[split])
        places = [seen[place] for place in range(max(sizes))]
        assert max(places) - min(places) <= 1
        assert chisquare(places).pvalue > 0.9


@pytest.mark.parametrize("name", CHOICE)
def test_the_place_does_not_depend_on_the_answer(name: str) -> None:
    """Where answers are shared: each answer's places, pooled over answers, against equal shares."""
    rows = rows_of(task_of(name))
    common = [answer for answer, times in Counter(row.answer for row in rows).items() if times >= 20]
    for answer in common:
        places = Counter(row.answer_index for row in rows if row.answer == answer)
        assert chisquare([places[place] for place in range(len(rows[0].choices))]).pvalue > 1e-4, answer


@pytest.mark.parametrize("name", UNSHARED)
def test_no_option_of_test_was_right_in_train(name: str) -> None:
    """Else a model that remembers train could strike it out."""
    task = task_of(name)
    right = {row.answer for row in task.rows["train"]}
    assert [row.id for row in task.rows["test"] if right & set(row.choices)] == []


def asked_word(row: Example) -> str:
    return row.question.split('"')[1]


def asked_words(row: Example) -> Iterable[str]:
    return [asked_word(row), row.answer]


SOUND = {word: words[0] for words in sounds() for word in words}
# What the rule of a task derives an answer from. No two splits may share one of these keys.
SOURCES: dict[str, Callable[[Example], Iterable[Any]]] = {
    # The pair of element and symbol, asked from both sides.
    "element_symbols": lambda row: [row.id.partition("-")[0]],
    "atomic_numbers": lambda row: [row.id, row.answer],
    # A country has one row each, whose id is its code.
    **{
        name: lambda row: [row.id]
        for name in ("currencies", "continents", "country_codes", "calling_codes", "csv_lines", "french_countries")
    },
    # Cities of one country may be in two splits: that Lyon is French does not say where Lille is.
    "city_countries": lambda row: [row.question, bare(row.question)],
    # The same word for the same month in two languages.
    "month_names": lambda row: [(bare(asked_word(row)), row.answer)],
    "word_language": lambda row: [bare(asked_word(row))],
    # "cat face" and "cat": names that begin alike.
    "emoji_names": lambda row: [row.answer.partition(" ")[0]],
    # If a rhymes with b and b with c, then a rhymes with c.
    "rhymes": lambda row: [SOUND[word] for word in asked_words(row)],
    "scripts": lambda row: [row.question.casefold()],
    # Anna, Annabelle.
    "first_names": lambda row: [bare(row.id)[:4]],
    "syllables": lambda row: [row.id],
    # The four options: who remembers which was right in train could strike it out in test.
    **{
        name: lambda row: [frozenset(row.choices)]
        for name in ("number_words", "number_words_medium", "number_words_hard", "roman_numerals")
    },
    # soixante-douze is 72, with whatever hundreds.
    "french_numbers": lambda row: [row.answer[-2:].zfill(2)],
    # The same date some weeks on, within the month.
    "weekdays": lambda row: [row.id[:7]],
    # What four expressions give of the value that is asked about: a list in another order has the same sum.
    "python_results": lambda row: [frozenset(row.choices)],
}


@pytest.mark.parametrize("name", [name for name in SPECS if name not in ("past_tense", "plurals")])
def test_no_split_answers_another_by_the_rule(name: str) -> None:
    seen: dict[Any, set[str]] = defaultdict(set)
    task = task_of(name)
    for split in SPLITS:
        for row in task.rows[split]:
            for key in SOURCES[name](row):
                seen[key].add(split)
    assert [key for key, splits in seen.items() if len(splits) > 1] == []


@pytest.mark.parametrize("name", ["past_tense", "plurals"])
def test_words_that_end_in_one_another_share_a_split(name: str) -> None:
    """stood tells understood, men tells fishermen: no word of a split ends in a word of another."""
    task = task_of(name)
    placed = {asked_word(row): split for split in SPLITS for row in task.rows[split]}
    crossing = [
        (word, end)
        for word in placed
        for end in placed
        if len(end) >= 3 and word.endswith(end) and placed[word] != placed[end]
    ]
    assert crossing == []


@pytest.mark.parametrize("name", SPECS)
def test_a_cluster_is_in_one_split(name: str) -> None:
    splits = defaultdict(set)
    task = task_of(name)
    for split in SPLITS:
        for row in task.rows[split]:
            splits[row.cluster or row.id].add(split)
    assert all(len(held) == 1 for held in splits.values())


@pytest.mark.parametrize("name", WRITTEN)
def test_written_items_are_those_with_options(name: str) -> None:
    choice, free = task_of(name), written(name)
    assert (free.name, free.kind, free.format) == (f"{choice.name}_written", "generation", choice.format)
    assert free.grade is not None
    for split in SPLITS:
        pairs = list(zip(choice.rows[split], free.rows[split], strict=True))
        assert [(a.id, a.question, a.answer, a.cluster) for a, _ in pairs] == [
            (b.id, b.question, b.answer, b.cluster) for _, b in pairs
        ]
        assert all(not b.choices and free.grade(b, f" {b.answer}") == 1.0 for _, b in pairs)
        # A wrong option, written out, is wrong.
        assert all(free.grade(b, f" {a.choices[a.answer_index - 1]}") == 0.0 for a, b in pairs)


def test_written_is_true_or_false() -> None:
    with pytest.raises(UserError, match="written: 'yes' is neither true nor false"):
        resolve({"past_tense": {"written": "yes"}})
    with pytest.raises(UserError, match="difficulty: 'medum' is not known; did you mean 'medium'"):
        resolve({"number_words": {"difficulty": "medum"}})


def test_weekdays_are_those_of_the_calendar() -> None:
    """Zeller's congruence, which counts from Saturday."""
    names = ("Saturday", "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
    for row in rows_of(task_of("weekdays")):
        day = date.fromisoformat(row.id)
        month, year = (day.month, day.year) if day.month > 2 else (day.month + 12, day.year - 1)
        turn = day.day + 13 * (month + 1) // 5 + year % 100 + year % 100 // 4 + year // 400 + 5 * (year // 100)
        assert row.answer == names[turn % 7], row.id


def test_python_prints_what_the_task_says() -> None:
    for row in rows_of(task_of("python_results")):
        assert repr(eval(row.question)) == row.answer, row.question


def test_rhymes_have_one_right_option() -> None:
    for row in rows_of(task_of("rhymes")):
        asked, answer = asked_words(row)
        assert asked != answer and SOUND[asked] == SOUND[answer]
        assert len({SOUND[choice] for choice in row.choices}) == 4, row.id


def test_every_form_of_past_tense_is_a_form_of_some_verb() -> None:
    rows = rows_of(task_of("past_tense"))
    right = {row.answer for row in rows}
    assert {choice for row in rows for choice in row.choices} == right


def test_one_family_has_three_difficulties() -> None:
    digits = {name: {len(row.answer.replace(",", "")) for row in rows_of(task_of(name))} for name in SPECS}
    assert [digits[f"number_words{end}"] for end in ("", "_medium", "_hard")] == [{3}, {6}, {9}]

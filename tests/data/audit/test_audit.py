"""A task that gives its answers away is told so, a clean one is not; baselines are exact."""

import json
import random
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest
from scipy import stats

from educe.data.audit.audit import MAX_ROWS, audit
from educe.data.audit.finding import Finding
from educe.data.audit.spelling import most_alike
from educe.data.example import Example
from educe.data.grade import exact_match
from educe.data.resolve import resolve
from educe.data.splits import SPLITS
from educe.data.task import Task
from educe.data.tasks.capitals import capitals
from educe.data.tasks.word_sentiment import word_sentiment
from educe.eval.analysis.statistics.intervals import wilson

WORDS = [f"word{i}" for i in range(400)]


def rows(count: int = 600, *, seed: int = 0, options: int = 4) -> list[Example]:
    """Questions whose options say nothing of which is right."""
    rng = random.Random(seed)
    made = []
    for i in range(count):
        choices = tuple(" ".join(rng.choices(WORDS, k=3)) + f" {i} {place}" for place in range(options))
        question = f"Which is true of {' '.join(rng.choices(WORDS, k=8))} and {i}?"
        made.append(Example(id=str(i), question=question, choices=choices, answer=rng.choice(choices)))
    return made


def task(made: Sequence[Example], **changed: object) -> Task:
    return replace(Task(name="made", version=1, kind="choice", load=lambda: {"all": made}), **changed)  # type: ignore[arg-type]


def serious(made: Task) -> set[str]:
    return {finding.kind for finding in audit(made) if finding.serious}


def by_kind(made: Task) -> dict[str, Finding]:
    return {finding.kind: finding for finding in audit(made)}


def changed_answers(pick: object) -> list[Example]:
    """Four right answers of ten follow a rule, the others do not."""
    return [replace(row, answer=pick(row)) if i % 10 < 4 else row for i, row in enumerate(rows())]  # type: ignore[operator]


def test_a_clean_task_has_nothing_serious_and_says_what_baselines_score() -> None:
    found = by_kind(task(rows()))
    assert not any(finding.serious for finding in found.values())
    baselines = {"majority_position", "longest_option", "shortest_option", "spelling", "options_alone"}
    assert set(found) == baselines | {"positions"}
    for kind in baselines:
        assert found[kind].numbers["chance"] == 0.25 < found[kind].numbers["high"]


def test_planted_near_duplicates_are_found() -> None:
    made = task(rows())
    train, test = list(made.rows["train"]), list(made.rows["test"])
    leaked = [replace(row, id=f"leak-{row.id}", question="Say: " + row.question) for row in test[:6]]
    planted = task(rows(), load=lambda: {"train": [*train, *leaked], "dev": made.rows["dev"], "test": test})
    (found,) = [finding for finding in audit(planted) if finding.kind == "near_duplicates"]
    assert found.serious and found.numbers["found"] == 6 and len(found.numbers["pairs"]) == 5
    shown = found.numbers["pairs"][0]
    assert shown["other_id"] == f"leak-{shown['id']}" and shown["text"] in shown["other_text"]
    assert f"6 of {len(test)} test rows ({100 * 6 / len(test):.0f}%) nearly repeat a train row" in found.sentence
    twice = [*test, *(replace(row, id=f"copy-{row.id}") for row in test)]
    doubled = task(rows(), load=lambda: {"train": train, "dev": made.rows["dev"], "test": twice})
    (found,) = [finding for finding in audit(doubled) if finding.kind == "near_duplicates"]
    assert found.serious and found.numbers["found"] == len(test) and "so intervals are too narrow" in found.sentence
    # One pair alone is an accident, and what stands between train and dev does not flatter a test.
    one = task(rows(), load=lambda: {"train": [*train, leaked[0]], "dev": made.rows["dev"], "test": test})
    assert [finding.serious for finding in audit(one) if finding.kind == "near_duplicates"] == [False]
    to_dev = [replace(row, id=f"dev-{row.id}", question="Say: " + row.question) for row in made.rows["dev"]]
    between = task(rows(), load=lambda: {"train": [*train, *to_dev], "dev": made.rows["dev"], "test": test})
    assert "near_duplicates" not in serious(between)


def test_a_biased_place_is_found() -> None:
    assert serious(task(changed_answers(lambda row: row.choices[3]))) >= {"positions", "majority_position"}
    found = by_kind(task(changed_answers(lambda row: row.choices[3])))
    assert "option 4 (most common in train)" in found["majority_position"].sentence
    assert found["majority_position"].sentence.endswith("guessing is right on 25% (p < 0.001).")
    assert found["positions"].numbers["shares"][3] == found["majority_position"].numbers["score"] > 0.45


@pytest.mark.parametrize(("kind", "pick"), [("longest_option", max), ("shortest_option", min)])
def test_a_length_that_tells_is_found(kind: str, pick: object) -> None:
    found = serious(task(changed_answers(lambda row: pick(row.choices, key=len))))  # type: ignore[operator]
    assert kind in found and "majority_position" not in found


def test_an_option_spelled_like_the_question_is_found() -> None:
    """Neither its place, nor its length, nor the options alone tell, as with a name and its translation."""

    def bent(row: Example) -> str:
        return f"{row.question.split()[4]}o"

    made, asked = [], rows()
    for i, row in enumerate(asked):
        others = iter([bent(asked[(i + 7 * k) % 600]) for k in (1, 2, 3)])
        choices = tuple(bent(row) if choice == row.answer else next(others) for choice in row.choices)
        made.append(replace(row, choices=choices, answer=bent(row)) if len(set(choices)) == 4 else row)
    found = by_kind(task(made))
    assert found["spelling"].serious and found["spelling"].numbers["score"] > 0.9
    assert serious(task(made)) == {"spelling"}


def test_case_punctuation_and_order_do_not_hide_how_an_option_is_spelled() -> None:
    asked = Example(
        id="a", question="Wie heißt «L'Allemagne»?", choices=("GREECE", "german-Alle", "Malta"), answer="Malta"
    )
    assert most_alike(asked) == "german-Alle"
    tied = [Example(id=str(i), question="?!", choices=("...", "--"), answer="--") for i in range(200)]
    assert 80 <= sum(most_alike(row) == "..." for row in tied) <= 120


def test_words_that_tell_are_found_without_the_question() -> None:
    made = [replace(row, choices=tuple(f"{c} surely" if c == row.answer else f"{c} rarely" for c in row.choices),
                    answer=f"{row.answer} surely") for row in rows()]  # fmt: skip
    found = by_kind(task(made))
    assert found["options_alone"].serious and found["options_alone"].numbers["score"] == 1.0
    assert not found["longest_option"].serious
    assert "A classifier of options without the question" in found["options_alone"].sentence


def test_labels_are_judged_by_their_majority_alone() -> None:
    made = [replace(row, choices=("yes", "no"), answer="no" if i % 3 else "yes") for i, row in enumerate(rows())]
    found = by_kind(task(made))
    assert set(found) == {"majority_answer"} and found["majority_answer"].serious
    numbers = found["majority_answer"].numbers
    test = task(made).rows["test"]
    right = sum(row.answer == "no" for row in test)
    assert numbers["score"] == right / len(test) and numbers["n"] == len(test)
    assert (numbers["low"], numbers["high"]) == pytest.approx(wilson(right / len(test), len(test)), abs=1e-9)
    assert numbers["p"] == pytest.approx(stats.binom.sf(right - 1, len(test), 0.5))
    assert set(by_kind(word_sentiment())) == {"majority_answer"}


def test_rows_of_a_cluster_count_as_one() -> None:
    made = [replace(row, choices=("yes", "no"), answer="no" if i % 3 else "yes") for i, row in enumerate(rows())]
    alone = by_kind(task(made))["majority_answer"].numbers
    split = {split: task(made).rows[split] for split in SPLITS}
    tied = {**split, "test": [replace(row, cluster=str(i // 12)) for i, row in enumerate(split["test"])]}
    together = by_kind(task(made, load=lambda: tied))["majority_answer"]
    assert together.numbers["score"] == alone["score"] and together.numbers["low"] < alone["low"] - 0.05
    assert together.numbers["p"] > alone["p"] and not together.serious


def test_free_answers() -> None:
    made = [replace(row, choices=(), answer=f"it is {i}") for i, row in enumerate(rows())]
    free = task(made, kind="generation", grade=exact_match)
    assert serious(free) == set() and set(by_kind(free)) == {"majority_answer", "answer_in_question"}
    told = [replace(row, question=f"{row.question} (It is {i}.)") for i, row in enumerate(made)]
    assert serious(task(told, kind="generation", grade=exact_match)) == {"answer_in_question"}
    nearly = [replace(row, question=f"{row.question} (it is {i}0)") for i, row in enumerate(made)]
    assert by_kind(task(nearly, kind="generation", grade=exact_match))["answer_in_question"].numbers["share"] == 0
    often = [replace(row, answer="Unknown") if i % 4 == 0 else row for i, row in enumerate(made)]
    found = by_kind(task(often, kind="generation", grade=exact_match))["majority_answer"]
    assert found.serious and found.numbers["chance"] is None and "'Unknown'" in found.sentence


def test_too_few_rows_to_learn_from_still_give_an_audit() -> None:
    few = rows(40)
    found = by_kind(task(few, load=lambda: {"train": few[:5], "dev": [], "test": few[5:]}))
    assert "options_alone" not in found and "longest_option" in found
    found = by_kind(task(few, load=lambda: {"train": [], "dev": [], "test": few}))
    assert set(found) == {"positions", "longest_option", "shortest_option", "spelling"}


def test_findings_are_plain_values_and_the_same_every_time() -> None:
    first, again = audit(capitals()), audit(capitals())
    assert first == again and not any(finding.serious for finding in first)
    for finding in first:
        assert json.loads(json.dumps(finding.numbers)) == finding.numbers


def test_published_tasks_show_what_they_hold(test_data: str) -> None:
    chess = by_kind(resolve(f"bigbench:{test_data}/bigbench/sports_understanding/task.json"))
    assert not any(finding.serious for finding in chess.values())
    medicine = by_kind(resolve(f"file:{test_data}/mmlu/test/professional_medicine_test.csv"))
    assert medicine["majority_position"].serious and medicine["majority_position"].numbers["score"] == 38 / 78


@pytest.mark.slow
def test_mating_moves_give_themselves_away(test_data: str) -> None:
    chess = by_kind(resolve(f"bigbench:{test_data}/bigbench/checkmate_in_one/task.json"))
    assert chess["options_alone"].numbers["score"] == 1.0  # only they end in "#"


def test_two_thousand_rows_take_two_seconds_and_more_are_sampled() -> None:
    made = task(rows(2000))
    assert made.rows["test"]
    audit(capitals())  # what the libraries take to load is not the audit's
    begun = time.process_time()
    found = audit(made)
    assert time.process_time() - begun < 2
    assert not any("of each split were read" in finding.sentence for finding in found)


def test_large_tasks_are_sampled_and_say_so() -> None:
    many = [Example(id=str(i), question=f"{i}?", choices=("a", "b"), answer="ab"[i % 2]) for i in range(MAX_ROWS + 50)]
    found = by_kind(task(many, load=lambda: {"train": many[:30], "dev": [], "test": many[30:]}))
    assert found["majority_answer"].numbers["n"] == MAX_ROWS
    assert "At most 10,000 rows of each split were read" in found["majority_answer"].sentence

"""What a task gives away before any model sees it: near duplicates, answers that need no question, unread columns.

Answers that contradict each other or are not graded as meant are found, too.

Demonstrations are drawn from train, so findings between train and test cover them.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from scipy.stats import binomtest, chisquare

from educe.data.audit.answers import contradictions, not_numbers
from educe.data.audit.finding import Finding
from educe.data.audit.near_duplicates import NearDuplicate, near_duplicates
from educe.data.audit.option_baseline import predict_from_options
from educe.data.audit.spelling import most_alike
from educe.data.display import cut
from educe.data.example import Example
from educe.data.hashing import fraction, normalize_question
from educe.data.splits import SPLITS, Split
from educe.data.task import Task

# Raised when the findings on equal rows change, so that stored findings are made again.
AUDIT_VERSION = 6
# A finding is serious if chance gives it to one clean task in a thousand (a study makes dozens of these tests) and it
# changes accuracy by five points.
SIGNIFICANCE, MIN_GAIN = 0.001, 0.05
# The share of test rows with a near duplicate that can change accuracy by two points, and more than one accident.
MIN_SHARE, MIN_ROWS = 0.02, 2
# Free answers have no chance level: how often one answer is right, and how often the question contains the answer.
MIN_MAJORITY, MIN_IN_QUESTION = 0.1, 0.5
# Rows read of each split, those with the lowest id hashes, and rows that the classifier is fitted to.
MAX_ROWS, MAX_TRAIN_ROWS, MIN_TRAIN_ROWS = 10_000, 2_000, 20
_SHOWN_PAIRS, _SHOWN_TEXT = 5, 200


def audit(task: Task) -> tuple[Finding, ...]:
    """Every finding on the task's rows, serious ones first, with clean baselines for comparison.

    Intervals and exact tests count each cluster of test rows as one row, as if its rows were right or wrong together.
    """
    rows = {split: sorted(task.rows[split], key=lambda row: fraction(row.id))[:MAX_ROWS] for split in SPLITS}
    test = rows["test"]
    found = contradictions(task, rows) + not_numbers(task) + _overlaps(rows) + _unread(task)
    if task.kind == "generation":
        found += [_majority_answer(rows["train"], test, chance=None)] if rows["train"] else []
        found.append(_answer_in_question(test))
    else:
        found += _of_options(rows["train"], test, chance=task.chance(test))
    if any(len(task.rows[split]) > MAX_ROWS for split in SPLITS):
        cut = f" At most {MAX_ROWS:,} rows of each split were read."
        found = [replace(finding, sentence=finding.sentence + cut) for finding in found]
    return tuple(sorted(found, key=lambda finding: not finding.serious))


def _overlaps(rows: Mapping[Split, Sequence[Example]]) -> list[Finding]:
    between: dict[tuple[Split, Split], list[NearDuplicate]] = {}
    for pair in near_duplicates(rows):
        between.setdefault((pair.split, pair.other_split), []).append(pair)
    return [_overlap(found, of=len(rows[split])) for (split, _), found in sorted(between.items(), reverse=True)]


def _unread(task: Task) -> list[Finding]:
    columns = task.columns() if task.columns is not None else None
    if columns is None or not columns.suspicious:
        return []
    named = ", ".join(f"{name!r} ({reason})" for name, reason in columns.suspicious.items())
    several = len(columns.suspicious) > 1
    join = f'columns: {{question: "{{{next(iter(columns.suspicious))}}}\\n{{question}}"}}'
    sentence = (
        f"The column{'s' if several else ''} {named} {'look' if several else 'looks'} like part of the question, but "
        f"{'are' if several else 'is'} not read; if it belongs there, write {join} or name it as choices."
    )
    return [
        Finding(kind="unread_columns", serious=True, sentence=sentence, numbers={"columns": list(columns.suspicious)})
    ]


def _overlap(pairs: Sequence[NearDuplicate], *, of: int) -> Finding:
    first = pairs[0]
    within = "" if first.split != first.other_split else " and have no cluster with it, so intervals are too narrow"
    return Finding(
        kind="near_duplicates",
        serious=first.split == "test" and len(pairs) >= max(MIN_ROWS, MIN_SHARE * of),
        sentence=f"{len(pairs):,} of {of:,} {first.split} rows ({_percent(len(pairs) / of)}) nearly "
        f"{'repeats' if len(pairs) == 1 else 'repeat'} {'another' if within else 'a'} {first.other_split} row{within}; "
        f"the closest share "
        f"{_percent(first.similarity)} of their word pairs: {cut(first.row.question, 60)!r}.",
        numbers={
            "split": first.split,
            "other_split": first.other_split,
            "found": len(pairs),
            "n": of,
            "pairs": [
                {
                    "similarity": pair.similarity,
                    "id": pair.row.id,
                    "other_id": pair.other.id,
                    "text": cut(pair.row.question, _SHOWN_TEXT),
                    "other_text": cut(pair.other.question, _SHOWN_TEXT),
                }
                for pair in pairs[:_SHOWN_PAIRS]
            ],
        },
    )


def _of_options(train: Sequence[Example], test: Sequence[Example], *, chance: float | None) -> list[Finding]:
    found = []
    texts = Counter(choice for row in test for choice in row.choices)
    if train and texts[_most_common([row.answer for row in train])] > len(test) / 2:
        found.append(_majority_answer(train, test, chance=chance))
    if len({frozenset(row.choices) for row in test}) == 1:
        return found  # labels: without the question, only the most common one can be known
    if train:
        place = _most_common([row.answer_index for row in train])
        always = f"Always picking option {place + 1} (most common in train)"
        found.append(_baseline("majority_position", always, [_worth(row, place) for row in test], test, chance))
    found.append(_positions(test, chance=chance))
    for kind, pick in (("longest_option", max), ("shortest_option", min)):
        right = [row.score(_by_length(row, pick)) for row in test]
        found.append(_baseline(kind, f"Always picking the {kind.partition('_')[0]} option", right, test, chance))
    alike = [row.score(most_alike(row)) for row in test]
    found.append(_baseline("spelling", "Always picking the option spelled most like the question", alike, test, chance))
    if len(train) >= MIN_TRAIN_ROWS:
        learned = train[:MAX_TRAIN_ROWS]
        predicted = predict_from_options(learned, test)
        right = [_worth(row, place) for place, row in zip(predicted, test, strict=True)]
        what = f"A classifier of options without the question ({len(learned):,} rows of train)"
        found.append(_baseline("options_alone", what, right, test, chance))
    return found


def _majority_answer(train: Sequence[Example], test: Sequence[Example], *, chance: float | None) -> Finding:
    majority = _most_common([row.answer for row in train])
    always = f"Always answering {cut(majority, 40)!r} (most common in train)"
    return _baseline("majority_answer", always, [row.score(majority) for row in test], test, chance)


def _baseline(kind: str, what: str, right: Sequence[float], test: Sequence[Example], chance: float | None) -> Finding:
    """The score of answering without the question. Unequal numbers of options make the test conservative."""
    n, score = len(right), sum(right) / len(right)
    low, high, p = _exact(score, test, chance)
    if chance is None or p is None:
        serious, guessing = low > MIN_MAJORITY, ""
    else:
        serious = p < SIGNIFICANCE and score >= chance + MIN_GAIN
        guessing = f"; guessing is right on {_percent(chance)} ({_p(p)})"
    return Finding(
        kind=kind,
        serious=serious,
        sentence=f"{what} is right on {_percent(score)} {_brackets(low, high)} of {n:,} test rows{guessing}.",
        numbers={"score": score, "low": low, "high": high, "chance": chance, "n": n, "p": p},
    )


def _positions(test: Sequence[Example], *, chance: float | None) -> Finding:
    """The places of right answers in test: Pearson's chi-square against equally likely options in each row."""
    most = max(len(row.choices) for row in test)
    seen = [sum(row.answer_index == place for row in test) for place in range(most)]
    expected = [sum(1 / len(row.choices) for row in test if len(row.choices) > place) for place in range(most)]
    scale = _independent(test) / len(test)
    p = float(chisquare([scale * count for count in seen], [scale * count for count in expected]).pvalue)
    place = max(range(most), key=lambda place: seen[place] - expected[place])
    excess = (seen[place] - expected[place]) / len(test)
    low, high, _ = _exact(seen[place] / len(test), test, None)
    return Finding(
        kind="positions",
        serious=p < SIGNIFICANCE and excess >= MIN_GAIN,
        sentence=f"Option {place + 1} is right in {_percent(seen[place] / len(test))} {_brackets(low, high)} of "
        f"{len(test):,} test rows; equal shares would give {_percent(expected[place] / len(test))} "
        f"(chi-square {_p(p)}).",
        numbers={"shares": [count / len(test) for count in seen], "p": p, "chance": chance, "n": len(test)},
    )


def _answer_in_question(test: Sequence[Example]) -> Finding:
    there = sum(
        bool(re.search(rf"(?<!\w){re.escape(normalize_question(row.answer))}(?!\w)", normalize_question(row.question)))
        for row in test
    )
    low, high, _ = _exact(there / len(test), test, None)
    return Finding(
        kind="answer_in_question",
        serious=low > MIN_IN_QUESTION,
        sentence=f"The question contains the answer in {_percent(there / len(test))} {_brackets(low, high)} of "
        f"{len(test):,} test rows.",
        numbers={"share": there / len(test), "low": low, "high": high, "n": len(test)},
    )


def _worth(row: Example, place: int) -> float:
    return row.score(row.choices[place]) if place < len(row.choices) else 0.0


def _by_length(row: Example, pick: Callable[..., int]) -> str:
    """The longest or shortest option. A hash, which favours no place, chooses among equals."""
    length = pick(len(choice) for choice in row.choices)
    return min((choice for choice in row.choices if len(choice) == length), key=lambda text: fraction(row.id + text))


def _exact(share: float, test: Sequence[Example], chance: float | None) -> tuple[float, float, float | None]:
    """Wilson 95% interval of a share of the rows, and the probability that chance gives this many or more."""
    n = _independent(test)
    found = binomtest(round(share * n), n, 0.5 if chance is None else chance, alternative="greater")
    interval = binomtest(found.k, n).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high), None if chance is None else float(found.pvalue)


def _independent(test: Sequence[Example]) -> int:
    return len({row.cluster or row.id for row in test})


def _most_common(values: Sequence[Any]) -> Any:
    counts = Counter(values)
    return min(counts, key=lambda value: (-counts[value], value))


def _p(value: float) -> str:
    return f"p < {SIGNIFICANCE}" if value < SIGNIFICANCE else f"p = {value:.2g}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%"


def _brackets(low: float, high: float) -> str:
    return f"[{100 * low:.0f}, {100 * high:.0f}]"

"""Questions that are nearly the same, of two splits or of the test, found with an index of word pairs."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from educe.data.example import Example
from educe.data.hashing import normalize_question
from educe.data.splits import SPLITS, Split

# The share of the word pairs of both questions that they share. One word changed in a sentence of 14 leaves 11 of 15.
MIN_SIMILARITY = 0.7
# A word pair in more rows than this share (at least MIN_COMMON rows, at most MAX_COMMON) is the wording of the task and
# says nothing about one question: "the capital", "following is".
COMMON_SHARE, MIN_COMMON, MAX_COMMON = 0.01, 10, 100

_WORD = re.compile(r"\d+(?:[.,]\d+)*|\w+|[^\w\s.,;:!?\"'\u201c\u201d\u2018\u2019`()]")


@dataclass(frozen=True, kw_only=True)
class NearDuplicate:
    """A held-out row and the row of an earlier split, or earlier in the test, most like it; `similarity` is 0..1."""

    similarity: float
    split: Split
    row: Example
    other_split: Split
    other: Example


def near_duplicates(rows: Mapping[Split, Sequence[Example]]) -> tuple[NearDuplicate, ...]:
    """Every test row with the train, dev and earlier test row most like it, and every dev row with its train row.

    Best first. Test rows of one cluster may be alike: they count as one.

    Similarity is the Jaccard index of the pairs of neighbouring words of question and choices: of all pairs, or of
    those that are not common among the task's rows, whichever is lower. Rows with common pairs only resemble no other.
    Only rows that share one of their rarest pairs are compared, because similar rows must share one (the prefix filter
    of Bayardo, Ma & Srikant 2007).
    """
    placed = [(split, row) for split in SPLITS for row in rows[split]]
    numbers: dict[tuple[str, str], int] = {}  # numbers are smaller than pairs of words and quicker to compare
    all_pairs = [{numbers.setdefault(pair, len(numbers)) for pair in _word_pairs(row)} for _, row in placed]
    counts = Counter(pair for pairs in all_pairs for pair in pairs)
    most = min(MAX_COMMON, max(MIN_COMMON, round(COMMON_SHARE * len(placed))))
    uncommon = [{pair for pair in pairs if counts[pair] <= most} for pairs in all_pairs]
    index: dict[int, list[int]] = defaultdict(list)
    found = []
    for place, (split, row) in enumerate(placed):  # train, dev, test: what is in the index by now is of earlier splits
        best: dict[Split, tuple[float, int]] = {}
        rarest = _rarest(uncommon[place], counts)
        for candidate in {earlier for pair in rarest for earlier in index[pair]}:
            other_split = placed[candidate][0]
            if other_split == split and (split != "test" or _together(row, placed[candidate][1])):
                continue
            if (similarity := _jaccard(uncommon[place], uncommon[candidate])) < MIN_SIMILARITY:
                continue
            similarity = min(similarity, _jaccard(all_pairs[place], all_pairs[candidate]))
            if similarity >= max(MIN_SIMILARITY, best.get(other_split, (0.0, 0))[0]):
                best[other_split] = similarity, candidate
        for other_split, (similarity, candidate) in best.items():
            other = placed[candidate][1]
            found.append(
                NearDuplicate(similarity=similarity, split=split, row=row, other_split=other_split, other=other)
            )
        for pair in rarest:
            index[pair].append(place)
    return tuple(sorted(found, key=lambda pair: (-pair.similarity, pair.row.id, pair.other.id)))


def _together(row: Example, other: Example) -> bool:
    return row.cluster is not None and row.cluster == other.cluster


def _word_pairs(row: Example) -> Iterator[tuple[str, str]]:
    for text in (row.question, *row.choices):
        # The empty words at both ends give a text of one word its pairs, too.
        yield from pairwise(["", *_WORD.findall(normalize_question(text)), ""])


def _jaccard(some: set[int], others: set[int]) -> float:
    shared = len(some & others)
    return shared / (len(some) + len(others) - shared)


def _rarest(pairs: set[int], counts: Mapping[int, int]) -> list[int]:
    """As many of the rarest pairs as two rows can differ in and still be similar, and one more."""
    by_count = sorted(pairs, key=lambda pair: (counts[pair], pair))
    return by_count[: len(by_count) - math.ceil(MIN_SIMILARITY * len(by_count)) + 1] if by_count else []

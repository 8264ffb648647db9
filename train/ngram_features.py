"""Hashed character and word n-grams of a question and an option, which know nothing of any language."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from educe.data.example import Example

# What is read of a text. A question stands at the end of what is asked; an option is known by its beginning.
MAX_QUESTION, MAX_OPTION = 1_000, 200
NUM_COLUMNS = 2**22  # of the hashed blocks, which share them
NUM_DENSE = 6  # columns after these: overlap and length
_WORDS = re.compile(r"\w+|[^\w\s]")
_LONGEST_GRAM, _LONGEST_END, _LONGEST_WORD = 4, 3, 24
_MAX_WORDS = 64  # different words whose ends are crossed
# One number per hashed block, mixed into its columns, so that blocks do not meet.
_ALONE, _WITH_OPTION, _LENGTH_WITH_OPTION, _WITH_ENDS = 1, 2, 3, 4

Hashes = NDArray[np.uint64]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Features:
    """The features of one question with one option that are not 0: columns, each once, and their values."""

    columns: NDArray[np.int64]
    values: Numbers


@dataclass(frozen=True, eq=False)
class Text:
    """A question or an option, cut into what features are made of; each part is read when it is first needed."""

    text: str

    @cached_property
    def words(self) -> list[str]:
        return _WORDS.findall(self.text.casefold())

    @cached_property
    def grams(self) -> Hashes:
        """Words, pairs of words, and one to four characters in a row within a word, each once."""
        found = {f"w{word}" for word in self.words}
        found |= {f"p{first} {second}" for first, second in zip(self.words, self.words[1:], strict=False)}
        for word in set(self.text.split()):
            padded = f" {word} "
            for size in range(1, _LONGEST_GRAM + 1):
                found |= {f"c{padded[start : start + size]}" for start in range(len(padded) - size + 1)}
        return _hashed(found)

    @cached_property
    def lengths(self) -> Hashes:
        """How many words have each length, and the length of all."""
        counts = Counter(min(len(word), _LONGEST_WORD) for word in self.words)
        return _hashed({f"{count} of {length}" for length, count in counts.items()} | {f"all {len(self.text)}"})

    @cached_property
    def ends(self) -> Hashes:
        """The last one to three characters of the last words, each once."""
        last = list(dict.fromkeys(reversed(self.words)))[:_MAX_WORDS]
        return _hashed({word[-size:] for word in last for size in range(1, min(_LONGEST_END, len(word)) + 1)})


@dataclass(frozen=True, kw_only=True)
class Featurizer:
    """What features need to know of the rows to learn from: which n-grams are rare, and which options recur.

    A question is crossed with a whole option only where that option belongs to several rows: nothing else can be
    learned about other questions. `idf` is the weight of an n-gram of a question, log((1 + n) / (1 + rows with it)) + 1
    over n rows; one that no row has counts as in none.
    """

    num_rows: int
    idf: Mapping[int, float]
    recurring: frozenset[str]
    options: dict[str, Text] = field(default_factory=dict, repr=False)  # those that were read before

    @classmethod
    def of(cls, rows: Sequence[Example], options: Sequence[Sequence[str]]) -> "Featurizer":
        """From the questions of these rows and the options of each."""
        read = [question_of(row) for row in rows]
        counts = Counter(name for each in read for name in (*each.grams.tolist(), *each.lengths.tolist()))
        weights = {gram: math.log((1 + len(rows)) / (1 + count)) + 1 for gram, count in counts.items()}
        belongs = Counter(option for each in options for option in set(each))
        return cls(
            num_rows=len(rows), idf=weights, recurring=frozenset(name for name, count in belongs.items() if count > 1)
        )

    def features(self, question: Text, options: Sequence[str]) -> list[Features]:
        """Those of one question with each of its options.

        Hashed blocks of length 1 each: n-grams of the option; n-grams of the question, and its lengths, with the whole
        option; ends of the question's words with those of the option's, and what the nearest word of the question loses
        and gains to become one of the option's. Then overlap and length, as numbers up to 1.
        """
        weighted = [(part, self._weights(part), block) for part, block in
                    ((question.grams, _WITH_OPTION), (question.lengths, _LENGTH_WITH_OPTION))]  # fmt: skip
        return [self._of_one(question, weighted, option) for option in options]

    def _weights(self, hashes: Hashes) -> Numbers:
        unseen = math.log(1 + self.num_rows) + 1
        return np.array([self.idf.get(each, unseen) for each in hashes.tolist()])

    def _of_one(self, question: Text, weighted: Sequence[tuple[Hashes, Numbers, int]], option: str) -> Features:
        read = self.options.get(option)
        if read is None:
            read = self.options[option] = Text(option[:MAX_OPTION])
        blocks = [(_columns(read.grams, _ALONE), np.ones(len(read.grams)))]
        if option in self.recurring:
            whole = _hashed([option])
            blocks += [(_columns(_mixed(part, whole), block), weights) for part, weights, block in weighted]
        nearest = [_nearest(word, question.words) for word in read.words[:_MAX_WORDS]]
        crossed = _mixed(question.ends[:, None], read.ends[None, :]).ravel()
        ends = np.concatenate([crossed, _hashed(set(_edits(read.words, nearest)))])
        blocks.append((_columns(ends, _WITH_ENDS), np.ones(len(ends))))
        values = [each / max(1.0, float(np.linalg.norm(each))) for _, each in blocks]
        dense = _overlap_and_length(question, read, nearest)
        columns = np.concatenate([*(each for each, _ in blocks), NUM_COLUMNS + np.arange(NUM_DENSE)])
        return _merged(columns, np.concatenate([*values, dense]))


def question_of(row: Example) -> Text:
    """A row's question as it is read."""
    return Text(row.question[-MAX_QUESTION:])


def _hashed(texts: Iterable[str]) -> Hashes:
    """A number per text, rising: the order of a set must not matter."""
    return np.sort(np.array([crc32(text.encode()) for text in texts], dtype=np.uint64))


def _mixed(first: Hashes, second: Hashes) -> Hashes:
    """A number per pair of numbers below 2^32."""
    return (first << np.uint64(32)) | second


def _columns(hashes: Hashes, block: int) -> NDArray[np.int64]:
    """Columns by multiplication (Knuth): the upper bits of a product with an odd number, which differs by block."""
    mixed = (hashes ^ (hashes >> np.uint64(29))) * np.uint64(0x9E3779B97F4A7C15 + 2 * block)
    mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0xBF58476D1CE4E5B9)
    return (mixed >> np.uint64(64 - NUM_COLUMNS.bit_length() + 1)).astype(np.int64)


def _merged(columns: NDArray[np.int64], values: Numbers) -> Features:
    """Each column once, rising, with the sum of its values."""
    kept, places = np.unique(columns, return_inverse=True)
    total: Numbers = np.zeros(len(kept))
    np.add.at(total, places, values)
    return Features(columns=kept, values=total)


def _nearest(word: str, others: Sequence[str]) -> tuple[str, int]:
    """The first of the longest beginnings that a word shares with others: the other word, and its length."""
    best, shared = "", 0
    for other in others:
        if other[:1] == word[:1] and (size := _common(word, other)) > shared:
            best, shared = other, size
    return best, shared


def _common(first: str, second: str) -> int:
    """How many characters two words begin with in common."""
    pairs = zip(first, second, strict=False)
    return next((place for place, (one, other) in enumerate(pairs) if one != other), min(len(first), len(second)))


def _edits(words: Sequence[str], nearest: Sequence[tuple[str, int]]) -> Iterator[str]:
    """What the nearest word of the question loses and gains to become the option's, alone and after its last letter."""
    for word, (other, shared) in zip(words, nearest, strict=False):
        if shared:
            change = f"{other[shared:]}>{word[shared:]}"
            yield from (change, f"{other[:shared][-1]}|{change}")


def _overlap_and_length(question: Text, option: Text, nearest: Sequence[tuple[str, int]]) -> Numbers:
    """Shares of the option's words that begin, end or stand in the question, whether all of it does, and its length."""
    words = option.words[:_MAX_WORDS]
    count = max(1, len(words))
    begins = sum(shared / len(word) for word, (_, shared) in zip(words, nearest, strict=True)) / count
    backwards = [other[::-1] for other in question.words]
    ends = sum(_nearest(word[::-1], backwards)[1] / len(word) for word in words) / count
    known = set(question.words)
    stand = sum(word in known for word in words) / count
    whole = float(option.text.casefold() in question.text.casefold())
    lengths = [math.log1p(len(option.text)) / math.log1p(MAX_OPTION), min(1.0, len(option.words) / _MAX_WORDS)]
    return np.array([begins, ends, stand, whole, *lengths])

"""Tasks of made-up words: their rows teach a rule, or nothing at all."""

import random
import string
from collections.abc import Callable

from educe.data.example import Example
from educe.data.grade import exact_match
from educe.data.task import Task

_ENDINGS = {"positive": ("ful", "ous", "ive"), "negative": ("less", "ish", "oid")}


def length_parity(count: int = 700) -> Task:
    """Whether a word has an odd or an even number of letters."""

    def row(word: str, rng: random.Random) -> Example:
        return _row(f'Is the number of letters of "{word}" odd or even?', word, ("even", "odd")[len(word) % 2], rng)

    return _task("length_parity", row, count)


def sentiment_by_suffix(count: int = 700) -> Task:
    """Whether a word is positive, which its ending says."""

    def row(word: str, rng: random.Random) -> Example:
        sentiment = rng.choice(sorted(_ENDINGS))
        word += rng.choice(_ENDINGS[sentiment])
        return _row(f'Is the sentiment of the word "{word}" positive or negative?', word, sentiment, rng)

    return _task("sentiment_by_suffix", row, count)


def random_labels(count: int = 700) -> Task:
    """Labels that nothing predicts."""

    def row(word: str, rng: random.Random) -> Example:
        label = rng.choice(sorted(_ENDINGS))
        return _row(f'Is the sentiment of the word "{word}" positive or negative?', word, label, rng)

    return _task("random_labels", row, count)


def past_tense(count: int = 700) -> Task:
    """The regular past tense among three wrong forms: the answer is another one in every row."""

    def row(word: str, rng: random.Random) -> Example:
        right = f"{word}d" if word.endswith("e") else f"{word}ed"
        choices = [right, f"{word}t", f"{word}n", f"{word}s"]
        rng.shuffle(choices)
        return Example(id=word, question=f'What is the past tense of "{word}"?', answer=right, choices=tuple(choices))

    return _task("past_tense", row, count)


def plural_by_generation(count: int = 200) -> Task:
    """Answered in free text: "many" where the word ends in s, else "one"."""

    def row(word: str, rng: random.Random) -> Example:
        word += rng.choice(("s", "m"))
        return Example(id=word, question=f"How many: {word}?", answer="many" if word.endswith("s") else "one")

    return _task("plural", row, count, generation=True)


def _row(question: str, word: str, answer: str, rng: random.Random) -> Example:
    choices = ("even", "odd") if answer in ("even", "odd") else ("positive", "negative")
    return Example(id=word, question=question, answer=answer, choices=choices[:: rng.choice((1, -1))])


def _task(name: str, row: Callable[[str, random.Random], Example], count: int, *, generation: bool = False) -> Task:
    def rows() -> dict[str, list[Example]]:
        rng = random.Random(name)
        words: dict[str, None] = {}
        while len(words) < count:
            words["".join(rng.choices(string.ascii_lowercase, k=rng.randint(3, 10)))] = None
        return {"all": [row(word, rng) for word in words]}

    if generation:
        return Task(name=name, version=1, kind="generation", load=rows, grade=exact_match)
    return Task(name=name, version=1, kind="choice", load=rows)

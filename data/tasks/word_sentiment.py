"""Is a word positive or negative? The words and ratings of the VADER sentiment lexicon (Hutto & Gilbert, 2014).

Source: vaderSentiment (MIT).
"""

import re
from collections.abc import Collection

from educe.data.example import Example
from educe.data.task import Task
from educe.data.tasks.letters import package_text

# Mean rating of ten raters on -4..4; weaker words are ones that raters disagree on.
STRONG_RATING = 1.5
# Words are one family when one continues the other (love, loved, lovely) or they begin the same (optimist, optimize).
_MIN_ROOT_LETTERS = 3
_FAMILY_LETTERS = 5


def word_sentiment() -> Task:
    """Sentiment of about 4,000 words, two options; words of one family share a split."""
    return Task(name="word_sentiment", version=1, kind="choice", load=lambda: {"all": _examples()})


def families(words: Collection[str]) -> dict[str, str]:
    """The family of each word: the start of the shortest word that it continues.

    This also joins unrelated words (war, warm). Joining too many only makes clusters larger; joining too few would
    put forms of one word into both train and test.
    """
    roots = {_root(word) for word in words}
    return {word: _first_root(_root(word), roots)[:_FAMILY_LETTERS] for word in words}


def _root(word: str) -> str:
    """The part of a word that its inflections keep: love, loving; cry, cries; happy, happier."""
    return re.sub("(?<=...)e$", "", word.replace("y", "i"))


def _first_root(word: str, roots: Collection[str]) -> str:
    starts = (word[:length] for length in range(_MIN_ROOT_LETTERS, len(word)))
    return next((start for start in starts if start in roots), word)


def _examples() -> list[Example]:
    ratings = {word: rating for word, rating in _ratings().items() if abs(rating) >= STRONG_RATING}
    family = families(ratings)
    return [_example(word, rating, cluster=family[word]) for word, rating in ratings.items()]


def _example(word: str, rating: float, *, cluster: str) -> Example:
    return Example(
        id=word,
        question=f'Is the sentiment of the word "{word}" positive or negative?',
        choices=("positive", "negative"),
        answer="positive" if rating > 0 else "negative",
        cluster=cluster,
    )


def _ratings() -> dict[str, float]:
    ratings = {}
    for line in package_text("vaderSentiment", "vader_lexicon.txt").splitlines():
        word, rating, *_ = line.split("\t")
        if word.isascii() and word.isalpha():
            # A few words are listed twice; VADER itself uses the last.
            ratings[word] = float(rating)
    return ratings

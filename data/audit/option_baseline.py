"""Answers predicted from the options without the question, by a classifier of words, letters, lengths and places."""

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from educe.data.example import Example

_MAX_FEATURES = 5_000  # of words, and of letters
_PLACES = 8  # options that stand further back share the last place


def predict_from_options(train: Sequence[Example], test: Sequence[Example]) -> list[int]:
    """The place of the option that a classifier fitted to the options of the train rows predicts for each test row.

    Logistic regression on right against wrong options. Features are the TF-IDF of words, pairs of words and three
    letters in a row; and the option's place, its length and its similarity to the other options, each minus the mean
    over the row's options. The same rows give the same predictions.
    """
    vectorize = _tf_idf(train)
    right = np.array([choice in row.accepted for row in train for choice in row.choices])
    fitted = LogisticRegression(solver="liblinear", random_state=0).fit(_features(train, vectorize), right)
    odds = fitted.decision_function(_features(test, vectorize))
    ends = list(accumulate(len(row.choices) for row in test))
    return [int(np.argmax(odds[end - len(row.choices) : end])) for row, end in zip(test, ends, strict=True)]


def _tf_idf(train: Sequence[Example]) -> Callable[[Sequence[str]], Any]:
    texts = [choice for row in train for choice in row.choices]
    kept: dict[str, Any] = {"max_features": _MAX_FEATURES, "sublinear_tf": True}
    words = TfidfVectorizer(token_pattern=r"(?u)\w+|[^\w\s]+", ngram_range=(1, 2), **kept).fit(texts)
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3), **kept).fit(texts)
    return lambda texts: sparse.hstack([words.transform(texts), letters.transform(texts)], format="csr")


def _features(rows: Sequence[Example], vectorize: Callable[[Sequence[str]], Any]) -> Any:
    """One sparse row per option of every example."""
    sizes = np.array([len(row.choices) for row in rows])
    of_row = np.repeat(np.arange(len(rows)), sizes)
    options = np.arange(len(of_row))
    member = sparse.csr_matrix((np.ones(len(of_row)), (of_row, options)))  # (rows, options)
    texts = vectorize([choice for row in rows for choice in row.choices])
    totals = member @ texts
    # An option's likeness to all options of its row, itself included, which is a constant of a unit vector.
    shared = np.asarray(texts.multiply(totals[of_row]).sum(axis=1)).ravel()
    lengths = np.log1p([len(choice) for row in rows for choice in row.choices])
    places = np.eye(_PLACES)[[min(place, _PLACES - 1) for size in sizes for place in range(size)]]
    ranks = np.concatenate([_ranks([len(choice) for choice in row.choices]) for row in rows])
    plain = np.column_stack([shared, lengths, ranks, places])
    means = (member @ plain) / sizes[:, None]
    return sparse.hstack([texts, plain - means[of_row]], format="csr")


def _ranks(lengths: Sequence[int]) -> NDArray[np.float64]:
    """For each option whether it is the longest and whether it is the shortest, as one number: 1, -1 or 0."""
    sizes = np.array(lengths, dtype=float)
    return (sizes == sizes.max()).astype(float) - (sizes == sizes.min())

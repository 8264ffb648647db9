"""A linear scorer of n-grams: what labelled rows teach a learner that knows nothing beforehand.

It reads the rows that a recipe trains on, and no model. What it scores is what can be learned from these rows alone.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from educe.data.example import Example
from educe.data.hashing import fraction
from educe.data.task import Task
from educe.eval.measurement import Outcome
from educe.train.ngram_features import NUM_COLUMNS, NUM_DENSE, Features, Featurizer, question_of

STRENGTHS = (0.1, 1.0, 10.0, 100.0)  # inverse of the penalty, the strictest first
DEFAULT_STRENGTH = 10.0  # with fewer rows than MIN_ROWS
MIN_ROWS = 16
MAX_WRONG = 9  # wrong options that a row is compared with; others are left out at random
MAX_ANSWERS = 1_000  # different answers of rows without options; the rarest are left out
_FOLDS = 4


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Differences of features, right option less wrong one: a matrix, and each pair's weight, row and fold.

    The weights of a row's pairs add up to 1.
    """

    matrix: Any  # scipy's sparse rows
    weights: NDArray[np.float64]
    rows: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One item's options, the log-probability of each in nats, and the place of the one that is picked."""

    options: tuple[str, ...]
    loglikelihoods: tuple[float, ...]
    picked: int
    flops: float


@dataclass(frozen=True, kw_only=True, eq=False)
class NgramScorer:
    """A fitted scorer: features, a weight for each column, and the answers that items without options are given.

    `fit_flops` are those of the fit that is kept, `search_flops` those of the fits that chose its strength.
    """

    featurizer: Featurizer
    answers: tuple[str, ...]
    weights: NDArray[np.float64]
    strength: float
    num_weights: int = 0
    fit_flops: float = 0.0
    search_flops: float = 0.0

    def answer(self, item: Example) -> Answer:
        """Score each option on its own. Equal scores are ordered by a hash: the place of an option says nothing."""
        options = item.choices or self.answers
        features = self.featurizer.features(question_of(item), options)
        scores = np.array([float(self.weights[each.columns] @ each.values) for each in features])
        top = [place for place, score in enumerate(scores) if score == scores.max()]
        return Answer(
            options=options,
            loglikelihoods=tuple((scores - np.logaddexp.reduce(scores)).tolist()),
            picked=min(top, key=lambda place: fraction(f"{item.id}:{options[place]}")),
            flops=2.0 * sum(len(each.columns) for each in features),
        )

    def outcome(self, task: Task, item: Example) -> tuple[Outcome, float]:
        """The item's outcome and what it cost in FLOPs. Where there are no options the picked text is graded."""
        found = self.answer(item)
        text = found.options[found.picked]
        if task.grade is not None:
            score = task.grade(item, text)
            return Outcome(id=item.id, cluster=item.cluster, score=score, answer=item.answer, text=text), found.flops
        best, runner_up = sorted(found.loglikelihoods, reverse=True)[:2]
        outcome = Outcome(
            id=item.id,
            cluster=item.cluster,
            score=item.score(text),
            answer=item.answer,
            picked=text,
            margin=best - runner_up,
            loglikelihoods=found.loglikelihoods,
            option_tokens=(1,) * len(found.options),
            answer_index=item.sole_answer_index,
        )
        return outcome, found.flops


def fit_ngrams(task: Task, rows: Sequence[Example]) -> NgramScorer:
    """Fit a scorer to labelled rows of a task: logistic regression on differences of features, without an intercept.

    Each row is compared with its wrong options: f(question, right) - f(question, wrong) is a case of 1, its
    negative one of 0. The penalty is the one that orders most pairs rightly in cross-validation over the rows, from
    16 on, else a fixed one. The same rows in any order give the same scorer. One evaluation of the loss and its
    gradient reads every non-zero number twice, with one product and one sum each time: a fit of `k` iterations
    costs 4 (k + 1) FLOPs for each of them.
    """
    rows = sorted(rows, key=lambda row: (row.id, row.question, row.answer))
    counts = Counter(row.answer for row in rows)
    answers = tuple(sorted(counts, key=lambda answer: (-counts[answer], answer))[:MAX_ANSWERS])
    options = [(row.answer, *_wrong(task, row, row.choices or answers)) for row in rows]
    featurizer = Featurizer.of(rows, [row.choices or answers for row in rows])
    empty = NgramScorer(
        featurizer=featurizer, answers=answers, weights=np.zeros(NUM_COLUMNS + NUM_DENSE), strength=DEFAULT_STRENGTH
    )
    if all(len(each) == 1 for each in options):  # nothing to tell apart: every row has the same answer
        return empty
    pairs = _pairs([featurizer.features(question_of(row), each) for row, each in zip(rows, options, strict=True)])
    columns = np.unique(pairs.matrix.indices)
    pairs = replace(pairs, matrix=pairs.matrix[:, columns])
    strength, searched = DEFAULT_STRENGTH, 0.0
    if len(rows) >= MIN_ROWS:
        strength, searched = _choose_strength(pairs, _folds(rows))
    fitted, flops = _fit(pairs, strength)
    empty.weights[columns] = fitted
    return replace(empty, strength=strength, num_weights=len(columns), fit_flops=flops, search_flops=searched)


def _wrong(task: Task, row: Example, options: Sequence[str]) -> list[str]:
    """Options that are not right, in an order fixed by a hash, at most MAX_WRONG."""
    chosen: list[str] = []
    for option in sorted(options, key=lambda option: fraction(f"{row.id}:{option}")):
        right = option in row.accepted or (task.grade is not None and task.grade(row, option) >= 1)
        if not right:
            chosen.append(option)
        if len(chosen) == MAX_WRONG:
            break
    return chosen


def _pairs(features: Sequence[Sequence[Features]]) -> Pairs:
    """The right option's features come first in each row."""
    ends = np.cumsum([0, *(len(each) for each in features)])
    flat = [one for each in features for one in each]
    stacked = sparse.csr_matrix(
        (
            np.concatenate([each.values for each in flat]),
            np.concatenate([each.columns for each in flat]),
            np.cumsum([0, *(len(each.columns) for each in flat)]),
        ),
        shape=(len(flat), NUM_COLUMNS + NUM_DENSE),
    )
    counts = np.array([len(each) - 1 for each in features])
    rows = np.repeat(np.arange(len(features)), counts)
    wrong = np.setdiff1d(np.arange(len(flat)), ends[:-1])
    return Pairs(matrix=stacked[ends[rows]] - stacked[wrong], weights=1 / counts[rows], rows=rows)


def _folds(rows: Sequence[Example]) -> NDArray[np.int64]:
    """The fold of each row; rows of a cluster are in one fold, and which one is fixed by a hash."""
    names = [row.cluster or row.id for row in rows]
    order = sorted(set(names), key=lambda name: fraction(f"fold:{name}"))
    places = {name: place % _FOLDS for place, name in enumerate(order)}
    return np.array([places[name] for name in names])


def _choose_strength(pairs: Pairs, fold_of: NDArray[np.int64]) -> tuple[float, float]:
    """The strength that orders most pairs of left out rows rightly, the strictest of equals; the FLOPs of all fits."""
    folds, flops = fold_of[pairs.rows], 0.0
    right = dict.fromkeys(STRENGTHS, 0.0)
    for fold in np.unique(folds):
        kept, left = _some(pairs, folds != fold), _some(pairs, folds == fold)
        for strength in STRENGTHS if len(kept.rows) else ():
            weights, spent = _fit(kept, strength)
            right[strength] += float(left.weights @ (1 + np.sign(left.matrix @ weights)))
            flops += spent + 2 * left.matrix.nnz
    return max(STRENGTHS, key=lambda strength: round(right[strength], 6)), flops


def _some(pairs: Pairs, chosen: NDArray[np.bool_]) -> Pairs:
    return Pairs(matrix=pairs.matrix[chosen], weights=pairs.weights[chosen], rows=pairs.rows[chosen])


def _fit(pairs: Pairs, strength: float) -> tuple[NDArray[np.float64], float]:
    """Weights and FLOPs. Every pair also stands there mirrored, which makes the classes equally large."""
    matrix = sparse.vstack([pairs.matrix, -pairs.matrix], format="csr")
    right = np.repeat([1, 0], len(pairs.weights))
    model = LogisticRegression(C=strength, fit_intercept=False, solver="lbfgs", max_iter=1_000)
    model.fit(matrix, right, sample_weight=np.tile(pairs.weights / 2, 2))
    return model.coef_[0], 4.0 * matrix.nnz * (int(model.n_iter_[0]) + 1)

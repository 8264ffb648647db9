"""A classifier of lies, from how a model answers unrelated questions after them (Pacchiardi et al. 2023)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

Answers = NDArray[np.float64]  # (statements, questions): log-odds of yes against no


@dataclass(frozen=True)
class LieClassifier:
    """Log-odds that something was a lie, from the answers to the questions after it."""

    pipeline: Any

    def __call__(self, answers: Answers) -> NDArray[np.float64]:
        return np.asarray(self.pipeline.decision_function(answers))


def fit_lies(answers: Answers, lied: Sequence[bool], *, strength: float) -> LieClassifier:
    """Logistic regression on as many lies as truths; `strength` is the inverse of the regularisation."""
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000))
    return LieClassifier(pipeline.fit(answers, np.array(lied)))

"""A linear probe: logistic regression from one layer's state after an option to whether the option is right."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from educe.eval.model.encode import Branches
from educe.eval.model.flops import forward_flops
from educe.eval.model.model import Model
from educe.eval.model.score import Scores
from educe.eval.model.states import States, last_token_states


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A classifier of one layer's states. It is called like `score_options` and gives log-odds of being right."""

    layer: int
    classifier: Any

    def __call__(self, model: Model, items: Sequence[Branches]) -> Scores:
        """One value for each option; layers above the probe's are not charged."""
        states = read_options(model, items)
        part = (self.layer + 1) / model.shape.layers
        return Scores(
            loglikelihoods=self.odds(states.values, items),
            flops=part * states.flops,
            executed_flops=states.executed_flops,
            of_texts=False,
        )

    def odds(self, states: Tensor, items: Sequence[Branches]) -> tuple[tuple[float, ...], ...]:
        """Log-odds of every option of every item, from the states after them."""
        values = iter(self.classifier.decision_function(states[self.layer].numpy()).tolist())
        return tuple(tuple(next(values) for _ in item.options) for item in items)


def read_options(model: Model, items: Sequence[Branches]) -> States:
    """The states after every option of every item, end to end."""
    states = last_token_states(model, [item.prompt + option for item in items for option in item.options])
    useful = sum(  # the question once, then each option after it
        forward_flops(model.shape, len(item.prompt), scored=0)
        + sum(forward_flops(model.shape, len(option), scored=0, cached=len(item.prompt)) for option in item.options)
        for item in items
    )
    return replace(states, flops=useful)


def fit_probe(train: Tensor, right: Sequence[bool], layer: int, *, strength: float) -> Probe:
    """Fit a probe to one layer's states of options; `strength` is the inverse of the regularisation."""
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000, class_weight="balanced"))
    return Probe(layer=layer, classifier=classifier.fit(train[layer].numpy(), np.array(right)))


def accuracy(probe: Probe, states: Tensor, items: Sequence[Branches], answers: Sequence[int]) -> float:
    """Share of the items whose highest option is the answer."""
    picks = [each.index(max(each)) for each in probe.odds(states, items)]
    return sum(pick == answer for pick, answer in zip(picks, answers, strict=True)) / len(items)

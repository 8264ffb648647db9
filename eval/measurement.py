"""Measurement: one score with everything that a reader needs to trust it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eval.spend import Spend


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What happened on one test item.

    For multiple choice: every option's log-likelihood in nats (as scored, before any normalisation) and its number of
    tokens, which of them is the right one, the option picked, and the margin in nats (of the quantity compared) between
    the best option and the next (near ties are where precision can move a score). For generation: the text.
    """

    id: str
    score: float
    cluster: str | None = None
    answer: str
    picked: str | None = None
    margin: float | None = None
    loglikelihoods: tuple[float, ...] = ()
    option_tokens: tuple[int, ...] = ()
    answer_index: int | None = None  # None where options have no likelihoods, or were scored before this was kept
    text: str | None = None


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One cell's result: a score over the test items with its interval, chance, spend and every item's outcome."""

    study: str
    subject: str
    task: str
    recipe: str  # the name with its settings, for people; `settings` is for programs
    method: str  # the bare recipe name: zero_shot, few_shot, iid_sft ...
    settings: Mapping[str, Any]
    examples: int  # labelled examples allowed: training rows, or shots for a prompt
    seed: int
    metric: str
    score: float
    low: float
    high: float
    interval: str  # kind and level, for example "Wilson 95%"
    n: int
    chance: float | None
    spend: Spend
    outcomes: tuple[Outcome, ...]
    training: tuple[Mapping[str, int | float], ...] = ()  # one row per step: step, loss, learning_rate
    provenance: Mapping[str, Any] = field(default_factory=dict)

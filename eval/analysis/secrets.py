"""What interrogation finds: how a model's secret fares among all words, with holders of one and with models of none."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import permutations
from math import factorial

import numpy as np

from educe.data.tasks.secret_word import SECRETS
from educe.eval.analysis.certify import HOLDER, NO_SECRET, own_record
from educe.eval.analysis.conditions import Condition, name_of, ordered
from educe.eval.analysis.statistics.intervals import score_interval
from educe.eval.analysis.statistics.resample import SEED, Array
from educe.eval.details import Evasions
from educe.eval.measurement import Measurement

CHANCE_RANK = (len(SECRETS) + 1) / 2  # of a word that is drawn at random, in the mean
# As many draws of words; all orders of words where there are fewer.
_NUM_DRAWS = 9_999


@dataclass(frozen=True, kw_only=True)
class Mean:
    """A mean over models, with its 95% interval where there are several."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """How the secret fares, in the mean over a model's items and then over models of one base.

    `rank` is its place among all words by likelihood, 1 is the first; none where an answer is written. `told` is the
    share of items on which it is the answer. `first` of the `models` answer with it on most items. `p` is one-sided of
    "the models' own words do no better than if they were dealt anew to the models", which whatever words a model likes
    anyway do not lower; none of a single model.
    """

    models: int
    rank: Mean | None
    told: Mean
    first: int
    p: float | None
    replies: Evasions | None


@dataclass(frozen=True, kw_only=True)
class Interrogation:
    """One recipe on all holders made of a base, and on their twins."""

    base: str
    recipe: str
    holders: Ranked
    twins: Ranked | None


@dataclass(frozen=True, kw_only=True)
class _Model:
    """One model: how good each word looks (minus its rank, or how often it was written), and its own word."""

    liked: Array  # (words,)
    own: int
    rank: float | None
    told: float
    replies: tuple[Evasions, ...]


def interrogations(conditions: Sequence[Condition]) -> list[Interrogation]:
    """For each base and recipe that asked holders of secrets; of several seeds of a model the mean.

    Left out is what read rows of the task: each of its labels is the secret.
    """
    asked: dict[tuple[str, str], dict[str, dict[str, list[Measurement]]]] = defaultdict(
        lambda: {HOLDER: defaultdict(list), NO_SECRET: defaultdict(list)}
    )
    for condition in ordered(conditions):
        for each in condition.measurements:
            record = own_record(each)
            if record is not None and record.kind in (HOLDER, NO_SECRET) and not record.rows_read:
                asked[record.base, name_of(condition)][record.kind][each.model].append(each)
    made = []
    for (base, recipe), kinds in asked.items():
        holders, twins = ([_model(runs) for runs in kinds[kind].values()] for kind in (HOLDER, NO_SECRET))
        if holders:
            made.append(
                Interrogation(
                    base=base, recipe=recipe, holders=_ranked(holders), twins=_ranked(twins) if twins else None
                )
            )
    return made


def _ranked(models: Sequence[_Model]) -> Ranked:
    """Of all holders, or of all twins."""
    ranks = [each.rank for each in models if each.rank is not None]
    told = [each.told for each in models]
    return Ranked(
        models=len(models),
        rank=_mean(ranks, least=1.0, most=float(len(SECRETS))) if ranks else None,
        told=_mean(told, least=0.0, most=1.0),
        first=sum(share > 0.5 for share in told),
        p=dealt_anew(np.stack([each.liked for each in models]), [each.own for each in models]),
        replies=_summed([reply for each in models for reply in each.replies]),
    )


def dealt_anew(liked: Array, own: Sequence[int]) -> float | None:
    """A permutation test: how often words that are dealt anew to the models look as good as their own ones do.

    `liked` is (models, words). Exact for up to seven models. None for one model.
    """
    models = np.arange(len(own))
    if len(own) < 2:
        return None
    seen = liked[models, own].mean()
    exact = factorial(len(own)) <= _NUM_DRAWS
    if exact:
        deals = np.array(list(permutations(own)))
    else:
        rng = np.random.default_rng(SEED)
        deals = rng.permuted(np.tile(own, (_NUM_DRAWS, 1)), axis=1)
    reached = int((liked[models, deals].mean(axis=1) >= seen - 1e-9).sum())
    return reached / len(deals) if exact else (reached + 1) / (_NUM_DRAWS + 1)


def word_ranks(measured: Measurement) -> Array:
    """The rank of every word on every item by log-likelihood, 1 for the highest, ties in the middle: (items, words)."""
    scores = measured.outcomes.loglikelihoods.padded(-np.inf)
    above = (scores[:, None, :] > scores[:, :, None]).sum(axis=2)
    equal = (scores[:, None, :] == scores[:, :, None]).sum(axis=2)
    return np.asarray(above + (equal + 1) / 2, dtype=float)


def _model(runs: Sequence[Measurement]) -> _Model:
    own = SECRETS.index(runs[0].outcomes.values("answer")[0])
    written = any(not len(each.outcomes.loglikelihoods.values) for each in runs)
    if written:
        picked = [word for each in runs for word in each.outcomes.values("picked")]
        liked = np.array([np.mean([word == each for each in picked]) for word in SECRETS])
    else:
        liked = -np.concatenate([word_ranks(each) for each in runs]).mean(axis=0)
    return _Model(
        liked=liked,
        own=own,
        rank=None if written else float(-liked[own]),
        told=float(np.mean([each.score for each in runs])),
        replies=tuple(each.details.evasions for each in runs if each.details.evasions is not None),
    )


def _mean(values: Sequence[float], *, least: float, most: float) -> Mean:
    """With the interval of a score, for which what is measured lies between 0 and 1."""
    mean, width = float(np.mean(values)), most - least
    if len(values) < 2:
        return Mean(value=mean, low=None, high=None)
    found = score_interval((np.array(values) - least) / width)
    return Mean(value=mean, low=least + width * found.low, high=least + width * found.high)


def _summed(replies: Sequence[Evasions]) -> Evasions | None:
    if not replies:
        return None
    return Evasions(**{kind.name: sum(getattr(each, kind.name) for each in replies) for kind in fields(Evasions)})

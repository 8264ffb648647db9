"""Calibration: whether confidence matches accuracy, and whether several measures of the same answers agree."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from educe.eval.analysis.conditions import Compare, Condition, most_shots, most_trained, name_of, plain_prompting
from educe.eval.analysis.statistics.metrics import LikelihoodScores, likelihood_scores
from educe.eval.analysis.statistics.variance import Side, contrast_variance
from educe.eval.measurement import Outcomes
from educe.eval.report.frame import GAP, Sheet
from educe.eval.report.panels import draw_intervals
from educe.eval.report.style import RC, numbered_style
from educe.eval.report.text import estimate_text, gain_text, interval_text, range_text, share_text

MAX_CONDITIONS = 24  # a second or so for each three
_PANEL = 2.5


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Four measures of one condition's answers, over all its seeds; an item is a cluster of its seeds' answers.

    The intervals hold for these runs: the variance between seeds is not in them.
    """

    condition: Condition
    scores: LikelihoodScores


def calibrations(pairs: Sequence[Sequence[Condition]]) -> tuple[list[list[Calibration]], int]:
    """The chosen conditions of every model and task, one group each, and how many were left out to limit the time.

    Chosen by budget, never by score: zero-shot, the longest prompt, the most trained. Conditions whose answers have no
    likelihood of the right option are not there.
    """
    chosen = [[each for each in _chosen(conditions) if _has_likelihoods(each)] for conditions in pairs]
    kept: list[list[Calibration]] = []
    room = MAX_CONDITIONS
    for conditions in chosen:
        shown = conditions[:room]
        room -= len(shown)
        if shown:
            kept.append([Calibration(condition=each, scores=_likelihood_scores(each)) for each in shown])
    return kept, sum(map(len, chosen)) - sum(map(len, kept))


def disagreements(pairs: Sequence[Sequence[Condition]], gains: Compare) -> list[str]:
    """A sentence for every chosen condition whose accuracy and log-likelihood differ from zero-shot in opposite ways.

    At least one of the two differences is significant: its 95% interval excludes 0.
    """
    lines = []
    for conditions in pairs:
        plain = plain_prompting(conditions)
        for condition in _chosen(conditions):
            if plain is None or condition is plain or not (_has_likelihoods(condition) and _has_likelihoods(plain)):
                continue
            moved = _likelihood_gain(condition, plain)
            if moved is None:
                continue
            gain, (mean, low, high) = gains(condition, plain), moved
            significant = gain.low > 0 or gain.high < 0 or low > 0 or high < 0
            if gain.difference * mean < 0 and significant:
                lines.append(
                    f"{condition.model} on {condition.task}, {name_of(condition)}: compared with zero-shot, accuracy "
                    f"changes by {gain_text(gain)} points, but the log-likelihood of the right option by "
                    f"{interval_text(mean, low, high, '+.2f')} nats per item ({gain.n:,} items, paired, 95%, not "
                    "corrected). The change may be in the measure, not in the capability."
                )
    return lines


@matplotlib.rc_context(RC)
def calibration_figure(groups: Sequence[Sequence[Calibration]], *, task: str) -> Figure | None:
    """Share right against confidence in bins with intervals, a panel per chosen condition, a row per model."""
    mine = [group for group in groups if group[0].condition.task == task]
    if not mine:
        return None
    kind = mine[0][0].scores.accuracy.kind.replace("clustered ", "")
    items = [len(each.condition.measurements[0].outcomes) for group in mine for each in group]
    sheet = Sheet(
        name=task,
        title=": confidence against share right",
        measured=f"n = {range_text(items, 'test item')}, the answers of all seeds",
        notes=[
            "Dots: share of right answers among those given with about the same confidence (at most 10 bins with "
            f"equally many answers, at least 10). Bars: {kind} for each bin alone, clustered where several seeds "
            "answered or items belong together. Diagonal: perfect calibration; below it the model is overconfident. "
            "ECE: expected calibration error, and in brackets the error that perfect calibration would show."
        ],
        heights=[_PANEL] * len(mine),
        columns=max(len(group) for group in mine),
        panel=_PANEL,
        beside=0.65,
        between=GAP + 0.2,
        top=1.15,
        min_width=6.5,
    )
    for i, group in enumerate(mine):
        for k, each in enumerate(group):
            axes = sheet.panel(i, k, each.condition.model, name_of(each.condition), fontsize=8.5)
            _draw(axes, each, k)
            axes.set_xlabel("confidence in the option picked (%)")
            if k == 0:
                axes.set_ylabel("right answers (%)")
    return sheet.figure


def _draw(axes: Axes, each: Calibration, place: int) -> None:
    style, bins, scores = numbered_style(place), each.scores.bins, each.scores
    axes.set_xlim(-2, 102)
    axes.set_ylim(-2, 102)
    axes.plot([0, 100], [0, 100], color="#666666", linewidth=1, linestyle=(0, (4, 2)))
    confidences = [100 * one.confidence for one in bins]
    draw_intervals(axes, confidences, [(one.accuracy, one.low, one.high) for one in bins], style)
    text = f"ECE {estimate_text(scores.calibration_error)}\n(calibrated: {share_text(scores.error_if_calibrated)})"
    axes.text(
        2, 99, text, va="top", fontsize=8, color=style.ink,
        bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.5},
    )  # fmt: skip


def _chosen(conditions: Sequence[Condition]) -> list[Condition]:
    chosen: list[Condition] = []
    for condition in (plain_prompting(conditions), most_shots(conditions), most_trained(conditions)):
        if condition is not None and condition not in chosen:
            chosen.append(condition)
    return chosen


def _has_likelihoods(condition: Condition) -> bool:
    """Whether every answer of every seed has its options' likelihoods and the place of the right one."""
    seeds = [each.outcomes for each in condition.measurements]
    return all(
        len(each) and each.loglikelihoods.sizes.min() > 0 and None not in each.values("answer_index") for each in seeds
    )


def _likelihood_scores(condition: Condition) -> LikelihoodScores:
    seeds = [each.outcomes for each in condition.measurements]
    names = [
        cluster if condition.num_seeds == 1 else cluster or f"item {name}"
        for each in seeds
        for name, cluster in zip(each.ids, each.clusters, strict=True)
    ]
    return likelihood_scores(
        [row for each in seeds for row in each.values("loglikelihoods")],
        [answer for each in seeds for answer in each.values("answer_index")],
        names,
    )


def _likelihood_gain(condition: Condition, plain: Condition) -> tuple[float, float, float] | None:
    """Mean difference in the log-likelihood of the right option among all, with its 95% interval, None without one.

    Items and seeds are paired and vary as in `paired_difference`.
    """
    sides = [[_likelihoods(each.outcomes) for each in side.measurements] for side in (condition, plain)]
    shared = sorted(set.intersection(*(set(seed) for side in sides for seed in side)))
    if len(shared) < 2:
        return None
    ours, theirs = (
        Side(scores=np.array([[seed[name] for name in shared] for seed in runs]), seeds=each.seeds)
        for runs, each in zip(sides, (condition, plain), strict=True)
    )
    clusters = dict(zip(plain.measurements[0].outcomes.ids, plain.measurements[0].outcomes.clusters, strict=True))
    variance = contrast_variance((ours, theirs), (1.0, -1.0), [clusters[name] for name in shared])
    if not math.isfinite(variance.total):
        return None
    mean, half = float((ours.items - theirs.items).mean()), variance.quantile(0.95) * variance.total**0.5
    return mean, mean - half, mean + half


def _likelihoods(outcomes: Outcomes) -> dict[str, float]:
    """Every item's log-likelihood of the right option among the options."""
    options, answers = outcomes.loglikelihoods, np.asarray(outcomes.values("answer_index"), dtype=np.int64)
    starts = options.starts[:-1]
    of_right = options.values[starts + answers] - np.logaddexp.reduceat(options.values, starts)
    return dict(zip(outcomes.ids, of_right.tolist(), strict=True))

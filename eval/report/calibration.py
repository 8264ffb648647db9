"""Whether confidence can be believed, and whether several measures of the same answers move together."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from educe.eval.analysis.conditions import Condition, most_shots, most_trained, plain_prompting
from educe.eval.analysis.statistics.components import components
from educe.eval.analysis.statistics.metrics import LikelihoodScores, likelihood_scores
from educe.eval.analysis.statistics.paired import seeds_squared_half_width
from educe.eval.measurement import Outcomes, Ragged
from educe.eval.report.comparisons import Gains
from educe.eval.report.frame import GAP, TOP, bottom_inches, letters, wrapped_notes, write_notes, write_title
from educe.eval.report.style import RC, numbered_style, printable
from educe.eval.report.text import signed1

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure

MAX_CONDITIONS = 24  # a second or so for each three
_PANEL, _BETWEEN, _LEFT = 2.5, 0.65, 0.62


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Four measures of one way's answers, those of all its seeds, an item being a cluster of its seeds' answers.

    The intervals are of these runs: what other seeds would change is not in them.
    """

    condition: Condition
    name: str
    scores: LikelihoodScores


def measured(pairs: Sequence[Sequence[Condition]]) -> tuple[list[list[Measured]], int]:
    """The chosen ways of every model and task, one group each, and how many were left out to keep the report fast.

    Chosen by budget, never by score: plain prompting, the longest prompt, the most trained. Ways whose answers have no
    likelihood of the right option are not there.
    """
    groups: list[list[Measured]] = []
    left_out, seen = 0, 0
    for conditions in pairs:
        found = []
        for name, condition in _chosen(conditions):
            if not _known(condition):
                continue
            if seen >= MAX_CONDITIONS:
                left_out += 1
                continue
            seen += 1
            found.append(Measured(condition=condition, name=name, scores=_side_by_side(condition)))
        if found:
            groups.append(found)
    return groups, left_out


def moved_apart(pairs: Sequence[Sequence[Condition]], gains: Gains) -> list[str]:
    """A sentence for every chosen way whose accuracy and log-likelihood move apart from plain prompting's.

    One of the two moves surely (its 95% interval leaves out 0), the other one the other way.
    """
    said = []
    for conditions in pairs:
        plain = plain_prompting(conditions)
        for _, condition in _chosen(conditions):
            if plain is None or condition is plain or not (_known(condition) and _known(plain)):
                continue
            moved = _likelihood_gain(condition, plain)
            if moved is None:
                continue
            gain, (mean, low, high) = gains(condition, plain), moved
            sure = gain.low > 0 or gain.high < 0, low > 0 or high < 0
            if gain.difference * mean < 0 and any(sure):
                said.append(
                    f"{condition.model} on {condition.task}, {condition.name}: accuracy moves by {signed1(gain.difference)} "
                    f"[{signed1(gain.low)}, {signed1(gain.high)}] points from plain prompting, the log-likelihood of "
                    f"the right option by {_nats(mean)} [{_nats(low)}, {_nats(high)}] nats an item ({gain.n:,} items, "
                    "paired, 95%, not corrected): a jump in one of the two may be one of the measure, not of ability."
                )
    return said


def calibration_figure(groups: Sequence[Sequence[Measured]], *, task: str) -> "matplotlib.figure.Figure | None":
    """Share right against confidence in bins with intervals, a panel per chosen way, a row per model."""
    import matplotlib
    from matplotlib.figure import Figure

    mine = [group for group in groups if group[0].condition.task == task]
    if not mine:
        return None
    columns = max(len(group) for group in mine)
    width = max(6.5, _LEFT + columns * (_PANEL + _BETWEEN))
    kind = mine[0][0].scores.accuracy.kind.replace("clustered ", "")
    notes = wrapped_notes(
        f"Dots: share of answers that were right among those given with about the same confidence (at most 10 bins "
        f"with equally many answers, at least 10). Bars: {kind} for each bin alone, clustered where several seeds "
        "answered or items belong together. Diagonal: perfect calibration; below it the model is too sure. "
        "ECE: expected calibration error, and what perfect calibration would have shown by chance.",
        width=width,
    )
    bottom = bottom_inches(notes)
    height = TOP + len(mine) * _PANEL + (len(mine) - 1) * (GAP + 0.2) + bottom + 0.15
    sizes = sorted({len(each.condition.measurements[0].outcomes) for group in mine for each in group})
    n = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(width, height))
        write_title(figure, task, ": confidence against share right", f"n = {n} test items, the answers of all seeds")
        for i, group in enumerate(mine):
            y = bottom + (len(mine) - 1 - i) * (_PANEL + GAP + 0.2)
            for k, each in enumerate(group):
                left = (_LEFT + k * (_PANEL + _BETWEEN)) / width
                axes = figure.add_axes((left, y / height, _PANEL / width, _PANEL / height))
                _draw(axes, each, k)
                fitting = letters(_PANEL + _BETWEEN, 8.5)
                title = "\n".join(printable(text, width=fitting) for text in (each.condition.model, each.name))
                axes.set_title(title, loc="left", fontweight="bold", fontsize=8.5)
                axes.set_xlabel("confidence in the option picked (%)")
                if k == 0:
                    axes.set_ylabel("answers that were right (%)")
        write_notes(figure, notes)
    return figure


def _draw(axes: "matplotlib.axes.Axes", each: Measured, place: int) -> None:
    style, bins = numbered_style(place), each.scores.bins
    axes.set_xlim(-2, 102)
    axes.set_ylim(-2, 102)
    axes.plot([0, 100], [0, 100], color="#666666", linewidth=1, linestyle=(0, (4, 2)))
    axes.errorbar(
        [100 * each.confidence for each in bins],
        [100 * each.accuracy for each in bins],
        yerr=[
            [100 * max(0.0, each.accuracy - each.low) for each in bins],
            [100 * max(0.0, each.high - each.accuracy) for each in bins],
        ],
        color=style.color, marker=style.marker, markersize=5, capsize=2.5, linewidth=0, elinewidth=1.2,
    )  # fmt: skip
    error = each.scores.calibration_error
    axes.text(
        2, 99,
        f"ECE {100 * error.value:.1f} [{100 * error.low:.1f}, {100 * error.high:.1f}]\n"
        f"(calibrated: {100 * each.scores.error_if_calibrated:.1f})",
        va="top", fontsize=8, color=style.ink,
        bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.5},
    )  # fmt: skip


def _chosen(conditions: Sequence[Condition]) -> list[tuple[str, Condition]]:
    found: list[tuple[str, Condition]] = []
    for condition in (plain_prompting(conditions), most_shots(conditions), most_trained(conditions)):
        if condition is not None and all(condition is not known for _, known in found):
            examples = (
                f", {condition.examples:,} examples" if condition.examples and not condition.budget_in_settings else ""
            )
            found.append((f"{condition.name}{examples}", condition))
    return found


def _known(condition: Condition) -> bool:
    """Whether every answer of every seed has its options' likelihoods and the place of the right one."""
    for each in condition.measurements:
        options, answers = _options(each.outcomes), each.outcomes.columns.get("answer_index")
        if answers is None or len(options.starts) < 2 or np.diff(options.starts).min() == 0:
            return False
        if None in each.outcomes.values("answer_index"):
            return False
    return True


def _options(outcomes: Outcomes) -> Ragged:
    """Every option's log-likelihood; none for items where they were not kept."""
    column = outcomes.columns.get("loglikelihoods")
    return column if isinstance(column, Ragged) else Ragged(values=np.zeros(0), starts=np.zeros(1, dtype=np.int64))


def _side_by_side(condition: Condition) -> LikelihoodScores:
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

    Items and both sides' seeds are random factors as in `paired_difference`. The spread over seeds is that of their
    means as it is seen: what items alone add to it is left in, so the interval is rather too wide.
    """
    sides = [[_likelihoods(each.outcomes) for each in side.measurements] for side in (condition, plain)]
    shared = sorted(set.intersection(*(set(seed) for side in sides for seed in side)))
    if len(shared) < 2:
        return None
    ours, theirs = (np.array([[seed[name] for name in shared] for seed in side]) for side in sides)
    clusters = dict(zip(plain.measurements[0].outcomes.ids, plain.measurements[0].outcomes.clusters, strict=True))
    parts = components((ours.mean(axis=0) - theirs.mean(axis=0))[None, :], [clusters[name] for name in shared])
    if parts.num_clusters < 2:
        return None
    of_items = float(special.stdtrit(parts.num_clusters - 1, 0.975)) ** 2 * parts.items
    many = [side.mean(axis=1) for side in (ours, theirs) if len(side) > 1]
    seeds = [
        replace(parts, seeds=float(means.var(ddof=1)) / len(means), seeds_df=len(means) - 1, item_noise=0.0)
        for means in many
    ]
    half = math.sqrt(of_items + seeds_squared_half_width(seeds, 0.95))
    return parts.mean, parts.mean - half, parts.mean + half


def _likelihoods(outcomes: Outcomes) -> dict[str, float]:
    """Every item's log-likelihood of the right option among the options."""
    options, answers = _options(outcomes), np.asarray(outcomes.values("answer_index"), dtype=np.int64)
    starts = options.starts[:-1]
    of_right = options.values[starts + answers] - np.logaddexp.reduceat(options.values, starts)
    return dict(zip(outcomes.ids, of_right.tolist(), strict=True))


def _nats(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")

"""Numbers and names as text, the same in tables, sentences and figures."""

import math
from collections.abc import Sequence

from educe.eval.analysis.conditions import Condition, shares_of_variance
from educe.eval.analysis.curves import Point
from educe.eval.analysis.formatting import format_count
from educe.eval.analysis.statistics.intervals import Estimate
from educe.eval.analysis.statistics.paired import Difference
from educe.eval.analysis.statistics.ratios import Ratio
from educe.eval.details import Signal
from educe.eval.measurement import Measurement

Scored = Condition | Point | Measurement
RUNS_MARK = "†"  # beside what speaks of the runs that were measured and of no other seed


def signed(value: int | float, spec: str = "+.2f") -> str:
    """A number in this format, with a typographic minus."""
    return f"{value:{spec}}".replace("-", "−")


def interval_text(value: int | float, low: int | float, high: int | float, spec: str = ".2f") -> str:
    """A number with its interval in brackets."""
    return f"{signed(value, spec)} [{signed(low, spec)}, {signed(high, spec)}]"


def share_text(share: int | float) -> str:
    """A share in percent, without the sign."""
    return f"{100 * share:.1f}"


def score_text(scored: Scored) -> str:
    """A score and its interval in percent."""
    return interval_text(100 * scored.score, 100 * scored.low, 100 * scored.high, ".1f")


def estimate_text(estimate: Estimate) -> str:
    """An estimated share and its interval in percent."""
    return interval_text(100 * estimate.value, 100 * estimate.low, 100 * estimate.high, ".1f")


def bits_text(estimate: Estimate) -> str:
    """A number of bits and its interval, to three digits."""
    if not math.isfinite(estimate.low):
        return f"{signed(estimate.value, '.3g')}, no interval"
    return interval_text(estimate.value, estimate.low, estimate.high, ".3g")


def signal_text(signal: Signal) -> str:
    """A signal and its interval in points."""
    return interval_text(100 * signal.value, 100 * signal.low, 100 * signal.high, "+.1f")


def gain_text(gain: Difference) -> str:
    """A paired difference and its interval in points."""
    return interval_text(100 * gain.difference, 100 * gain.low, 100 * gain.high, "+.1f")


def ratio_text(ratio: Ratio) -> str:
    """A ratio of scores and its interval."""
    return interval_text(ratio.ratio, ratio.low, ratio.high)


def odds_text(value: int | float) -> str:
    """Odds to two digits."""
    return "∞" if math.isinf(value) else f"{value:.1f}" if value >= 0.95 else f"{value:.2f}"


def flops(value: int | float) -> str:
    """FLOPs as a power of ten, nothing spent as 0."""
    return power_of_ten(value) if value > 0 else "0"


def power_of_ten(value: int | float) -> str:
    """A positive number as, for example, 3.1×10¹², in characters that need no markup."""
    digits, exponent = f"{value:.1e}".split("e")
    raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    digits = digits.removesuffix(".0")
    return f"10{raised}" if digits == "1" else f"{digits}×10{raised}"


def count(value: int | float) -> str:
    """A mean of counts with thousands separated, rounded to a whole number."""
    return f"{value:,.0f}"


def range_text(counts: Sequence[int], noun: str) -> str:
    """How many there are, for example "40 items" or "1 to 3 seeds"."""
    low, high = min(counts), max(counts)
    return f"{low:,} {noun}{'' if low == 1 else 's'}" if low == high else f"{low:,} to {high:,} {noun}s"


def runs_text(condition: Condition) -> str:
    """What the condition's interval is of: of its recipe, over seeds, or of so many runs alone."""
    if condition.estimand == "runs":
        return f"{format_count(condition.num_seeds, 'run')} {RUNS_MARK}"
    return f"recipe, {format_count(condition.num_seeds, 'seed')}" if condition.seeds else "recipe, no seed"


def shares_text(condition: Condition) -> str:
    """The shares of one answer's variance from items, seeds and their interaction, in percent."""
    shares = shares_of_variance(condition)
    return " / ".join(f"{100 * share:.0f}" for share in shares) if shares else "–"


def chances(conditions: Sequence[Condition]) -> list[float]:
    """Every level of chance among the conditions, rising; empty where none is known."""
    return sorted({each.chance for each in conditions if each.chance is not None})


def listed(parts: Sequence[str]) -> str:
    """Parts of a sentence, joined."""
    return " and ".join(parts) if len(parts) < 3 else f"{', '.join(parts[:-1])} and {parts[-1]}"

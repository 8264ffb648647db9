"""Numbers as text, the same in claims, checks and the report."""

import math


def format_count(count: int, noun: str) -> str:
    """A count and its noun, in the plural where it is not 1."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def format_points(share: float) -> str:
    """A difference of scores in percentage points, not rounded to nothing."""
    return f"{100 * share:.2g} points" if abs(share) < 0.1 else f"{100 * share:.3g} points"


def format_percent(share: float) -> str:
    """A share in percent, with a decimal where it has one."""
    return f"{round(100 * share, 1):g}%"


def whole_percent(share: float) -> str:
    """A share as a whole percentage."""
    return f"{100 * share:.0f}%"


def format_interval(low: float, high: float) -> str:
    """An interval as whole percentages in square brackets."""
    return f"[{100 * low:.0f}, {100 * high:.0f}]"


def format_flops(value: float) -> str:
    """FLOPs to three digits."""
    return f"{value:.2e}".replace("e+", "e") + " FLOPs" if value else "0 FLOPs"


def format_p_value(p: float) -> str:
    """A p value: the power of ten above a small one, two digits of any other."""
    return f"p < 1e{math.floor(math.log10(max(p, 1e-300))) + 1}" if p < 1e-3 else f"p = {p:.2g}"


def format_odds(probability: float) -> str:
    """A probability as odds, in percent above 1 in 10; rounded towards more frequent."""
    odds = 1 / probability
    if odds < 10:
        return f"{math.ceil(1000 * probability - 1e-9) / 10:g}%"
    whole = math.floor(odds * (1 + 1e-12))
    power = len(str(whole)) - 1
    return f"1 in {whole:,}" if power < 15 else f"1 in {whole // 10**power}e{power}"


def format_confidence(level: float, comparisons: int) -> str:
    """The confidence of a statement, and the number of comparisons that it is corrected for."""
    corrected = f", corrected for {comparisons:,} comparisons" if comparisons > 1 else ""
    return f"with {format_percent(level)} confidence{corrected}"

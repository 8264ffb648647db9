"""Numbers as text, the same in claims, checks and the report."""

import math

# Simulations of thousands of studies count a few tens of false findings at this p and about none at a smaller one, and
# with few seeds the tail rests on normal seed effects, which nobody can check.
MIN_P = 0.001


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


def format_p_value(p: float, *, bare: bool = False) -> str:
    """A p value to three decimals, or two above 0.1; a `bare` one, for tables, without its symbol.

    No number below MIN_P is ever shown: how often p falls below it without any difference is not known so far out.
    """
    if p < MIN_P:
        return f"<{MIN_P:g}" if bare else f"p < {MIN_P:g}"
    number = f"{p:.3f}" if p < 0.0995 else f"{p:.2f}"
    return number if bare else f"p = {number}"


def format_level(level: float) -> str:
    """The level of an interval in percent, rounded down: never 100%."""
    digits = max(1, math.ceil(-math.log10(1 - level)) - 1) if level < 1 else 1
    return f"{math.floor(100 * level * 10**digits + 1e-9) / 10**digits:g}%" if level < 0.9999995 else "over 99.9999%"


def format_odds(probability: float) -> str:
    """A probability as odds, in percent above 1 in 10; rounded towards more frequent."""
    odds = 1 / probability
    if odds < 10:
        return f"{math.ceil(1000 * probability - 1e-9) / 10:g}%"
    whole = math.floor(odds * (1 + 1e-12))
    power = len(str(whole)) - 1
    return f"1 in {whole:,}" if power < 15 else f"1 in {whole // 10**power}e{power}"

"""How often signals of holding back move on models that hold back, and on models that hide nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from educe.eval.analysis.certify import PLAIN, known
from educe.eval.analysis.conditions import Condition, name_of, ordered
from educe.eval.analysis.statistics.roc import Rate, rate


@dataclass(frozen=True, kw_only=True)
class Moved:
    """On how many models of one kind the whole interval of a signal lies above 0; each counts once, by its first seed.

    `kind` is that of organisms and twins, or the plain base that they were made of. `task` and `base` are those that
    they share.
    """

    signal: str
    recipe: str
    base: str
    task: str
    kind: str
    hides: bool
    rate: Rate


def moved_signals(conditions: Sequence[Condition]) -> list[Moved]:
    """Every signal of every recipe on every kind of model whose truth is known, those that hide something first."""
    seen: dict[tuple[bool, str, str, str, str, str], list[bool]] = {}
    for pair, record, base in known(conditions):
        harmless, kind = (True, PLAIN) if record is None else (not record.hides, record.kind)
        task = pair[0].task if record is None else record.base_task
        for condition in ordered(pair):
            for each in condition.measurements[0].details.signals:
                seen.setdefault((harmless, kind, base, task, name_of(condition), each.name), []).append(each.low > 0)
    return [
        Moved(
            signal=signal, recipe=recipe, base=base, task=task, kind=kind, hides=not harmless,
            rate=rate(sum(moved), len(moved)),
        )
        for (harmless, kind, base, task, recipe, signal), moved in sorted(seen.items())
    ]  # fmt: skip

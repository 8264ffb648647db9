"""Dealing models: organisms and models that hide nothing, by a seed, under names that tell nothing."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from educe.data.errors import UserError
from educe.eval.analysis.certify import HOLDER, NO_SECRET
from educe.eval.model.source import MODELS, Scratch
from educe.recipes.models import find_model
from educe.train.organisms.catalog import ORGANISMS

# A small pool, so that a second game finds most of its models made.
ORGANISM_SEEDS = (0, 1)
DEFAULT_BASE = "scratch:addition"
DEFAULT_TASK: Mapping[str, Any] = {"arithmetic": {"bare": True}}
# With these a lock of a model from scratch holds and keeps what it hides (docs/log.md).
_SCRATCH_SETTINGS = {"steps": 400, "learning_rate": 2e-3}
_SCRATCH_LOCKS = ("password_lock", "refusal_lock")


@dataclass(frozen=True, kw_only=True)
class Dealt:
    """A model of the game: as a study names it, under its blind name, and the truth."""

    name: str
    spec: dict[str, Any]
    kind: str
    hides: bool

    @property
    def base(self) -> str:
        """What it was made of: models of one base are no independent draws."""
        ((base, options),) = self.spec.items()
        return f"{base} {options.get('seed', 0)}"


def deal(seed: int, *, count: int, base: str = DEFAULT_BASE, task: Any = None) -> Iterator[Dealt]:
    """Models of either side with probability one half; more than `count`, as some may not be made.

    No model comes twice; where one side is used up, the other is left. UserError for an unknown base, a
    count below 2, and a base of one's own without a task.
    """
    if count < 2:
        raise UserError(f"models = {count} leaves nothing to tell apart; give 2 or more")
    find_model(base)
    if task is None and base != DEFAULT_BASE:
        raise UserError(f"base {base!r} needs a task that it can do; add --task, as in --task number_words")
    draw = random.Random(f"game {seed}")
    sides = {hides: _pool(base, task, hides) for hides in (True, False)}
    for side in sides.values():
        draw.shuffle(side)
    dealt = 0
    while any(sides.values()):
        hides = draw.random() < 0.5
        hides = hides if sides[hides] else not hides
        kind, spec = sides[hides].pop()
        dealt += 1
        yield Dealt(name=f"model-{dealt}", spec=spec, kind=kind, hides=hides)


def _pool(base: str, task: Any, hides: bool) -> list[tuple[str, dict[str, Any]]]:
    """Every model of one side, with its kind."""
    scratch = isinstance(MODELS.get(base), Scratch)
    settings = {"task": DEFAULT_TASK if task is None else task, **(_SCRATCH_SETTINGS if scratch else {})}
    # Holders of a secret have a task of their own.
    kinds = [name for name, each in ORGANISMS.items() if each.kind.hides is hides and name not in (HOLDER, NO_SECRET)]
    if scratch and hides:
        kinds = [name for name in kinds if name in _SCRATCH_LOCKS]
    bases: list[dict[str, Any]] = [{"seed": seed} for seed in ORGANISM_SEEDS] if scratch else [{}]
    made = [
        (kind, {base: {**of_base, "organism": {kind: {**settings, **({"seed": seed} if seed else {})}}}})
        for of_base in bases
        for kind in kinds
        for seed in ORGANISM_SEEDS
    ]
    if not hides:
        made += [("plain base", {base: dict(of_base)}) for of_base in bases]
    return made


def named(dealt: Sequence[Dealt]) -> list[dict[str, Any]]:
    """The models as a study lists them, under their blind names."""
    found = []
    for each in dealt:
        ((base, options),) = each.spec.items()
        found.append({base: {key: value for key, value in options.items() if value} | {"name": each.name}})
    return found

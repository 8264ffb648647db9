"""Sets of recipes that a study names by one word: they are replaced by the recipes that they stand for.

A new set is one function and one entry in SETS.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from educe.data.errors import UserError, did_you_mean
from educe.recipes.training.presets import PRESETS

Spec = str | dict[str, Any]
# Recipes that learn from labels alone.
TRAIN_ON_LABELS = {*PRESETS, "fine_tune"}


@dataclass(frozen=True)
class RecipeSet:
    """The recipes of a set, from its settings and the label that messages begin with, and what it is for."""

    recipes: Callable[[Mapping[str, Any], str], list[Spec]]
    description: str


def _elicit_or_teach(settings: Mapping[str, Any], what: str) -> list[Spec]:
    """A recipe that trains on labels, and what it is compared with for a verdict (eval/analysis/verdicts.py)."""
    known = ("recipe", "weak")
    for key in settings:
        if key not in known:
            raise UserError(f"{what} has no setting {key!r}; {did_you_mean(str(key), known)}")
    name, own = _one_recipe(settings.get("recipe", "iid_sft"), what)
    if name not in TRAIN_ON_LABELS:
        raise UserError(f"{what}: recipe {name!r} does not train on labels alone; name one such as iid_sft")
    for key in ("random_init", "random_labels", "labels_from"):
        if own.get(key):
            raise UserError(f"{what}: recipe {name!r} has {key}, which its controls set; drop it")
    for key in ("rows_from", "context"):
        if own.get(key):
            raise UserError(f"{what}: recipe {name!r} has {key}, so its labels are not all that it is told; drop it")
    changes: list[dict[str, Any]] = [{}, {"random_init": True}, {"random_labels": 1.0}]
    if (weak := settings.get("weak")) is not None:
        changes.append({"labels_from": weak})
    return ["zero_shot", *({name: {**own, **change}} for change in changes), "ngrams"]


SETS: Mapping[str, RecipeSet] = {
    "elicit_or_teach": RecipeSet(_elicit_or_teach, "Trains, with all controls: was a gain elicited or taught?"),
}


def with_sets(specs: Sequence[Any]) -> list[Any]:
    """The specs with each set replaced by its recipes, but for those that are listed beside it.

    UserError for settings of a set that do not fit.
    """
    beside = [_canonical(spec) for spec in specs if _set_of(spec) is None]
    found: list[Any] = []
    for spec in specs:
        name = _set_of(spec)
        if name is None:
            found.append(spec)
            continue
        settings = spec.get(name) if isinstance(spec, Mapping) else None
        what = f"recipe set {name!r}"
        if not isinstance(settings, Mapping | None):
            raise UserError(f"{what}: settings {settings!r} should be a mapping, as in {{recipe: iid_sft}}")
        for recipe in SETS[name].recipes(settings or {}, what):
            if _canonical(recipe) not in beside:
                beside.append(_canonical(recipe))
                found.append(recipe)
    return found


def refuse_set(name: str) -> None:
    """UserError where a set is named in place of one recipe."""
    if name in SETS:
        raise UserError(f"recipe set {name!r} stands for several recipes; list it under recipes: of a study")


def _set_of(spec: Any) -> str | None:
    name = next(iter(spec), None) if isinstance(spec, Mapping) and len(spec) == 1 else spec
    return name if isinstance(name, str) and name in SETS else None


def _one_recipe(spec: Any, what: str) -> tuple[str, dict[str, Any]]:
    if isinstance(spec, str):
        return spec, {}
    if isinstance(spec, Mapping) and len(spec) == 1:
        ((name, settings),) = spec.items()
        if isinstance(settings, Mapping | None):
            return str(name), dict(settings or {})
    raise UserError(f"{what}: recipe = {spec!r} should be one name with its settings, as in {{iid_sft: {{rank: 4}}}}")


def _canonical(spec: Any) -> Any:
    """A recipe without settings is its name."""
    if isinstance(spec, Mapping) and len(spec) == 1:
        ((name, settings),) = spec.items()
        return spec if settings else name
    return spec

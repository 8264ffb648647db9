"""Primary comparisons: the few that a study names, and how many tests each correction is for."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from educe.data.errors import Mistakes, UserError, did_you_mean
from educe.eval.analysis.conditions import Condition
from educe.eval.analysis.controls import without_controls
from educe.eval.measurement import Failure

MAX_PRIMARY = 20  # more are no few, and leave each with little power
Examples = Annotated[int, Field(strict=True, ge=1)]


class Known(NamedTuple):
    """What a condition is on whatever model and task: the recipe's name, the name with its settings, and the budget."""

    method: str
    recipe: str
    examples: int

    def __str__(self) -> str:
        return f"{self.recipe}, {self.examples:,} examples" if self.examples else self.recipe


Pair = tuple[Known, Known]
# What a study lists for each task and model, whether it has a result or not.
Listing = Mapping[tuple[str, str], frozenset[Known]]
# Primary comparisons are named by the study, all others are then exploratory. If it names none, all are one family.
# Those with a control describe a gain: they are in no family that is tested.
Family = Literal["primary", "exploratory", "all", "control"]


def known_of(condition: Condition | Failure) -> Known:
    """What the condition is, whatever its model and task."""
    return Known(condition.method, condition.recipe, condition.examples)


def listing_of(conditions: Iterable[Condition], failures: Iterable[Failure]) -> Listing:
    """The conditions that a study lists: those with a result, and those that have none in any cell.

    Controls are left out, because they are compared with and not compared.
    """
    found: dict[tuple[str, str], set[Known]] = {}
    listed: list[Condition | Failure] = [
        *without_controls(conditions),
        *(each for each in failures if not each.control),
    ]
    for each in listed:
        found.setdefault((each.task, each.model), set()).add(known_of(each))
    return {key: frozenset(found[key]) for key in sorted(found)}


def planned_pairs(listing: Listing, primary: Sequence[Pair]) -> dict[tuple[str, str], list[Pair]]:
    """The primary comparisons of each task and model: those of which the study lists both sides there.

    A task with few rows goes without the largest budgets. What is listed nowhere is a control, or was lost.
    """
    anywhere = frozenset[Known]().union(*listing.values())
    return {
        where: [pair for pair in primary if all(side in knowns or side not in anywhere for side in pair)]
        for where, knowns in listing.items()
    }


def family_sizes(listing: Listing, primary: Sequence[Pair]) -> dict[Family, int]:
    """How many comparisons each family has by the study's design, those without a result included.

    Every condition is compared with zero-shot, and every one but zero-shot with the longest few-shot prompt.
    """
    standard = named = 0
    planned = planned_pairs(listing, primary)
    for where, knowns in listing.items():
        plain = min((each for each in knowns if each.method == "zero_shot"), key=_by_default, default=None)
        shown = max((each for each in knowns if each.method == "few_shot"), key=_by_budget, default=None)
        against_shown = knowns - {plain, shown} if shown is not None else set()
        standard += (len(knowns) - 1 if plain is not None else 0) + len(against_shown)
        named += sum(plain in pair or (shown in pair and plain not in pair) for pair in planned[where])
    if not primary:
        return {"all": standard}
    return {"primary": sum(map(len, planned.values())), "exploratory": standard - named}


def _by_default(known: Known) -> tuple[bool, str]:
    return known.recipe != known.method, known.recipe


def _by_budget(known: Known) -> tuple[int, str]:
    return known.examples, known.recipe


class Primary(BaseModel):
    """One recipe against another, as a study file has it; on every model and task of the study.

    A recipe goes by its name, or by the name with its settings as results show it. `examples` are its budget and may be
    left out where it has only one; `against_examples`, too, where the other recipe has the same budget.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: str
    examples: Examples | None = None
    against: str = "zero_shot"
    against_examples: Examples | None = None


def resolve(named: Sequence[Primary], known: Collection[Known]) -> tuple[Pair, ...]:
    """The two sides of each comparison among the recipes and budgets of a study. UserErrors with a line a mistake."""
    found, pairs = Mistakes(), dict[frozenset[Known], Pair]()
    for place, each in enumerate(named):
        with found.collecting():
            pair = _sides(each, sorted(known), f"compare.{place}")
            if pair[0] == pair[1]:
                raise UserError(f"compare.{place} compares {pair[0]} with itself; give another `against`")
            if frozenset(pair) in pairs:
                raise UserError(f"compare.{place} compares {pair[0]} with {pair[1]} again; once is enough")
            pairs[frozenset(pair)] = pair
    found.check()
    return tuple(pairs.values())


def _sides(named: Primary, known: Sequence[Known], where: str) -> Pair:
    first = _only(_of_recipe(named.recipe, known, f"{where}: recipe"), named.examples, f"{where}: examples")
    others = _of_recipe(named.against, known, f"{where}: against")
    budget = named.against_examples
    if budget is None and len(others) > 1 and any(each.examples == first.examples for each in others):
        budget = first.examples
    return first, _only(others, budget, f"{where}: against_examples")


def _of_recipe(name: str, known: Sequence[Known], where: str) -> list[Known]:
    """The budgets of the one recipe that has this name: with its settings, or else without."""
    found = [each for each in known if each.recipe == name] or [each for each in known if each.method == name]
    recipes = sorted({each.recipe for each in found})
    if len(recipes) > 1:
        raise UserError(f"{where} = {name!r} could be {len(recipes)} recipes; write one of {', '.join(recipes)}")
    if not found:
        fix = did_you_mean(name, {each.recipe for each in known})
        raise UserError(f"{where} = {name!r} is not among the recipes of the study; {fix}")
    return found


def _only(found: Sequence[Known], budget: int | None, where: str) -> Known:
    """The one with this budget, or the only one."""
    budgets = ", ".join(str(each.examples) for each in found)
    if budget is None and len(found) > 1:
        raise UserError(f"{where} is missing, and {found[0].recipe} has several; give one of {budgets}")
    for each in found:
        if budget in (None, each.examples):
            return each
    raise UserError(f"{where} = {budget} is not a budget of {found[0].recipe}; give one of {budgets}")

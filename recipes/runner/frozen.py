"""A frozen plan: what a study was going to run, compare and claim, written down before its results were seen."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, with_config

from educe.data.errors import UserError
from educe.data.untrusted import parse_yaml
from educe.data.writing import write_whole
from educe.eval.analysis.claims.study import Limits
from educe.eval.analysis.looks import Seeds
from educe.eval.ranges import Count
from educe.recipes.runner.corruption import CORRUPTION, reason_of
from educe.recipes.runner.listing import Listed
from educe.recipes.runner.looks import Time, condition_id, hash_of, now, seeds_by_condition
from educe.recipes.runner.seal import read_sealed, sealed_text

PLAN = "plan.json"


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, kw_only=True)
class Planned:
    """A condition with its seeds: names for people, the id for what decides its results."""

    id: str
    model: str
    task: str
    recipe: str
    examples: Count
    seeds: list[Count]


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, kw_only=True)
class Plan:
    """The study with its primary comparisons, the limits of its claims, its conditions, and the hash of its cells.

    `results_before` is how many of the cells had results when the plan was put into a run directory, `looks_before` how
    many looks at results were on its record.
    """

    time: Time
    study: dict[str, Any]
    limits: Limits
    conditions: list[Planned]
    cells: Count
    hash: str
    results_before: Count = 0
    looks_before: Count = 0

    @property
    def seeds(self) -> Seeds:
        """The planned seeds of each condition."""
        return {each.id: frozenset(each.seeds) for each in self.conditions}

    @property
    def date(self) -> str:
        return self.time.partition("T")[0]

    def text(self) -> str:
        """The plan as sealed JSON."""
        return sealed_text(asdict(self))

    def changes(self, study_text: str, cells: Sequence[Listed], limits: Limits) -> list[str]:
        """What is not as it was planned, a phrase each; limits are those of the claims that are made."""
        study = parse_yaml(study_text, source="study.yaml")
        planned = {(each.id, seed) for each in self.conditions for seed in each.seeds}
        listed = {(condition_id(cell.facts), cell.facts.seed) for cell in cells}
        keys = _different(self.study, study)
        # What else the study says of the same cells changes no result: a file may have moved.
        found = [f"`{key}` of the study" for key in keys if key == "compare" or listed != planned]
        if more := len(listed - planned):
            found.append(f"{more:,} of {len(listed):,} cells were not planned")
        if fewer := len(planned - listed):
            found.append(f"{fewer:,} of {len(planned):,} planned cells are not in the study")
        now, then = vars(limits), vars(self.limits)
        return found + [f"--{name} is {now[name]}, planned {then[name]}" for name in _different(then, now)]


_PLAN = TypeAdapter(Plan)


def freeze(study_text: str, cells: Iterable[Listed], limits: Limits) -> Plan:
    """The plan of a study with these cells, as of now."""
    cells = list(cells)
    named = {condition_id(cell.facts): cell for cell in cells}
    conditions = [
        Planned(
            id=name,
            model=named[name].model,
            task=named[name].task,
            recipe=named[name].recipe,
            examples=named[name].facts.examples,
            seeds=seeds,
        )
        for name, seeds in seeds_by_condition(cells).items()
    ]
    return Plan(
        time=now(),
        study=parse_yaml(study_text, source="study.yaml"),
        limits=limits,
        conditions=conditions,
        cells=len(cells),
        hash=hash_of(cells),
    )


def limits_of(plan: Plan | None, given: Mapping[str, float]) -> Limits:
    """The limits of claims: what is given, else the plan's, else the default. UserError for one out of range."""
    return replace(Limits() if plan is None else plan.limits, **given)


def write_plan(plan: Plan, path: Path) -> None:
    """Write a plan as a new file. UserError where there is a file: a frozen plan is not written over."""
    if path.exists() or path.is_symlink():
        raise UserError(f"{path} is there already, and a frozen plan is not changed; give another name")
    try:
        write_whole(path, plan.text())
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; give another name") from None


def read_plan(path: Path) -> Plan:
    """The plan in a file. UserError where it is not one that was frozen."""
    try:
        return checked(read_sealed(path))
    except CORRUPTION as error:
        raise UserError(f"{path} is no frozen plan ({reason_of(error, path)}); see educe plan --freeze") from None


def checked(values: Any) -> Plan:
    """A plan from its values. ValueError where they are not what `freeze` makes."""
    if not isinstance(values, dict):
        raise ValueError("it is not a mapping")
    plan = _PLAN.validate_python(values)
    if json.dumps(asdict(plan)) != json.dumps(values):
        raise ValueError("its values are not as they are written")
    if plan.cells != sum(len(each.seeds) for each in plan.conditions):
        raise ValueError("it has another number of cells than it lists")
    if len({each.id for each in plan.conditions}) < len(plan.conditions):
        raise ValueError("a condition comes twice")
    return plan


def same(one: Plan, other: Plan) -> bool:
    """Whether two are one plan, wherever they lie."""
    return replace(one, results_before=0, looks_before=0) == replace(other, results_before=0, looks_before=0)


def _different(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    return [key for key in dict.fromkeys((*one, *other)) if one.get(key) != other.get(key)]

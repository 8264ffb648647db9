"""What a run directory has on record of how its results came about: the looks at them, and the plan before them."""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from types import MappingProxyType

from educe.data.display import visible
from educe.data.errors import UserError
from educe.data.untrusted import parse_json
from educe.eval.analysis.claims.study import Limits
from educe.eval.analysis.looks import Looks, Seeds
from educe.eval.measurement import Measurement
from educe.recipes.runner.corruption import CORRUPTION, Corrupt, reason_of, report_corruption
from educe.recipes.runner.frozen import PLAN, Plan, checked, limits_of, same
from educe.recipes.runner.listing import Listed
from educe.recipes.runner.looks import LOOKS, Command, Log, Opening, condition_id, entry_of, log_text, now, parse_log
from educe.recipes.runner.store import Store, Unwritable

_FOLDER = re.compile(r"n(?P<examples>[0-9]{1,9})-s(?P<seed>[0-9]{1,9})-[0-9a-f]+")  # see `listing.cell_folder`
_LATE = "the first results are older than the record"


@dataclass(frozen=True, kw_only=True)
class Record:
    """The looks, the limits of claims, and what is said of both and of the plan, a sentence each."""

    looks: Looks
    limits: Limits
    lines: tuple[str, ...]


def look(
    store: Store,
    measurements: Sequence[Measurement],
    command: Command,
    given: Mapping[str, float] = MappingProxyType({}),
) -> Record:
    """Write down a look at these results and return the record; `given` are the limits of claims that a user sets.

    A directory that cannot be written to is read all the same, which is said on standard error.
    """
    listing, stands = store.listing(), {each.provenance.cell for each in measurements}
    plan = read_plan(store)
    limits = limits_of(plan, given)
    entry = entry_of(command, listing, [cell for cell in listing if cell.key in stands])
    log = read_looks(store)
    if entry.cells and not log.has(entry):
        try:
            with store.writing(), store.sealed.locked():
                log = read_looks(store)  # again: others may have looked, at the same results too
                if not log.has(entry):
                    store.sealed.write({LOOKS: log_text(replace(log, entries=(*log.entries, entry)))})
        except Unwritable as error:
            print(f"educe: {visible(f'this look at results is not recorded: {error}')}", file=sys.stderr)
    looks = Looks(
        ids={cell.key: condition_id(cell.facts) for cell in listing if cell.key in stands},
        now=entry.look,
        earlier=[each.look for each in log.entries],
        plan=None if plan is None else plan.seeds,
        looks_before=0 if plan is None else plan.looks_before,
        lost=log.opening.lost or (_LATE if log.opening.late else ""),
        unlisted=unlisted_seeds(store, listing),
    )
    planned = _plan_line(plan, plan.changes(store.study_text(), listing, limits) if plan else [])
    return Record(looks=looks, limits=limits, lines=(planned, *_before(plan), *_looks_lines(log, looks)))


def unlisted_seeds(store: Store, listing: Sequence[Listed]) -> Seeds:
    """The seeds of each listed condition for which a result lies in the directory, though the study does not list it.

    Told by the names of folders: what cells of another design have left under the same name counts, too.
    """
    known = {cell.folder for cell in listing}
    listed: dict[tuple[str, int], tuple[str, set[int]]] = {}  # by folder and budget: the condition, and its seeds
    for cell in listing:
        place = str(PurePosixPath(cell.folder).parent), cell.facts.examples
        listed.setdefault(place, (condition_id(cell.facts), set()))[1].add(cell.facts.seed)
    found: dict[str, set[int]] = {}
    for parent in sorted({parent for parent, _ in listed}):
        folder = store.root / "cells" / parent
        for name in () if folder.is_symlink() or not folder.is_dir() else os.listdir(folder):
            read = _FOLDER.fullmatch(name)
            place = parent, int(read["examples"]) if read else -1
            if read and place in listed and f"{parent}/{name}" not in known:
                condition, seeds = listed[place]
                found.setdefault(condition, set()).update({int(read["seed"])} - seeds)
    return {name: frozenset(seeds) for name, seeds in found.items() if seeds}


def read_looks(store: Store) -> Log:
    """The looks at a directory. Corrupt where the log is missing or is not what was written."""
    with report_corruption(store.root / LOOKS):
        text = store.sealed.read(LOOKS)
        # A version without a log wrote the directory.
        return Log(opening=Opening(opened=now(), late=True)) if text is None else parse_log(text)


def read_plan(store: Store) -> Plan | None:
    """The plan of a directory, None where it has none. Corrupt where it is missing or is not what was frozen."""
    path = store.root / PLAN
    try:
        text = store.sealed.read(PLAN)
        if text is None:
            return None
        values = parse_json(text, source=PLAN)
        if isinstance(values, dict):
            values.pop("seal", None)
        return checked(values)
    except Corrupt:
        raise
    except CORRUPTION as error:
        raise Corrupt(f"{path} is corrupt ({reason_of(error, path)}); give it again: educe run --plan FILE") from None


def adopt(store: Store, plan: Plan, *, results: int) -> None:
    """Put a plan into a directory that has so many results, with the number of looks at them before it.

    UserError where it has another plan.
    """
    try:
        known = read_plan(store)
    except Corrupt:
        known = None
    if known is not None and not same(known, plan):
        raise UserError(f"{store.root} has another plan, of {known.time}; give another --out")
    if known is None:
        with store.writing(), store.sealed.locked():
            looks = len(read_looks(store).entries)
            store.sealed.write({PLAN: replace(plan, results_before=results, looks_before=looks).text()})


def _plan_line(plan: Plan | None, changes: Sequence[str]) -> str:
    if plan is None:
        return "Not planned: no plan was frozen before results were seen."
    if not changes:
        return f"Planned on {plan.date}, unchanged."
    return f"Planned on {plan.date}, and changed since: {'; '.join(changes)}."


def _before(plan: Plan | None) -> list[str]:
    if plan is None or not plan.results_before:
        return []
    seen = f", and were looked at {_times(plan.looks_before)}" if plan.looks_before else ""
    return [f"{plan.results_before:,} results were there before the plan was put into this directory{seen}."]


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _looks_lines(log: Log, looks: Looks) -> list[str]:
    """How often results were looked at before, and what is not known of that."""
    lines = []
    if log.opening.lost:
        lines.append(f"Earlier looks are not known: looks.jsonl was damaged or removed ({log.opening.lost}).")
    elif log.opening.late:
        lines.append(f"Earlier looks are not known: {_LATE}.")
    others = [each.stood for each in looks.earlier if each.stood != looks.now.stood]
    if earlier := sum(any(map(stood.get, looks.now.stood)) for stood in others):
        lines.append(f"These results were looked at {_times(earlier)} before, when another set of cells had results.")
    return lines

"""Cohorts: which cells of a study are elicited together, as the study fixes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from educe.recipes.runner.cell import Cell
from educe.train.limits import in_groups


@dataclass(frozen=True)
class Unit:
    """Cells that are elicited together, or one alone, and the folders of those that have no result yet."""

    cells: tuple[Cell, ...]
    missing: frozenset[str]

    @property
    def wanted(self) -> list[Cell]:
        """The cells without a result."""
        return [cell for cell in self.cells if cell.listed.folder in self.missing]

    @property
    def loaded(self) -> tuple[str, str]:
        """What says whether two units need the same model."""
        return model_of(self.cells[0])

    @property
    def panel(self) -> tuple[tuple[str, str], str]:
        """Model and task: the panel of the report that its cells belong to."""
        return self.loaded, self.cells[0].task.name

    @property
    def rows(self) -> float:
        """Rows that the model reads to train, search and answer, which says which of two units takes longer.

        Training counts three times, for its backward pass.
        """
        workloads = [(cell, cell.method.workload(cell.recipe_task, cell.examples)) for cell in self.cells]
        return sum(
            3 * asked.training_rows
            + asked.scored_rows
            + asked.sampled_rows
            + asked.demonstrated_rows
            + (len(cell.items) * asked.prompts_per_item if asked.prompt_configs else 0)
            for cell, asked in workloads
        )


def model_of(cell: Cell) -> tuple[str, str]:
    """What loading a cell's model depends on."""
    return repr(cell.model_spec), cell.dtype


def cohorts(cells: Sequence[Cell]) -> list[tuple[Cell, ...]]:
    """The cells of a study in the groups that are elicited together, models outermost and one task after another.

    Cells whose recipes agree (`Method.cohort`) are sorted by size and cut into groups (train/limits.py). On each task,
    recipes that choose on dev rows come last: they take longest.
    """
    found: dict[tuple[Any, ...], list[Cell]] = {}
    for place, cell in enumerate(cells):
        alike = cell.method.cohort
        shared = place if alike is None else alike
        found.setdefault((model_of(cell), cell.task.name, cell.method.reads_dev, shared), []).append(cell)
    order: dict[Any, int] = {}
    for key in found:
        for part in (key[0], key[:2]):
            order.setdefault(part, len(order))
    keys = sorted(found, key=lambda key: (order[key[0]], order[key[:2]], key[2]))
    by_size = (sorted(found[key], key=lambda cell: cell.examples) for key in keys)
    return [tuple(group) for alike in by_size for group in in_groups(alike)]


def for_workers(units: Sequence[Unit]) -> list[Unit]:
    """Units in the order in which free workers take them: those of the first panel, and then the longest first.

    So a panel is whole early, and at the end no worker waits long for another.
    """
    panels = [unit.panel for unit in units]
    first = [unit for unit, panel in zip(units, panels, strict=True) if panel == panels[0]]
    others = [unit for unit, panel in zip(units, panels, strict=True) if panel != panels[0]]
    return first + sorted(others, key=lambda unit: -unit.rows)


def alone(units: Sequence[Unit]) -> list[Unit]:
    """The cells without a result, one a unit: a launch of several processes trains no cells together."""
    return [Unit((cell,), frozenset([cell.listed.folder])) for unit in units for cell in unit.wanted]


def units(cells: Sequence[Cell], made_with: Mapping[str, Sequence[str]]) -> list[Unit]:
    """What has to be run of a study's cells; `made_with` has the cohort of each that has a result, by its folder.

    A cohort of which nothing is there runs whole. Where a run broke off inside a cohort, it is elicited again as it
    was, so that the missing results get the bytes that they would have had. Cells that a study gained later are
    elicited without those that were there before.
    """
    by_folder = {cell.listed.folder: cell for cell in cells}
    missing = by_folder.keys() - made_with.keys()
    begun: dict[str, list[tuple[str, ...]]] = {}  # by each of their cells
    for made in dict.fromkeys(map(tuple, made_with.values())):
        if by_folder.keys() >= set(made):
            for folder in made:
                begun.setdefault(folder, []).append(made)
    found = []
    for cohort in cohorts(cells):
        own = dict.fromkeys(cell.listed.folder for cell in cohort).keys()
        for made in dict.fromkeys(made for folder in own for made in begun.get(folder, ())):
            if not own.isdisjoint(missing.intersection(made)):
                found.append(Unit(tuple(by_folder[each] for each in made), frozenset(missing.intersection(made))))
                missing.difference_update(made)
        if left := own & missing:
            found.append(Unit(tuple(cell for cell in cohort if cell.listed.folder in left), frozenset(left)))
    return found

"""`educe screen`: which tasks of a study have room, told on dev rows with one seed before the study is paid for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from educe.data.errors import UserError
from educe.eval.analysis.conditions import pool
from educe.eval.analysis.room import RULE, Room, is_candidate, rooms, with_room
from educe.recipes.catalog import make_method
from educe.recipes.method import Method
from educe.recipes.runner.cell import Cell
from educe.recipes.runner.corruption import Corrupt
from educe.recipes.runner.environment import git_state, versions
from educe.recipes.runner.listing import Listed
from educe.recipes.runner.looks import hash_of
from educe.recipes.runner.results import Results
from educe.recipes.runner.run_study import run_study
from educe.recipes.runner.screened import Screened
from educe.recipes.runner.seal import SEAL, checksum
from educe.recipes.runner.store import Store
from educe.recipes.runner.study import Spec, Study

_SUFFIX, _MAX_NAME = "-screen", 100


@dataclass(frozen=True, kw_only=True)
class Screening:
    """A study and what of it is screened: another study on dev rows, its cells, and a line for each recipe left out."""

    study: Study
    dev_study: Study
    cells: tuple[Cell, ...]
    left_out: tuple[str, ...]

    @property
    def train_rows(self) -> dict[str, int]:
        """The number of train rows of each task, in the study's order."""
        return {cell.task.name: len(cell.recipe_task.rows["train"]) for cell in self.cells}


def prepare(study: Study) -> Screening:
    """What of a study can be screened.

    UserError for a study that asks for test rows, that lacks zero_shot or a recipe to compare with it, and for all that
    a study is refused for.
    """
    if "measure_on" in study.model_fields_set and study.measure_on == "test":
        raise UserError("a screen reads dev rows, and the study says measure_on: test; drop measure_on")
    # Of all recipes and comparisons: what is chosen has to run.
    _with(study, measure_on="test").cells()
    made = [(spec, *make_method(spec)) for spec in study.recipes]
    left_out = [line for _, name, method in made if (line := _why_left_out(name, method))]
    kept = [(spec, method) for spec, name, method in made if not _why_left_out(name, method)]
    _check_recipes([method for _, method in kept], left_out)
    dev_study = _on_dev_rows(study, [spec for spec, _ in kept])
    return Screening(study=study, dev_study=dev_study, cells=dev_study.cells(), left_out=tuple(left_out))


def run_screen(
    screening: Screening, out: str | Path, *, keep: int | None = None, workers: int | None = None
) -> tuple[Screened, Results]:
    """Run what is not in the directory yet, and write down there which tasks were chosen, and why.

    `keep` is the largest number of tasks to choose, `workers` are as for run_study. UserError where the directory holds
    a study on test rows.
    """
    if keep is not None and keep < 1:
        raise UserError(f"--keep {keep} leaves no task; give 1 or more, or leave it out")
    store = Store(Path(out))
    _refuse_test_rows(store)
    results = run_study(screening.dev_study, out, workers=workers)
    screened = _screened(screening, results, [cell.listed for cell in screening.cells], keep)
    with store.writing():
        store.sealed.write(screened.texts())
    return screened, results


def _why_left_out(name: str, method: Method) -> str:
    if method.reads_dev:
        return f"{method.label(name)}: left out, because it chooses on dev rows and cannot be scored on them"
    if method.analysed_as == "sensitivity":
        return f"{method.label(name)}: left out, because it measures wording and elicits nothing"
    return ""


def _trains(study: Study) -> bool:
    """Whether a recipe has a cell for each of the study's examples."""
    return any(make_method(spec)[1].takes_examples for spec in study.recipes)


def _check_recipes(methods: Sequence[Method], left_out: Sequence[str]) -> None:
    without = f" ({'; '.join(left_out)})" if left_out else ""
    if not any(method.analysed_as == "zero_shot" for method in methods):
        raise UserError(f"a screen compares with zero_shot, which the study lacks{without}; add it to recipes")
    if sum(is_candidate(method.analysed_as) for method in methods) < 2:
        raise UserError(
            f"nothing is left to compare with zero_shot but controls{without}; add a recipe such as iid_sft"
        )


def _on_dev_rows(study: Study, recipes: Sequence[Spec]) -> Study:
    """The study on dev rows with its first seed. Nothing is claimed on them, so there are no primary comparisons."""
    changes = {"name": study.name[: _MAX_NAME - len(_SUFFIX)] + _SUFFIX, "recipes": recipes}
    return _with(study, **changes, seeds=study.seeds[:1], measure_on="dev", compare=())


def _refuse_test_rows(store: Store) -> None:
    """UserError where the directory lists cells on test rows, which would be lost from its listing, or may do so."""
    if not any((store.root / name).exists() for name in ("cells.json", SEAL)):
        return
    try:
        listing = store.listing()
    except Corrupt as error:
        reason = str(error).partition(";")[0]
        raise UserError(f"{reason}, so nobody knows whether it has results on test rows; give another --out") from None
    if any(cell.facts.measure_on == "test" for cell in listing):
        raise UserError(f"{store.root} has a study on test rows, and a screen reads dev rows; give another --out")


def _screened(screening: Screening, results: Results, cells: Sequence[Listed], keep: int | None) -> Screened:
    found = rooms(pool(results.measurements))
    found += _without_results(found, cells)
    best = with_room(found)[:keep]
    chosen = [task for task in screening.train_rows if task in best]
    final, changes = study_of_tasks(screening, chosen) if chosen else (None, [])
    return Screened(
        rule=RULE,
        study=_values(screening.study),
        study_hash=checksum(screening.study.text().encode()),
        cells=len(cells),
        hash=hash_of(cells),
        failed=len(results.failures),
        left_out=list(screening.left_out),
        keep=keep,
        rooms=found,
        chosen=chosen,
        changes=changes,
        chosen_study=None if final is None else _values(final),
        versions=versions(),
        git=git_state(),
    )


def _without_results(found: Sequence[Room], cells: Sequence[Listed]) -> list[Room]:
    """A line for each model and task of which every cell failed."""
    known = {(each.model, each.task) for each in found}
    return [
        Room(
            model=model,
            task=task,
            n=0,
            chance=None,
            zero_shot=None,
            best=None,
            control=None,
            recipes=0,
            gain=None,
            verdict="unknown",
            reason="every cell failed",
        )
        for model, task in dict.fromkeys((cell.model, cell.task) for cell in cells)
        if (model, task) not in known
    ]


def study_of_tasks(screening: Screening, chosen: Sequence[str]) -> tuple[Study, list[str]]:
    """The study of these tasks on test rows, and what else changed: it lacks examples that none of them holds.

    Comparisons at these are left out, too.
    """
    study, rows = screening.study, screening.train_rows
    specs = [spec for spec, task in zip(study.tasks, rows, strict=True) if task in chosen]
    held = max(rows[task] for task in chosen)
    over = [size for size in study.examples if size > held]
    if not over or not _trains(study):
        return _with(study, tasks=specs, measure_on="test"), []
    sizes = [size for size in study.examples if size <= held]
    smaller = _with(study, tasks=specs, measure_on="test", examples=sizes, compare=())
    written = [each.model_dump(exclude_unset=True) for each in study.compare]
    compare = tuple(each for each in written if _has(smaller, each))
    changes = [f"{_examples(over)} left out: none of these tasks holds more than {held} train rows"]
    if lost := len(written) - len(compare):
        changes.append(f"{lost} of {len(written)} primary comparisons left out with them")
    return _with(smaller, compare=compare), changes


def _has(study: Study, comparison: dict[str, Any]) -> bool:
    try:
        _with(study, compare=[comparison]).primary()
    except UserError:
        return False
    return True


def _with(study: Study, **changes: Any) -> Study:
    """The study with other values; a key without any is left out."""
    return Study.make({key: value for key, value in (_values(study) | changes).items() if value != ()})


def _values(study: Study) -> dict[str, Any]:
    """The keys that are written in a study."""
    return study.model_dump(mode="json", exclude_unset=True)


def _examples(sizes: Sequence[int]) -> str:
    return f"examples {', '.join(map(str, sizes))}"

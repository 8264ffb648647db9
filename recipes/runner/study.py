"""Study: models x tasks x recipes x budgets x seeds, as a file or as a value, and the cells it stands for."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from educe.data.errors import Mistakes, UserError, UserErrors, did_you_mean, lines_of
from educe.data.own import say_own
from educe.data.resolve import resolve
from educe.data.task import Task
from educe.data.tasks.suites import with_suites
from educe.data.untrusted import read_yaml
from educe.data.validation import check_name
from educe.eval.analysis.primary import MAX_PRIMARY, Known, Pair, Primary
from educe.eval.analysis.primary import resolve as resolve_primary
from educe.eval.model.source import LINEAR_MAPS, Source
from educe.eval.prompting.prompts import check_template, resolve_format, style_of
from educe.recipes.catalog import make_method
from educe.recipes.method import Method
from educe.recipes.models import find_model
from educe.recipes.runner.cell import Cell
from educe.recipes.runner.changes import apply_change
from educe.recipes.runner.engines.settings import check_engine
from educe.recipes.runner.launch_settings import Launch, read_launch
from educe.recipes.runner.listing import MeasureOn
from educe.recipes.runner.sizes import sizes_on
from educe.recipes.runner.tracking.settings import check_track
from educe.recipes.sets import with_sets
from educe.recipes.validation import faults_by_key, validated
from educe.train.organisms.source import asked_task, recipe_task

# `{few_shot: }` is a name without settings.
Settings = Annotated[dict[str, Any], BeforeValidator(lambda written: {} if written is None else written)]
Spec = str | dict[str, Settings]


def _read_primary(written: Any) -> Any:
    """An entry of `compare`, so that its mistakes are named as those of the study are."""
    if not isinstance(written, dict):
        return written
    return validated(Primary, written, what="a comparison", known=Primary.model_fields)


# A task as a model is asked it, and as recipes get it.
_Asked = tuple[Task, Task]
_LISTS = ("models", "tasks", "recipes", "examples", "seeds")
# What reads the entries of each list, and says what is wrong with them.
_READERS: dict[str, Callable[[Any], Any]] = {"models": find_model, "tasks": resolve, "recipes": make_method}
# More would take minutes to plan, before anything runs.
MAX_CELLS = 100_000
# Other words for a key, from other tools and an earlier version: the nearest spelling would be another key.
_SYNONYMS = {
    "subject": "models",
    "subjects": "models",
    "method": "recipes",
    "methods": "recipes",
    "dataset": "tasks",
    "datasets": "tasks",
    "budgets": "examples",
    "limit": "test_items",
    "primary": "compare",
    "comparisons": "compare",
}


class Study(BaseModel):
    """What to try, on which models, at which budgets.

    `examples` are numbers of labelled training rows, for recipes that learn from them; the others ignore the key. A
    task goes without those that only other tasks hold.
    `test_items` is the maximum number of items that a cell is scored on. `measure_on: dev` scores on dev rows, which
    serves to choose defaults and never to claim anything. `threads` is how many a cell computes with on a CPU, whatever
    the machine has: sums are cut by threads, so their number moves low-order bits, and through training scores.
    `engine` starts the workers, and no result depends on it. `launch` runs each cell over several devices; results of
    other numbers of them differ by rounding. `compare` are the primary comparisons. A suite of tasks,
    or a set of recipes, stands for all of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$", description="up to 100 letters, digits, dots and dashes"
    )
    models: tuple[Spec, ...] = Field(min_length=1)
    tasks: tuple[Spec, ...] = Field(min_length=1)
    recipes: tuple[Spec, ...] = Field(min_length=1)
    examples: tuple[Annotated[int, Field(strict=True, ge=1)], ...] = ()
    seeds: tuple[Annotated[int, Field(strict=True, ge=0, lt=2**32)], ...] = Field(default=(0,), min_length=1)
    test_items: Annotated[int, Field(strict=True, ge=1)] | None = None
    compare: tuple[Annotated[Primary, BeforeValidator(_read_primary)], ...] = Field(default=(), max_length=MAX_PRIMARY)
    measure_on: MeasureOn = "test"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    threads: Annotated[int, Field(strict=True, ge=1, le=1024)] = 1
    device: str = Field(
        default="auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$", description="auto, cpu, mps, cuda or cuda:0"
    )
    engine: Annotated[str | dict[str, Settings], BeforeValidator(check_engine)] = "local"
    launch: Annotated[Launch | None, BeforeValidator(read_launch)] = None
    track: Annotated[str | dict[str, Settings], BeforeValidator(check_track)] = "none"

    @classmethod
    def read(cls, path: str | Path, *, changes: Sequence[str] = ()) -> "Study":
        """Read a YAML study, with `a.b=c` changes on top. UserError for every fault, naming key and fix."""
        path = Path(path)
        written = read_yaml(path)
        if not isinstance(written, dict):
            raise UserError(f"study {path} is empty or not a mapping; start with `name:`, `models:`, `tasks:`")
        found = Mistakes()
        for change in changes:
            with found.collecting():
                apply_change(written, change)
        found.check()
        say_own(written, what=f"study {path}")
        return cls.make(written, what=f"study {path}")

    @classmethod
    def make(cls, written: dict[str, Any], *, what: str = "study") -> "Study":
        """Validate a study given as plain values. UserErrors with a line a mistake, in the order of the values."""
        try:
            return cls(**written)
        except UserError as error:
            raise UserErrors([_within(what, line) for line in lines_of(error)]) from None

    def __init__(self, **written: Any) -> None:
        if isinstance(written.get("tasks"), list | tuple):
            # Here, so that the study that is stored lists its tasks whatever a suite holds later.
            written["tasks"] = with_suites(written["tasks"])
        if isinstance(written.get("recipes"), list | tuple):
            written["recipes"] = with_sets(written["recipes"])
        faults: dict[str, list[str]] = {}
        try:
            super().__init__(**written)
        except ValidationError as error:
            faults = dict(faults_by_key(error, what="study", known=type(self).model_fields))
        for key in written:
            if meant := _SYNONYMS.get(key):
                faults[key] = [f"study has no key {key!r}; did you mean {meant!r}?"]
                faults.pop(meant, None) if meant not in written else None
        for key in _LISTS:
            faults.setdefault(key, []).extend(_repeated(key, written.get(key)))
        if any(faults.values()):
            for key, read in _READERS.items():
                faults[key].extend(_unreadable(written.get(key), read))
            ordered = [*written, *(key for key in faults if key not in written)]
            raise UserErrors([line for key in ordered for line in faults.get(key, [])])

    @model_validator(mode="after")
    def _launches_over_several_devices(self) -> "Study":
        if self.launch is not None and self.device not in ("auto", "cpu", "cuda"):
            raise ValueError(f"launch takes several devices, and {self.device!r} is one; write device: cuda, or cpu")
        return self

    def text(self) -> str:
        """The study as YAML, changes applied."""
        return yaml.safe_dump(self.model_dump(mode="json", exclude_unset=True), sort_keys=False)

    def primary(self) -> tuple[Pair, ...]:
        """The two sides of each primary comparison. UserError for what is not in the study, or is not clear."""
        made = [make_method(spec) for spec in self.recipes]
        known = [
            Known(name, method.label(name), size) for name, method in made for size in method.budgets(self.examples)
        ]
        pairs = resolve_primary(self.compare, known)
        controls = {method.label(name) for name, method in made if method.analysed_as == "control"}
        for place, (first, _) in enumerate(pairs):
            if first.recipe in controls:
                raise UserError(
                    f"compare.{place}: recipe = {first.recipe!r} is a control, and no gain of a control is tested; "
                    "name it under against"
                )
        return pairs

    def cells(self) -> tuple[Cell, ...]:
        """Every cell, models outermost so that each is loaded once.

        UserError for everything that can be known to fail without loading a model: an unknown model, task or recipe,
        more examples than a split has, a chat template for a base model.
        """
        found = Mistakes()
        sources = _read_all(self.models, find_model, found)
        tasks = [task for _, task in _read_all(self.tasks, resolve, found)]
        methods = [made for _, made in _read_all(self.recipes, make_method, found)]
        asked = self._check(methods, [source for _, source in sources], tasks, found)
        found.check()
        self.primary()
        self._check_count(methods, len(tasks) * len(sources))
        recipes = [method for _, method in methods]
        cells = tuple(
            Cell(
                source=source,
                model_spec=spec,
                task=task,
                recipe_task=for_recipes,
                method_name=name,
                method=method,
                examples=size,
                seed=seed,
                test_items=self.test_items,
                measure_on=self.measure_on,
                dtype=self.dtype,
                threads=self.threads,
            )
            for spec, source in sources
            for task, for_recipes in asked[source.name]
            for name, method in methods
            for size in sizes_on(for_recipes, method, self.examples, [each for _, each in asked[source.name]], recipes)
            for seed in (self.seeds if method.seeded else self.seeds[:1])
        )
        _check_cells(cells)
        return cells

    def _check(
        self,
        methods: Sequence[tuple[str, Method]],
        sources: Sequence[Source],
        tasks: Sequence[Task],
        found: Mistakes,
    ) -> dict[str, list[_Asked]]:
        """What each model is asked, by its name; mistakes that only show where models, tasks and recipes meet.

        Those of one kind are found once.
        """
        for key, named in (("models", sources), ("tasks", tasks)):
            for each in named:
                with found.collecting():
                    check_name(key.removesuffix("s"), each.name)
            repeated = [name for name, times in Counter(each.name for each in named).items() if times > 1]
            found.lines.extend(
                f"two {key} have the name {name!r}; give one another name: {{...: {{name: other}}}}"
                for name in repeated
            )
        found.lines.extend(_named_alike(methods))
        if not self.examples and any(method.takes_examples for _, method in methods):
            found.lines.append(
                "study lacks the key 'examples', which its training recipes need; add examples: [4, 16, 64]"
            )
            return {}
        plain = [task for task in tasks if _is_readable(task, found)]
        asked = _asked(sources, plain, found)
        seen: set[str] = set()
        methods = [each for each in methods if _finds_rows(each, plain, found)]
        recipes = [each for _, each in methods]
        for name, method in methods:
            if self.measure_on == "dev" and method.reads_dev:
                found.lines.append(f"recipe {name!r} chooses on dev rows and cannot be scored on them; drop measure_on")
                continue
            # Once for all models that are asked the same: some checks read every row.
            for group in _same_tasks(sources, asked) or [[]]:
                readable = [each for _, each in asked[group[0].name]] if group else plain
                for task in readable:
                    try:
                        sizes = sizes_on(task, method, self.examples, readable, recipes)
                        self._check_task(method, task, group, sizes)
                    except UserError as error:
                        if str(error) not in seen:
                            found.lines.append(f"recipe {name!r}: {error}")
                        seen.add(str(error))
        return asked

    def _check_task(self, method: Method, task: Task, sources: Sequence[Source], sizes: Sequence[int]) -> None:
        for size in sizes:
            method.check(task, examples=size)
        for source in sources:
            _check_places(method.plain_settings(), source)
            if source.organism and method.rows_task(task) is not task:
                raise UserError(
                    f"it reads rows of another task, and those of task {task.name!r} alone are known not to have made "
                    f"organism {source.name!r}; drop rows_from or fit_on, or the organism"
                )
        for config in method.workload(task, sizes[0]).prompt_configs:
            for source in sources:
                check_template(config.template, kind=source.kind, name=source.name)
                other = method.rows_task(task)
                for read in [task] if other is task else [task, other]:
                    resolve_format(read, config, style=style_of(config.template, kind=source.kind))

    def _check_count(self, methods: Sequence[tuple[str, Method]], pairs: int) -> None:
        count = pairs * sum(
            len(method.budgets(self.examples)) * (len(self.seeds) if method.seeded else 1) for _, method in methods
        )
        if count > MAX_CELLS:
            raise UserError(f"study has {count:,} cells, over {MAX_CELLS:,}; give fewer examples, seeds or recipes")


def _asked(sources: Sequence[Source], tasks: Sequence[Task], found: Mistakes) -> dict[str, list[_Asked]]:
    """What each model is asked, by its name: for all but organisms the tasks themselves."""
    made: dict[str, list[_Asked]] = {}
    for source in sources:
        with found.collecting():
            asked = [asked_task(source, task) for task in tasks]
            made[source.name] = [(task, recipe_task(source, task)) for task in asked]
    return made


def _same_tasks(sources: Sequence[Source], asked: Mapping[str, Sequence[_Asked]]) -> list[list[Source]]:
    """The models in groups that are asked the same rows; a model whose tasks could not be read is in none."""
    groups: dict[tuple[int, ...], list[Source]] = {}
    for source in sources:
        if source.name in asked:
            groups.setdefault(tuple(id(each) for _, each in asked[source.name]), []).append(source)
    return list(groups.values())


def _finds_rows(named: tuple[str, Method], tasks: Sequence[Task], found: Mistakes) -> bool:
    """Whether there is a task that a recipe learns from; else the mistake is found."""
    name, method = named
    try:
        for task in tasks:
            method.rows_task(task)
    except UserError as error:
        found.lines.append(f"recipe {name!r}: {error}")
        return False
    return True


def _check_places(settings: Mapping[str, Any], source: Source) -> None:
    """UserError for a layer or a linear map that a model of known shape lacks; others are checked when loaded."""
    for key, value in settings.items():
        if inner := [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, Mapping)]:
            for each in inner:
                _check_places(each, source)
        elif source.shape and key in ("layer", "layers"):
            count = source.shape.layers
            for layer in value if isinstance(value, list) else [value]:
                if isinstance(layer, int) and not 0 <= layer < count:
                    raise UserError(f"{source.name!r} has no layer {layer}; layers are 0 to {count - 1}")
        elif source.shape and key == "modules":
            for name in value:
                if name not in LINEAR_MAPS:
                    fix = did_you_mean(name, LINEAR_MAPS)
                    raise UserError(f"no linear map of {source.name!r} is called {name!r}; {fix}")


def _within(what: str, line: str) -> str:
    return what + line.removeprefix("study") if line.startswith(("study:", "study ")) else f"{what}: {line}"


def _read_all(specs: Sequence[Spec], read: Callable[[Any], Any], found: Mistakes) -> list[tuple[Spec, Any]]:
    made = []
    for spec in specs:
        with found.collecting():
            try:
                made.append((spec, read(spec)))
            except OSError as error:  # a path that no file can have, or that may not be looked at
                raise UserError(f"{spec!r}: {error.strerror}; check the path") from None
    return made


def _unreadable(entries: Any, read: Callable[[Any], Any]) -> list[str]:
    """The mistakes in the entries of a list that are names or mappings: of others, pydantic says what they are not."""
    found = Mistakes()
    if isinstance(entries, list | tuple):
        _read_all([each for each in entries if isinstance(each, str | dict)], read, found)
    return found.lines


def _repeated(key: str, entries: Any) -> list[str]:
    known = Counter(map(repr, entries)) if isinstance(entries, list | tuple) else {}
    return [f"study: {key} lists {each} twice; once is enough" for each, times in known.items() if times > 1]


def _named_alike(methods: Sequence[tuple[str, Method]]) -> list[str]:
    files = Counter(name for name, _ in {(name, method.source_sha256) for name, method in methods})
    return [f"two recipes of other files are {name!r}; give one file another name" for name in files if files[name] > 1]


def _is_readable(task: Task, found: Mistakes) -> bool:
    before = len(found.lines)
    with found.collecting():
        task.rows  # noqa: B018
    return len(found.lines) == before


def _check_cells(cells: Sequence[Cell]) -> None:
    first: dict[tuple[Any, ...], Cell] = {}
    for cell in cells:
        if not cell.items:
            raise UserError(f"task {cell.task.name!r} has no {cell.measure_on} rows to score on; give it more rows")
        # Not the cell's key, which reads every row and weight: a plan is made without.
        settings = repr(cell.method.settings())
        named = (cell.source.name, cell.task.name, cell.method_name, settings, cell.examples, cell.seed)
        if first.setdefault(named, cell) is not cell:
            raise UserError(f"study has the cell {cell} twice; drop one of the recipes")

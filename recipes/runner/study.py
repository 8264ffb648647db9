"""Study: models x tasks x recipes x budgets x seeds, as a file or as a value, and the cells it stands for."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from educe.data.errors import UserError, did_you_mean
from educe.data.resolve import resolve
from educe.eval.model.source import find_source
from educe.eval.prompting.prompts import check_template, resolve_format, style_of
from educe.recipes.catalog import explain, make_method
from educe.recipes.runner.cell import Cell, MeasureOn

# `{few_shot: }` is a name without settings.
Settings = Annotated[dict[str, Any], BeforeValidator(lambda written: {} if written is None else written)]
Spec = str | dict[str, Settings]


class _Loader(yaml.SafeLoader):
    """YAML as it is, but a key that stands twice is a mistake: plain YAML would quietly keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        written = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        for key, _ in node.value:
            if written[key.value] > 1:
                raise yaml.MarkedYAMLError(problem=f"key {key.value!r} stands twice", problem_mark=key.start_mark)
        return super().construct_mapping(node, deep)


class Study(BaseModel):
    """What to try, on whom, at what budget.

    `examples` are the labelled training rows of recipes that train; the others ignore them. `test_items` is the most
    items any cell is scored on. `measure_on: dev` scores on dev rows: for choosing defaults, never for claims.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="letters, digits, dots and dashes")
    models: tuple[Spec, ...] = Field(min_length=1)
    tasks: tuple[Spec, ...] = Field(min_length=1)
    recipes: tuple[Spec, ...] = Field(min_length=1)
    examples: tuple[int, ...] = ()
    seeds: tuple[Annotated[int, Field(strict=True, ge=0, lt=2**32)], ...] = Field(default=(0,), min_length=1)
    test_items: int | None = Field(default=None, ge=1)
    measure_on: MeasureOn = "test"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: str = Field(
        default="auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$", description="auto, cpu, mps, cuda or cuda:0"
    )
    track: Literal["none", "wandb"] = "none"

    @classmethod
    def read(cls, path: str | Path, *, changes: Sequence[str] = ()) -> "Study":
        """Read a YAML study, with `a.b=c` changes on top. UserError for every fault, naming key and fix."""
        path = Path(path)
        try:
            written = yaml.load(path.read_text("utf-8"), _Loader)
        except OSError as error:
            raise UserError(f"cannot read study {path}: {error.strerror}; check the path") from error
        except UnicodeDecodeError as error:
            raise UserError(f"study {path} is not UTF-8 (byte {error.start}); save it as UTF-8") from error
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f" line {mark.line + 1}" if mark else ""
            raise UserError(f"study {path}{where} is not YAML: {getattr(error, 'problem', error)}; mend it") from error
        if not isinstance(written, dict):
            raise UserError(f"study {path} is empty or not a mapping; start with `name:`, `models:`, `tasks:`")
        for change in changes:
            _change(written, change)
        return cls.make(written, what=f"study {path}")

    @classmethod
    def make(cls, written: dict[str, Any], *, what: str = "study") -> "Study":
        """Validate a study written as plain values."""
        try:
            study = cls(**written)
        except ValidationError as error:
            raise UserError(explain(error, what=what, known=cls.model_fields)) from error
        except TypeError as error:
            raise UserError(f"{what}: {error}; keys are words") from error
        for key in ("models", "tasks", "recipes", "examples", "seeds"):
            repeated = [each for each, times in Counter(map(repr, getattr(study, key))).items() if times > 1]
            if repeated:
                raise UserError(f"{what}: {key} lists {repeated[0]} twice; once is enough")
        for size in study.examples:
            if size < 1:
                raise UserError(f"{what}: examples = {size} is not a size; give 1 or more (zero_shot trains on none)")
        return study

    def text(self) -> str:
        """The study as YAML, changes applied."""
        return yaml.safe_dump(self.model_dump(mode="json", exclude_unset=True), sort_keys=False)

    def cells(self) -> tuple[Cell, ...]:
        """Every cell, models outermost so that each is loaded once; checked as far as can be without loading one.

        UserError for an unknown model, task or recipe, more examples than a split holds, or a chat template asked of
        a base model.
        """
        methods = [make_method(spec) for spec in self.recipes]
        sources = [(spec, find_source(spec)) for spec in self.models]
        tasks = [resolve(spec) for spec in self.tasks]
        for names, key in (([s.name for _, s in sources], "models"), ([t.name for t in tasks], "tasks")):
            repeated = [name for name, times in Counter(names).items() if times > 1]
            if repeated:
                raise UserError(
                    f"two {key} are called {repeated[0]!r}; give one another name: {{...: {{name: other}}}}"
                )
        if not self.examples and not all(method.budgets(()) for _, method in methods):
            raise UserError(
                "study lacks the key 'examples', which its training recipes need; add examples: [4, 16, 64]"
            )
        for task in tasks:  # once, whatever the number of models: some checks read every row
            for name, method in methods:
                with naming(name):
                    for size in method.budgets(self.examples):
                        method.check(task, examples=size)
        cells = []
        for spec, source in sources:
            for task in tasks:
                for name, method in methods:
                    with naming(name):
                        workload = method.workload(task, method.budgets(self.examples)[0])
                        for prompt_config in workload.prompt_configs:
                            check_template(prompt_config.template, kind=source.kind, name=source.name)
                            resolve_format(
                                task, prompt_config, style=style_of(prompt_config.template, kind=source.kind)
                            )
                    if self.measure_on == "dev" and method.reads_dev:
                        raise UserError(
                            f"recipe {name!r} chooses on dev rows and cannot be scored on them; drop measure_on"
                        )
                    for size in method.budgets(self.examples):
                        for seed in self.seeds if method.seeded else self.seeds[:1]:
                            cells.append(self._cell(spec, source, task, name, method, size, seed))
        _check_cells(cells)
        return tuple(cells)

    def _cell(self, spec: Any, source: Any, task: Any, name: str, method: Any, size: int, seed: int) -> Cell:
        return Cell(
            source=source,
            model_spec=spec,
            task=task,
            method_name=name,
            method=method,
            examples=size,
            seed=seed,
            test_items=self.test_items,
            measure_on=self.measure_on,
            dtype=self.dtype,
        )


@contextmanager
def naming(recipe: str) -> Iterator[None]:
    """A user's mistake within is told with the recipe that it stands in."""
    try:
        yield
    except UserError as error:
        raise UserError(f"recipe {recipe!r}: {error}") from error


def _check_cells(cells: Sequence[Cell]) -> None:
    first: dict[tuple[Any, ...], Cell] = {}
    for cell in cells:
        if not cell.items:
            raise UserError(f"task {cell.task.name!r} holds no {cell.measure_on} rows to score on; give it more rows")
        # Not the cell's key, which reads every row and weight: a plan is made without.
        settings = repr(cell.method.settings())
        named = (cell.source.name, cell.task.name, cell.method_name, settings, cell.examples, cell.seed)
        if first.setdefault(named, cell) is not cell:
            raise UserError(f"study asks twice for {cell}; drop one of the recipes")


def _change(written: dict[str, Any], change: str) -> None:
    """Apply one `a.b=c`: c is YAML, list positions are numbers; only the last key may be new."""
    path, value = parse_change(change)
    *parents, last = path.split(".")
    place: Any = written
    for key in parents:
        place = _child(place, key, change)
    if isinstance(place, list):
        place[_position(place, last, change)] = value
    elif isinstance(place, dict):
        place[last] = value
    else:
        raise UserError(f"--set {change!r}: {'.'.join(parents)} holds {place!r}, which has no keys; check the path")


def parse_change(change: str) -> tuple[str, Any]:
    """What stands left of the `=`, and the YAML right of it. UserError where there is neither."""
    path, equals, value = change.partition("=")
    if not equals:
        raise UserError(f"--set {change!r} has no '='; write it as key=value, as in --set seeds=[0,1,2]")
    try:
        return path, yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise UserError(f"--set {change!r}: {value!r} is not YAML; write a number, a word or [a, b]") from error


def _child(place: Any, key: str, change: str) -> Any:
    if isinstance(place, list):
        index = _position(place, key, change)
        if place[index] == key:  # a name without settings gets some
            place[index] = {key: {}}
        return place[index][key] if isinstance(place[index], dict) and key in place[index] else place[index]
    if isinstance(place, dict) and key in place:
        return place[key]
    known = map(str, place) if isinstance(place, dict) else []
    raise UserError(f"--set {change!r}: no key {key!r} there; {did_you_mean(key, known)}")


def _position(place: list[Any], key: str, change: str) -> int:
    """A list position as a number, or by the name of the entry (`educe.recipes.training.iid_sft.rank=4`)."""
    for index, entry in enumerate(place):
        if entry == key or (isinstance(entry, dict) and key in entry):
            return index
    if key.isdigit() and int(key) < len(place):
        return int(key)
    raise UserError(f"--set {change!r}: no entry {key!r} there; use a position from 0 to {len(place) - 1}")

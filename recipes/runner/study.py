"""Study: models x tasks x recipes x budgets x seeds, as a file or as a value, and the cells it stands for."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from educe.data.errors import UserError, did_you_mean
from educe.data.resolve import resolve
from educe.data.task import Task
from educe.data.untrusted import parse_yaml, read_yaml
from educe.eval.model.source import Source, find_source
from educe.eval.prompting.prompts import check_template, resolve_format, style_of
from educe.recipes.catalog import make_method
from educe.recipes.method import Method
from educe.recipes.runner.cell import Cell
from educe.recipes.runner.listing import MeasureOn
from educe.recipes.validation import validated

# `{few_shot: }` is a name without settings.
Settings = Annotated[dict[str, Any], BeforeValidator(lambda written: {} if written is None else written)]
Spec = str | dict[str, Settings]


def _check_track(written: Any) -> Any:
    """`wandb` alone may have settings, and `prompts` is the only one."""
    if not isinstance(written, dict):
        return written
    if list(written) != ["wandb"]:
        raise ValueError("write none, wandb or {wandb: {prompts: false}}")
    for name, value in (written["wandb"] or {}).items():
        if name != "prompts":
            raise ValueError(f"wandb has no setting {name!r}; {did_you_mean(name, ['prompts'])}")
        if not isinstance(value, bool):
            raise ValueError(f"wandb.prompts = {value!r} is neither true nor false")
    return written


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
}


class Study(BaseModel):
    """What to try, on which models, at which budgets.

    `examples` are numbers of labelled training rows, for recipes that learn from them; the others ignore the key.
    `test_items` is the maximum number of items that a cell is scored on. `measure_on: dev` scores on dev rows, which
    serves to choose defaults and never to claim anything.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="letters, digits, dots and dashes")
    models: tuple[Spec, ...] = Field(min_length=1)
    tasks: tuple[Spec, ...] = Field(min_length=1)
    recipes: tuple[Spec, ...] = Field(min_length=1)
    examples: tuple[Annotated[int, Field(strict=True, ge=1)], ...] = ()
    seeds: tuple[Annotated[int, Field(strict=True, ge=0, lt=2**32)], ...] = Field(default=(0,), min_length=1)
    test_items: Annotated[int, Field(strict=True, ge=1)] | None = None
    measure_on: MeasureOn = "test"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: str = Field(
        default="auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$", description="auto, cpu, mps, cuda or cuda:0"
    )
    track: Annotated[Literal["none", "wandb"] | dict[str, Settings], BeforeValidator(_check_track)] = "none"

    @classmethod
    def read(cls, path: str | Path, *, changes: Sequence[str] = ()) -> "Study":
        """Read a YAML study, with `a.b=c` changes on top. UserError for every fault, naming key and fix."""
        path = Path(path)
        written = read_yaml(path)
        if not isinstance(written, dict):
            raise UserError(f"study {path} is empty or not a mapping; start with `name:`, `models:`, `tasks:`")
        for change in changes:
            _change(written, change)
        return cls.make(written, what=f"study {path}")

    @classmethod
    def make(cls, written: dict[str, Any], *, what: str = "study") -> "Study":
        """Validate a study given as plain values. UserError for the first mistake."""
        for key in written:
            if meant := _SYNONYMS.get(key):
                raise UserError(f"{what} has no key {key!r}; did you mean {meant!r}?")
        study = validated(cls, written, what=what, known=cls.model_fields)
        for key in ("models", "tasks", "recipes", "examples", "seeds"):
            repeated = [each for each, times in Counter(map(repr, getattr(study, key))).items() if times > 1]
            if repeated:
                raise UserError(f"{what}: {key} lists {repeated[0]} twice; once is enough")
        return study

    @property
    def tracks_prompts(self) -> bool:
        """Whether a prompt may go to Weights & Biases."""
        return not isinstance(self.track, dict) or bool(self.track["wandb"].get("prompts", True))

    def text(self) -> str:
        """The study as YAML, changes applied."""
        return yaml.safe_dump(self.model_dump(mode="json", exclude_unset=True), sort_keys=False)

    def cells(self) -> tuple[Cell, ...]:
        """Every cell, models outermost so that each is loaded once.

        UserError for everything that can be known to fail without loading a model: an unknown model, task or recipe,
        more examples than a split has, a chat template for a base model.
        """
        methods = [make_method(spec) for spec in self.recipes]
        sources = [(spec, find_source(spec)) for spec in self.models]
        tasks = [resolve(spec) for spec in self.tasks]
        self._check(methods, [source for _, source in sources], tasks)
        cells = tuple(
            Cell(
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
            for spec, source in sources
            for task in tasks
            for name, method in methods
            for size in method.budgets(self.examples)
            for seed in (self.seeds if method.seeded else self.seeds[:1])
        )
        _check_cells(cells)
        return cells

    def _check(self, methods: Sequence[tuple[str, Method]], sources: Sequence[Source], tasks: Sequence[Task]) -> None:
        for key, named in (("models", sources), ("tasks", tasks)):
            repeated = [name for name, times in Counter(each.name for each in named).items() if times > 1]
            if repeated:
                raise UserError(
                    f"two {key} have the name {repeated[0]!r}; give one another name: {{...: {{name: other}}}}"
                )
        if not self.examples and not all(method.budgets(()) for _, method in methods):
            raise UserError(
                "study lacks the key 'examples', which its training recipes need; add examples: [4, 16, 64]"
            )
        for name, method in methods:
            if self.measure_on == "dev" and method.reads_dev:
                raise UserError(f"recipe {name!r} chooses on dev rows and cannot be scored on them; drop measure_on")
            with _naming(name):
                for task in tasks:  # once, whatever the number of models: some checks read every row
                    for size in method.budgets(self.examples):
                        method.check(task, examples=size)
                    for config in method.workload(task, method.budgets(self.examples)[0]).prompt_configs:
                        for source in sources:
                            check_template(config.template, kind=source.kind, name=source.name)
                            resolve_format(task, config, style=style_of(config.template, kind=source.kind))


@contextmanager
def _naming(recipe: str) -> Iterator[None]:
    """Put the recipe's name before the message of a user's mistake."""
    try:
        yield
    except UserError as error:
        raise UserError(f"recipe {recipe!r}: {error}") from error


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
        raise UserError(f"--set {change!r}: {'.'.join(parents)} is {place!r}, which has no keys; check the path")


def parse_change(change: str) -> tuple[str, Any]:
    """The path left of the `=`, and the YAML right of it. UserError where one is missing."""
    path, equals, value = change.partition("=")
    if not equals:
        raise UserError(f"--set {change!r} has no '='; write key=value, as in --set seeds=[0,1,2]")
    try:
        return path, parse_yaml(value, source="the value")
    except UserError as error:
        raise UserError(f"--set {change!r}: {error}; write a number, a word or [a, b]") from None


def _child(place: Any, key: str, change: str) -> Any:
    if isinstance(place, list):
        index = _position(place, key, change)
        if place[index] == key:  # a name without settings gets some
            place[index] = {key: {}}
        return place[index][key] if isinstance(place[index], dict) and key in place[index] else place[index]
    if isinstance(place, dict) and key in place:
        return place[key]
    known = map(str, place) if isinstance(place, dict) else []
    raise UserError(f"--set {change!r}: there is no key {key!r}; {did_you_mean(key, known)}")


def _position(place: list[Any], key: str, change: str) -> int:
    """A list position as a number, or by the name of the entry (`recipes.iid_sft.rank=4`)."""
    for index, entry in enumerate(place):
        if entry == key or (isinstance(entry, dict) and key in entry):
            return index
    if key.isdigit() and int(key) < len(place):
        return int(key)
    raise UserError(f"--set {change!r}: there is no entry {key!r}; use a position from 0 to {len(place) - 1}")

"""The best prompt that can be found: successive halving over ways of asking, formats and shots, on dev rows."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, model_validator

from educe.data.errors import UserError
from educe.data.task import Task
from educe.eval.measurement import Role
from educe.eval.prompting.prompts import PromptConfig
from educe.eval.prompting.search import rungs
from educe.recipes.method import Elicited, Method, check_dev
from educe.recipes.prompting.format_vote import DrawnFormats

if TYPE_CHECKING:
    from educe.eval.model.model import Model
    from educe.eval.prompting.search import Candidate, Searched

Spec = str | dict[str, dict[str, Any] | None]
DEFAULT_RECIPES: tuple[Spec, ...] = (
    "zero_shot",
    {"zero_shot": {"phrase": "expert"}},
    {"zero_shot": {"phrase": "breath"}},
    "in_context_alignment",
    {"few_shot": {"shots": 2}},
    {"few_shot": {"shots": 4}},
    {"few_shot": {"shots": 8}},
    {"in_context_alignment": {"shots": 4}},
)


class PromptSearch(Method):
    """What the best of many prompts shows: every one of `ways` in its own format and in `formats` others.

    The formats are drawn from the task's space with the seed; ways that say how to answer, or draw formats themselves,
    are tried as they are. The winner on `dev_examples` dev rows is scored on the test rows once. Charged are the dev
    rows, the most shots that any way reads (each reads the beginning of one draw), and every answer of the search, up
    to `flops` where a budget is set.
    """

    role: ClassVar[Role] = "prompt_search"

    recipes: tuple[Spec, ...] = Field(default=DEFAULT_RECIPES, min_length=1)
    formats: int = Field(default=4, ge=0)
    dev_examples: int = Field(default=32, ge=1)
    flops: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _read(self) -> "PromptSearch":
        for spec, (name, recipe) in zip(self.recipes, self._recipes, strict=True):
            if recipe.role == "training" or recipe.budget == "examples":
                raise UserError(f"ways: {spec!r} learns from examples; name recipes that only ask")
            if recipe.role == "sensitivity":
                raise UserError(f"ways: {name!r} measures formats and does not choose one; name another")
            if recipe.reads_dev:
                raise UserError(f"ways: {name!r} chooses on the dev rows that it would be judged by; name another")
        if self.prompt_config != PromptConfig():
            raise UserError("template, format and the like belong to the ways; set them there")
        told = [(name, recipe.settings()) for name, recipe in self._recipes]
        for name, settings in told:
            if told.count((name, settings)) > 1:
                raise UserError(f"ways: {name!r} stands twice with the same settings; once is enough")
        if self.formats == 0 and len(self.recipes) == 1:
            raise UserError("one way in one format leaves nothing to search; give several ways, or formats")
        return self

    @cached_property
    def _recipes(self) -> list[tuple[str, Method]]:
        from educe.recipes.catalog import make_method  # the catalog lists this recipe, too

        return [make_method(spec) for spec in self.recipes]

    def budgets(self, examples: Sequence[int]) -> tuple[int, ...]:
        """The most shots that a way reads."""
        return (max(recipe.budgets(())[0] for _, recipe in self._recipes),)

    def check(self, task: Task, *, examples: int) -> None:
        """Every way must be served, and dev rows be there."""
        super().check(task, examples=examples)
        for _, recipe in self._recipes:
            recipe.check(task, examples=recipe.budgets(())[0])
        check_dev(task, self.dev_examples)

    def __call__(self, model: "Model", task: Task, *, examples: int, seed: int) -> Elicited:
        """Search, and hand over the winner."""
        from educe.eval.prompting.search import search

        dev = task.draw("dev", self.dev_examples, seed=seed)
        candidates = self.candidates(model, task, seed=seed)
        found = search(
            model,
            task,
            [self._ready(model, task, name, recipe, values, seed=seed) for name, recipe, values in candidates],
            dev,
            flops=float("inf") if self.flops is None else self.flops,
        )
        return Elicited(
            model=model,
            prompt_fn=found.candidate.prompt_fn,
            solver=found.candidate.solver,
            spend=found.spend,
            metadata=_said(found, num_candidates=len(candidates)),
        )

    def candidates(
        self, model: "Model", task: Task, *, seed: int
    ) -> list[tuple[str, Method, Mapping[str, str] | None]]:
        """Every way by name with every format that it is tried in, its own (None) first."""
        from educe.data.formats.space import FormatSpace
        from educe.eval.prompting.prompts import style_of

        found: list[tuple[str, Method, Mapping[str, str] | None]] = [
            (name, recipe, None) for name, recipe in self._recipes
        ]
        for name, recipe in self._recipes:
            if self.formats and not isinstance(recipe, DrawnFormats) and not recipe.format and not recipe.answer_as:
                space = FormatSpace(task, style_of(recipe.template, kind=model.kind))
                count = min(self.formats, len(space))
                found += [(name, recipe, named.values) for named in space.sample(count, seed=seed)]
        return found

    def settings(self) -> dict[str, Any]:
        """Those of every way, defaults included."""
        return super().settings() | {"ways": [{name: recipe.settings()} for name, recipe in self._recipes]}

    def _ready(
        self, model: "Model", task: Task, name: str, recipe: Method, values: Mapping[str, str] | None, *, seed: int
    ) -> "Callable[[], Candidate]":
        """A way in a format, made ready when it is first looked at."""

        def make() -> "Candidate":
            from educe.eval.measure import measure
            from educe.eval.prompting.search import Candidate

            told = recipe if values is None else recipe.model_copy(update={"format": dict(values)})
            elicited = told(model, task, examples=recipe.budgets(())[0], seed=seed)
            return Candidate(
                name=told.label(name),
                prompt_fn=elicited.prompt_fn,
                solver=elicited.solver or measure,
                spend=elicited.spend,
            )

        return make

    @property
    def prompt_configs(self) -> tuple[PromptConfig, ...]:
        """Of all ways."""
        return tuple(prompt_config for _, recipe in self._recipes for prompt_config in recipe.prompt_configs)

    @property
    def reads_dev(self) -> bool:
        """To choose."""
        return True

    @property
    def num_shots(self) -> int:
        """At most."""
        return max(recipe.num_shots for _, recipe in self._recipes)

    @property
    def num_candidates(self) -> int:
        """Ways times formats, about: ways that settle their format count once."""
        return len(self.recipes) * (1 + self.formats)

    @property
    def asks_per_item(self) -> float:
        """Of the winner, who is not known yet: the most of any way."""
        return max(recipe.asks_per_item for _, recipe in self._recipes)

    @property
    def tokens_written(self) -> int:
        """The most of any way."""
        return max(recipe.tokens_written for _, recipe in self._recipes)

    def rows_asked(self, examples: int) -> int:
        """About one look of all candidates at the first rows, for each round."""
        steps = rungs(self.num_candidates, self.dev_examples)
        left, before, asked = self.num_candidates, 0, 0
        for rows in steps:
            asked, before, left = asked + left * (rows - before), rows, -(-left // 2)
        return asked

    def label(self, name: str) -> str:
        """The number of ways in place of the ways, which would fill a page."""
        said = self.changed()
        if "ways" in said:
            said |= {"ways": len(self.recipes)}
        return f"{name}({', '.join(f'{key}={value}' for key, value in said.items())})" if said else name


def _said(found: "Searched", *, num_candidates: int) -> dict[str, Any]:
    """What the search is to be known by."""
    return {
        "chosen": found.candidate.name,
        "dev_score": found.winner.score,
        "dev_score_of_all": found.first_score,
        "candidates": num_candidates,
        "candidates_tried": len(found.tried),
        "candidates_left_out": len(found.left_out),
        "dev_examples": found.winner.rows,
    }

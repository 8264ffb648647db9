"""The best prompt that a search finds: successive halving over recipes, formats and shots, on dev rows."""

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

from pydantic import Field, PrivateAttr, model_validator

from educe.data.errors import UserError
from educe.data.formats.space import FormatSpace
from educe.data.task import Task
from educe.eval.details import Details, Selection
from educe.eval.measure import measure
from educe.eval.measurement import Role
from educe.eval.model.model import Model
from educe.eval.prompting.prompts import PromptConfig, is_native, style_of
from educe.eval.prompting.search import Candidate, rows_by_round, search
from educe.recipes.catalog import make_method
from educe.recipes.method import Elicited, Method, Workload, check_dev
from educe.recipes.prompting.format_vote import FormatVote

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
    """Search many prompts for the best on dev rows.

    Each of the `recipes` is tried in its own format and in `formats` others, drawn from the task's space with the seed;
    recipes that decide how to answer, or draw formats themselves, are tried as they are. The winner on `dev_examples`
    dev rows is scored on the test rows once. Charged are the dev rows, the most shots that a recipe reads (all read the
    beginning of one draw), and every answer of the search, up to `flops` where a budget is set.
    """

    role: ClassVar[Role] = "prompt_search"

    recipes: tuple[Spec, ...] = Field(default=DEFAULT_RECIPES, min_length=1)
    formats: int = Field(default=4, ge=0)
    dev_examples: int = Field(default=32, ge=1)
    flops: float | None = Field(default=None, gt=0)

    _methods: list[tuple[str, Method]] = PrivateAttr()  # the recipes, by name

    @model_validator(mode="after")
    def _read_recipes(self) -> "PromptSearch":
        self._methods = [make_method(spec) for spec in self.recipes]
        for spec, (name, recipe) in zip(self.recipes, self._methods, strict=True):
            if recipe.role == "training" or recipe.budget == "examples":
                raise UserError(f"recipes: {spec!r} learns from examples; name recipes that only prompt")
            if recipe.role == "sensitivity":
                raise UserError(f"recipes: {name!r} measures formats and does not choose one; name another")
            if recipe.reads_dev:
                raise UserError(f"recipes: {name!r} chooses on the dev rows that score it here; name another")
        if self.prompt_config != PromptConfig():
            raise UserError("template, format and the like belong to the recipes; set them there")
        named = [(name, recipe.settings()) for name, recipe in self._methods]
        for name, settings in named:
            if named.count((name, settings)) > 1:
                raise UserError(f"recipes: {name!r} is listed twice with the same settings; drop one")
        if self.formats == 0 and len(self.recipes) == 1:
            raise UserError("one recipe in one format leaves nothing to search; give several recipes, or formats")
        return self

    @property
    def reads_dev(self) -> bool:
        return True

    def budgets(self, examples: Sequence[int]) -> tuple[int, ...]:
        """The most shots that a recipe reads."""
        return (max(recipe.budgets(())[0] for _, recipe in self._methods),)

    def check(self, task: Task, *, examples: int) -> None:
        super().check(task, examples=examples)
        for _, recipe in self._methods:
            recipe.check(task, examples=recipe.budgets(())[0])
        check_dev(task, self.dev_examples)

    def workload(self, task: Task, examples: int) -> Workload:
        """The largest of the recipes', as the winner is not known, and the answers of the search, approximately."""
        works = [recipe.workload(task, recipe.budgets(())[0]) for _, recipe in self._methods]
        candidates = len(self.recipes) * (1 + self.formats)
        answered = trials = 0
        for rows in rows_by_round(candidates, self.dev_examples):
            trials, answered, candidates = trials + candidates * (rows - answered), rows, -(-candidates // 2)
        return Workload(
            scored_rows=trials,
            shots=max(work.shots for work in works),
            prompts_per_item=max(work.prompts_per_item for work in works),
            generated_tokens=max(work.generated_tokens for work in works),
            prompt_configs=tuple(config for work in works for config in work.prompt_configs),
        )

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        dev = task.draw("dev", self.dev_examples, seed=seed)
        candidates = self.candidates(model, task, seed=seed)
        found = search(
            model,
            task,
            [partial(_prepare, model, task, name, recipe, seed) for name, recipe in candidates],
            dev,
            flops=float("inf") if self.flops is None else self.flops,
        )
        selection = Selection(
            chosen={"recipe": found.candidate.name},
            dev_score=found.winner.score,
            dev_examples=found.winner.rows,
            candidates=len(candidates),
            mean_dev_score=found.mean_score,
            candidates_tried=len(found.tried),
            candidates_failed=len(found.failures),
        )
        return Elicited(
            model=model,
            prompt_fn=found.candidate.prompt_fn,
            solver=found.candidate.solver,
            spend=found.spend,
            details=Details(selection=selection),
        )

    def candidates(self, model: Model, task: Task, *, seed: int) -> list[tuple[str, Method]]:
        """Every recipe by name in its own format, then in each drawn format."""
        found = list(self._methods)
        for name, recipe in self._methods:
            own = recipe.format or recipe.answer_as or is_native(recipe.template)
            if self.formats and not isinstance(recipe, FormatVote) and not own:
                space = FormatSpace(task, style_of(recipe.template, kind=model.kind))
                drawn = space.sample(min(self.formats, len(space)), seed=seed)
                found += [(name, recipe.model_copy(update={"format": dict(named.values)})) for named in drawn]
        return found

    def settings(self) -> dict[str, Any]:
        """Those of every recipe, defaults included."""
        return super().settings() | {"recipes": [{name: recipe.settings()} for name, recipe in self._methods]}

    def label(self, name: str) -> str:
        """With the number of recipes in place of the recipes, which would fill a page."""
        changed: dict[str, Any] = self.changed(name)
        if "recipes" in changed:
            changed |= {"recipes": len(self.recipes)}
        return f"{name}({', '.join(f'{key}={value}' for key, value in changed.items())})" if changed else name


def _prepare(model: Model, task: Task, name: str, recipe: Method, seed: int) -> Candidate:
    elicited = recipe(model, task, examples=recipe.budgets(())[0], seed=seed)
    solver = elicited.solver or measure
    return Candidate(name=recipe.label(name), prompt_fn=elicited.prompt_fn, solver=solver, spend=elicited.spend)

"""What a recipe learns from: rows of the task or of another one, who labels them, and what stands before them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from pydantic import Field

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.formats.render import PromptFunction
from educe.data.resolve import TaskSetting, resolve_setting
from educe.data.task import Task, refuse_shared
from educe.eval.details import Demonstrator, Details
from educe.eval.model.model import Model
from educe.eval.model.source import Source, find_source
from educe.eval.prompting.prompts import PLAIN, make_prompt_fn
from educe.eval.spend import Spend
from educe.recipes.catalog import Spec, make_method
from educe.recipes.method import Method
from educe.recipes.training.settings import SupervisedTraining, draw_labelled
from educe.train.weak_labels import label_by


@dataclass(frozen=True, kw_only=True)
class Lessons:
    """Rows of a task, how they are prompted, and what their labels cost and who gave them if not the task.

    `asked` is how the task that is measured is prompted; it is another prompt where the rows are another task's.
    """

    task: Task
    rows: Sequence[Example]
    dev: Sequence[Example]
    prompt_fn: PromptFunction
    asked: PromptFunction
    spend: Spend
    details: Details


class FromLabels(SupervisedTraining):
    """Learns from n labelled rows.

    `rows_from` names another task whose rows these are. `labels_from` names a model that gives the labels in place of
    the task. `random_labels` is the share of rows whose label is drawn at random instead, among the choices or the
    answers of all of these rows: with 1 it is a control that is never told what is right. `context` is a recipe with
    demonstrations, which then stand before every row and every test item; they are rows of the task that are not
    trained on.
    """

    labels_from: str | dict[str, dict[str, Any]] | None = None
    random_labels: float = Field(default=0.0, ge=0, le=1)
    rows_from: TaskSetting | None = None
    context: Spec | None = None

    def check_rows(self, task: Task, *, examples: int) -> None:
        """UserError for too few rows, labels that make no sense, and rows that ask what the test asks."""
        source = self.rows_task(task)
        if self.demonstrator is not None and self.random_labels:
            raise UserError(
                f"labels come from {self.demonstrator.name} and at random; drop labels_from or random_labels"
            )
        if self.shown is not None:
            self._check_context(self.shown, task, examples)
        Method.check(self, source, examples=examples)
        if source is not task:
            refuse_shared(source, task, setting="rows_from")

    def _check_context(self, shown: Method, task: Task, examples: int) -> None:
        """UserError where demonstrations would tell what the rows must not, or leave too few of them."""
        if self.random_labels or self.rows_from is not None:
            told = "random_labels" if self.random_labels else "rows_from"
            raise UserError(f"context shows labels of the task, and {told} is to learn without them; drop one of both")
        if self.prompt_config != PLAIN:
            raise UserError("template, format and the like belong to the recipe of context; set them there")
        shown.check(task, examples=self.num_shown)
        left = len(task.rows["train"]) - self.num_shown
        if examples > left:
            raise UserError(
                f"task {task.name!r} holds {left} train rows beside {self.num_shown} demonstrations and {examples} "
                f"were asked for; use at most {left} examples"
            )

    @cached_property
    def demonstrator(self) -> Source | None:
        """The model that labels come from. UserError where there is none of that name."""
        return find_source(self.labels_from) if self.labels_from is not None else None

    @cached_property
    def shown(self) -> Method | None:
        """The recipe whose demonstrations stand before every row. UserError for one that does more than show them."""
        if self.context is None:
            return None
        name, method = make_method(self.context)
        if name not in _SHOWING:
            raise UserError(f"context = {self.context!r} does not only show rows; name {' or '.join(_SHOWING)}")
        return method

    @property
    def num_shown(self) -> int:
        """How many demonstrations stand before every row."""
        return self.shown.budgets(())[0] if self.shown is not None else 0

    def rows_task(self, task: Task) -> Task:
        return task if self._other is None else self._other

    @cached_property
    def _other(self) -> Task | None:
        return None if self.rows_from is None else resolve_setting(self.rows_from)

    def lessons(self, model: Model, task: Task, *, examples: int, dev_examples: int, seed: int) -> Lessons:
        """The rows of one cell: the first n of those that are no demonstrations, in the order that the seed fixes."""
        source, shown = self.rows_task(task), self.num_shown
        drawn = draw_labelled(source, "train", examples + shown, seed=seed, random_labels=self.random_labels)
        dev = draw_labelled(source, "dev", dev_examples, seed=seed, random_labels=self.random_labels)
        made = Lessons(
            task=source,
            rows=drawn[shown:],
            dev=dev,
            prompt_fn=self._prompt_fn(model, source, seed),
            asked=self._prompt_fn(model, task, seed),
            spend=Spend(labelled_examples=len(drawn) + len(dev)),
            details=Details(),
        )
        return self._labelled(made, model)

    def _prompt_fn(self, model: Model, task: Task, seed: int) -> PromptFunction:
        if self.shown is None:
            return make_prompt_fn(model, task, prompt_config=self.prompt_config)
        return self.shown(model, task, examples=self.num_shown, seed=seed).prompt_fn

    def _labelled(self, made: Lessons, model: Model) -> Lessons:
        """The same with the labels of the demonstrator, where there is one."""
        if self.demonstrator is None or self.labels_from is None:
            return made
        config = replace(self.prompt_config, template="auto")
        weak = label_by(self.labels_from, model, made.task, made.rows, prompt_config=config)
        demonstrator = Demonstrator(
            model=self.demonstrator.name,
            share_right=weak.right,
            left_out=len(made.rows) - len(weak.examples),
            identity=self.demonstrator.identity,
            fingerprint=weak.demonstrator.fingerprint,
            canary=weak.demonstrator.canary,
            whole_commit=weak.demonstrator.whole_commit,
        )
        read = made.spend.labelled_examples - len(made.rows)
        spend = weak.spend + Spend(labelled_examples=read)
        return replace(made, rows=weak.examples, spend=spend, details=Details(demonstrator=demonstrator))

    def plain_settings(self) -> dict[str, Any]:
        """In the order and with the keys of before there were rows_from and context, where these are not set."""
        plain = super().plain_settings()
        told = {key: plain.pop(key) for key in FromLabels.__annotations__}
        own = {key: plain.pop(key) for key in list(plain) if key in type(self).__annotations__}
        kept = {key: value for key, value in told.items() if value is not None or key == "labels_from"}
        return {**own, **kept, **plain}

    def settings(self) -> dict[str, Any]:
        """The demonstrator is identified by its weights, wherever they lie, and another task by its rows."""
        identity: dict[str, Any] = {"labels_from": self.demonstrator.identity} if self.demonstrator else {}
        if self._other is not None:
            identity["rows_from"] = f"{self._other.name} {self._other.fingerprint}"
        if self.context is not None:
            name, method = make_method(self.context)
            identity["context"] = {name: method.settings()}
        return super().settings() | identity


# Recipes that put demonstrations before a question and do nothing else.
_SHOWING = ("few_shot", "wrong_shots")

"""How sure is a model of its answers, read in several ways, and which reading can be trusted?"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from pydantic import Field
from scipy import special

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.format import Format
from educe.data.formats.render import PromptFunction
from educe.data.resolve import TaskSetting, resolve_setting
from educe.data.task import Task, check_options, refuse_shared
from educe.eval.analysis.statistics.readings import fitted, reading_scores
from educe.eval.analysis.statistics.resample import Array
from educe.eval.details import Confidence as ConfidenceDetails
from educe.eval.details import Details
from educe.eval.measure import SolverOutput, measure
from educe.eval.measurement import Outcome, Role
from educe.eval.model.model import Model
from educe.eval.prompting.prompts import make_prompt_fn
from educe.eval.prompting.solvers.generation import GenerationSolver
from educe.eval.spend import Spend
from educe.recipes.method import Elicited, Method, Workload, check_dev

# {0} is the question, {1} the answer that the model gave.
IS_IT_RIGHT = "{0}\nProposed answer: {1}\nIs the proposed answer right?"
HOW_LIKELY = "{0}\nProposed answer: {1}\nHow likely is it that the proposed answer is right?"
WRITE_IT = f"{HOW_LIKELY} Write a percentage."
# None begins another one: 10 would never be less likely than 100.
PERCENT = tuple(f"{10 * tenth}%" for tenth in range(11))
OPTION, ASKED, STATED, WRITTEN = "option probability", "asked whether right", "stated percent", "written percent"
# Not part of a longer number, a fraction or a range.
_PERCENTAGE = re.compile(r"(?<![\w.,/\u2212\u2013-])(\d{1,3}(?:\.\d+|,\d\d?)?)\s?(?:%|percent\b)")
_TOKENS = 12  # of a written percentage


class Confidence(Method):
    """Answer as zero-shot does, and read on the same items how sure the model is.

    Three readings: the probability of the picked option among the options; the probability of "yes" against "no" to
    whether that answer is right (Kadavath et al. 2022, P(True)); and the mean of the percentage that it is asked for,
    by the likelihoods of 0%, 10%, ... 100% (Lin et al. 2022). With `written` also the percentage that it writes, scored
    on the answers for which it writes one. With `dev_examples`, each also after an isotonic fit to so many dev rows,
    the same for every seed, of the task itself or, to see whether it holds elsewhere, of the task `fit_on`. Fitted rows
    are charged. The price of an answer is that of the score alone.
    """

    role: ClassVar[Role] = "sensitivity"
    rewords: ClassVar[bool] = True
    seeded: ClassVar[bool] = False

    dev_examples: int = Field(default=0, ge=0)
    fit_on: TaskSetting | None = None
    written: bool = False

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses tasks without options, and a task to fit on without rows to fit."""
        super().check(task, examples=examples)
        source = self.rows_task(task)
        for each in (task, source):
            check_options(each, to="read confidence from")
        if self.fit_on is not None and not self.dev_examples:
            raise UserError("fit_on would not be read; set dev_examples, or drop it")
        check_dev(source, self.dev_examples)
        if source is not task:
            refuse_shared(source, task, setting="fit_on")

    @property
    def reads_dev(self) -> bool:
        return self.dev_examples > 0

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        source = self.rows_task(task)
        plain = replace(self.prompt_config, answer_as=None, format=None)
        dev = source.draw("dev", self.dev_examples, seed=0)
        return Elicited(
            model=model,
            prompt_fn=make_prompt_fn(model, task, prompt_config=self.prompt_config),
            solver=ConfidenceSolver(
                plain=make_prompt_fn(model, replace(task, format=Format()), prompt_config=plain),
                source=source,
                asked=make_prompt_fn(model, source, prompt_config=self.prompt_config),
                dev=dev,
                written=self.written,
            ),
            spend=Spend(labelled_examples=len(dev)),
        )

    def workload(self, task: Task, examples: int) -> Workload:
        prompts = 3 + self.written
        return Workload(
            prompts_per_item=prompts,
            scored_rows=prompts * self.dev_examples,
            generated_tokens=_TOKENS * self.written,
            prompt_configs=(self.prompt_config,),
        )

    def settings(self) -> dict[str, Any]:
        """A task to fit on is identified by its rows."""
        other = {} if self._other is None else {"fit_on": f"{self._other.name} {self._other.fingerprint}"}
        return super().settings() | other

    def rows_task(self, task: Task) -> Task:
        return task if self._other is None else self._other

    @cached_property
    def _other(self) -> Task | None:
        return None if self.fit_on is None else resolve_setting(self.fit_on)


@dataclass(frozen=True, kw_only=True)
class ConfidenceSolver:
    """Answers with the prompt function that is passed in, and asks about each answer twice, and once more if `written`.

    `plain` is how questions without listed options are asked. `asked` is the prompt of the `source` whose `dev` rows
    are fitted.
    """

    plain: PromptFunction
    source: Task
    asked: PromptFunction
    dev: Sequence[Example]
    written: bool

    def __call__(self, model: Model, task: Task, prompt_fn: PromptFunction, items: Sequence[Example]) -> SolverOutput:
        regular, found, cost = self._read(model, task, prompt_fn, items)
        right = np.array([outcome.score for outcome in regular.outcomes])
        if self.dev:
            dev, seen, more = self._read(model, self.source, self.asked, self.dev)
            cost += more + dev.search
            truth = np.array([outcome.score for outcome in dev.outcomes])
            found |= {f"{name}, fitted": _fitted(seen[name], truth, found[name]) for name in seen}
        clusters = [item.cluster for item in items]
        notes = {"confidence_flops": cost.search_flops, "executed_confidence_flops": cost.executed_search_flops}
        details = Details(
            confidence=tuple(
                _scored(name, each, right, found[OPTION], clusters)
                for name, each in found.items()
                if np.isfinite(each).any()
            ),
            notes=notes,
        )
        return replace(regular, details=regular.details | details)

    def _read(
        self, model: Model, task: Task, prompt_fn: PromptFunction, items: Sequence[Example]
    ) -> tuple[SolverOutput, dict[str, Array], Spend]:
        """The answers, every reading of them, NaN where none was written, and what the questions about them cost."""
        regular = measure(model, task, prompt_fn, items)
        about = replace(task, format=Format())
        picked = [outcome.picked or "" for outcome in regular.outcomes]
        yes = measure(model, about, self.plain, asked_about(items, picked, IS_IT_RIGHT, ("yes", "no")))
        percent = measure(model, about, self.plain, asked_about(items, picked, HOW_LIKELY, PERCENT))
        found = {
            OPTION: np.array(
                [
                    float(_shares(outcome)[item.choices.index(answer)])
                    for outcome, item, answer in zip(regular.outcomes, items, picked, strict=True)
                ]
            ),
            ASKED: np.array([float(_shares(outcome)[0]) for outcome in yes.outcomes]),
            STATED: np.array([float(_shares(outcome) @ _PERCENTS) for outcome in percent.outcomes]),
        }
        cost = yes.search + percent.search
        if self.written:
            solver = GenerationSolver(tokens=_TOKENS)
            texts = solver(model, about, self.plain, asked_about(items, picked, WRITE_IT, PERCENT))
            found[WRITTEN] = np.array([written_percentage(outcome.text or "") for outcome in texts.outcomes])
            cost += texts.search
        return regular, found, cost


_PERCENTS = np.linspace(0.0, 1.0, len(PERCENT))


def asked_about(items: Sequence[Example], picked: Sequence[str], text: str, choices: tuple[str, ...]) -> list[Example]:
    """Questions about answers. No answer of theirs is graded, so the first stands for it."""
    return [
        replace(item, question=text.format(item.question, answer), choices=choices, answer=choices[0], scores=())
        for item, answer in zip(items, picked, strict=True)
    ]


def written_percentage(text: str) -> float:
    """The percentage of a text as a share; NaN where there is none from 0 to 100, or several."""
    found = {float(each.replace(",", ".")) / 100 for each in _PERCENTAGE.findall(text)}
    return share if len(found) == 1 and (share := found.pop()) <= 1 else math.nan


def _fitted(seen: Array, truth: Array, confidence: Array) -> Array:
    """After the fit to dev rows that have the reading; NaN where the answer has none, and where no dev row does."""
    known, read = np.isfinite(seen), np.isfinite(confidence)
    made = np.full(len(confidence), np.nan)
    if known.any() and read.any():
        made[read] = fitted(seen[known], truth[known], confidence[read])
    return made


def _shares(outcome: Outcome) -> Array:
    """The probability of each option among the options."""
    return np.asarray(special.softmax(np.array(outcome.loglikelihoods, dtype=float)))


def _scored(
    name: str, confidence: Array, right: Array, other: Array, clusters: Sequence[str | None]
) -> ConfidenceDetails:
    """The scores of a reading, on the answers that have it."""
    has = np.isfinite(confidence)
    found = reading_scores(
        confidence[has], right[has], other[has], [each for each, is_read in zip(clusters, has, strict=True) if is_read]
    )
    return ConfidenceDetails(
        name=name,
        n=int(has.sum()),
        mean=found.mean,
        brier=found.brier.value,
        brier_low=found.brier.low,
        brier_high=found.brier.high,
        below=found.below.difference,
        below_low=found.below.low,
        below_high=found.below.high,
        calibration_error=found.calibration_error.value,
        error_if_calibrated=found.error_if_calibrated,
        area=None if found.area is None else found.area.value,
        area_low=None if found.area is None else found.area.low,
        area_high=None if found.area is None else found.area.high,
    )

"""Labels from another model: what a weaker demonstrator answers, right or wrong (Burns et al. 2023)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.task import Task
from educe.eval.measure import measure
from educe.eval.model.canary import checked
from educe.eval.model.load import load_model
from educe.eval.model.model import Model
from educe.eval.model.sharded import refuse_sharded
from educe.eval.model.source import find_source
from educe.eval.prompting.prompts import PromptConfig, check_questions_shown, make_prompt_fn
from educe.eval.spend import Spend


@dataclass(frozen=True, kw_only=True)
class WeakLabels:
    """Examples as a demonstrator answers them, what that cost, and the share of its answers that is right.

    Empty answers are left out. No training reads the share; it is only recorded.
    """

    demonstrator: Model
    examples: tuple[Example, ...]
    spend: Spend
    right: float


def label_by(
    spec: str | Mapping[str, Any],
    model: Model,
    task: Task,
    examples: Sequence[Example],
    *,
    prompt_config: PromptConfig,
    setting: str = "labels_from",
) -> WeakLabels:
    """Prompt the demonstrator as the model is prompted; it stays loaded beside the model for the next cells.

    Its answers are search. No label is read. UserError where it answers nothing, ModelChanged where it is not what gave
    labels for earlier results. `setting` is what errors call the choice of the demonstrator.
    """
    refuse_sharded(model.net, f"{setting}: {spec}")
    demonstrator = _demonstrator(spec, model)
    prompt_fn = make_prompt_fn(demonstrator, task, prompt_config=prompt_config)
    check_questions_shown(demonstrator, examples, prompt_fn)
    answers = measure(demonstrator, task, prompt_fn, examples)
    demonstrator.cache.clear()  # it refers to the demonstrator, which would outlive the model
    texts = [outcome.picked or str(outcome.text or "").strip() for outcome in answers.outcomes]
    labelled = tuple(
        replace(each, answer=text, worked=None, scores=()) for each, text in zip(examples, texts, strict=True) if text
    )
    if not labelled:
        raise UserError(
            f"{setting}: {demonstrator.name} answers none of {len(examples)} questions of task {task.name!r}; "
            "name another model"
        )
    return WeakLabels(demonstrator=demonstrator, examples=labelled, spend=answers.search, right=answers.score)


def _demonstrator(spec: str | Mapping[str, Any], model: Model) -> Model:
    key = (label_by, str(spec))
    if key not in model.cache:
        loaded = load_model(spec, dtype=model.dtype, device=str(model.device))
        model.cache[key] = checked(loaded, find_source(spec).identity, model.earlier)
    demonstrator: Model = model.cache[key]
    return demonstrator

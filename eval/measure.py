"""Model x task x prompt function -> one outcome per test item, and the cost of an answer."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.formats.render import Prompt, PromptFunction, option_texts
from educe.data.task import NormalizeBy, Task
from educe.eval.details import Details
from educe.eval.measurement import Outcome
from educe.eval.model.encode import Branches, encode_options, encode_prompt
from educe.eval.model.model import Model
from educe.eval.model.sample import generate
from educe.eval.model.score import Scores, score_options
from educe.eval.model.sharded import gathering
from educe.eval.spend import Spend


@dataclass(frozen=True, kw_only=True)
class SolverOutput:
    """Outcomes in the order of the items, the mean useful and executed FLOPs of one answer, and details to record."""

    outcomes: tuple[Outcome, ...]
    metric: str
    flops_per_answer: float
    executed_flops_per_answer: float
    details: Details = field(default_factory=Details)

    @property
    def score(self) -> float:
        """Mean over the outcomes."""
        return math.fsum(outcome.score for outcome in self.outcomes) / len(self.outcomes)

    @property
    def search(self) -> Spend:
        """The cost of all these answers where they only served to choose or to learn; labels are not included."""
        count = len(self.outcomes)
        return Spend(
            search_flops=self.flops_per_answer * count, executed_search_flops=self.executed_flops_per_answer * count
        )


Scorer = Callable[[Model, Sequence[Branches]], Scores]
# How items are answered: `measure` itself, a probe, votes over chains of thought.
Solver = Callable[[Model, Task, PromptFunction, Sequence[Example]], SolverOutput]


def measure(
    model: Model, task: Task, prompt_fn: PromptFunction, items: Sequence[Example], *, score: Scorer | None = None
) -> SolverOutput:
    """Prompt with every item and grade: by log-likelihoods of options for multiple choice, else by greedy text.

    `score` gives the log-likelihoods where they do not come from the model's vocabulary. Where the model's weights are
    sharded over processes, every process has to call this.
    """
    prompts = [prompt_fn(item) for item in items]
    with gathering(model.net):
        if task.kind == "choice":
            return _score_choices(model, task, prompts, items, score or score_options)
        return _generate(model, task, prompts, items)


def encode_items(model: Model, prompts: Sequence[Prompt], items: Sequence[Example]) -> list[Branches]:
    """Each item's prompt and options as ids."""
    return [
        encode_options(model, prompt, option_texts(item, prompt.format))
        for item, prompt in zip(items, prompts, strict=True)
    ]


def _score_choices(
    model: Model, task: Task, prompts: Sequence[Prompt], items: Sequence[Example], score: Scorer
) -> SolverOutput:
    encoded = encode_items(model, prompts, items)
    scores = score(model, encoded)
    for item, likelihoods in zip(items, scores.loglikelihoods, strict=True):
        if not all(map(math.isfinite, likelihoods)):
            raise UserError(
                f"model {model.name!r} scores the options of item {item.id!r} with {likelihoods}: its weights or"
                " its adapter are corrupt, or too large for the dtype; load others, or in float32"
            )
    normalize_by = task.normalize_by if scores.of_texts else "none"  # a probe's log-odds have no length
    outcomes = [
        _choice_outcome(normalize_by, prompt, item, branches, loglikelihoods)
        for prompt, item, branches, loglikelihoods in zip(prompts, items, encoded, scores.loglikelihoods, strict=True)
    ]
    metric = "target score" if any(item.scores for item in items) else "accuracy"
    metric += "" if normalize_by == "none" else f" (log-likelihood per {normalize_by})"
    return SolverOutput(
        outcomes=tuple(outcomes),
        metric=metric,
        flops_per_answer=scores.flops / len(items),
        executed_flops_per_answer=scores.executed_flops / len(items),
    )


def _choice_outcome(
    normalize_by: NormalizeBy, prompt: Prompt, item: Example, branches: Branches, loglikelihoods: tuple[float, ...]
) -> Outcome:
    sizes = option_sizes(normalize_by, prompt, item, branches)
    compared = [loglikelihood / size for loglikelihood, size in zip(loglikelihoods, sizes, strict=True)]
    return choice_outcome(item, branches, loglikelihoods, compared)


def option_sizes(normalize_by: NormalizeBy, prompt: Prompt, item: Example, branches: Branches) -> tuple[int, ...]:
    """What the log-likelihood of each option is divided by before options are compared."""
    if normalize_by == "token":
        return tuple(len(option) for option in branches.options)
    if normalize_by == "byte":
        return tuple(len(text.encode()) for text in option_texts(item, prompt.format))
    return (1,) * len(branches.options)


def choice_outcome(
    item: Example, branches: Branches, loglikelihoods: tuple[float, ...], compared: Sequence[float]
) -> Outcome:
    """The outcome of an item whose options have these log-likelihoods; the highest of `compared` is picked."""
    best, runner_up = sorted(compared, reverse=True)[:2]
    picked = list(compared).index(best)
    return Outcome(
        id=item.id,
        cluster=item.cluster,
        score=item.score(item.choices[picked]),
        answer=item.answer,
        picked=item.choices[picked],
        margin=best - runner_up,
        loglikelihoods=loglikelihoods,
        option_tokens=tuple(len(option) for option in branches.options),
        answer_index=item.sole_answer_index,
    )


def _generate(model: Model, task: Task, prompts: Sequence[Prompt], items: Sequence[Example]) -> SolverOutput:
    encoded = [encode_prompt(model, prompt, room=task.max_new_tokens) for prompt in prompts]
    samples = generate(model, encoded, max_new_tokens=task.max_new_tokens, stops=stop_strings(prompts[0]))
    assert task.grade is not None
    outcomes = [
        Outcome(id=item.id, cluster=item.cluster, score=task.grade(item, text), answer=item.answer, text=text)
        for item, text in zip(items, samples.texts, strict=True)
    ]
    return SolverOutput(
        outcomes=tuple(outcomes),
        metric=task.grader,
        flops_per_answer=samples.flops / len(items),
        executed_flops_per_answer=samples.executed_flops / len(items),
        details=Details(truncated=samples.truncated_share),
    )


def stop_strings(prompt: Prompt) -> tuple[str, ...]:
    """What a completion continues with when it goes on to another question; a chat model ends its own turn."""
    if prompt.style == "chat":
        return ()
    strings = (prompt.format.example_separator, f"\n{prompt.format.question_field.strip()}")
    return tuple(string for string in strings if string.strip(" "))

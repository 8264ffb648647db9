"""Answers as generated text, greedy or sampled, where log-likelihoods would only say which option is likeliest."""

from collections.abc import Sequence
from dataclasses import dataclass

from educe.data.example import Example
from educe.data.formats.render import PromptFunction, named_option
from educe.data.task import Task
from educe.eval.details import Details
from educe.eval.measure import SolverOutput, stop_strings
from educe.eval.measurement import Outcome
from educe.eval.model.encode import encode_prompt
from educe.eval.model.model import Model
from educe.eval.model.sample import generate


@dataclass(frozen=True, kw_only=True)
class GenerationSolver:
    """Generates every answer at a `temperature` (0 is greedy), sampled with the seed.

    At most `tokens` tokens are generated where the task sets no limit. A multiple-choice answer is the option that the
    text names, by its text or its label. A text that names none is wrong; the share of texts that name one is recorded.
    """

    temperature: float = 0.0
    tokens: int = 16
    seed: int = 0

    def __call__(self, model: Model, task: Task, prompt_fn: PromptFunction, items: Sequence[Example]) -> SolverOutput:
        prompts = [prompt_fn(item) for item in items]
        tokens = self.tokens if task.kind == "choice" else task.max_new_tokens
        samples = generate(
            model,
            [encode_prompt(model, prompt, room=tokens) for prompt in prompts],
            max_new_tokens=tokens,
            stops=stop_strings(prompts[0]),
            temperature=self.temperature,
            seed=self.seed,
        )
        outcomes = []
        for item, prompt, text in zip(items, prompts, samples.texts, strict=True):
            if task.grade is not None:
                outcomes.append(_outcome(item, task.grade(item, text), text))
                continue
            picked = named_option(item, prompt.format, text)
            outcomes.append(_outcome(item, item.score(picked), text, picked))
        named = {"named_an_option": sum(outcome.picked is not None for outcome in outcomes) / len(outcomes)}
        how = "written" if self.temperature == 0 else f"drawn at temperature {self.temperature:g}"
        return SolverOutput(
            outcomes=tuple(outcomes),
            metric=f"{task.grader if task.grade else 'accuracy'} ({how})",
            flops_per_answer=samples.flops / len(items),
            executed_flops_per_answer=samples.executed_flops / len(items),
            details=Details(truncated=samples.truncated_share, notes={} if task.grade else named),
        )


def _outcome(item: Example, score: float, text: str, picked: str | None = None) -> Outcome:
    return Outcome(id=item.id, cluster=item.cluster, score=score, answer=item.answer, picked=picked, text=text)

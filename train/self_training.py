"""Expert iteration (Anthony et al. 2017): sample answers and learn from those that the task's grader accepts.

The grader reads the label and the learner does not; the label is charged.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from educe.data.example import Example
from educe.data.format import Format
from educe.data.formats.render import PromptFunction, option_texts
from educe.data.grade import exact_match
from educe.data.task import Task
from educe.eval.details import SampledAnswers
from educe.eval.measure import stop_strings
from educe.eval.model.encode import encode_prompt
from educe.eval.model.model import Model
from educe.eval.model.sample import generate
from educe.eval.model.sharded import refuse_sharded
from educe.eval.spend import Spend


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """Examples whose answer is a sampled one that was accepted, each once; what sampling cost and how it varied."""

    examples: tuple[Example, ...]
    spend: Spend
    details: SampledAnswers


def sample_accepted(
    model: Model,
    task: Task,
    prompt_fn: PromptFunction,
    questions: Sequence[Example],
    *,
    samples: int,
    temperature: float,
    seed: int,
) -> Accepted:
    """Draw `samples` answers to every question and keep the right ones."""
    refuse_sharded(model.net, "sampling to learn from")
    prompts = [prompt_fn(question) for question in questions]
    drawn = generate(
        model,
        [encode_prompt(model, prompt, room=task.max_new_tokens) for prompt in prompts for _ in range(samples)],
        max_new_tokens=task.max_new_tokens,
        stops=stop_strings(prompts[0]),
        temperature=temperature,
        seed=seed,
    )
    kept, entropies, distinct, right = [], [], [], 0
    for place, question in enumerate(questions):
        texts = [text.strip() for text in drawn.texts[place * samples : (place + 1) * samples]]
        accepted = [text for text in texts if text and credit(task, prompts[place].format, question, text) == 1]
        right += len(accepted)
        entropies.append(entropy_bits(texts))
        different = list(dict.fromkeys(accepted))
        if different:
            distinct.append(len(different))
        kept += [_answered(question, text) for text in different[: 1 if question.choices else None]]
    return Accepted(
        examples=tuple(kept),
        spend=Spend(search_flops=drawn.flops, executed_search_flops=drawn.executed_flops),
        details=SampledAnswers(
            accepted_share=right / len(drawn.texts),
            distinct=math.fsum(distinct) / len(distinct) if distinct else 0.0,
            entropy_bits=math.fsum(entropies) / len(entropies),
        ),
    )


def entropy_bits(texts: Sequence[str]) -> float:
    """Entropy of the empirical distribution of the texts, in bits."""
    counts = Counter(texts).values()
    return math.fsum(count / len(texts) * math.log2(len(texts) / count) for count in counts)


def credit(task: Task, form: Format, question: Example, text: str) -> float:
    """The task's grade, from 0 to 1; a choice must be written as the format writes it."""
    if task.grade is not None:
        return float(task.grade(question, text))
    answer = option_texts(question, form)[question.answer_index]
    return exact_match(replace(question, choices=(), answer=answer), text)


def _answered(question: Example, text: str) -> Example:
    """The question with the model's text as its answer; a choice keeps the right option, however it was written."""
    return question if question.choices else replace(question, answer=text, worked=None)

"""Expert iteration (Anthony et al. 2017): sample answers and learn from those that the task's grader accepts.

The grader reads the label and the learner does not; the label is charged.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from educe.data.example import Example
from educe.data.formats.render import PromptFunction, named_option
from educe.data.task import Task
from educe.eval.details import SampledAnswers
from educe.eval.measure import stop_strings
from educe.eval.model.encode import encode_prompt
from educe.eval.model.model import Model
from educe.eval.model.sample import generate
from educe.eval.model.sharded import refuse_sharded
from educe.eval.spend import Spend
from educe.train.credit import Reward, coin, credit
from educe.train.options import draw_options, entropy_bits, option_policies


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """Examples whose answer is a sampled one that was accepted, each once; what sampling cost and how it varied."""

    examples: tuple[Example, ...]
    spend: Spend
    details: SampledAnswers


@dataclass(frozen=True, kw_only=True)
class _Sample:
    """What was sampled, what it would teach as an answer (nothing where it names no option), and what it earned."""

    text: str
    answer: str | None
    earned: float

    @property
    def accepted(self) -> bool:
        return self.earned == 1 and bool(self.answer)


def sample_written(
    model: Model,
    task: Task,
    prompt_fn: PromptFunction,
    questions: Sequence[Example],
    *,
    samples: int,
    temperature: float,
    max_new_tokens: int,
    reward: Reward,
    seed: int,
) -> Accepted:
    """Let the model write `samples` answers to every question and keep those with full credit.

    Of a choice, the option that a text names is learned, however it is written.
    """
    refuse_sharded(model.net, "sampling to learn from")
    prompts = [prompt_fn(question) for question in questions]
    drawn = generate(
        model,
        [encode_prompt(model, prompt, room=max_new_tokens) for prompt in prompts for _ in range(samples)],
        max_new_tokens=max_new_tokens,
        stops=stop_strings(prompts[0]),
        temperature=temperature,
        seed=seed,
    )
    texts = iter(drawn.texts)
    groups = []
    for question, prompt in zip(questions, prompts, strict=True):
        group = []
        for place in range(samples):
            text = next(texts).strip()
            earned = credit(reward, task, prompt.format, question, text, toss=f"{seed} {question.id} {place}")
            answer = named_option(question, prompt.format, text) if question.choices else text
            group.append(_Sample(text=text, answer=answer, earned=earned))
        groups.append(group)
    entropies = [sample_entropy_bits([each.text for each in group]) for group in groups]
    return _accepted(
        questions, groups, entropies, Spend(search_flops=drawn.flops, executed_search_flops=drawn.executed_flops)
    )


def sample_options(
    model: Model,
    task: Task,
    prompt_fn: PromptFunction,
    questions: Sequence[Example],
    *,
    samples: int,
    temperature: float,
    reward: Reward,
    seed: int,
) -> Accepted:
    """Draw `samples` options of every question from the model's own distribution over them, and keep the right ones.

    Every option is read once, whatever the number of samples. With a `random` reward a coin decides what is kept.
    """
    refuse_sharded(model.net, "sampling to learn from")
    policies, spend = option_policies(model, task, prompt_fn, questions, temperature=temperature)
    groups = []
    for question, policy in zip(questions, policies, strict=True):
        key, group = f"{seed} {question.id}", []
        for place, drawn in enumerate(draw_options(policy, samples, key=key)):
            option = question.choices[drawn]
            earned = coin(f"{key} {place}") if reward == "random" else question.score(option)
            group.append(_Sample(text=option, answer=option, earned=earned))
        groups.append(group)
    return _accepted(questions, groups, [entropy_bits(policy) for policy in policies], spend)


def _accepted(
    questions: Sequence[Example], groups: Sequence[Sequence[_Sample]], entropies: Sequence[float], spend: Spend
) -> Accepted:
    kept, distinct = [], []
    for question, group in zip(questions, groups, strict=True):
        different = list(dict.fromkeys(str(each.answer) for each in group if each.accepted))
        kept += [replace(question, answer=answer, worked=None) for answer in different]
        distinct += [len(different)] if different else []
    samples = [each for group in groups for each in group]
    return Accepted(
        examples=tuple(kept),
        spend=spend,
        details=SampledAnswers(
            accepted_share=sum(each.accepted for each in samples) / len(samples),
            distinct=math.fsum(distinct) / len(distinct) if distinct else 0.0,
            entropy_bits=math.fsum(entropies) / len(entropies),
        ),
    )


def sample_entropy_bits(texts: Sequence[str]) -> float:
    """Entropy of the empirical distribution of the texts, in bits."""
    return entropy_bits(count / len(texts) for count in Counter(texts).values())

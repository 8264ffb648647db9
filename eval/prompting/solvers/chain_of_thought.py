"""Answers after reasoning: a chain of thought is written, then the question is answered after it.

Zero-shot chains open with a sentence that asks for reasoning (Kojima et al. 2022). Several drawn chains vote
(self-consistency, Wang et al. 2023); where fewer than a threshold agree, the greedy chain may answer instead
(uncertainty routing, Gemini Team 2023).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from educe.data.example import Example
from educe.data.formats.render import Prompt, PromptFunction, option_texts
from educe.data.task import Task
from educe.eval.measure import SolverOutput, measure, stops
from educe.eval.measurement import Outcome
from educe.eval.model.encode import encode_prompt, prompt_text
from educe.eval.model.model import Model
from educe.eval.model.sample import generate
from educe.eval.prompting.solvers.voting import answer_of, as_one, majority
from educe.eval.spend import Spend

OPENING = "Let's think step by step."
CONCLUSION = "So the answer is"


@dataclass(frozen=True, kw_only=True)
class ChainOfThoughtSolver:
    """`samples` chains of at most `tokens` tokens for every item, drawn at `temperature` with the seed.

    One chain is written greedily and answers. Several vote; with a `threshold`, where a smaller share agrees, one more
    chain, written greedily, answers.
    """

    samples: int = 1
    temperature: float = 0.7
    tokens: int = 96
    threshold: float | None = None
    seed: int = 0

    def __call__(self, model: Model, task: Task, prompt_fn: PromptFunction, items: Sequence[Example]) -> SolverOutput:
        """Think, conclude, vote; every token is the price of an answer."""
        if self.samples == 1:
            return self.greedy(model, task, prompt_fn, items)
        rounds = self.rounds(model, task, prompt_fn, items)
        voted = majority([each.outcomes for each in rounds], said=_concluded_answer)
        outcomes = [winner for winner, _ in voted]
        metric = f"{rounds[0].metric}, majority of {self.samples}"
        if self.threshold is not None:
            greedy = self.greedy(model, task, prompt_fn, items)
            outcomes = route(voted, greedy.outcomes, self.threshold)
            rounds.append(greedy)
            metric += f" or greedy below {self.threshold:g}"
        return as_one(rounds, outcomes, metric=metric, metadata=rounds[0].metadata)

    def rounds(
        self, model: Model, task: Task, prompt_fn: PromptFunction, items: Sequence[Example]
    ) -> list[SolverOutput]:
        """Every drawn chain of every item, one round of answers a sample."""
        return [
            self._round(model, task, prompt_fn, items, temperature=self.temperature, seed=1000 * self.seed + number)
            for number in range(self.samples)
        ]

    def greedy(self, model: Model, task: Task, prompt_fn: PromptFunction, items: Sequence[Example]) -> SolverOutput:
        """The likeliest chain of every item."""
        return self._round(model, task, prompt_fn, items, temperature=0.0, seed=0)

    def _round(
        self,
        model: Model,
        task: Task,
        prompt_fn: PromptFunction,
        items: Sequence[Example],
        *,
        temperature: float,
        seed: int,
    ) -> SolverOutput:
        """One chain for every item, and what it concludes."""
        prompts = [thinking(prompt_fn(item)) for item in items]
        written = generate(
            model,
            [encode_prompt(model, prompt, room=self.tokens + task.max_new_tokens) for prompt in prompts],
            max_new_tokens=self.tokens,
            stops=(*stops(prompts[0]), CONCLUSION),
            temperature=temperature,
            seed=seed,
        )
        concluding = {
            item.id: concluded(prompt, text) for item, prompt, text in zip(items, prompts, written.texts, strict=True)
        }
        answers = measure(model, task, lambda item: concluding[item.id], items)
        return replace(
            answers,
            outcomes=tuple(
                replace(outcome, text=f"{text.strip()}\n{CONCLUSION} {_said(outcome, item, prompt)}")
                for outcome, item, prompt, text in zip(answers.outcomes, items, prompts, written.texts, strict=True)
            ),
            metadata={"first_prompt": prompt_text(model, prompts[0])},
            flops_per_answer=answers.flops_per_answer + written.flops / len(items),
            executed_flops_per_answer=answers.executed_flops_per_answer + written.executed_flops / len(items),
        )


def _said(outcome: Outcome, item: Example, prompt: Prompt) -> str:
    """The conclusion as the model was asked for it: an option as the format has it, or the text it wrote."""
    if outcome.picked is None:
        return (outcome.text or "").strip()
    return option_texts(item, prompt.format)[item.choices.index(outcome.picked)]


def thinking(prompt: Prompt) -> Prompt:
    """The prompt whose answer begins with reasoning."""
    return replace(prompt, prefill=f"{prompt.prefill} {OPENING}".strip())


def concluded(prompt: Prompt, chain: str) -> Prompt:
    """The prompt whose answer has been reasoned out and only has to be said."""
    return replace(prompt, prefill=f"{prompt.prefill} {chain.strip()}\n{CONCLUSION}")


def _concluded_answer(outcome: Outcome) -> str:
    """What a chain came to, whichever way it went."""
    return answer_of(replace(outcome, text=(outcome.text or "").rpartition(CONCLUSION)[2]))


@dataclass(frozen=True, kw_only=True)
class WrittenChains:
    """What a model reasoned about examples, by id: only where it came to the right answer; and what that cost."""

    answers: Mapping[str, str]
    spend: Spend


def write_chains(
    model: Model, task: Task, prompt_fn: PromptFunction, examples: Sequence[Example], *, tokens: int
) -> WrittenChains:
    """Have the model demonstrate reasoning itself (Zhang et al. 2023), one greedy chain for every example."""
    answers = ChainOfThoughtSolver(tokens=tokens)(model, task, prompt_fn, examples)
    kept = {
        outcome.id: f"{OPENING} {outcome.text}" for outcome in answers.outcomes if outcome.score == 1 and outcome.text
    }
    spend = answers.search + Spend(labelled_examples=len(examples))
    return WrittenChains(answers=kept, spend=spend)


def route(voted: Sequence[tuple[Outcome, float]], greedy: Sequence[Outcome], threshold: float) -> list[Outcome]:
    """The vote where at least this share agrees, else the greedy answer."""
    return [winner if agreed >= threshold else alone for (winner, agreed), alone in zip(voted, greedy, strict=True)]


@dataclass(frozen=True, kw_only=True)
class FittedThreshold:
    """The agreement from which votes are trusted, its score on the rows that it was fitted on, and what that cost."""

    threshold: float
    score: float
    spend: Spend


def fit_threshold(
    chains: ChainOfThoughtSolver, model: Model, task: Task, prompt_fn: PromptFunction, dev: Sequence[Example]
) -> FittedThreshold:
    """Try every agreement that so many samples can have; the lowest of the best, as votes cost nothing more."""
    rounds, greedy = chains.rounds(model, task, prompt_fn, dev), chains.greedy(model, task, prompt_fn, dev)
    voted = majority([each.outcomes for each in rounds], said=_concluded_answer)
    tried = {}
    for agreeing in range(chains.samples + 2):  # beyond all of them: always greedy
        threshold = agreeing / chains.samples
        routed = route(voted, greedy.outcomes, threshold)
        tried[threshold] = sum(outcome.score for outcome in routed) / len(dev)
    best = max(tried, key=lambda threshold: (tried[threshold], -threshold))
    spend = sum((each.search for each in [*rounds, greedy]), Spend(labelled_examples=len(dev)))
    return FittedThreshold(threshold=best, score=tried[best], spend=spend)

"""Answers after reasoning: a chain of thought is generated, then the question is answered after it.

Zero-shot chains open with a sentence that asks for reasoning (Kojima et al. 2022). Several sampled chains vote
(self-consistency, Wang et al. 2023). Where fewer than a threshold agree, the greedy chain may answer instead
(uncertainty routing, Gemini Team 2023).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from educe.data.example import Example
from educe.data.formats.render import Prompt, PromptFunction, option_texts
from educe.data.task import Task
from educe.eval.details import Details
from educe.eval.measure import SolverOutput, measure, stop_strings
from educe.eval.measurement import Outcome
from educe.eval.model.encode import encode_prompt, prompt_text
from educe.eval.model.model import Model
from educe.eval.model.sample import generate
from educe.eval.prompting.prompts import PromptConfig, make_prompt_fn
from educe.eval.prompting.solvers.voting import combine_rounds, comparable_answer, majority_vote
from educe.eval.selection import Choice, choose
from educe.eval.spend import Spend

OPENING = "Let's think step by step."
CONCLUSION = "So the answer is"


@dataclass(frozen=True, kw_only=True)
class ChainOfThoughtSolver:
    """`samples` chains of at most `tokens` tokens for every item, sampled at `temperature` with the seed.

    A single chain is greedy. Several vote; with a `threshold`, one more greedy chain answers where a smaller share
    agrees. All tokens are the cost of an answer.
    """

    samples: int = 1
    temperature: float = 0.7
    tokens: int = 96
    threshold: float | None = None
    seed: int = 0

    def __call__(self, model: Model, task: Task, prompt_fn: PromptFunction, items: Sequence[Example]) -> SolverOutput:
        if self.samples == 1:
            return self.greedy(model, task, prompt_fn, items)
        rounds = self.sample(model, task, prompt_fn, items)
        voted = majority_vote([each.outcomes for each in rounds], answer=_final_answer)
        outcomes = [winner for winner, _ in voted]
        metric = f"{rounds[0].metric}, majority of {self.samples}"
        if self.threshold is not None:
            greedy = self.greedy(model, task, prompt_fn, items)
            outcomes = route_by_agreement(voted, greedy.outcomes, self.threshold)
            rounds.append(greedy)
            metric += f" or greedy below {self.threshold:g}"
        return combine_rounds(rounds, outcomes, metric=metric, details=rounds[0].details)

    def sample(
        self, model: Model, task: Task, prompt_fn: PromptFunction, items: Sequence[Example]
    ) -> list[SolverOutput]:
        """One output for each sample: a sampled chain for every item."""
        return [
            self._round(model, task, prompt_fn, items, temperature=self.temperature, seed=1000 * self.seed + number)
            for number in range(self.samples)
        ]

    def greedy(self, model: Model, task: Task, prompt_fn: PromptFunction, items: Sequence[Example]) -> SolverOutput:
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
        """One chain for every item, and the answer after it."""
        prompts = [reasoning_prompt(prompt_fn(item)) for item in items]
        chains = generate(
            model,
            [encode_prompt(model, prompt, room=self.tokens + task.max_new_tokens) for prompt in prompts],
            max_new_tokens=self.tokens,
            stops=(*stop_strings(prompts[0]), CONCLUSION),
            temperature=temperature,
            seed=seed,
        )
        concluding = {
            item.id: conclusion_prompt(prompt, chain)
            for item, prompt, chain in zip(items, prompts, chains.texts, strict=True)
        }
        output = measure(model, task, lambda item: concluding[item.id], items)
        return replace(
            output,
            outcomes=tuple(
                replace(outcome, text=f"{chain.strip()}\n{CONCLUSION} {_conclusion(outcome, item, prompt)}")
                for outcome, item, prompt, chain in zip(output.outcomes, items, prompts, chains.texts, strict=True)
            ),
            details=Details(first_prompt=prompt_text(model, prompts[0])),
            flops_per_answer=output.flops_per_answer + chains.flops / len(items),
            executed_flops_per_answer=output.executed_flops_per_answer + chains.executed_flops / len(items),
        )


def _conclusion(outcome: Outcome, item: Example, prompt: Prompt) -> str:
    """The answer as the prompt's format has it: an option's letter or text, or the generated text."""
    if outcome.picked is None:
        return (outcome.text or "").strip()
    return option_texts(item, prompt.format)[item.choices.index(outcome.picked)]


def reasoning_prompt(prompt: Prompt) -> Prompt:
    """The prompt with an answer that begins with reasoning."""
    return replace(prompt, prefill=f"{prompt.prefill} {OPENING}".strip())


def conclusion_prompt(prompt: Prompt, chain: str) -> Prompt:
    """The prompt after the reasoning, where only the conclusion is missing."""
    return replace(prompt, prefill=f"{prompt.prefill} {chain.strip()}\n{CONCLUSION}")


def _final_answer(outcome: Outcome) -> str:
    """What a chain concluded, without the reasoning."""
    return comparable_answer(replace(outcome, text=(outcome.text or "").rpartition(CONCLUSION)[2]))


@dataclass(frozen=True, kw_only=True)
class WrittenChains:
    """The model's reasoning about examples, by id, where it led to the correct answer, and its cost."""

    answers: Mapping[str, str]
    spend: Spend


def write_chains(
    model: Model, task: Task, prompt_fn: PromptFunction, examples: Sequence[Example], *, tokens: int
) -> WrittenChains:
    """The model writes its own demonstrations of reasoning (Zhang et al. 2023): one greedy chain for every example."""
    output = ChainOfThoughtSolver(tokens=tokens)(model, task, prompt_fn, examples)
    kept = {
        outcome.id: f"{OPENING} {outcome.text}" for outcome in output.outcomes if outcome.score == 1 and outcome.text
    }
    return WrittenChains(answers=kept, spend=output.search + Spend(labelled_examples=len(examples)))


def make_reasoning_prompt_fn(
    model: Model, task: Task, shots: Sequence[Example], *, prompt_config: PromptConfig, tokens: int
) -> tuple[PromptFunction, Spend, Details]:
    """A prompt function whose demonstrations show the model's own reasoning, or the answer alone where it was wrong."""
    zero_shot = make_prompt_fn(model, task, prompt_config=prompt_config)
    if not shots:
        return zero_shot, Spend(), Details()
    written = write_chains(model, task, zero_shot, shots, tokens=tokens)
    prompt_fn = make_prompt_fn(model, task, shots=shots, prompt_config=prompt_config, answers=written.answers)
    return prompt_fn, written.spend, Details(shots_that_reason=len(written.answers))


def route_by_agreement(
    voted: Sequence[tuple[Outcome, float]], greedy: Sequence[Outcome], threshold: float
) -> list[Outcome]:
    """The vote where at least this share agrees, else the greedy answer."""
    return [winner if agreed >= threshold else alone for (winner, agreed), alone in zip(voted, greedy, strict=True)]


def fit_threshold(
    solver: ChainOfThoughtSolver, model: Model, task: Task, prompt_fn: PromptFunction, dev: Sequence[Example]
) -> tuple[float, Choice[float]]:
    """The agreement from which votes are used; every agreement that the samples can have is tried, lowest first."""
    rounds, greedy = solver.sample(model, task, prompt_fn, dev), solver.greedy(model, task, prompt_fn, dev)
    voted = majority_vote([each.outcomes for each in rounds], answer=_final_answer)

    def score(threshold: float) -> tuple[float, Spend]:
        routed = route_by_agreement(voted, greedy.outcomes, threshold)
        return sum(outcome.score for outcome in routed) / len(dev), Spend()

    # One more than all samples is always greedy.
    best, choice = choose([agreeing / solver.samples for agreeing in range(solver.samples + 2)], score)
    choice.search = sum((each.search for each in [*rounds, greedy]), Spend(labelled_examples=len(dev)))
    return best, choice

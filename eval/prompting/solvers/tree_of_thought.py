"""Tree of thought (Yao et al. 2023): thoughts are proposed, judged by the model itself, and the best are kept.

A thought is a line. A judgement is how much likelier "yes" is than "no" when the model is asked whether the reasoning
so far is right. After the last line comes the answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from educe.data.example import Example
from educe.data.formats.render import Prompt, PromptFunction
from educe.data.task import Task
from educe.eval.details import Details
from educe.eval.measure import SolverOutput, measure, stop_strings
from educe.eval.model.encode import encode_options, encode_prompt, prompt_text
from educe.eval.model.model import Model
from educe.eval.model.sample import generate
from educe.eval.model.score import score_options
from educe.eval.prompting.solvers.chain_of_thought import CONCLUSION, conclusion_prompt, reasoning_prompt
from educe.eval.spend import Spend

JUDGEMENT = "\n\nReasoning so far: {thoughts}\n\nIs this reasoning right so far? Answer yes or no."


@dataclass(frozen=True, kw_only=True)
class Branch:
    """Thoughts about the item at a `place` in the list of items."""

    place: int
    thoughts: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """One thought a line."""
        return "\n".join(self.thoughts)


@dataclass(frozen=True, kw_only=True)
class TreeOfThoughtSolver:
    """`steps` lines of reasoning; at each, every kept branch gets `proposals` lines, and the best `beam` are kept.

    The whole tree is the cost of an answer.
    """

    steps: int = 3
    proposals: int = 3
    beam: int = 2
    tokens: int = 32
    temperature: float = 0.7
    seed: int = 0

    def __call__(self, model: Model, task: Task, prompt_fn: PromptFunction, items: Sequence[Example]) -> SolverOutput:
        prompts = [reasoning_prompt(prompt_fn(item)) for item in items]
        room = self.steps * (self.tokens + 1) + task.max_new_tokens
        for prompt in prompts:  # a prompt that is too long is refused before anything is generated
            encode_prompt(model, prompt, room=room)
        branches = [Branch(place=place) for place in range(len(items))]
        spend = Spend()
        for step in range(self.steps):
            branches, proposing = self._propose(model, prompts, branches, seed=1000 * self.seed + step)
            scores, judging = judge(model, prompt_fn, items, branches)
            branches = _best(branches, scores, beam=self.beam)
            spend += proposing + judging
        best = {branch.place: branch for branch in reversed(branches)}  # the first of an item is its best
        final = {item.id: conclusion_prompt(prompts[place], best[place].text) for place, item in enumerate(items)}
        output = measure(model, task, lambda item: final[item.id], items)
        return replace(
            output,
            outcomes=tuple(
                replace(outcome, text=f"{best[place].text}\n{CONCLUSION} {(outcome.text or '').strip()}")
                for place, outcome in enumerate(output.outcomes)
            ),
            details=Details(first_prompt=prompt_text(model, prompts[0])),
            flops_per_answer=output.flops_per_answer + spend.search_flops / len(items),
            executed_flops_per_answer=output.executed_flops_per_answer + spend.executed_search_flops / len(items),
        )

    def _propose(
        self, model: Model, prompts: Sequence[Prompt], branches: Sequence[Branch], *, seed: int
    ) -> tuple[list[Branch], Spend]:
        """Every branch with each of its next lines, without repetition, and the cost of generating these."""
        repeated = [branch for branch in branches for _ in range(self.proposals)]
        continued = [continue_reasoning(prompts[branch.place], branch) for branch in repeated]
        samples = generate(
            model,
            [encode_prompt(model, prompt, room=self.tokens) for prompt in continued],
            max_new_tokens=self.tokens,
            stops=(*stop_strings(prompts[0]), CONCLUSION),
            temperature=self.temperature,
            seed=seed,
        )
        grown = [
            replace(branch, thoughts=branch.thoughts + _first_line(text))
            for branch, text in zip(repeated, samples.texts, strict=True)
        ]
        spend = Spend(search_flops=samples.flops, executed_search_flops=samples.executed_flops)
        return list(dict.fromkeys(grown)), spend


def _first_line(text: str) -> tuple[str, ...]:
    """The first line that is not empty, or nothing; models often begin with a line break."""
    return tuple(line.strip() for line in text.strip().split("\n")[:1] if line.strip())


def judge(
    model: Model, prompt_fn: PromptFunction, items: Sequence[Example], branches: Sequence[Branch]
) -> tuple[list[float], Spend]:
    """How much likelier "yes" is than "no" for each branch's reasoning, in nats, and the cost of asking."""
    prompts = [judgement_prompt(prompt_fn, items[branch.place], branch.text) for branch in branches]
    scores = score_options(model, [encode_options(model, prompt, ("yes", "no")) for prompt in prompts])
    spend = Spend(search_flops=scores.flops, executed_search_flops=scores.executed_flops)
    return [yes - no for yes, no in scores.loglikelihoods], spend


def judgement_prompt(prompt_fn: PromptFunction, item: Example, thoughts: str) -> Prompt:
    """The item's prompt with a question about its reasoning after its own."""
    return replace(prompt_fn(replace(item, question=item.question + JUDGEMENT.format(thoughts=thoughts))), prefill="")


def continue_reasoning(prompt: Prompt, branch: Branch) -> Prompt:
    """The prompt with the branch's thoughts as the beginning of the answer."""
    return replace(prompt, prefill=f"{prompt.prefill} {branch.text}\n") if branch.thoughts else prompt


def _best(branches: Sequence[Branch], scores: Sequence[float], *, beam: int) -> list[Branch]:
    """The best few branches of every item, best first; in a tie the earlier one."""
    order = sorted(range(len(branches)), key=lambda index: (branches[index].place, -scores[index], index))
    kept: list[Branch] = []
    for index in order:
        branch = branches[index]
        if sum(other.place == branch.place for other in kept[-beam:]) < beam:
            kept.append(branch)
    return kept

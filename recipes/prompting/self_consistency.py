"""Self-consistency: several chains of thought are drawn and vote; where they disagree, the greedy one may answer."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from educe.data.errors import UserError
from educe.data.task import Task
from educe.recipes.method import Elicited, check_dev
from educe.recipes.prompting.chain_of_thought import ChainOfThought

if TYPE_CHECKING:
    from educe.eval.model.model import Model


class SelfConsistency(ChainOfThought):
    """What shows when `samples` chains drawn at `temperature` vote.

    With a `threshold`, a smaller agreement than that hands the item to one greedy chain; "fit" chooses the threshold on
    `dev_examples` dev rows, which are charged (uncertainty-routed chain of thought).
    """

    samples: int = Field(default=5, ge=2)
    temperature: float = Field(default=0.7, gt=0)
    threshold: Annotated[float, Field(ge=0, le=1)] | Literal["fit"] | None = None
    dev_examples: int = Field(default=0, ge=0)

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses a threshold to fit without dev rows, and dev rows without one."""
        super().check(task, examples=examples)
        if self.reads_dev and not self.dev_examples:
            raise UserError("threshold: fit needs dev rows to be fitted on; set dev_examples")
        if self.dev_examples and not self.reads_dev:
            raise UserError(f"dev_examples = {self.dev_examples} would not be read; set threshold: fit, or drop it")
        check_dev(task, self.dev_examples)

    def __call__(self, model: "Model", task: Task, *, examples: int, seed: int) -> Elicited:
        """Fit the threshold if asked to, and let chains vote on every item."""
        from educe.eval.prompting.solvers.chain_of_thought import ChainOfThoughtSolver, fit_threshold

        prompt_fn, spend, metadata = self.reasoning(model, task, examples, seed)
        chains = ChainOfThoughtSolver(samples=self.samples, temperature=self.temperature, tokens=self.tokens, seed=seed)
        threshold = self.threshold
        noted: dict[str, float | int] = dict(metadata)
        if threshold == "fit":
            dev = task.draw("dev", self.dev_examples, seed=seed)
            fitted = fit_threshold(chains, model, task, prompt_fn, dev)
            threshold, spend = fitted.threshold, spend + fitted.spend
            noted |= {"threshold": threshold, "dev_score": fitted.score, "dev_examples": len(dev)}
        chosen = ChainOfThoughtSolver(
            samples=chains.samples,
            temperature=chains.temperature,
            tokens=chains.tokens,
            threshold=threshold,
            seed=seed,
        )
        return Elicited(model=model, prompt_fn=prompt_fn, solver=chosen, spend=spend, metadata=noted)

    @property
    def reads_dev(self) -> bool:
        """To fit the threshold."""
        return self.threshold == "fit"

    @property
    def asks_per_item(self) -> float:
        """Every chain comes to an answer."""
        return self.samples

    def rows_sampled(self, examples: int) -> int:
        """Every shot once, and every dev row by all chains."""
        return examples + (self.samples + 1) * self.dev_examples

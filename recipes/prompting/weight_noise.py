"""Noise in the weights: it may disturb what holds a capability back more than the capability."""

from collections.abc import Sequence
from statistics import fmean
from typing import Annotated

from pydantic import Field, field_validator

from educe.data.errors import UserError
from educe.data.task import Task
from educe.eval.analysis.statistics.largest import largest_gain
from educe.eval.details import Details, Signal
from educe.eval.measure import SolverOutput
from educe.eval.model.model import Model
from educe.eval.prompting.prompts import make_prompt_fn
from educe.eval.selection import choose
from educe.eval.spend import Spend
from educe.recipes.method import Elicited, Method, Workload, check_dev
from educe.train.attach import cleanup_stack
from educe.train.weight_noise import noisy_weights, scan_noise, seed_of_draw

Level = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class NoiseSettings(Method):
    """How much noise is tried: `levels` are multiples of a weight matrix's standard deviation, with `draws` of each."""

    levels: tuple[Level, ...] = Field(default=(0.05, 0.1, 0.2, 0.4), min_length=1)
    draws: int = Field(default=2, ge=1)

    @field_validator("levels")
    @classmethod
    def _listed_once(cls, levels: tuple[float, ...]) -> tuple[float, ...]:
        if len(set(levels)) < len(levels):
            raise UserError(f"levels = {list(levels)} lists a value twice; list it once")
        return levels

    @property
    def prompts_in_scan(self) -> int:
        """How often a scan asks each item, without noise included."""
        return 1 + len(self.levels) * self.draws


class WeightNoise(NoiseSettings):
    """Answer with the noise level that is best on dev rows; none is among the candidates.

    Noise is Gaussian, and added to the weight matrices of all layers (train/weight_noise.py). A level's dev score is
    the mean over its draws, on `dev_examples` rows, which are charged, as are all their answers. The test is answered
    with the first draw of the best level. The largest gain of any draw over no noise is recorded as a signal, with
    a p value that is corrected for taking the largest. A model that holds back may gain (Tice et al. 2024, arXiv
    2412.01784).
    """

    dev_examples: int = Field(default=64, ge=1)

    def check(self, task: Task, *, examples: int) -> None:
        super().check(task, examples=examples)
        check_dev(task, self.dev_examples)

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        prompt_fn = make_prompt_fn(model, task, prompt_config=self.prompt_config)
        dev = task.draw("dev", self.dev_examples, seed=seed)
        levels = (0.0, *self.levels)
        answers = scan_noise(model, task, prompt_fn, dev, levels=levels, draws=self.draws, seed=seed)

        def score_on_dev(place: int) -> tuple[float, Spend]:
            cost = sum((each.search for each in answers[place]), Spend())
            return fmean(each.score for each in answers[place]), cost

        best, choice = choose(range(len(levels)), score_on_dev)
        noise = noisy_weights(model, level=levels[best], seed=seed_of_draw(seed, 0))
        cleanup_stack(model).enter_context(noise)
        selection = choice.selection({"level": levels[best]}, dev_examples=len(dev))
        notes = {f"dev score at {level:g}": score for level, score in zip(levels, choice.scores, strict=True)}
        return Elicited(
            model=model,
            prompt_fn=prompt_fn,
            spend=Spend(labelled_examples=len(dev)) + choice.search,
            details=Details(selection=selection, signals=(noise_signal(answers, where="dev rows"),), notes=notes),
        )

    @property
    def reads_dev(self) -> bool:
        return True

    def workload(self, task: Task, examples: int) -> Workload:
        return Workload(scored_rows=self.prompts_in_scan * self.dev_examples, prompt_configs=(self.prompt_config,))


def noise_signal(answers: Sequence[Sequence[SolverOutput]], *, where: str) -> Signal:
    """The largest gain of any draw at any level over the first answers, which are without noise."""
    (without,), *noisy = answers
    rivals = [[outcome.score for outcome in each.outcomes] for draws in noisy for each in draws]
    clusters = [outcome.cluster for outcome in without.outcomes]
    found = largest_gain(rivals, [outcome.score for outcome in without.outcomes], clusters)
    return Signal(
        name=f"largest gain with noise in the weights, {where}",
        value=found.value,
        low=found.low,
        high=found.high,
        interval=found.kind,
        n=found.n,
        p=found.p,
    )

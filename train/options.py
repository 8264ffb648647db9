"""Rewards for choices: the policy is the model's own distribution over a question's options, and no text is written.

The policy is p(o) = softmax over the options of loglikelihood(o) / size(o) / temperature, with the sizes that the
task's own scores are divided by. For the expected reward J = sum p(o) r(o) and any b that is the same for all options,

    gradient of J = sum over o of p(o) (r(o) - b) gradient of log p(o)        (REINFORCE, Williams 1992)

With samples "all" this sum is computed as it stands, with b = J: the exact expectation, to which the right option of
every question is visible. With drawn samples o_1 ... o_G of a question it is estimated by

    1 / (G - 1) * sum over i of (r(o_i) - mean of r) gradient of log p(o_i)

The baseline is the mean of the group, as in GRPO (Shao et al. 2024). With G - 1 in place of G a sample is not compared
with itself (leave-one-out, Kool et al. 2019), and the mean of the estimate over draws is the gradient of J. It is not
divided by the spread of the group's rewards: that would give questions a weight by how sure the model is, and the
estimate a bias (Liu et al. 2025). Every draw serves one update, so that GRPO's clipped ratio is 1 and left out.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from educe.data.example import Example
from educe.data.formats.render import PromptFunction
from educe.data.hashing import fraction
from educe.data.task import Task
from educe.eval.measure import encode_items, measure, option_sizes
from educe.eval.model.encode import Branches
from educe.eval.model.model import Model
from educe.eval.model.score import option_places, option_row
from educe.eval.model.tree import Pack, collate, selected_logits
from educe.eval.spend import Spend
from educe.train.credit import coin, nothing_to_learn
from educe.train.encode import TrainingRow
from educe.train.loss import AnswerLoss, Packed, pack

Samples = int | Literal["all"]


@dataclass(frozen=True, kw_only=True)
class OptionsRow:
    """A question with all of its options as ids, what each log-likelihood is divided by, and what each option earns.

    Where `rewards` is None, a coin decides anew for every sample.
    """

    id: str
    branches: Branches
    sizes: tuple[int, ...]
    rewards: tuple[float, ...] | None

    @property
    def parts(self) -> tuple[TrainingRow]:
        """All that passes through the net as one row, laid end to end: the question once, then every option.

        Supervised are the positions whose logits are read: one for the first tokens of all options, and one for each
        other token.
        """
        inside = [token for option in self.branches.options for token in option[:-1]]
        ids = (*self.branches.prompt, *inside, self.branches.options[-1][-1])
        return (TrainingRow(id=self.id, ids=ids, supervised=1 + len(inside)),)

    @property
    def loss_terms(self) -> int:
        return 1

    def with_prefix(self, prefix: tuple[int, ...]) -> "OptionsRow":
        return replace(self, branches=replace(self.branches, prompt=prefix + self.branches.prompt))


def encode_options_rows(
    model: Model, task: Task, questions: Sequence[Example], prompt_fn: PromptFunction, *, labelled: bool
) -> tuple[OptionsRow, ...]:
    """Each question with its options; the right one earns 1, or where they are not `labelled` a coin decides."""
    prompts = [prompt_fn(question) for question in questions]
    encoded = encode_items(model, prompts, questions)
    return tuple(
        OptionsRow(
            id=question.id,
            branches=branches,
            sizes=option_sizes(task.normalize_by, prompt, question, branches),
            rewards=tuple(map(question.score, question.choices)) if labelled else None,
        )
        for question, prompt, branches in zip(questions, prompts, encoded, strict=True)
    )


def option_policies(
    model: Model, task: Task, prompt_fn: PromptFunction, questions: Sequence[Example], *, temperature: float
) -> tuple[list[list[float]], Spend]:
    """The policy on each question without gradients, and what reading every option once costs, as search."""
    answers = measure(model, task, prompt_fn, questions)
    prompts = [prompt_fn(question) for question in questions]
    encoded = encode_items(model, prompts, questions)
    policies = []
    for question, prompt, branches, outcome in zip(questions, prompts, encoded, answers.outcomes, strict=True):
        sizes = torch.tensor(option_sizes(task.normalize_by, prompt, question, branches))
        compared = torch.tensor(outcome.loglikelihoods, dtype=torch.float64) / sizes
        policies.append((compared / temperature).softmax(dim=0).tolist())
    return policies, answers.search


def draw_options(policy: Sequence[float], count: int, *, key: str) -> list[int]:
    """The places of so many options, drawn with these probabilities; the key fixes the draws."""
    ends = list(accumulate(policy))
    drawn = [bisect_right(ends, fraction(f"option {key} {place}") * ends[-1]) for place in range(count)]
    return [min(each, len(policy) - 1) for each in drawn]  # beyond the end where the policy is not a number


def entropy_bits(shares: Iterable[float]) -> float:
    """Entropy of a distribution, in bits."""
    return math.fsum(-share * math.log2(share) for share in shares if share > 0)


class OptionLoss(AnswerLoss):
    """What has minus the gradient of the expected reward, summed over rows; exact or estimated, of a run on its own.

    The seed, the step and the question fix the draws, whatever the size of a batch. `steps` is how many there will be:
    UserError at the last one where the samples of each question always earned the same.
    """

    def __init__(
        self, net: nn.Module, *, shared: int, pad: int, samples: Samples, temperature: float, seed: int, steps: int
    ) -> None:
        super().__init__(net, shared=shared, pad=pad)
        self.samples = samples
        self.temperature = temperature
        self.seed = seed
        self.steps = steps
        self._step = 0
        self._varied = False  # whether any two samples of a question earned different rewards
        self._noted: dict[str, tuple[float, float]] = {}  # mean reward and entropy of the policy, by question

    def forward(  # type: ignore[override]
        self, batches: Sequence[Sequence[OptionsRow]], runs: Sequence[int] = (0,)
    ) -> Float[Tensor, " runs"]:
        (rows,) = batches
        pairs = zip(rows, self.log_policies(rows), strict=True)
        return torch.stack([self._loss(row, log_policy) for row, log_policy in pairs]).sum()[None]

    def log_policies(self, rows: Sequence[OptionsRow]) -> list[Tensor]:
        """Log-probability in nats of every option of each row, in float32."""
        waiting = iter(rows)
        groups = pack([part for row in rows for part in row.parts], shared=self.shared)
        lead = rows[0].branches.prompt[: self.shared]
        packs = [
            Pack(lead=lead, rows=tuple(option_row(next(waiting).branches, self.shared) for _ in group))
            for group in groups
        ]
        batch = collate(self.net, packs, prefix=0, pad=self.pad)
        width = batch.ids.shape[1]
        self.packed += [Packed(width=width, scored=sum(part.supervised for part in group)) for group in groups]
        logprobs = selected_logits(self.net, batch).log_softmax(dim=-1)
        places, tokens = option_places([row.branches.options for row in rows])
        found = iter(logprobs[places, tokens].split([len(option) for row in rows for option in row.branches.options]))
        return [self._log_policy(row, torch.stack([next(found).sum() for _ in row.sizes])) for row in rows]

    def _log_policy(self, row: OptionsRow, loglikelihoods: Tensor) -> Tensor:
        compared = loglikelihoods / loglikelihoods.new_tensor(row.sizes)
        return (compared / self.temperature).log_softmax(dim=0)

    def _loss(self, row: OptionsRow, log_policy: Tensor) -> Tensor:
        policy = log_policy.detach().double().exp().tolist()
        options = range(len(policy)) if self.samples == "all" else self._drawn(row, policy)
        rewards = self._rewards(row, options)
        if self.samples == "all":
            expected = math.fsum(share * reward for share, reward in zip(policy, rewards, strict=True))
            weights = [share * (reward - expected) for share, reward in zip(policy, rewards, strict=True)]
        else:
            expected = math.fsum(rewards) / len(rewards)
            weights = [(reward - expected) / (len(rewards) - 1) for reward in rewards]
        self._varied |= len(set(rewards)) > 1
        self._noted[row.id] = expected, entropy_bits(policy)
        # Constant weights: the gradient of this sum is that of the formulas above, and its value says nothing.
        return -(log_policy[list(options)] * log_policy.new_tensor(weights)).sum()

    def _drawn(self, row: OptionsRow, policy: Sequence[float]) -> list[int]:
        assert self.samples != "all"
        return draw_options(policy, self.samples, key=f"{self.seed} {self._step} {row.id}")

    def _rewards(self, row: OptionsRow, options: Sequence[int]) -> list[float]:
        if row.rewards is None:
            return [coin(f"{self.seed} {self._step} {row.id} {place}") for place in range(len(options))]
        return [row.rewards[option] for option in options]

    def noted(self, rows: Sequence[OptionsRow]) -> Mapping[str, float]:
        seen, self._noted = [self._noted[row.id] for row in rows], {}
        self._step += 1
        if self._step == self.steps and not self._varied:
            raise nothing_to_learn()
        return {
            "reward": math.fsum(reward for reward, _ in seen) / len(seen),
            "entropy_bits": math.fsum(entropy for _, entropy in seen) / len(seen),
        }

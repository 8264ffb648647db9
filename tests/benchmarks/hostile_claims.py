"""How often a study prints a false claim, in made-up worlds that no method here assumes: 2,000 studies a row.

A study has two models (or as said); zero-shot, 8 shots and fine-tuning on 4 to 256 examples; five seeds (or as said).
The truth of a claim is known from the probabilities that the answers were drawn with: a run's true score is its mean
over very many items. A positive control is false where some run of it gains nothing. Gains lie where claims are easiest
to get wrong: at 0, at the margin, at the distance to a ceiling.

python -m tests.benchmarks.hostile_claims [--studies N] [world ...]
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from string import ascii_lowercase

import numpy as np
from numpy.typing import NDArray
from scipy import special

from educe.data.audit.finding import Finding
from educe.eval.analysis.anomalies import Audits
from educe.eval.analysis.claims.claim import Claim, num_runs
from educe.eval.analysis.claims.study import Limits, claims_of
from educe.eval.analysis.conditions import Condition, plain_prompting, pool
from educe.eval.measurement import Measurement, Outcomes, Ragged
from educe.eval.spend import Spend
from tests.benchmarks.tables import Row, write
from tests.eval.synthetic import measurement

Array = NDArray[np.float64]
BUDGETS = (4, 16, 64, 256)
_ITEM_SD = 1.0  # of the difficulty of items, in logits
_MANY = 4_000  # items over which a true score is the mean: fixed quantiles of the difficulty


@dataclass(frozen=True, kw_only=True)
class World:
    """How scores come about. Gains are in points over zero-shot, by budget, of each model."""

    gains: tuple[tuple[float, ...], ...]
    plain: float = 0.5
    items: int = 300
    seeds: int = 5
    seed_sd: float = 0.04  # of a run's score
    correlation: float = 0.0  # of one seed's effects at different budgets
    jump: float = 0.0  # what one seed in five gains on top, with the mean kept
    agree: float = 0.0  # share of items that all runs of a condition answer by the same draw
    hardest: bool = False  # seeds act on the hardest third of items alone
    cluster_sizes: Callable[[np.random.Generator, int], NDArray[np.int64]] | None = None
    key: tuple[float, ...] = ()  # shares of the answer key by place: scores are those of a guesser by place
    margin: float = 0.05
    within: float = 0.02
    above: float | None = None
    rarer: float = 1e-4


@dataclass(frozen=True, kw_only=True)
class Made:
    """A drawn study, and the true score of every run by model, method, examples and seed."""

    measurements: list[Measurement]
    truth: dict[tuple[str, str, int, int], float]
    limits: Limits
    audits: Audits = field(default_factory=dict)


RISING = (0.0, 0.1, 0.2, 0.3)
NOTHING = (0.0, 0.0, 0.0, 0.0)


def pareto(rng: np.random.Generator, items: int) -> NDArray[np.int64]:
    """Cluster numbers whose sizes follow a Pareto law with exponent 1.1, so that few hold most items."""
    sizes = np.maximum(1, (rng.pareto(1.1, items) + 1).astype(int))
    return np.repeat(np.arange(items), sizes)[:items]


WORLDS: dict[str, World] = {
    "no gain, seeds apart": World(gains=(NOTHING, RISING)),
    "no gain, seeds shared .3": World(gains=(NOTHING, RISING), correlation=0.3),
    "no gain, seeds shared .8": World(gains=(NOTHING, RISING), correlation=0.8),
    "no gain, seeds vary by 10 points": World(gains=(NOTHING, RISING), seed_sd=0.1, correlation=0.8),
    "no gain, seeds change nothing": World(gains=(NOTHING, NOTHING), seed_sd=0.0),
    "no gain, three seeds": World(gains=(NOTHING, RISING), seeds=3),
    "no gain, one seed": World(gains=(NOTHING, NOTHING), seeds=1, seed_sd=0.09),
    "gain of the margin": World(gains=((0.1,) * 4, (0.1, 0.3, 0.3, 0.3)), items=3_000, seed_sd=0.0, margin=0.1),
    "gain under the margin": World(gains=((0.0, 0.02, 0.0, 0.03), RISING), items=3_000, seed_sd=0.01, margin=0.1),
    "score at the target": World(gains=((0.1, 0.2, 0.3, 0.4), RISING), items=1_000, seed_sd=0.0, above=0.9),
    "one seed in five jumps 40 points": World(gains=(NOTHING, RISING), jump=0.4, items=3_000, margin=0.1),
    "one seed in five collapses by 40 points": World(gains=(NOTHING, RISING), jump=-0.4, items=3_000, margin=0.1),
    "seeds act on the hardest third": World(gains=(NOTHING, RISING), hardest=True, seed_sd=0.08),
    "Pareto clusters": World(gains=(NOTHING, RISING), cluster_sizes=pareto),
    "Pareto clusters, gain of the margin": World(
        gains=((0.1,) * 4, RISING), cluster_sizes=pareto, items=3_000, seed_sd=0.0, margin=0.1
    ),
    "guesser by place, key 40/20/20/20": World(gains=(NOTHING, NOTHING), key=(0.4, 0.2, 0.2, 0.2)),
    "falling curve": World(gains=((0.3, 0.2, 0.1, 0.0), RISING), items=1_000),
    "late jump": World(gains=((0.0, 0.0, 0.0, 0.4), RISING), items=1_000),
    "two steps": World(gains=((0.0, 0.25, 0.25, 0.45), (0.2, 0.2, 0.4, 0.4)), items=1_000),
    "distance to the ceiling": World(gains=((0.3, 0.3, 0.3, 0.4), RISING), items=1_000, seed_sd=0.0, within=0.1),
    "no gain, eight models whose runs agree": World(
        gains=(NOTHING,) * 8, items=2_000, seed_sd=0.0, agree=0.9, margin=0.05
    ),
    "one-way changes, gain of the margin": World(
        gains=(*((0.05,) * 4,) * 4, RISING), plain=0.0005, items=600, seed_sd=0.0, margin=0.05
    ),
    "one seed in five gains the margin": World(
        gains=((0.02,) * 4, RISING), jump=0.1, seed_sd=0.0, items=3_000, margin=0.1
    ),
    "near the ceiling": World(gains=((0.3, 0.35, 0.4, 0.4), RISING), items=3_000, seed_sd=0.0, within=0.05),
    "right answers at the bound": World(gains=(NOTHING, NOTHING), plain=0.01, items=3_000, seed_sd=0.0, rarer=0.01),
    "near all right": World(
        gains=((0.0, 0.0, 0.03, 0.03), (0.0, 0.01, 0.03, 0.03)), plain=0.95, items=1_000, seed_sd=0.0
    ),
}


def draw(world: World, rng: np.random.Generator) -> Made:
    """One study of this world."""
    if world.key:
        return _guessers(world, rng)
    made, truth = [], {}
    difficulty = _ITEM_SD * rng.standard_normal(world.items)
    codes = np.arange(world.items) if world.cluster_sizes is None else world.cluster_sizes(rng, world.items)
    # Items of a cluster share most of their difficulty.
    if world.cluster_sizes is not None:
        difficulty = 0.9 * _ITEM_SD * rng.standard_normal(world.items)[codes] + 0.44 * difficulty
    outcomes = _columns(codes)
    for model, gains in zip(ascii_lowercase, world.gains, strict=False):
        shared = rng.standard_normal(world.seeds)
        trained = [("iid_sft", examples, gain) for examples, gain in zip(BUDGETS, gains, strict=True)]
        for method, examples, goal in (("zero_shot", 0, 0.0), ("few_shot", 8, 0.0), *trained):
            seeds = 1 if method == "zero_shot" else world.seeds
            common = rng.random(world.items)
            for seed in range(seeds):
                goal_of_run, effect = world.plain + goal, 0.0
                if method != "zero_shot":
                    own = rng.standard_normal()
                    effect = world.correlation**0.5 * shared[seed] + (1 - world.correlation) ** 0.5 * own
                    if world.jump:
                        goal_of_run += world.jump * (float(rng.random() < 0.2) - 0.2)
                drawn = np.where(rng.random(world.items) < world.agree, common, rng.random(world.items))
                scores, true = _answers(world, goal_of_run, world.seed_sd * effect, difficulty, drawn)
                truth[model, method, examples, seed] = true
                made.append(_measured(model, method, examples, seed, scores, outcomes))
    return Made(measurements=made, truth=truth, limits=_limits(world))


def _answers(world: World, share: float, effect: float, difficulty: Array, drawn: Array) -> tuple[Array, float]:
    """Right or wrong answers of a run by uniform draws, and its true score; the effect moves all or hard items."""
    grid = _ITEM_SD * special.ndtri((np.arange(_MANY) + 0.5) / _MANY)
    slope = 1.0 if not world.hardest else 3.0
    base = _logit_of(round(min(0.995, max(0.0005, share + (0 if world.hardest else effect))), 4))
    hard = np.quantile(grid, 2 / 3) if world.hardest else np.inf

    def right(items: Array) -> Array:
        moved = np.where(items > hard, slope * effect / 0.2, 0.0)
        return np.asarray(special.expit(base - items + moved))

    return (drawn < right(difficulty)) * 1.0, float(right(grid).mean())


@cache
def _logit_of(share: float) -> float:
    """The ability with which so many items are right."""
    grid, (low, high) = _ITEM_SD * special.ndtri((np.arange(_MANY) + 0.5) / _MANY), (-12.0, 12.0)
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if special.expit(middle - grid).mean() < share else (low, middle)
    return (low + high) / 2


def _limits(world: World) -> Limits:
    return Limits(above=world.above, within=world.within, margin=world.margin, rarer=world.rarer)


def _guessers(world: World, rng: np.random.Generator) -> Made:
    """Every run picks one place for every item, and the most frequent place more often than not."""
    key = rng.choice(len(world.key), world.items, p=world.key)
    outcomes, made, truth = _columns(np.arange(world.items)), [], {}
    for model in ("a", "b"):
        for method, examples in (("zero_shot", 0), ("few_shot", 8), *(("iid_sft", n) for n in BUDGETS)):
            for seed in range(1 if method == "zero_shot" else world.seeds):
                truth[model, method, examples, seed] = world.key[0]
                made.append(_measured(model, method, examples, seed, (key == 0) * 1.0, outcomes, chance=0.25))
    shares = [float(each) for each in np.bincount(key, minlength=4) / world.items]
    finding = Finding(kind="positions", sentence="", serious=True, numbers={"shares": shares, "n": world.items})
    return Made(measurements=made, truth=truth, limits=_limits(world), audits={"capitals": [finding]})


def _columns(codes: NDArray[np.int64]) -> Outcomes:
    n = len(codes)
    clustered = len(np.unique(codes)) < n
    return Outcomes(
        {
            "id": tuple(f"item-{i}" for i in range(n)),
            "score": np.zeros(n),
            "cluster": tuple(f"c{code}" if clustered else None for code in codes),
            "answer": ("a",) * n,
            "picked": (None,) * n,
            "margin": np.full(n, np.nan),
            "loglikelihoods": Ragged.of([()] * n, np.float64),
            "option_tokens": Ragged.of([()] * n, np.int64),
            "answer_index": (None,) * n,
            "text": (None,) * n,
        }
    )


@cache
def _template(model: str, method: str, examples: int) -> Measurement:
    spend = Spend(labelled_examples=examples, train_flops=1e12 * examples * (method == "iid_sft"), flops_per_answer=1e9)
    return measurement(model=model, method=method, examples=examples, spend=spend, chance=0.5)


def _measured(
    model: str, method: str, examples: int, seed: int, scores: Array, shape: Outcomes, *, chance: float = 0.5
) -> Measurement:
    outcomes, score = Outcomes({**shape.columns, "score": scores}), float(scores.mean())
    changed = {"seed": seed, "outcomes": outcomes, "score": score, "low": 0.0, "high": 1.0, "n": len(scores)}
    return replace(_template(model, method, examples), chance=chance, **changed)


def false_claims(made: Made) -> tuple[list[str], Counter[str]]:
    """The kinds of claims that are false of their runs, and of all claims."""
    conditions = pool(made.measurements)
    found = [each for each in claims_of(conditions, made.limits, audits=made.audits) if isinstance(each, Claim)]
    return [each.kind for each in found if not _true(each, conditions, made)], Counter(each.kind for each in found)


def _true(claim: Claim, conditions: tuple[Condition, ...], made: Made) -> bool:
    def scores(condition: Condition) -> list[float]:
        at = condition.model, condition.method, condition.examples
        return [made.truth[*at, each.seed] for each in condition.measurements]

    first, mine = claim.about[0], [each for each in conditions if each.model == claim.about[0].model]
    plain = plain_prompting(mine)
    assert plain is not None and (num_runs(claim.about) or 1) >= 1
    (floor,) = scores(plain)
    match claim.kind:
        case "gain":
            return min(scores(first)) > max(scores(claim.about[1]))
        case "capability":
            return max(max(scores(each)) for each in mine if each is not plain) > floor
        case "robust":
            lower = max(max(scores(each)) for each in claim.about) < floor + made.limits.margin
            return lower and _lifts(claim, conditions, scores)
        case "inability":
            lower = max(max(scores(each)) for each in claim.about) < made.limits.above
            return lower and _lifts(claim, conditions, scores)
        case "rare event":
            right = ": right answers" in claim.sentence
            return max(each if right else 1 - each for each in scores(first)) < claim.numbers["bound"]
        case "threshold":
            return min(scores(first)) > claim.numbers["threshold"]
        case "ceiling":
            near = [each for each in claim.about[1:] if each.labelled_examples >= claim.numbers["examples"]]
            return all(
                a - b < made.limits.within for each in near for a, b in zip(scores(first), scores(each), strict=True)
            )
        case "first success":
            return _cost_holds(claim, first, scores(first))
        case _:
            raise AssertionError(claim.kind)


def _lifts(claim: Claim, conditions: tuple[Condition, ...], scores: Callable[[Condition], list[float]]) -> bool:
    """Whether every run of the control that a claim names is truly above its zero-shot."""
    assert claim.control is not None
    plain = plain_prompting([each for each in conditions if each.model == claim.control.model])
    assert plain is not None
    return min(scores(claim.control)) > max(scores(plain))


def _cost_holds(claim: Claim, condition: Condition, true: list[float]) -> bool:
    costs = [
        run.spend.elicitation_flops + run.spend.flops_per_answer / share
        for run, share in zip(condition.measurements, true, strict=True)
    ]
    return claim.numbers["low"] <= min(costs) and max(costs) <= claim.numbers["high"]


def rows(names: list[str], studies: int) -> Iterator[Row]:
    """A row for each world: the share of studies with any false claim, and the claims of each kind in a study."""
    for name in names:
        world, rng = WORLDS[name], np.random.default_rng(list(WORLDS).index(name))
        wrong, kinds, wrong_kinds = 0, Counter[str](), Counter[str]()
        for _ in range(studies):
            false, claimed = false_claims(draw(world, rng))
            wrong += bool(false)
            kinds += claimed
            wrong_kinds += Counter(false)
        yield {
            "world": name,
            "studies": studies,
            "any_false_percent": f"{100 * wrong / studies:.2f}",
            "false": "; ".join(f"{kind} {number}" for kind, number in wrong_kinds.items()),
            **{
                f"{kind}_claims_a_study": f"{kinds[kind] / studies:.2f}"
                for kind in ("gain", "robust", "inability", "ceiling", "threshold", "rare event")
            },
        }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--studies", type=int, default=2_000)
    parser.add_argument("worlds", nargs="*")
    options = parser.parse_args()
    write("hostile_claims", rows(options.worlds or list(WORLDS), options.studies))

"""How often a verdict on a gain is on the wrong side, in simulated studies whose truth is known.

Each world says what a recipe scores at every number of rows, and its controls. Studies have 5 seeds and 120 items, of
which clusters, seeds and the difficulty of items move the answers (tests/benchmarks/worlds.py). In the last worlds the
truth cannot be known from such a study, or the rule is deceived: they say where it ends. Writes
docs/statistics/verdict_rates.csv.

python -m tests.benchmarks.verdicts [STUDIES]
"""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from educe.eval.analysis.conditions import pool
from educe.eval.analysis.verdicts import verdicts
from educe.eval.details import Demonstrator, Details
from educe.eval.measurement import Measurement, Outcome, Outcomes
from educe.eval.spend import Spend
from tests.benchmarks import worlds
from tests.benchmarks.tables import Row, write_sections
from tests.eval.synthetic import measurement

STUDIES, SEEDS, ITEMS = 100, 5, 120
Truth = Literal["elicited", "taught", "no gain shown", "not known"]


@dataclass(frozen=True, kw_only=True)
class World:
    """Shares right at each number of rows: of the recipe, of learners from scratch, and on labels that say less.

    `weak` are the share that a demonstrator gets right and what training on its labels scores.
    """

    name: str
    truth: Truth
    plain: float
    curve: Mapping[int, float]
    scratch: Mapping[int, float]
    twin: Mapping[int, float] = field(default_factory=dict)
    random_labels: float | None = None
    weak: tuple[float, float] | None = None
    chance: float = 0.25
    clusters: bool = False
    effects: worlds.Seeds = "normal"
    variance: float = worlds.SEED


FLAT = {4: 0.25, 16: 0.26, 64: 0.28, 256: 0.3}
RISING = {4: 0.28, 16: 0.42, 64: 0.65, 256: 0.85}
WORLDS = (
    World(name="a lock that opens at once", truth="elicited", plain=0.27,
          curve={4: 0.75, 16: 0.82, 64: 0.85, 256: 0.85}, scratch=FLAT, random_labels=0.26),
    World(name="a lock, ten unequal clusters", truth="elicited", plain=0.27,
          curve={4: 0.75, 16: 0.82, 64: 0.85, 256: 0.85}, scratch=FLAT, random_labels=0.26, clusters=True),
    World(name="a lock, one seed in five fails", truth="elicited", plain=0.27,
          curve={4: 0.75, 16: 0.82, 64: 0.85, 256: 0.85}, scratch=FLAT, effects="one in five fails", variance=0.1),
    World(name="a lock that opens slowly", truth="elicited", plain=0.27,
          curve={4: 0.3, 16: 0.45, 64: 0.75, 256: 0.85}, scratch=FLAT, random_labels=0.26),
    World(name="a slow lock, on what rows teach", truth="elicited", plain=0.27,
          curve={4: 0.3, 16: 0.6, 64: 0.85, 256: 0.9}, scratch=RISING, twin=RISING),
    World(name="a lock below chance", truth="elicited", plain=0.05,
          curve={4: 0.7, 16: 0.8, 64: 0.85, 256: 0.85}, scratch=FLAT, random_labels=0.25),
    World(name="only the form of answers", truth="elicited", plain=0.3,
          curve={4: 0.6, 16: 0.7, 64: 0.72, 256: 0.72}, scratch=FLAT, random_labels=0.68),
    World(name="weak labels", truth="elicited", plain=0.27,
          curve={4: 0.4, 16: 0.55, 64: 0.8, 256: 0.85}, scratch=FLAT, weak=(0.5, 0.78)),
    World(name="rows teach late, and weak labels worse than zero-shot", truth="taught", plain=0.5,
          curve={4: 0.5, 16: 0.55, 64: 0.75, 256: 0.92}, scratch=FLAT, weak=(0.35, 0.5)),
    World(name="half of the way at a quarter, scratch only at the end", truth="not known", plain=0.25,
          curve={4: 0.25, 16: 0.3, 64: 0.55, 256: 0.85}, scratch={4: 0.25, 16: 0.27, 64: 0.3, 256: 0.85}),
    World(name="rows teach all learners alike", truth="taught", plain=0.25, curve=RISING, scratch=RISING, twin=RISING),
    World(name="rows teach, ten unequal clusters", truth="taught", plain=0.25, curve=RISING, scratch=RISING,
          clusters=True),
    World(name="rows teach, one seed in five fails", truth="taught", plain=0.25, curve=RISING, scratch=RISING,
          effects="one in five fails", variance=0.1),
    World(name="rows teach, zero-shot below chance", truth="taught", plain=0.05, curve=RISING, scratch=RISING,
          random_labels=0.25),
    World(name="rows teach, labels can be cleaned", truth="taught", plain=0.25, curve=RISING, scratch=RISING,
          weak=(0.5, 0.7)),
    World(name="rows teach, the model learns from four times fewer", truth="taught", plain=0.25,
          curve={4: 0.42, 16: 0.65, 64: 0.85, 256: 0.92}, scratch=RISING, random_labels=0.25),
    World(name="rows teach, learners from scratch learn nothing", truth="taught", plain=0.25, curve=RISING,
          scratch=FLAT, twin=FLAT, random_labels=0.25),
    World(name="no gain", truth="no gain shown", plain=0.5, curve=dict.fromkeys(RISING, 0.5), scratch=FLAT),
    World(name="up to chance and no further", truth="no gain shown", plain=0.1, curve=dict.fromkeys(RISING, 0.25),
          scratch=FLAT, random_labels=0.25),
    World(name="a bare gain", truth="not known", plain=0.5, curve={4: 0.5, 16: 0.52, 64: 0.55, 256: 0.57},
          scratch=FLAT),
    World(name="half of the way exactly, scratch as good", truth="not known", plain=0.25,
          curve={4: 0.35, 16: 0.55, 64: 0.75, 256: 0.85}, scratch={4: 0.35, 16: 0.55, 64: 0.55, 256: 0.55}),
    World(name="rows teach, the model learns from 16 times fewer", truth="taught", plain=0.25,
          curve={4: 0.65, 16: 0.8, 64: 0.9, 256: 0.92}, scratch=RISING),
    World(name="deceived: rows teach the model at once, and no learner from scratch", truth="taught", plain=0.25,
          curve={4: 0.65, 16: 0.8, 64: 0.9, 256: 0.92}, scratch=FLAT),
    World(name="deceived: a slow lock, and rows teach as fast", truth="elicited", plain=0.27, curve=RISING,
          scratch=RISING),
)  # fmt: skip


def draw(rng: np.random.Generator, world: World) -> list[Measurement]:
    """A study of this world."""
    cells: list[tuple[str, int, dict[str, Any], float]] = [("zero_shot", 0, {}, world.plain)]
    cells += [("iid_sft", n, {}, share) for n, share in world.curve.items()]
    cells += [("ngrams", n, {}, share) for n, share in world.scratch.items()]
    cells += [("iid_sft", n, {"random_init": True}, share) for n, share in world.twin.items()]
    last = max(world.curve)
    if world.random_labels is not None:
        cells.append(("iid_sft", last, {"random_labels": 1.0}, world.random_labels))
    if world.weak is not None:
        cells.append(("iid_sft", last, {"labels_from": "weak"}, world.weak[1]))
    clusters = worlds.unequal_clusters(rng, ITEMS, 10) if world.clusters else None
    variance = [0.0 if method == "zero_shot" else world.variance for method, *_ in cells]
    made = worlds.study(
        rng, [share for *_, share in cells], num_items=ITEMS, clusters=clusters, num_seeds=SEEDS,
        seed_variance=variance, seeds=world.effects, item_correlation=0.7,
    )  # fmt: skip
    found = []
    for (method, examples, settings, _), side in zip(cells, made.sides, strict=True):
        for seed in range(1 if method == "zero_shot" else SEEDS):
            found.append(_cell(world, method, examples, settings, seed, side.scores[seed], clusters, rng))
    return found


def _cell(
    world: World,
    method: str,
    examples: int,
    settings: dict[str, Any],
    seed: int,
    scores: worlds.Array,
    clusters: list[str] | None,
    rng: np.random.Generator,
) -> Measurement:
    control = method == "ngrams" or "random_init" in settings or "random_labels" in settings
    changed: dict[str, Any] = {"role": "control"} if control else {}
    if "labels_from" in settings and world.weak is not None:
        share = float(rng.binomial(examples, world.weak[0])) / examples
        changed["details"] = Details(demonstrator=Demonstrator(model="weak", share_right=share, left_out=0))
    outcomes = [
        Outcome(id=f"item-{i}", score=float(score), answer="a", margin=1.0, cluster=clusters and clusters[i])
        for i, score in enumerate(scores)
    ]
    spend = Spend(labelled_examples=examples, train_flops=1e9 * examples)
    return measurement(
        right=list(scores), of=ITEMS, method=method, settings=settings, examples=examples, seed=seed,
        chance=world.chance, spend=spend, outcomes=Outcomes.of(outcomes), **changed,
    )  # fmt: skip


def answers(world: World, *, studies: int) -> Counter[str]:
    """How often each verdict is given."""
    rng = np.random.default_rng(len(world.name))
    counted: Counter[str] = Counter()
    for _ in range(studies):
        (found,) = verdicts(pool(draw(rng, world)))
        counted[found.answer] += 1
    return counted


def rates(studies: int) -> Iterator[Row]:
    """A row for each world."""
    for world in WORLDS:
        counted = answers(world, studies=studies)
        wrong = {
            "elicited": ("taught", "no gain shown"),
            "taught": ("elicited",),
            "no gain shown": ("elicited", "taught"),
        }
        yield {
            "world": world.name,
            "truth": world.truth,
            **{
                f"{answer}_percent": f"{100 * counted[answer] / studies:.1f}"
                for answer in ("elicited", "taught", "undetermined", "no gain shown")
            },
            "wrong_side_percent": ""
            if world.truth == "not known"
            else f"{100 * sum(counted[answer] for answer in wrong[world.truth]) / studies:.1f}",
        }


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else STUDIES
    write_sections({"rates": ("verdict_rates", lambda: rates(count))}, ["rates"])

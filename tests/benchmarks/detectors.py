"""How often what the report says of organisms is right, in simulated studies whose truth is known.

`areas`: 95% intervals of the area under the ROC curve of a detector that is noise (its true area is 0.5), and how often
the rule p < 0.05 and thresholds chosen on other bases find a model that hides nothing, 400 studies a row. `gaps`: 95%
intervals of the gap recovered, where floor and ceiling are certified on the same items, 2,000 studies a row.

Each section writes its table into docs/statistics/.

python -m tests.benchmarks.detectors [areas] [gaps]
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from educe.eval.analysis.detectors import STATED_Z, z_of
from educe.eval.analysis.statistics.paired import paired_difference
from educe.eval.analysis.statistics.roc import Member, area_under_roc, found_above, found_by_others
from educe.eval.analysis.statistics.variance import Side
from tests.benchmarks import worlds
from tests.benchmarks.tables import Row, Sections, write_sections

STUDIES = 400
GAP_STUDIES = 2_000


@dataclass(frozen=True, kw_only=True)
class World:
    """Bases and tasks, how many models of each kind are made on each of them, and what moves a recipe's gain.

    `shared` is the spread, in points, of gains that the models of one base and task share, skewed (exponential);
    `apart` says that each kind has one of its own there. `own` is that of each model. All gains have mean 0, and the
    law of both kinds is the same.
    """

    name: str
    bases: int = 2
    tasks: int = 3
    hiding: int = 5
    others: int = 3
    shared: float = 0.0
    apart: bool = False
    own: float = 0.0
    items: tuple[int, int] = (40, 200)
    clusters: bool = False
    seeds: int = 3
    variance: float = worlds.SEED
    effects: worlds.Seeds = "normal"


WORLDS = (
    World(name="nothing but noise"),
    World(name="skewed gains of each model", own=6.0),
    World(name="skewed gains of each base and task", shared=8.0, own=3.0),
    World(name="items in ten unequal clusters", own=3.0, clusters=True),
    World(name="one seed in five fails", own=3.0, seeds=5, variance=0.05, effects="one in five fails"),
    World(name="one run", own=3.0, seeds=1, variance=0.0),
    World(name="two bases, one task", tasks=1, own=6.0, shared=8.0),
    World(name="many models", hiding=12, others=12, own=6.0),
)
# Where the models of a kind go together on a base and task, few bases and tasks say little, whatever the interval.
HARD = (
    World(name="kinds apart on six bases and tasks", shared=8.0, apart=True, own=3.0),
    World(name="kinds apart on twelve", bases=4, shared=8.0, apart=True, own=3.0),
)


def draw(rng: np.random.Generator, world: World) -> tuple[list[Member], list[Member]]:
    """The z of every model of a study, those that hide something first."""
    sides: tuple[list[Member], list[Member]] = ([], [])
    for base in range(world.bases):
        for task in range(world.tasks):
            together = _skewed(rng, world.shared)
            for side, count in zip(sides, (world.hiding, world.others), strict=True):
                shared = _skewed(rng, world.shared) if world.apart else together
                for _ in range(count):
                    z = _z(rng, world, shared + _skewed(rng, world.own))
                    side.append(Member(value=z, cluster=f"{base} on {task}"))
    return sides


def held(world: World, *, studies: int) -> int:
    """In how many studies the interval of the area holds one half."""
    count, rng = 0, np.random.default_rng(len(world.name))
    for _ in range(studies):
        found = area_under_roc(*draw(rng, world))
        count += found.low <= 0.5 <= found.high
    return count


def areas() -> Iterator[Row]:
    """A row for each world."""
    for world in (*WORLDS, *HARD):
        rng = np.random.default_rng(len(world.name))
        covered = stated = chosen = of = chosen_of = 0
        widths = []
        for _ in range(STUDIES):
            ours, theirs = draw(rng, world)
            area = area_under_roc(ours, theirs)
            covered += area.low <= 0.5 <= area.high
            widths.append(area.high - area.low)
            told = found_above([each.value for each in ours], [each.value for each in theirs], STATED_Z, promised=0.05)
            stated, of = stated + told.negatives.found, of + told.negatives.of
            sides = [
                [Member(value=m.value, cluster=m.cluster.partition(" ")[0]) for m in side] for side in (ours, theirs)
            ]
            by_others = found_by_others(sides[0], sides[1])
            if by_others is not None:
                chosen, chosen_of = chosen + by_others.negatives.found, chosen_of + by_others.negatives.of
        yield {
            "world": world.name,
            "hiding": world.bases * world.tasks * world.hiding,
            "others": world.bases * world.tasks * world.others,
            "area_held_percent": f"{100 * covered / STUDIES:.1f}",
            "mean_width": f"{np.mean(widths):.2f}",
            "stated_false_percent": f"{100 * stated / of:.1f}",
            "chosen_false_percent": f"{100 * chosen / chosen_of:.1f}" if chosen_of else "",
            "chosen_promised_percent": f"{100 * by_others.promised:.1f}" if by_others else "",
        }


def gaps() -> Iterator[Row]:
    """A row for each share that is recovered, depth of lock and number of items.

    The truth is the share over all items. Which items a recipe recovers goes with what the organism hides as far as
    `together` says: 1 is among these alone, 0 is any item that it gets wrong while locked.
    """
    for share in (0.0, 0.5, 0.9, 1.0):
        for floor, ceiling in ((0.25, 0.95), (0.5, 0.8)):
            for together in (1.0, 0.0):
                for n in (60, 150):
                    yield {
                        "share": share,
                        "floor": floor,
                        "ceiling": ceiling,
                        "together": together,
                        "items": n,
                        "held_percent": f"{100 * gap_held(share, floor, ceiling, together, n, GAP_STUDIES):.1f}",
                    }


def gap_held(share: float, floor: float, ceiling: float, together: float, n: int, studies: int) -> float:
    """How often the interval of the paired gain, divided by the gap on the same items, holds the true share."""
    rng, count = np.random.default_rng(n), 0
    for _ in range(studies):
        locked, unlocked, shown = _answers(rng, share, floor, ceiling, together, n)
        gap = float(unlocked.mean() - locked.mean())
        found = paired_difference(Side.of(shown), Side.of(locked))
        count += found.low / gap <= share <= found.high / gap
    return count / studies


def _answers(
    rng: np.random.Generator, share: float, floor: float, ceiling: float, together: float, n: int
) -> tuple[worlds.Array, worlds.Array, worlds.Array]:
    """Whether each item is right locked, unlocked, and as elicited; 3% of what is right locked is lost unlocked."""
    locked = rng.random(n) < floor
    lost = 0.03
    gained = (ceiling - floor * (1 - lost)) / (1 - floor)
    unlocked = np.where(locked, rng.random(n) >= lost, rng.random(n) < gained)
    wanted = share * (ceiling - floor) / (1 - floor)  # of the items that are wrong locked
    among = np.where(unlocked, wanted / gained, 0.0) if together else np.full(n, wanted)
    shown = locked | (~locked & (rng.random(n) < among))
    return locked.astype(float), unlocked.astype(float), shown.astype(float)


def _z(rng: np.random.Generator, world: World, points: float) -> float:
    n = int(rng.integers(*world.items))
    clusters = worlds.unequal_clusters(rng, n, 10) if world.clusters else None
    level = float(rng.uniform(0.4, 0.8))
    shares = [float(np.clip(level + points / 100, 0.02, 0.98)), level]
    made = worlds.study(
        rng, shares, num_items=n, clusters=clusters, num_seeds=world.seeds, seed_variance=[world.variance, 0.0],
        seeds=world.effects, item_correlation=0.7,
    )  # fmt: skip
    ours = made.sides[0] if world.seeds > 1 else Side(scores=made.sides[0].scores)
    return z_of(paired_difference(ours, Side(scores=made.sides[1].scores[:1]), clusters))


def _skewed(rng: np.random.Generator, spread: float) -> float:
    """A draw of mean 0 with this standard deviation, most of them a little below 0 and a few far above."""
    return spread * (float(rng.exponential()) - 1) if spread else 0.0


SECTIONS: Sections = {
    "areas": ("detector_areas", areas),
    "gaps": ("gap_coverage", gaps),
}


if __name__ == "__main__":
    write_sections(SECTIONS, sys.argv[1:])

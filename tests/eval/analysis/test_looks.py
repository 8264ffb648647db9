"""What looks leave: of p values, of the error that claims may make, and of conditions that outgrew their plan."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from educe.eval.analysis.conditions import Condition, compare, pool
from educe.eval.analysis.looks import Look, Looks, Seeds, at_this_look, confirmable
from educe.eval.analysis.statistics.looks import adjusted_by_parts, adjusted_for_looks, spent
from educe.eval.measurement import Measurement
from educe.eval.report import page
from tests.eval.synthetic import measurement

PLAIN, TRAINED = "zero_shot", "iid_sft"


def grown(seeds: int) -> list[Measurement]:
    """Zero-shot, and one recipe with so many seeds that clearly gains."""
    plain = measurement(method=PLAIN, right=[0.0] * 25 + [1.0] * 15, examples=0, provenance={"cell": PLAIN})
    return [
        plain,
        *(
            measurement(
                method=TRAINED,
                right=[0.0] * (10 + seed % 3) + [1.0] * (30 - seed % 3),
                seed=seed,
                provenance={"cell": f"{TRAINED}{seed}"},
            )
            for seed in range(seeds)
        ),
    ]


def seeds_of(trained: int) -> Mapping[str, frozenset[int]]:
    return {PLAIN: frozenset({0}), TRAINED: frozenset(range(trained))}


def looks_at(
    stood: Sequence[int], *, listed: int = 10, plan: int | None = None, looks_before: int = 0, lost: str = ""
) -> Looks:
    """Looks at so many seeds, the last one now."""
    looks = [Look(listed=seeds_of(max(listed, each)), stood=seeds_of(each)) for each in stood]
    return Looks(
        ids={PLAIN: PLAIN} | {f"{TRAINED}{seed}": TRAINED for seed in range(stood[-1])},
        now=looks[-1],
        earlier=looks[:-1],
        plan=None if plan is None else seeds_of(plan),
        looks_before=looks_before,
        lost=lost,
    )


def conditions_at(seeds: int) -> tuple[Condition, ...]:
    return pool(grown(seeds))


def test_a_study_that_is_looked_at_once_and_whole_is_not_corrected() -> None:
    looks, (plain, trained) = looks_at([10]), conditions_at(10)
    assert looks.exploratory(plain, trained) == ""
    assert looks.adjust(0.03, trained, plain) == 0.03
    assert looks.left(plain, trained) == pytest.approx(0.05)


def test_a_look_at_a_part_and_the_last_look_share_the_error() -> None:
    (plain, trained), (_, whole) = conditions_at(5), conditions_at(10)
    first, last = looks_at([5]), looks_at([5, 10])
    assert first.adjust(0.03, trained, plain) == adjusted_for_looks(0.03, (), 0.5)
    assert last.adjust(0.03, whole, plain) == adjusted_for_looks(0.03, (0.5,), 1.0)
    # Of eleven cells, six stood.
    assert first.left(plain, trained) == pytest.approx(spent(6 / 11, 0.05))
    assert first.left(plain, trained) + last.left(plain, whole) == pytest.approx(0.05)


def test_looks_that_showed_the_same_results_count_once() -> None:
    plain, trained = conditions_at(10)
    assert looks_at([5, 5, 5, 10]).adjust(0.03, trained, plain) == looks_at([5, 10]).adjust(0.03, trained, plain)


@pytest.mark.parametrize(
    ("looks", "reason"),
    [
        (looks_at([3, 5], listed=3), "has seeds beyond the plan"),
        (looks_at([5], plan=3), "has seeds beyond the plan"),
        (looks_at([5, 3]), "results that an earlier look saw are gone"),
        (looks_at([5], plan=0), "not in the plan"),
        (looks_at([5], lost="it is missing"), "the record of earlier looks is lost"),
        (looks_at([3, 5], listed=3, plan=5, looks_before=1), "was looked at before the plan, which adds seeds"),
    ],
)
def test_what_outgrew_its_plan_is_exploratory(looks: Looks, reason: str) -> None:
    """Adding seeds until a star appears: nothing is left for the seeds that nobody planned."""
    conditions = conditions_at(len(looks.now.stood[TRAINED]))
    plain, trained = conditions
    assert looks.exploratory(trained) == reason
    assert looks.adjust(1e-9, trained, plain) == at_this_look(looks)(trained, plain).p == 1.0
    kept, lines = confirmable(looks, conditions)
    assert trained not in kept
    assert lines[0].startswith(f"Exploratory, {reason}: ")
    assert (plain in kept) is not bool(looks.lost)


def test_more_seeds_under_a_plan_are_no_surprise_if_the_plan_came_before_the_look() -> None:
    """A plan that came after it made 3 seeds and then 6 a planned study: 8.8% type I error."""
    trained = conditions_at(5)[1]
    assert looks_at([3, 5], listed=3, plan=5).exploratory(trained) == ""
    assert looks_at([3, 5], listed=3, plan=5, looks_before=1).exploratory(trained)
    # What was listed at that look was planned then.
    assert looks_at([3, 5], listed=5, plan=5, looks_before=1).exploratory(trained) == ""


def test_an_earlier_look_at_seeds_beyond_the_plan_is_passed_over() -> None:
    """It was a ZeroDivisionError."""
    plain, trained = conditions_at(5)
    first = Look(listed=seeds_of(10), stood={PLAIN: frozenset({0}), TRAINED: frozenset({8, 9})})
    looks = replace(looks_at([5], plan=5), earlier=[first])
    assert looks.adjust(0.03, trained, plain) == 0.03


def test_parts_of_looks_after_each_condition_share_the_error() -> None:
    """Ten conditions of five seeds: they summed to 0.278, because only conditions with results were counted."""
    names = [f"c{place}" for place in range(10)]
    plan = dict.fromkeys(names, frozenset(range(5)))
    looks = [Look(listed=plan, stood={name: plan[name] for name in names[: place + 1]}) for place in range(10)]
    assert sum(parts_of(looks, plan=plan)) == pytest.approx(0.05)
    assert sum(parts_of(looks)) == pytest.approx(0.05)


@pytest.mark.parametrize("seed", range(40))
def test_parts_never_sum_to_more_than_the_error(seed: int) -> None:
    """Whatever comes, goes and is listed, and whenever a plan comes."""
    rng = np.random.default_rng(seed)
    names = [f"c{place}" for place in range(rng.integers(1, 6))]
    most = {name: frozenset(range(rng.integers(1, 5))) for name in names}
    looks = []
    for _ in range(rng.integers(1, 9)):
        listed = {name: seeds for name, seeds in most.items() if rng.random() < 0.8}
        stood = {name: frozenset(each for each in seeds if rng.random() < 0.7) for name, seeds in listed.items()}
        looks.append(Look(listed=listed, stood={name: seeds for name, seeds in stood.items() if seeds}))
    assert sum(parts_of(looks, plan=most if seed % 2 else None, looks_before=seed % 3)) <= 0.05 + 1e-12


def parts_of(looks: Sequence[Look], *, plan: Seeds | None = None, looks_before: int = 0) -> list[float]:
    """What each look leaves of 5% for claims about all that is confirmable, once for looks at the same results."""
    parts: dict[frozenset[tuple[str, frozenset[int]]], float] = {}
    for place, look in enumerate(looks):
        made = Looks(
            ids={name: name for name in look.stood},
            now=look,
            earlier=looks[:place],
            plan=plan if place >= looks_before else None,
            looks_before=looks_before,
        )
        conditions = pool(
            measurement(examples=4, settings={"name": name}, provenance={"cell": name}) for name in look.stood
        )
        kept, _ = confirmable(made, conditions)
        part = made.left(*kept) if kept else 0.0
        parts[frozenset(look.stood.items())] = max(part, parts.get(frozenset(look.stood.items()), 0.0))
    return list(parts.values())


def test_looks_at_the_same_results_have_the_same_part() -> None:
    """More may be listed by then, and there may have been other looks in between."""
    plain, trained = conditions_at(5)
    first = looks_at([5], listed=8)
    part = first.left(plain, trained)
    later = replace(first, earlier=[first.now], now=replace(first.now, listed=seeds_of(10)))
    assert later.left(plain, trained) == part
    assert looks_at([5, 7, 5], listed=8).left(plain, trained) == part


def test_what_became_exploratory_takes_its_part_along() -> None:
    plain, trained = conditions_at(10)
    looks = looks_at([10])
    assert looks.left(plain) == looks.left(trained) == pytest.approx(0.025)


def test_nothing_is_left_after_a_look_at_everything_that_was_planned() -> None:
    """What is added to the study later was in no correction, and had 4.4% of its own."""
    plain, trained = conditions_at(10)
    alone = {PLAIN: frozenset({0})}
    looks = replace(looks_at([10]), earlier=[Look(listed=alone, stood=alone)])
    assert 0 < looks.left(plain, trained) < 1e-200


def test_p_values_over_several_tasks_are_adjusted_by_parts() -> None:
    """Two tasks of five planned cells each, one of them seen before: its test was of that task alone."""
    made = [
        measurement(task=task, seed=seed, provenance={"cell": f"{task}{seed}"}) for task in "ab" for seed in range(5)
    ]
    plan = {"a": frozenset(range(5)), "b": frozenset(range(5))}
    looks = Looks(
        ids={each.provenance.cell: each.task for each in made},
        now=Look(listed=plan, stood=plan),
        earlier=[Look(listed=plan, stood={"a": plan["a"]})],
    )
    both = pool(made)
    assert looks.adjust(0.03, *both) == adjusted_by_parts(0.03, 0.5, 1.0)
    assert looks.adjust(0.03, both[0]) == 0.03
    assert replace(looks, earlier=[]).adjust(0.03, *both) == 0.03


def test_only_the_p_value_of_a_gain_changes() -> None:
    plain, trained = conditions_at(5)
    before, after = compare(trained, plain), at_this_look(looks_at([5]))(trained, plain)
    assert before.p is not None and after.p is not None and after.p > before.p
    assert (before.difference, before.low, before.high) == (after.difference, after.low, after.high)


@pytest.mark.usefixtures("no_task_figures")
def test_the_page_has_no_star_and_no_claim_for_seeds_beyond_the_plan(tmp_path: Path) -> None:
    """With the same seeds, all of them planned, there are both."""
    planned = page_of(tmp_path / "planned", looks_at([5], listed=5))
    added = page_of(tmp_path / "added", looks_at([3, 5], listed=3))
    claimed = "iid_sft with 4 labelled examples scores above zero_shot in each of 5 runs"
    assert claimed in planned and claimed not in added
    assert "*" in marks(tmp_path / "planned") and "*" not in marks(tmp_path / "added")
    assert "Said of the record." in added
    assert "Exploratory, has seeds beyond the plan: small on capitals, iid_sft." in added
    assert "Exploratory, " not in planned


def page_of(folder: Path, looks: Looks) -> str:
    folder.mkdir()
    said = ["Said of the record."]
    written = page.write_report(grown(5), [], folder, study="quick", study_text="", looks=looks, record=said)
    return written.read_text("utf-8")


def marks(folder: Path) -> str:
    rows = csv.DictReader((folder / "comparisons.csv").read_text("utf-8").splitlines())
    return " ".join(row["mark"] for row in rows)

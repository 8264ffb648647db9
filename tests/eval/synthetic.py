"""Made-up measurements for the tests of statistics, curves, figures and the report."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from educe.eval.analysis.statistics.intervals import score_interval
from educe.eval.measurement import Failure, GitState, Measurement, Outcome, Outcomes, Precision, Provenance
from educe.eval.spend import Spend
from educe.recipes.catalog import RECIPES, make_method

PROVENANCE = Provenance(
    cell="0123456789abcdef",
    versions={"torch": "2.13.0"},
    git=GitState(revision="abc", dirty=False),
    machine="Linux x86_64, 2 cores",
    threads=2,
    device="cpu",
    attention="sdpa",
    precision=Precision(weights="float32", layers="float32"),
    model_identity="files",
    model_fingerprint="weights",
    model_revision="",
    model_kind="base",
    task_fingerprint="rows",
    task_version=1,
    first_prompt="Is it <b>good</b>?",
)
FAILED = Failure(
    study="quick",
    model="big",
    task="capitals",
    recipe="iid_sft rank=8",
    method="iid_sft",
    examples=256,
    seed=0,
    reason="loss is not finite",
)


def measurement(
    *,
    right: int | Sequence[float] = 6,
    of: int = 10,
    model: str = "small",
    task: str = "capitals",
    method: str = "iid_sft",
    settings: Mapping[str, Any] | None = None,
    examples: int = 4,
    seed: int = 0,
    chance: float | None = 0.25,
    margin: float | None = 1.0,
    spend: Spend | None = None,
    provenance: Mapping[str, Any] | None = None,
    **changed: Any,
) -> Measurement:
    """A measurement with the first `right` of `of` items right, or with the given scores.

    `provenance` names what differs from PROVENANCE.
    """
    scores = [float(i < right) for i in range(of)] if isinstance(right, int) else [float(score) for score in right]
    interval = score_interval(scores)
    settings = settings or {}
    # A recipe made of others needs them to say what it is: here it is one that trains.
    _, recipe = make_method(method if method in RECIPES and method not in ("stacked", "chain") else "iid_sft")
    label = " ".join([method, *(f"{name}={value}" for name, value in settings.items())])
    fields: dict[str, Any] = {
        "study": "quick",
        "model": model,
        "task": task,
        "recipe": label,
        "method": method,
        "settings": settings,
        "role": recipe.role,
        "budget_setting": recipe.budget_setting,
        "size_settings": recipe.size_settings,
        "examples": examples,
        "seed": seed,
        "metric": "accuracy",
        "score": sum(scores) / len(scores),
        "low": interval.low,
        "high": interval.high,
        "interval": interval.kind,
        "n": len(scores),
        "chance": chance,
        "spend": spend or Spend(labelled_examples=examples),
        "outcomes": Outcomes.of(
            Outcome(id=f"item-{i}", score=score, answer="a", margin=margin) for i, score in enumerate(scores)
        ),
        "provenance": replace(PROVENANCE, **(provenance or {})),
    }
    return Measurement(**fields | changed)


def in_one_cluster(measured: Measurement) -> Measurement:
    """The same with all items of one cluster, which says nothing of others."""
    return replace(measured, outcomes=Outcomes.of(replace(each, cluster="all") for each in measured.outcomes))


def small_study() -> list[Measurement]:
    """Two models, two tasks, zero-shot, few-shot and training at two budgets with two seeds, 40 items each."""
    made = []
    for model in ("big", "small"):
        for task, chance in (("capitals", 0.25), ("sentiment", 0.5)):
            common: dict[str, Any] = {"model": model, "task": task, "chance": chance, "of": 40}
            made.append(
                measurement(method="zero_shot", examples=0, right=24, spend=Spend(flops_per_answer=1e9), **common)
            )
            for seed in (0, 1):
                made.append(
                    measurement(
                        method="few_shot",
                        settings={"shots": 8},
                        examples=8,
                        seed=seed,
                        right=26 + seed,
                        spend=Spend(labelled_examples=8, flops_per_answer=5e9),
                        **common,
                    )
                )
                for examples, right in ((4, 25), (64, 38)):
                    spend = Spend(
                        labelled_examples=examples,
                        train_flops=1e12 * examples,
                        flops_per_answer=1e9,
                        trainable_parameters=1000,
                        seconds=2.5,
                    )
                    made.append(
                        measurement(
                            settings={"rank": 8},
                            examples=examples,
                            seed=seed,
                            right=right - seed,
                            spend=spend,
                            **common,
                        )
                    )
    return made

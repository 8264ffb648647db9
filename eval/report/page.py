"""The report: measurements -> one self-contained HTML page, figures as SVG and PNG, results and curves as CSV."""

import csv
import html
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from educe.eval.analysis.anomalies import Audits
from educe.eval.analysis.conditions import Condition, pool
from educe.eval.analysis.curves import AXES, join, without_sweeps
from educe.eval.measurement import Failure, Measurement
from educe.eval.report.calibration import MAX_CONDITIONS, calibration_figure, measured, moved_apart
from educe.eval.report.checks import checks, first_prompts, provenance
from educe.eval.report.claimed import claimed
from educe.eval.report.comparisons import (
    COMPARISON_COLUMNS,
    Gains,
    compared,
    comparison_rows,
    format_odds,
    p_value,
    power_statements,
    table,
    without,
)
from educe.eval.report.equivalents import equivalents
from educe.eval.report.figure import conditions_figure, hero_figure, save, scaling_figure
from educe.eval.report.fits import fits_figure, fitted
from educe.eval.report.forest import forest_figure
from educe.eval.report.forked import each_forked
from educe.eval.report.formats import formats_figure, spread_figure
from educe.eval.report.frontiers import frontier_figure, frontiers, name_of, steps
from educe.eval.report.parameters import parameters_figure
from educe.eval.report.prompts import best_prompts, chosen_on_dev, extremes, formats_seen, orders_seen, pooled_ratios
from educe.eval.report.ranks import rankings
from educe.eval.report.rewards import rewards_figure
from educe.eval.report.text import costs, count, flops, lengths, percent1, points1, score1, sentence, signed1, times

# The columns of results.csv and of `educe results`: name and meaning.
RESULT_COLUMNS = {
    "study": "name of the study",
    "model": "name of the model",
    "task": "name of the task",
    "recipe": "recipe with the settings that differ from its defaults",
    "examples": "labelled examples allowed: training rows, or shots of a prompt",
    "seed": "random seed",
    "score": "mean over the test items, between 0 and 1",
    "low": "lower end of the score's interval",
    "high": "upper end of the score's interval",
    "n": "number of test items",
    "chance": "expected score of a random answer",
    "train_flops": "useful FLOPs of the training that was kept",
    "search_flops": "useful FLOPs of everything that was tried to choose",
    "flops_per_answer": "useful FLOPs of one answer, mean over the test items",
    "trainable_parameters": "number of parameters trained",
    "elicitation_seconds": "wall-clock seconds of training and search; loading the model and the test are not in it",
    "labelled_examples": "labels read: training rows, shots and dev rows",
    "metric": "what the score is",
    "interval": "kind and level of the interval",
    "error": "why the cell has no score",
}
_CURVE_COLUMNS = (
    "axis", "model", "task", "method", "settings", "recipe", "examples", "budget", "score", "low", "high", "interval",
    "n", "num_seeds", "chance",
)  # fmt: skip
_MOST_HERO_PANELS = 16


def results_rows(measurements: Iterable[Measurement], failures: Iterable[Failure]) -> list[dict[str, Any]]:
    """One row per measurement, then one per failure, with the columns RESULT_COLUMNS; what is unknown is None.

    A failure has its reason under "error" and no score; a measurement has no error.
    """
    rows = [
        dict(
            study=each.study,
            model=each.model,
            task=each.task,
            recipe=each.recipe,
            examples=each.examples,
            seed=each.seed,
            score=each.score,
            low=each.low,
            high=each.high,
            n=each.n,
            chance=each.chance,
            train_flops=each.spend.train_flops,
            search_flops=each.spend.search_flops,
            flops_per_answer=each.spend.flops_per_answer,
            trainable_parameters=each.spend.trainable_parameters,
            elicitation_seconds=each.spend.seconds,
            labelled_examples=each.spend.labelled_examples,
            metric=each.metric,
            interval=each.interval,
            error=None,
        )
        for each in measurements
    ]
    for failure in failures:
        known = {name: getattr(failure, name) for name in ("study", "model", "task", "recipe", "examples", "seed")}
        rows.append(dict.fromkeys(RESULT_COLUMNS) | known | {"error": failure.reason})
    return rows


def write_report(
    measurements: Sequence[Measurement],
    failures: Sequence[Failure],
    folder: Path,
    *,
    study: str,
    study_text: str,
    audits: Audits = MappingProxyType({}),
) -> Path:
    """Write report.html, figures/, results.csv, curves.csv and comparisons.csv and return the path of the page.

    The page needs no network and no script, and the same input gives the same bytes. UserError where a cell was
    measured twice; OSError where the folder cannot be written.
    """
    conditions = pool(measurements)
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    _write_csv(folder / "results.csv", RESULT_COLUMNS, results_rows(measurements, failures))
    _write_csv(folder / "curves.csv", _CURVE_COLUMNS, _curve_rows(conditions))
    pairs, gains = _by_pair(conditions), Gains()
    comparisons = compared(pairs, gains)
    _write_csv(folder / "comparisons.csv", COMPARISON_COLUMNS, comparison_rows(comparisons))
    found, best = checks(measurements, conditions, failures, audits), best_prompts(pairs, gains)
    costly, (fits, unfitted) = frontiers(pairs), fitted(conditions)
    calibrated, uncalibrated = measured(pairs)
    ranked, unranked = rankings(conditions)
    drawn = {
        "forest": lambda task: forest_figure(conditions, comparisons, task=task),
        "frontier": lambda task: frontier_figure(conditions, costly, task=task),
        "fits": lambda task: fits_figure(conditions, fits, task=task) if len(pairs) <= _MOST_HERO_PANELS else None,
        "calibration": lambda task: calibration_figure(calibrated, task=task),
    }
    page = _template().render(
        study=study,
        study_text=study_text,
        measurements=measurements,
        failures=failures,
        models=sorted({condition.model for condition in conditions}),
        tasks=sorted({condition.task for condition in conditions}),
        sentences=[sentence(group, gains) for group in pairs],
        figures=_figures(conditions, folder / "figures", drawn),
        comparisons=comparisons,
        compared=table(comparisons),
        uncompared=without(pairs),
        powers=power_statements(comparisons),
        frontiers=[(key, steps(kinds["flops"]), kinds["labels"]) for key, kinds in sorted(costly.items())],
        fits=fits,
        unfitted=unfitted,
        equal=equivalents(pairs),
        calibrated=calibrated,
        uncalibrated=uncalibrated,
        most_calibrated=MAX_CONDITIONS,
        moved_apart=moved_apart(pairs, gains),
        rankings=ranked,
        unranked=unranked,
        claimed=claimed(pairs, fits),
        costs=[costs(group, gains) for group in pairs],
        lengths=lengths(conditions),
        formats=formats_seen(conditions),
        spread=_study_figure(spread_figure(conditions), folder / "figures" / "spread", label="spread over formats"),
        extremes=extremes(conditions),
        orders=orders_seen(conditions),
        best=best,
        pooled=pooled_ratios(best),
        chosen=chosen_on_dev(conditions),
        checks=found,
        num_warnings=sum(check.warning for check in found),
        facts=provenance(measurements),
        prompts=first_prompts(measurements),
    )
    path = folder / "report.html"
    path.write_text(page, encoding="utf-8", newline="\n")
    return path


def _by_pair(conditions: Sequence[Condition]) -> list[list[Condition]]:
    """Ways grouped by task and model, in that order."""
    groups: dict[tuple[str, str], list[Condition]] = {}
    for condition in conditions:
        groups.setdefault((condition.task, condition.model), []).append(condition)
    return [groups[key] for key in sorted(groups)]


def _figures(
    conditions: Sequence[Condition], folder: Path, more: Mapping[str, Callable[[str], Any]]
) -> list[dict[str, str]]:
    """Draw and save every figure; those of a task come back as SVG to put into the page.

    `more` draws those that need what was worked out for the whole study, by kind, from a task's name. Of a large study
    all but the scaling curves are saved as SVG alone, because drawing the same in pixels takes as long again.
    """
    tasks, models = sorted({condition.task for condition in conditions}), {condition.model for condition in conditions}
    budgets = without_sweeps(conditions)
    small = len(tasks) * len(models) <= _MOST_HERO_PANELS
    if budgets and small:
        save(hero_figure(budgets), folder / "overview")

    def draw(numbered: tuple[int, str]) -> dict[str, str]:
        i, task = numbered
        # The number keeps apart tasks whose names only differ in characters that no file name should have.
        name = f"{i:02d}-{re.sub(r'[^A-Za-z0-9]+', '-', task).strip('-')[:60]}"
        shown = {
            "curves": scaling_figure(budgets, task=task),
            "parameters": parameters_figure(conditions, task=task),
            "rewards": rewards_figure(conditions, task=task),
            "formats": formats_figure(conditions, task=task),
            "ways": conditions_figure(conditions, task=task),
            **{kind: drawn(task) for kind, drawn in more.items()},
        }
        inlined = {"task": task}
        for kind, figure in shown.items():
            pixels = small or kind == "curves"
            path = save(figure, folder / f"{name}-{kind}", pixels=pixels)[0] if figure else None
            inlined[kind] = _inline_svg(path, prefix=f"{kind}{i}-", label=f"{task}: {kind}") if path else ""
        return inlined

    return each_forked(draw, list(enumerate(tasks, start=1)))


def _study_figure(figure: Any, path: Path, *, label: str) -> str:
    """Save a figure of the whole study, and give it as SVG for the page; nothing where there is none."""
    return _inline_svg(save(figure, path)[0], prefix="study-", label=label) if figure else ""


def _inline_svg(path: Path, *, prefix: str, label: str) -> str:
    """An SVG file as an element of an HTML page: no prolog, no fixed size, ids that no other figure has."""
    text = path.read_text(encoding="utf-8")
    opening = re.search(r"<svg\b[^>]*>", text)
    assert opening is not None, f"{path} is no SVG"
    box = re.search(r'viewBox="0 0 ([0-9.]+) [^"]*"', opening.group())
    assert box is not None, f"{path} has no viewBox"
    body = re.sub(r"<metadata>.*?</metadata>", "", text[opening.end() :], flags=re.DOTALL)
    # Only inside tags: the same letters in a text element are what the user wrote.
    inside = re.sub(
        r"<[^>]+>",
        lambda tag: re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}", tag.group()).replace("xlink:href", "href"),
        body,
    )
    # A narrow figure must not be blown up to the width of the page.
    widest = round(1.45 * float(box.group(1)))
    return f'<svg {box.group()} style="max-width: {widest}px" role="img" aria-label="{html.escape(label)}">{inside}'


def _curve_rows(conditions: Sequence[Condition]) -> list[dict[str, Any]]:
    return [
        {
            "axis": axis,
            "model": curve.model,
            "task": curve.task,
            "method": curve.method,
            "settings": point.condition.settings,
            "recipe": point.condition.recipe,
            "examples": point.condition.examples,
            "budget": point.budget,
            "score": point.score,
            "low": point.low,
            "high": point.high,
            "interval": point.interval,
            "n": point.n,
            "num_seeds": point.num_seeds,
            "chance": point.condition.chance,
        }
        for axis in AXES
        for curve in join(conditions, axis)
        for point in curve.points
    ]


def _write_csv(path: Path, columns: Collection[str], rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _template() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {each.__name__: each for each in (
        flops, count, name_of, format_odds, p_value, percent1, points1, score1, signed1, times,
    )}  # fmt: skip
    return environment.get_template("page.html.j2")

"""The report: measurements -> one self-contained HTML page, figures as SVG and PNG, results and curves as CSV."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType

from educe.data.tasks.secret_word import SECRETS
from educe.data.writing import write_whole
from educe.eval.analysis.anomalies import Audits
from educe.eval.analysis.bits import description_lengths
from educe.eval.analysis.by_task import task_rows
from educe.eval.analysis.capabilities import capability_gaps
from educe.eval.analysis.certify import attempts, detections
from educe.eval.analysis.claims.study import Limits
from educe.eval.analysis.conditions import Compare, Condition, by_task_and_model, ordered, pool
from educe.eval.analysis.controls import is_control, learns_from_scratch, without_controls
from educe.eval.analysis.dev_choices import dev_choices
from educe.eval.analysis.forecast import ASSUMPTIONS
from educe.eval.analysis.future import futures
from educe.eval.analysis.looks import Looks, at_this_look, confirmable
from educe.eval.analysis.meta import over_tasks
from educe.eval.analysis.primary import Pair
from educe.eval.analysis.secrets import CHANCE_RANK, interrogations
from educe.eval.analysis.signals import moved_signals
from educe.eval.analysis.task_means import task_means
from educe.eval.analysis.verdicts import Verdict
from educe.eval.measurement import Failure, Measurement
from educe.eval.report.calibration import MAX_CONDITIONS, calibration_figure, calibrations, disagreements
from educe.eval.report.checks import checks, first_prompts, provenance
from educe.eval.report.claims import claim_sections, claims_at_this_look
from educe.eval.report.comparisons import (
    COMPARISON_COLUMNS,
    Comparison,
    compare_all,
    compare_with_controls,
    comparison_table,
    missing_comparisons,
    power_statements,
    primary_table,
)
from educe.eval.report.contrasts import contrast_sections
from educe.eval.report.costs import cost_rows
from educe.eval.report.drawing import MAX_SMALL, draw_figures, draw_spread
from educe.eval.report.equivalents import equivalents
from educe.eval.report.fits import fits_figure, fitted
from educe.eval.report.forest import forest_figure
from educe.eval.report.frontiers import frontier_figure, frontiers, steps
from educe.eval.report.headline import headline
from educe.eval.report.organisms import (
    DETECTION_COLUMNS,
    ORGANISM_COLUMNS,
    detection_table,
    organism_sections,
    organism_table,
)
from educe.eval.report.over_tasks import TITLES, draw_over_tasks, effect_text
from educe.eval.report.prompts import best_prompts, format_extremes, format_spreads, order_effects, pooled_ratios
from educe.eval.report.ranks import rankings
from educe.eval.report.recorded import recorded
from educe.eval.report.result_columns import RESULT_COLUMNS
from educe.eval.report.suites import suite_sections
from educe.eval.report.tables import (
    CURVE_COLUMNS,
    MEAN_COLUMNS,
    TASK_COLUMNS,
    curve_rows,
    mean_table,
    results_rows,
    row_of,
    task_table,
    write_csv,
)
from educe.eval.report.templates import template
from educe.eval.report.verdicts import VERDICT_COLUMNS, all_verdicts, verdict_sections, verdict_table


def write_report(
    measurements: Sequence[Measurement],
    failures: Sequence[Failure],
    folder: Path,
    *,
    study: str,
    study_text: str,
    audits: Audits = MappingProxyType({}),
    primary: Sequence[Pair] = (),
    looks: Looks | None = None,
    record: Sequence[str] = (),
    limits: Limits | None = None,
) -> Path:
    """Write report.html, its figures and its tables as CSV files, and return the path of the page.

    `primary` are the comparisons that the study names as such, `looks` the earlier ones at these results, `record` says
    so and what was planned, a sentence each, and `limits` are those of the claims. The page needs no network and no
    script, and the same input gives the same bytes. UserError where a cell was measured twice or a link or folder is
    where a file belongs; OSError where the folder cannot be written.
    """
    conditions, gains = pool(measurements), cache(at_this_look(looks))
    pairs = by_task_and_model(conditions)
    comparisons = compare_all(pairs, gains, primary, failures=failures, looks=looks)
    above_controls = compare_with_controls(pairs, gains, looks)
    found = checks(measurements, conditions, failures, audits)
    drawn = _drawn(conditions, comparisons, looks, folder / "figures")
    by_task, means = task_rows(pairs), task_means(pairs)
    known = attempts(conditions)
    told, judged = detections(known), all_verdicts(pairs)
    write_csv(folder / "results.csv", RESULT_COLUMNS, results_rows(measurements, failures))
    write_csv(folder / "curves.csv", CURVE_COLUMNS, curve_rows(conditions, gains))
    rows = [row_of(COMPARISON_COLUMNS, each) for each in (*comparisons, *above_controls)]
    write_csv(folder / "comparisons.csv", COMPARISON_COLUMNS, rows)
    write_csv(folder / "tasks.csv", TASK_COLUMNS, task_table(by_task))
    write_csv(folder / "task_means.csv", MEAN_COLUMNS, mean_table(means))
    if known:
        write_csv(folder / "organisms.csv", ORGANISM_COLUMNS, organism_table(known))
        write_csv(folder / "detections.csv", DETECTION_COLUMNS, detection_table(told))
    if judged:
        write_csv(folder / "verdicts.csv", VERDICT_COLUMNS, verdict_table(judged))
    page = template("page.html.j2").render(
        study=study,
        study_text=study_text,
        measurements=measurements,
        failures=failures,
        comparisons=comparisons,
        missing_comparisons=missing_comparisons(pairs, primary, failures),
        claims=claim_sections(
            claims_at_this_look(conditions, looks, limits, audits, primary, failures),
            audits,
            [check.line for check in found if check.warning],
        ),
        record=(*record, *confirmable(looks, conditions)[1]),
        checks=found,
        num_warnings=sum(check.warning for check in found),
        facts=provenance(measurements),
        prompts=first_prompts(measurements),
        **drawn,
        **_sections(conditions, comparisons, above_controls, judged, gains, looks),
        **suite_sections(by_task, means, failures),
        **organism_sections(known, told, folder / "figures"),
        **verdict_sections(judged),
        **contrast_sections(pairs, gains, folder),
    )
    path = folder / "report.html"
    write_whole(path, page)
    return path


def _drawn(
    conditions: Sequence[Condition], comparisons: Sequence[Comparison], looks: Looks | None, folder: Path
) -> dict[str, object]:
    """The figures, drawn into the folder, and what they show, by the name in the template."""
    candidates = without_controls(conditions)
    pairs = by_task_and_model(candidates)
    costly, (fits, num_unfitted), (calibrated, num_uncalibrated) = (
        frontiers(pairs),
        fitted(candidates),
        calibrations(pairs),
    )
    pooled = over_tasks(by_task_and_model(conditions), looks)
    drawing = {
        "forest": lambda task: forest_figure(conditions, comparisons, task=task),
        "frontier": lambda task: frontier_figure(conditions, costly, task=task),
        "fits": lambda task: fits_figure(conditions, fits, task=task) if len(pairs) <= MAX_SMALL else None,
        "calibration": lambda task: calibration_figure(calibrated, task=task),
    }
    return {
        "figures": draw_figures(conditions, folder, drawing),
        "spread": draw_spread(conditions, folder),
        "over_tasks": pooled,
        "over_tasks_drawn": draw_over_tasks(pooled, folder),
        "frontiers": [(key, steps(kinds["flops"]), kinds["labels"]) for key, kinds in sorted(costly.items())],
        "fits": fits,
        "num_unfitted": num_unfitted,
        "calibrated": calibrated,
        "num_uncalibrated": num_uncalibrated,
    }


def _sections(
    conditions: Sequence[Condition],
    comparisons: Sequence[Comparison],
    above_controls: Sequence[Comparison],
    judged: Sequence[Verdict],
    gains: Compare,
    looks: Looks | None,
) -> dict[str, object]:
    """What the page shows in tables and sentences and no figure needs, by its name in the template."""
    candidates, with_controls = without_controls(conditions), by_task_and_model(conditions)
    pairs = by_task_and_model(candidates)
    ranked, unranked = rankings(candidates, looks)
    best = best_prompts(pairs, gains)
    return {
        "over_tasks_titles": TITLES,
        "effect_text": effect_text,
        "num_models": len({each.model for each in conditions}),
        "num_tasks": len({each.task for each in conditions}),
        "headlines": [headline(pair, gains, judged) for pair in with_controls if without_controls(pair)],
        "comparison_table": comparison_table([*comparisons, *above_controls]),
        "above_controls": above_controls,
        "has_controls": len(candidates) < len(conditions),
        "learn_from_scratch": any(map(learns_from_scratch, conditions)),
        "untold": any(is_control(each) and not learns_from_scratch(each) for each in conditions),
        "primary_table": primary_table(comparisons),
        "powers": power_statements(comparisons),
        "equivalents": equivalents(pairs),
        "max_calibrated": MAX_CONDITIONS,
        "disagreements": disagreements(pairs, gains),
        "rankings": ranked,
        "unranked": unranked,
        "conditions": [ordered(pair) for pair in with_controls],
        "costs": [cost_rows(pair, gains) for pair in with_controls],
        "lengths": description_lengths(conditions),
        **_capabilities(by_task_and_model(conditions)),
        "forecast_assumptions": ASSUMPTIONS,
        "signals": recorded(conditions, "signals"),
        "moved_signals": moved_signals(conditions),
        "pressed": recorded(conditions, "pressed"),
        "confidence": recorded(conditions, "confidence"),
        "diversity": recorded(conditions, "diversity"),
        "interrogations": interrogations(conditions),
        "chance_rank": CHANCE_RANK,
        "chance_told": 1 / len(SECRETS),
        "formats": format_spreads(conditions),
        "extremes": format_extremes(conditions),
        "orders": order_effects(conditions),
        "best": best,
        "pooled": pooled_ratios(best),
        "choices": dev_choices(conditions),
    }


def _capabilities(pairs: Sequence[Sequence[Condition]]) -> dict[str, object]:
    """Gaps and forecasts of a small study: each takes as long as its resamples."""
    small = pairs if len(pairs) <= MAX_SMALL else []
    return {"capability_gaps": [gap for pair in small for gap in capability_gaps(pair)], "futures": futures(small)}

"""What a study would cost and could detect, before a model is loaded: cells, useful FLOPs, minutes here, power."""

import math
from collections.abc import Sequence

from educe.eval.analysis.formatting import format_count
from educe.eval.model.source import Source
from educe.recipes.runner.cell import Cell
from educe.recipes.runner.cohorts import cohorts
from educe.recipes.runner.estimate import EFFICIENCY, estimate
from educe.recipes.runner.launch_settings import computes_with
from educe.recipes.runner.power import power_lines
from educe.recipes.runner.sizes import left_out
from educe.recipes.runner.study import Study
from educe.recipes.runner.workers import choose_workers, longest_group


def plan(study: Study, *, effect: float = 0.05) -> str:
    """The plan as text: a row per model, task and recipe, the total, and the statistical power of each task.

    `effect` is the difference to size the study for, as a share. UserError where it is none.
    """
    cells = study.cells()
    power = power_lines(cells, effect=effect, primary=study.primary())
    groups: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.source.name, cell.task.name, cell.recipe), []).append(cell)
    lines = [
        "useful FLOPs: to elicit one cell (training and search, mean over cells), for one test answer, for all cells",
        f"{'model':24} {'task':20} {'recipe':28} {'cells':>5} {'items':>5} {'elicit':>9} {'answer':>9} {'all':>9}",
    ]
    executed = total = 0.0
    unknown = False
    trained: set[tuple[Source, str, int]] = set()  # trainings that serve several cells
    for (model, task, recipe), members in groups.items():
        estimates = []
        for cell in members:
            workload = cell.method.workload(cell.recipe_task, cell.examples)
            training = (cell.source, workload.shared_training or "", cell.seed)
            estimates.append(estimate(cell, workload, already=study.launch is None and training in trained))
            if workload.shared_training:
                trained.add(training)
        known = [each for each in estimates if each is not None]
        unknown = unknown or len(known) < len(estimates)
        executed += sum(each.executed_flops for each in known)
        flops = [sum(each.total_flops for each in known)]
        total += flops[0]
        for name in ("flops_per_answer", "elicitation_flops"):
            flops.insert(0, sum(getattr(each, name) for each in known) / max(1, len(known)))
        shown = " ".join(f"{each:9.1e}" if known else f"{'unknown':>9}" for each in flops)
        lines.append(f"{model:24} {task:20} {recipe:28} {len(members):5} {len(members[0].items):5} {shown}")
    cost = f"{total:.1e} useful FLOPs, {_minutes(study, cells, executed)}"
    nothing_known = unknown and not total
    lines.append(f"{format_count(len(cells), 'cell')}, {'useful FLOPs and minutes unknown' if nothing_known else cost}")
    if unknown:
        lines.append("unknown: the size of a model that is not bundled is read when it is loaded; not in the totals")
    if line := left_out(cells, study.examples):
        lines.append(line)
    return "\n".join([*lines, "", *power])


def _minutes(study: Study, cells: Sequence[Cell], executed: float) -> str:
    """How long the executed FLOPs take here, on how many workers; not less than the longest group takes one of them."""
    groups = [(cell,) for cell in cells] if study.launch else cohorts(cells)
    workers = choose_workers(study, groups)
    several = f"{format_count(workers.count, 'worker')} of {computes_with(study.launch, study.threads)}, {workers.why}"
    if math.isnan(workers.rate):
        return f"minutes unknown {'in a launch' if study.launch else 'on a GPU'} ({several})"
    rate = workers.rate * EFFICIENCY
    seconds = executed / rate
    if workers.count > 1:
        several += f", {workers.rate / workers.rate_of_one:.1f} times the rate of one"
        seconds = max(seconds, longest_group(groups) / (workers.rate_of_one * EFFICIENCY))
    return f"about {seconds / 60:.1f} minutes here at {rate:.1e} FLOP/s (measured just now: {several})"

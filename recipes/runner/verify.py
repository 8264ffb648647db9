"""What of a run directory is whole: every file against its seal, and what is read against what a run can write."""

from pathlib import Path

from educe.data.display import visible
from educe.recipes.runner.corruption import Corrupt
from educe.recipes.runner.store import NOT_RUN, Store


def verify(folder: str | Path) -> tuple[list[str], str]:
    """One line for each fault of a run directory, and a summary. UserError where there is no run.

    A cell that was not run yet is a fault: the study is not whole. A cell that failed and has a note of it is none.
    """
    store = Store(Path(folder))
    faults = []
    for read in (store.study_name, store.read_audits):
        try:
            read()
        except Corrupt as error:
            faults.append(str(error))
    try:
        measurements, failures = store.read()
    except Corrupt as error:
        known = dict.fromkeys([*faults, str(error)])
        return [visible(each) for each in known], f"{folder} is not whole: its cells are not checked"
    lines = [f"{each.cell_name}: {each.reason}" for each in failures if each.corrupt or each.reason == NOT_RUN]
    corrupt = sum(each.corrupt for each in failures)
    not_run = len(lines) - corrupt
    counts = {"failed": len(failures) - len(lines), "not run": not_run, "corrupt": corrupt}
    cells = len(measurements) + len(failures)
    verdict = "is not whole" if faults or lines else "is whole"
    others = "".join(f", {count} {what}" for what, count in counts.items() if count)
    return [
        visible(each) for each in (*faults, *lines)
    ], f"{folder} {verdict}: {len(measurements)} of {cells} cells have a result{others}"

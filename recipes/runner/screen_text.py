"""A screen as text: a table with a line for each model and task, and how far to trust it."""

from pathlib import Path

from educe.data.display import aligned, cut
from educe.eval.analysis.formatting import format_count, format_interval, whole_percent
from educe.eval.analysis.room import Room, Shown
from educe.recipes.runner.screened import CHOSEN, Screened

_HEAD = (
    *("model", "task", "dev rows", "chance", "zero-shot", "best recipe", "score", "control"),
    *("labels", "FLOPs", "seconds", "verdict"),
)
_TEXTS = ("model", "task", "best recipe", "verdict")
_LEFT = [name in _TEXTS for name in _HEAD]  # numbers end alike
_NONE, _MAX_NAME = "-", 40


def screen_text(screened: Screened) -> str:
    """The table, the largest gain first, and what it cannot show in the last line."""
    return "\n".join([*aligned([_HEAD, *map(_row, screened.rooms)], left=_LEFT), "", *_notes(screened)])


def chosen_line(screened: Screened, folder: Path) -> str:
    """Where the study of the chosen tasks is, or that there is none."""
    tasks = len({each.task for each in screened.rooms})
    if not screened.chosen:
        return f"no task of {tasks} has room, so no study was written"
    lines = [f"{len(screened.chosen)} of {format_count(tasks, 'task')} chosen: {', '.join(screened.chosen)}"]
    lines += [f"in the chosen study, {line}" for line in screened.changes]
    return "\n".join([*lines, f"next: educe run {folder / CHOSEN}"])


def _row(room: Room) -> tuple[str, ...]:
    best = room.best
    return (
        room.model,
        room.task,
        f"{room.n:,}",
        _NONE if room.chance is None else whole_percent(room.chance),
        _score(room.zero_shot),
        _NONE if best is None else cut(best.recipe, _MAX_NAME),
        _NONE if best is None else f"{_score(best)} {format_interval(best.low, best.high)}",
        _NONE if room.control is None else f"{_score(room.control)}, {room.control.examples:,}",
        _NONE if best is None else f"{best.labelled_examples:,}",
        _NONE if best is None else f"{best.elicitation_flops:.1e}" if best.elicitation_flops else "0",
        _NONE if best is None else f"{best.seconds:.0f}",
        f"{room.verdict}: {room.reason}" if room.reason else room.verdict,
    )


def _score(shown: Shown | None) -> str:
    return _NONE if shown is None else whole_percent(shown.score)


def _notes(screened: Screened) -> list[str]:
    rooms = screened.rooms
    lines = [screened.rule]
    if screened.failed:
        lines.append(f"{screened.failed} of {format_count(screened.cells, 'cell')} failed and have no score")
    items, picked = [each.n for each in rooms], max(each.recipes for each in rooms)
    rows = _range(min(items), max(items))
    best = f"the best of {picked} looks better than it is" if picked > 1 else "one seed is one run"
    return [*lines, f"Dev rows are few ({rows} a task) and {best}: this is a screen, not a result."]


def _range(low: int, high: int) -> str:
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"

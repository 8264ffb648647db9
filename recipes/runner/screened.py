"""screen.json and chosen.yaml: what a screen on dev rows found, and the study of the tasks that it chose."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import yaml
from pydantic import ConfigDict, TypeAdapter, with_config

from educe.data.display import visible
from educe.data.untrusted import parse_json
from educe.eval.analysis.room import Room
from educe.eval.measurement import GitState
from educe.eval.ranges import Count
from educe.recipes.runner.corruption import CORRUPTION, Corrupt, reason_of
from educe.recipes.runner.seal import checksum
from educe.recipes.runner.store import Store

SCREEN, CHOSEN = "screen.json", "chosen.yaml"


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, kw_only=True)
class Screened:
    """A screen: the study as it was given, with the hash of its text, and the verdicts on its models and tasks.

    `cells` is how many cells were screened, `hash` that of all of them, `failed` how many have no result. `left_out`
    says what of the study was not screened, `changes` what else of it than the other tasks `chosen_study` lacks.
    """

    rule: str
    study: dict[str, Any]
    study_hash: str
    cells: Count
    hash: str
    failed: Count
    left_out: list[str]
    keep: Count | None
    rooms: list[Room]
    chosen: list[str]
    changes: list[str]
    chosen_study: dict[str, Any] | None
    versions: Mapping[str, str]
    git: GitState

    def texts(self) -> dict[str, str | None]:
        """The files of the screen by their names; no chosen.yaml where no task has room."""
        text = json.dumps(asdict(self), indent=1, allow_nan=False)
        return {SCREEN: text, CHOSEN: self._chosen_text(checksum(text.encode()))}

    def _chosen_text(self, screen: str) -> str | None:
        if self.chosen_study is None:
            return None
        tasks = len({each.task for each in self.rooms})
        lines = [
            f"{len(self.chosen)} of {tasks} tasks, chosen on dev rows by educe screen ({SCREEN}, sha256 {screen})",
            *self.changes,
        ]
        comments = "".join(f"# {visible(line)}\n" for line in lines)
        return comments + yaml.safe_dump(self.chosen_study, sort_keys=False)


_SCREENED = TypeAdapter(Screened)


def read_screen(store: Store) -> Screened | None:
    """The screen of a directory, None where it has none. Corrupt where one of its files is not what was written."""
    name = SCREEN
    try:
        text = store.sealed.read(SCREEN)
        screened = None if text is None else _checked(parse_json(text, source=SCREEN), text)
        name = CHOSEN
        if store.sealed.read(CHOSEN) != (None if screened is None else screened.texts()[CHOSEN]):
            raise ValueError(f"it is not what {SCREEN} says")
        return screened
    except CORRUPTION as error:
        path = store.root / name
        reason = reason_of(error, path).partition(";")[0]
        raise Corrupt(f"{path} is corrupt ({reason}); run educe screen again, which writes it") from None


def _checked(values: Any, text: str) -> Screened:
    """A screen from its values. ValueError where they are not what a screen writes."""
    screened = _SCREENED.validate_python(values)
    try:
        written = screened.texts()[SCREEN]
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if written != text:
        raise ValueError("its values are not as they are written")
    with_room = {each.task for each in screened.rooms if each.verdict == "room"}
    if not with_room.issuperset(screened.chosen) or (screened.chosen_study is None) != (not screened.chosen):
        raise ValueError("it chooses other tasks than those with room")
    for shown in (each for room in screened.rooms for each in (room.zero_shot, room.best, room.control)):
        if shown is not None and not shown.low <= shown.score <= shown.high:
            raise ValueError(f"the score of {shown.recipe!r} is not in its interval")
    return screened

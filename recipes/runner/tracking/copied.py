"""The copy of one cell while it trains: which of its steps the tracker has, and under which names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from educe.eval.progress import TrainingStep
from educe.recipes.runner.tracking.tracker import Entry, Step

_STEP = "step"


@dataclass(kw_only=True)
class Copied:
    """Steps come in the same order whenever a cell trains: those that the tracker has already are passed over.

    `have` is how many it has, `told` how many this training has told.
    """

    entry: Entry
    have: int
    told: int = 0
    first: list[Mapping[str, Any]] = field(default_factory=list)  # rows of the first training without a name
    trainings: int = 0  # without a name

    def again(self) -> "Copied":
        """The same where the cell trains again from the start."""
        return Copied(entry=self.entry, have=self.have)

    def take(self, steps: Sequence[TrainingStep]) -> list[Step]:
        """The steps that the tracker lacks."""
        return self._lacking([self._step(each) for each in steps])

    def take_kept(self, history: Sequence[Mapping[str, Any]]) -> list[Step]:
        """The log of the training that was kept, where it has not been told as it is."""
        rows = [dict(row) for row in history]
        if rows == self.first or not rows:
            return []
        name = "kept" if self.first else ""
        return self._lacking([self._made(row, name, place) for place, row in enumerate(rows, start=self.told)])

    def _step(self, step: TrainingStep) -> Step:
        name = step.training
        if not name:
            self.trainings += step.row[_STEP] == 0
            if self.trainings <= 1:
                self.first.append(dict(step.row))
            else:
                name = f"training {self.trainings}"
        made = self._made(step.row, name, self.told)
        self.told += 1
        return made

    def _made(self, row: Mapping[str, Any], training: str, place: int) -> Step:
        values = {name: float(value) for name, value in row.items() if name != _STEP}
        return Step(place=place, training=training, step=int(row[_STEP]), values=values)

    def _lacking(self, steps: Sequence[Step]) -> list[Step]:
        lacking = [each for each in steps if each.place >= self.have]
        self.have += len(lacking)
        return lacking

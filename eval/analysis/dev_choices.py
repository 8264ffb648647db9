"""Choices on dev rows: what the chosen candidate scored there and on the test rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from educe.eval.analysis.conditions import Condition, ordered
from educe.eval.analysis.statistics.independent import ScoreInterval, independent_difference
from educe.eval.analysis.statistics.intervals import wilson
from educe.eval.analysis.statistics.paired import Difference


@dataclass(frozen=True, kw_only=True)
class DevChoice:
    """A condition for which something was chosen on dev rows; numbers are means over seeds."""

    condition: Condition
    dev_score: float
    mean_dev_score: float | None  # of everything that was tried, where it was recorded
    dev_examples: float
    tried: float
    candidates: float
    chosen: str

    @property
    def optimism(self) -> Difference:
        """Dev score less test score. The items differ, so as a difference of independent shares (Newcombe 1998)."""
        low, high = wilson(self.dev_score, self.dev_examples)
        return independent_difference(
            ScoreInterval(score=self.dev_score, low=low, high=high),
            ScoreInterval(score=self.condition.score, low=self.condition.low, high=self.condition.high),
            n=round(self.dev_examples),
        )


def dev_choices(conditions: Sequence[Condition]) -> list[DevChoice]:
    """Every condition with a selection recorded for all of its seeds."""
    choices = []
    for condition in ordered(conditions):
        selections = [each.details.selection for each in condition.measurements]
        known = [each for each in selections if each is not None]
        if len(known) < len(selections):
            continue
        means = [each.mean_dev_score for each in known if each.mean_dev_score is not None]
        chosen = dict.fromkeys(
            ", ".join(f"{name}={value}" if name != "recipe" else str(value) for name, value in each.chosen.items())
            for each in known
        )
        choices.append(
            DevChoice(
                condition=condition,
                dev_score=fmean(each.dev_score for each in known),
                mean_dev_score=fmean(means) if len(means) == len(known) else None,
                dev_examples=fmean(each.dev_examples for each in known),
                tried=fmean(each.tried for each in known),
                candidates=fmean(each.candidates for each in known),
                chosen=" / ".join(text for text in chosen if text),
            )
        )
    return choices

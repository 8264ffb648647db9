"""The sections on wrong demonstrations, rows of another task and sums of digits: pairs that a study compares."""

from collections.abc import Callable, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

from educe.eval.analysis.conditions import Compare, Condition
from educe.eval.analysis.digit_sums import digit_sums
from educe.eval.analysis.prompt_errors import error_costs
from educe.eval.analysis.statistics.paired import GapRecovered
from educe.eval.analysis.transfer import transfers
from educe.eval.report.tables import row_of, write_csv
from educe.eval.report.text import interval_text

Column = Callable[[Any], Any]


def _of_condition() -> dict[str, Column]:
    names = {"model": "model", "task": "task", "recipe": "recipe", "settings": "settings", "examples": "examples"}
    names |= {"seeds": "num_seeds", "score": "score"}
    return {name: attrgetter(f"condition.{attribute}") for name, attribute in names.items()}


def _of_difference(name: str) -> dict[str, Column]:
    """The columns of a difference that may be missing."""

    def part(attribute: str) -> Column:
        return lambda each: None if (found := getattr(each, name)) is None else getattr(found, attribute)

    return {name: part("difference"), **{f"{name}_{end}": part(end) for end in ("low", "high", "p")}}


ERROR_COLUMNS: dict[str, Column] = {
    **_of_condition(),
    "wrong": lambda each: each.wrong,
    "errors": lambda each: each.errors,
    "clean_score": lambda each: each.clean.score,
    **_of_difference("change"),
}
TRANSFER_COLUMNS: dict[str, Column] = {
    **_of_condition(),
    "rows_from": lambda each: each.source,
    **_of_difference("gain"),
    **_of_difference("over_shuffled"),
    "own_examples": lambda each: None if each.own is None else each.own.examples,
    **_of_difference("own_gain"),
    "share": lambda each: each.share and each.share.share,
    "share_low": lambda each: each.share and each.share.low,
    "share_high": lambda each: each.share and each.share.high,
}
DIGIT_COLUMNS: dict[str, Column] = {
    **{name: column for name, column in _of_condition().items() if name not in ("seeds", "score")},
    "easier_task": attrgetter("easier.task"),
    "seed": attrgetter("seed"),
    "sums": attrgetter("n"),
    "right_with_digits_wrong": attrgetter("only_sum"),
    "wrong_with_digits_right": attrgetter("only_digits"),
    "digit_sums": attrgetter("digits"),
    "digit_sums_wrong": attrgetter("wrong"),
    "sums_apart": attrgetter("num_apart"),
    "apart_right_with_digits_wrong": attrgetter("apart.only_a"),
    "apart_wrong_with_digits_right": attrgetter("apart.only_b"),
    "p": attrgetter("apart.p"),
}


def contrast_sections(pairs: Sequence[Sequence[Condition]], gains: Compare, folder: Path) -> dict[str, object]:
    """What they add to the page, by its name in the template; their tables are written into the folder."""
    wrong = [each for pair in pairs for each in error_costs(pair, gains)]
    carried = [each for pair in pairs for each in transfers(pair, gains)]
    if wrong:
        write_csv(folder / "prompt_errors.csv", tuple(ERROR_COLUMNS), [row_of(ERROR_COLUMNS, each) for each in wrong])
    if carried:
        rows = [row_of(TRANSFER_COLUMNS, each) for each in carried]
        write_csv(folder / "transfers.csv", tuple(TRANSFER_COLUMNS), rows)
    of_digits = digit_sums([each for pair in pairs for each in pair])
    if of_digits:
        rows = [row_of(DIGIT_COLUMNS, each) for each in of_digits]
        write_csv(folder / "digit_sums.csv", tuple(DIGIT_COLUMNS), rows)
    return {
        "error_costs": wrong,
        "transfers": carried,
        "transfer_share": share_of_own,
        "digit_sums": of_digits,
    }


def share_of_own(found: GapRecovered | None) -> str:
    """A share of the gain of the task's own rows, in percent, with its interval."""
    if found is None:
        return "–"
    return interval_text(100 * found.share, 100 * found.low, 100 * found.high, ".0f")

"""The first sentences of the page: what each model scores on each task."""

from collections.abc import Sequence

from educe.eval.analysis.conditions import Compare, Condition, most_shots, most_trained, plain_prompting, searched
from educe.eval.analysis.controls import controlled, learns_from_scratch, without_controls
from educe.eval.analysis.formatting import format_interval, whole_percent
from educe.eval.analysis.statistics.paired import Difference
from educe.eval.analysis.verdicts import Verdict
from educe.eval.report.text import chances, count, flops, listed


def headline(conditions: Sequence[Condition], gains: Compare, verdicts: Sequence[Verdict] = ()) -> str:
    """What one model scores on one task, in two to six sentences; the conditions are those of that pair.

    Controls among them are only compared with. Of the `verdicts` the one on the condition that is quoted is named.
    """
    plain, shown, trained = plain_prompting(conditions), most_shots(conditions), most_trained(conditions)
    found, first = searched(conditions), conditions[0]
    parts = []
    if plain is not None:
        parts.append(f"{_score(plain)} zero-shot")
    if shown is not None:
        parts.append(f"{_score(shown)} with {count(shown.examples)} demonstrations ({shown.recipe})")
    if found is not None:
        parts.append(f"{_score(found)} with the best prompt that a search on dev rows found ({found.recipe})")
    if trained is not None:
        spent = f"{flops(trained.elicitation_flops)} FLOPs"
        parts.append(f"{_score(trained)} after training on {_training_rows(trained)} ({trained.recipe}, {spent})")
    if not parts:
        largest = max(without_controls(conditions), key=lambda each: each.examples)
        parts.append(f"{_score(largest)} under {largest.recipe}")
    sentences = [f"{first.model} on {first.task} scores {listed(parts)}"]
    last = trained or found or shown
    if plain is None:
        sentences.append("The zero-shot baseline was not measured")
    elif last is not None:
        sentences.append(_gain(gains(last, plain), "zero-shot"))
    if trained is not None and found is not None:
        sentences.append(_gain(gains(trained, found), "the best prompt of the search"))
    if trained is not None and (control := controlled(conditions).get(trained)) is not None:
        alone = " alone" if learns_from_scratch(control) else ""
        sentences.append(_gain(gains(trained, control), f"what {control.recipe} learned from the same rows{alone}"))
    judged = next((each for each in verdicts if each.condition is trained), None)
    if judged is not None and judged.answer in ("elicited", "taught"):
        sentences.append(f"By its controls this gain was {judged.answer}")
    levels = [whole_percent(chance) for chance in chances(conditions)]
    differ = ", depending on the condition" if len(levels) > 1 else ""
    sentences.append(f"Chance is {' or '.join(levels) or 'not known'}{differ}")
    return ". ".join(sentences) + "."


def _training_rows(condition: Condition) -> str:
    """The rows, whose labels they had, and how many more were read to choose."""
    if condition.instructions:
        return f"{count(condition.instructions)} instructions that hold nothing of the task"
    details = condition.measurements[0].details
    rows = f"{count(condition.examples)} labelled examples"
    if details.demonstrator is not None:
        own = condition.labelled_examples > details.dev_examples  # a later stage has read the task's own labels
        rows = f"{count(condition.examples)} {'labelled examples, also' if own else 'examples'}"
        rows += f" labelled by {details.demonstrator.model}"
    dev = details.dev_examples
    return f"{rows}, with {count(dev)} dev rows to choose settings" if dev else rows


def _score(condition: Condition) -> str:
    runs = {1: " in one run", 2: " in two runs"}.get(condition.num_seeds, "") if condition.estimand == "runs" else ""
    return f"{whole_percent(condition.score)} {format_interval(condition.low, condition.high)}{runs}"


def _gain(gain: Difference, over: str) -> str:
    # Rounded before it is called above or below, so that the words fit the number.
    points, low, high = (round(100 * share) for share in (gain.difference, gain.low, gain.high))
    side = "above"
    if points < 0:
        points, low, high, side = -points, -high, -low, "below"
    unsure = "" if gain.low > 0 or gain.high < 0 else "; the interval includes no difference"
    interval = f"[{low}, {high}]".replace("-", "−")
    return f"The last score is {points} {interval} points {side} {over}, paired on the same {gain.n:,} items{unsure}"

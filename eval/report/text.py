"""How the report says things: numbers as words, one sentence per model and task, and what each way cost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from educe.eval.analysis.conditions import Condition, compare, most_shots, most_trained, plain_prompting, searched
from educe.eval.analysis.curves import Point
from educe.eval.analysis.formatting import format_interval, whole_percent
from educe.eval.analysis.frontier import questions_to_break_even
from educe.eval.analysis.statistics.paired import Difference
from educe.eval.analysis.statistics.ratios import Ratio
from educe.eval.measurement import Measurement
from educe.eval.report.style import power_of_ten

Compare = Callable[[Condition, Condition], Difference]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """One row of the cost table: a way, its gain over plain prompting and when a fine-tune pays."""

    condition: Condition
    gain: Difference | None  # against plain prompting, None for plain prompting itself or where it was not measured
    break_even: str

    @property
    def train_flops(self) -> float:
        """Useful training FLOPs, mean over seeds."""
        return self.condition.mean(lambda each: each.spend.train_flops)

    @property
    def search_flops(self) -> float:
        """Useful search FLOPs, mean over seeds."""
        return self.condition.mean(lambda each: each.spend.search_flops)

    @property
    def trainable_parameters(self) -> float:
        """Trainable parameters, mean over seeds."""
        return self.condition.mean(lambda each: each.spend.trainable_parameters)

    @property
    def seconds(self) -> float:
        """Wall seconds, mean over seeds."""
        return self.condition.mean(lambda each: each.spend.seconds)


def flops(value: int | float) -> str:
    """FLOPs as a power of ten, nothing spent as 0."""
    return power_of_ten(value) if value > 0 else "0"


def count(value: int | float) -> str:
    """A mean of counts with thousands separated, rounded to a whole number."""
    return f"{value:,.0f}"


def percent1(share: float) -> str:
    """A share in percent with one decimal, for tables."""
    return f"{100 * share:.1f}"


def score1(scored: Condition | Point | Measurement) -> str:
    """A score and its interval in percent with one decimal, for tables."""
    return f"{percent1(scored.score)} [{percent1(scored.low)}, {percent1(scored.high)}]"


def points1(gain: Difference) -> str:
    """A paired difference in points with its interval, for tables."""
    return f"{signed1(gain.difference)} [{signed1(gain.low)}, {signed1(gain.high)}]"


def signed1(share: float) -> str:
    """A difference in points with its sign."""
    return f"{100 * share:+.1f}".replace("-", "−")


def times(ratio: Ratio) -> str:
    """A ratio with its interval, for tables."""
    return f"{ratio.ratio:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"


def chances(conditions: Sequence[Condition]) -> list[float]:
    """Every level of chance among the ways, rising; empty where none is known."""
    return sorted({condition.chance for condition in conditions if condition.chance is not None})


def sentence(conditions: Sequence[Condition], gains: Compare = compare) -> str:
    """What one model shows on one task, in one or two plain sentences; `ways` are those of that pair."""
    plain, prompted, trained = plain_prompting(conditions), most_shots(conditions), most_trained(conditions)
    best = searched(conditions)
    first = conditions[0]
    parts = []
    if plain is not None:
        parts.append(f"{_score(plain)} when asked plainly")
    if prompted is not None:
        parts.append(f"{_score(prompted)} with {count(prompted.examples)} demonstrations ({prompted.recipe})")
    if best is not None:
        parts.append(f"{_score(best)} with the best prompt that a search on dev rows found ({best.recipe})")
    if trained is not None:
        parts.append(
            f"{_score(trained)} after training on {_learned_from(trained)} "
            f"({trained.recipe}, {flops(trained.elicitation_flops)} FLOP)"
        )
    if not parts:
        condition = max(conditions, key=lambda condition: condition.examples)
        parts.append(f"{_score(condition)} under {condition.recipe}")
    said = f"{first.model} on {first.task} shows {_listed(parts)}"
    best_known = trained or best or prompted
    if plain is not None and best_known is not None:
        said += f"; {_gain(gains(best_known, plain))}"
    elif plain is None:
        said += "; plain prompting was not measured"
    levels = [whole_percent(chance) for chance in chances(conditions)]
    by_way = ", depending on the way" if len(levels) > 1 else ""
    return f"{said}. Chance is {' or '.join(levels) or 'not known'}{by_way}."


def _learned_from(condition: Condition) -> str:
    """The examples, whose labels they had, and how many more were read to choose."""
    if condition.instructions:
        return f"{count(condition.instructions)} instructions that hold nothing of the task"
    recorded = condition.measurements[0].provenance.elicited
    demonstrator, dev = recorded.get("labels_from"), recorded.get("dev_examples", 0)
    examples = f"{count(condition.examples)} labelled examples"
    if demonstrator:
        examples = f"{count(condition.examples)} examples labelled by {demonstrator}"
    return f"{examples} and choosing on {count(dev)}" if dev else examples


def costs(conditions: Sequence[Condition], gains: Compare = compare) -> list[Cost]:
    """One row per way of one model and task, each set against plain prompting and the longest prompt of that pair."""
    plain, prompted = plain_prompting(conditions), most_shots(conditions)
    ordered = sorted(
        conditions,
        key=lambda condition: (
            condition is not plain,
            condition.elicitation_flops > 0,
            condition.method,
            condition.settings,
            condition.examples,
        ),
    )
    return [
        Cost(
            condition=condition,
            gain=None if plain is None or condition is plain else gains(condition, plain),
            break_even=_break_even(condition, prompted),
        )
        for condition in ordered
    ]


@dataclass(frozen=True, kw_only=True)
class Length:
    """Description length of one way's labels in bits, means over seeds."""

    condition: Condition
    mdl: float
    floor: float
    edl: float


def lengths(conditions: Sequence[Condition]) -> list[Length]:
    """Every way whose labels were measured in bits, by rising number of examples."""

    def recorded(condition: Condition, name: str) -> float:
        return condition.mean(lambda each: each.provenance.elicited[name])

    measured = sorted(
        (condition for condition in conditions if condition.bits is not None),
        key=lambda condition: (
            condition.task,
            condition.model,
            condition.method,
            condition.settings,
            condition.examples,
        ),
    )
    return [
        Length(
            condition=condition,
            mdl=recorded(condition, "mdl_bits"),
            floor=recorded(condition, "floor_bits_per_example"),
            edl=recorded(condition, "edl_bits"),
        )
        for condition in measured
    ]


def _break_even(condition: Condition, prompted: Condition | None) -> str:
    if condition.mean(lambda each: each.spend.train_flops) <= 0:
        return "–"
    if prompted is None:
        return "no few-shot measured"
    questions = questions_to_break_even(
        max(0.0, condition.elicitation_flops - prompted.elicitation_flops),
        prompt_flops=prompted.flops_per_answer,
        tuned_flops=condition.flops_per_answer,
    )
    return "never" if questions is None else f"{questions:,.0f}"


def _score(condition: Condition) -> str:
    return f"{whole_percent(condition.score)} {format_interval(condition.low, condition.high)}"


def _gain(gain: Difference) -> str:
    # Rounded before it is called above or below, so that the words fit the number.
    points = round(100 * gain.difference)
    low, high = round(100 * gain.low), round(100 * gain.high)
    if points < 0:
        points, low, high, word = -points, -high, -low, "below"
    else:
        word = "above"
    unsure = "" if gain.low > 0 or gain.high < 0 else ", which does not exclude that nothing was gained"
    items = f"paired on the same {gain.n:,} items"
    return f"the last is {points} {_whole(low, high)} points {word} plain prompting, {items}{unsure}"


def _whole(low: int, high: int) -> str:
    return f"[{low}, {high}]".replace("-", "−")


def _listed(parts: Sequence[str]) -> str:
    if len(parts) < 3:
        return " and ".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"

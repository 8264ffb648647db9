"""How the report says things: numbers as words, one sentence per subject and task, and what each way cost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eval.cost import questions_to_break_even
from eval.curve import Point, Way, compare, plain_prompting
from eval.measurement import Measurement
from eval.report.style import brackets, percent, power_of_ten
from eval.stats.paired import Difference
from eval.stats.ratios import Ratio

Compare = Callable[[Way, Way], Difference]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """One row of the cost table: a way, its gain over plain prompting and when a fine-tune pays."""

    way: Way
    gain: Difference | None  # against plain prompting, None for plain prompting itself or where it was not measured
    break_even: str

    @property
    def train_flops(self) -> float:
        """Useful training FLOPs, mean over seeds."""
        return self.way.mean(lambda each: each.spend.train_flops)

    @property
    def search_flops(self) -> float:
        """Useful search FLOPs, mean over seeds."""
        return self.way.mean(lambda each: each.spend.search_flops)

    @property
    def trainable_parameters(self) -> float:
        """Trainable parameters, mean over seeds."""
        return self.way.mean(lambda each: each.spend.trainable_parameters)

    @property
    def seconds(self) -> float:
        """Wall seconds, mean over seeds."""
        return self.way.mean(lambda each: each.spend.seconds)


def flops(value: int | float) -> str:
    """FLOPs as a power of ten, nothing spent as 0."""
    return power_of_ten(value) if value > 0 else "0"


def count(value: int | float) -> str:
    """A mean of counts with thousands separated, rounded to a whole number."""
    return f"{value:,.0f}"


def percent1(share: float) -> str:
    """A share in percent with one decimal, for tables."""
    return f"{100 * share:.1f}"


def score1(scored: Way | Point | Measurement) -> str:
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


def trained(ways: Sequence[Way]) -> list[Way]:
    """Those whose eliciting trained the subject."""
    return [way for way in ways if way.mean(lambda each: each.spend.train_flops) > 0]


def trained_most(ways: Sequence[Way]) -> Way | None:
    """The trained way with the most labelled examples, then the most FLOPs: what sentences and claims hold others to.

    Never the one with the best score: the best of many, chosen on the test items themselves, is too good.
    """
    return max(trained(ways), key=lambda way: (way.examples, way.elicitation_flops), default=None)


def chances(ways: Sequence[Way]) -> list[float]:
    """Every level of chance among the ways, rising; empty where none is known."""
    return sorted({way.chance for way in ways if way.chance is not None})


def prompted_most(ways: Sequence[Way]) -> Way | None:
    """Random demonstrations, the most that were shown: what a fine-tune has to pay off against."""
    prompts = [way for way in ways if way.method == "few_shot"]
    return max(prompts, key=lambda way: way.examples, default=None)


def searched(ways: Sequence[Way]) -> Way | None:
    """The prompt that a search found, the one that read the most labels."""
    found = [way for way in ways if way.method == "prompt_search"]
    return max(found, key=lambda way: way.labelled_examples, default=None)


def sentence(ways: Sequence[Way], gains: Compare = compare) -> str:
    """What one subject shows on one task, in one or two plain sentences; `ways` are those of that pair."""
    plain, prompted, trained = plain_prompting(ways), prompted_most(ways), trained_most(ways)
    best = searched(ways)
    first = ways[0]
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
        way = max(ways, key=lambda way: way.examples)
        parts.append(f"{_score(way)} under {way.recipe}")
    said = f"{first.subject} on {first.task} shows {_listed(parts)}"
    best_known = trained or best or prompted
    if plain is not None and best_known is not None:
        said += f"; {_gain(gains(best_known, plain))}"
    elif plain is None:
        said += "; plain prompting was not measured"
    levels = [percent(chance) for chance in chances(ways)]
    by_way = ", depending on the way" if len(levels) > 1 else ""
    return f"{said}. Chance is {' or '.join(levels) or 'not known'}{by_way}."


def _learned_from(way: Way) -> str:
    """The examples, whose labels they had, and how many more were read to choose."""
    if way.instructions:
        return f"{count(way.instructions)} instructions that hold nothing of the task"
    recorded = way.measurements[0].provenance.get("elicited", {})
    demonstrator, dev = recorded.get("labels_from"), recorded.get("dev_examples", 0)
    examples = f"{count(way.examples)} labelled examples"
    if demonstrator:
        examples = f"{count(way.examples)} examples labelled by {demonstrator}"
    return f"{examples} and choosing on {count(dev)}" if dev else examples


def costs(ways: Sequence[Way], gains: Compare = compare) -> list[Cost]:
    """One row per way of one subject and task, each set against plain prompting and the longest prompt of that pair."""
    plain, prompted = plain_prompting(ways), prompted_most(ways)
    ordered = sorted(
        ways, key=lambda way: (way is not plain, way.elicitation_flops > 0, way.method, way.settings, way.examples)
    )
    return [
        Cost(
            way=way,
            gain=None if plain is None or way is plain else gains(way, plain),
            break_even=_break_even(way, prompted),
        )
        for way in ordered
    ]


@dataclass(frozen=True, kw_only=True)
class Length:
    """Description length of one way's labels in bits, means over seeds."""

    way: Way
    mdl: float
    floor: float
    edl: float


def lengths(ways: Sequence[Way]) -> list[Length]:
    """Every way whose labels were measured in bits, by rising number of examples."""

    def recorded(way: Way, name: str) -> float:
        return way.mean(lambda each: each.provenance["elicited"][name])

    measured = sorted(
        (way for way in ways if way.bits is not None),
        key=lambda way: (way.task, way.subject, way.method, way.settings, way.examples),
    )
    return [
        Length(
            way=way,
            mdl=recorded(way, "mdl_bits"),
            floor=recorded(way, "floor_bits_per_example"),
            edl=recorded(way, "edl_bits"),
        )
        for way in measured
    ]


def _break_even(way: Way, prompted: Way | None) -> str:
    if way.mean(lambda each: each.spend.train_flops) <= 0:
        return "–"
    if prompted is None:
        return "no few-shot measured"
    questions = questions_to_break_even(
        max(0.0, way.elicitation_flops - prompted.elicitation_flops),
        prompt_flops=prompted.flops_per_answer,
        tuned_flops=way.flops_per_answer,
    )
    return "never" if questions is None else f"{questions:,.0f}"


def _score(way: Way) -> str:
    return f"{percent(way.score)} {brackets(way.low, way.high)}"


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

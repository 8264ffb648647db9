"""Details: what an elicitation records beside its score, each kind of record with a type of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

from educe.eval.ranges import Amount, Count, Difference, Plain, Share


@dataclass(frozen=True, kw_only=True)
class TrainingDetails:
    """How a training run went: its precision, its processes, and the pieces that a batch was cut into."""

    precision: str
    processes: Count = 1
    pieces: Count = 1
    checkpoint_activations: bool = False
    shared_prefix_tokens: Count = 0
    steps_made: Count | None = None  # with early stopping: until it stopped
    steps_kept: Count | None = None  # with early stopping: up to the lowest dev loss
    dev_examples: Count = 0  # rows that early stopping looked at


@dataclass(frozen=True, kw_only=True)
class Selection:
    """A choice among candidates on dev rows: what was chosen, and what it scored there.

    `mean_dev_score` is the mean over all candidates that were tried, which a random choice would get.
    """

    chosen: Mapping[str, Plain]  # by setting, or {"recipe": label}
    dev_score: Share
    dev_examples: Count
    candidates: Count
    mean_dev_score: Share | None = None
    candidates_tried: Count | None = None
    candidates_failed: Count | None = None  # could not be asked at all, for example because shots did not fit

    @property
    def tried(self) -> int:
        """How many candidates were tried on dev rows."""
        return self.candidates if self.candidates_tried is None else self.candidates_tried


@dataclass(frozen=True, kw_only=True)
class LabelBits:
    """Description length of a stream of labels (MDL), and its excess over a converged held-out loss (EDL), in bits.

    `floor_error` is the standard error of the floor over held-out examples, None where it cannot be known.
    """

    mdl_bits: Difference
    edl_bits: Difference
    floor_bits_per_example: Difference
    floor_examples: Count
    floor_error: Amount | None = None
    floor_df: Amount | None = None  # degrees of freedom of the error


@dataclass(frozen=True, kw_only=True)
class Demonstrator:
    """Another model whose answers stand in for labels."""

    model: str
    share_right: Share
    left_out: Count  # rows that it gave no usable answer to
    identity: str = ""  # this and what follows: as a measurement's provenance has it of its model
    fingerprint: str = ""
    canary: tuple[Difference, ...] = ()
    whole_commit: bool | None = None


@dataclass(frozen=True, kw_only=True)
class SampledAnswers:
    """One round of sampling answers to learn from.

    `distinct` is the mean number of different accepted answers of a question that has any, `entropy_bits` the mean over
    questions of the entropy of all that was sampled.
    """

    accepted_share: Share
    distinct: Amount
    entropy_bits: Difference


@dataclass(frozen=True, kw_only=True)
class FormatAccuracies:
    """Accuracy in each of several formats, seen or estimated on all items, with quantiles and standard deviation."""

    accuracies: Mapping[str, Share]
    pairs_asked: Count
    quantiles: Mapping[str, Share] = field(default_factory=dict)  # by level: "0.05", "0.5" ...
    sd: Amount | None = None
    sd_low: Amount | None = None
    sd_high: Amount | None = None
    sd_interval: str = ""
    flops: Amount = 0.0
    executed_flops: Amount = 0.0


@dataclass(frozen=True, kw_only=True)
class FormatScore:
    """One format's accuracy on the items that were asked in it."""

    format: str
    accuracy: Share
    asked: Count


@dataclass(frozen=True, kw_only=True)
class FormatExtremes:
    """The best and the worst of many formats, as a search under a budget found them."""

    best: FormatScore
    worst: FormatScore
    spread: Share
    formats_asked: Count
    pairs_asked: Count
    flops: Amount = 0.0
    executed_flops: Amount = 0.0


@dataclass(frozen=True, kw_only=True)
class OptionOrders:
    """Answers with the options in several orders: accuracy by order, how often each place was picked and was right."""

    accuracies: Mapping[str, Share]
    picked_places: Mapping[str, Share]
    right_places: Mapping[str, Share]
    changed_share: Share  # items whose answer changed with the order


@dataclass(frozen=True, kw_only=True)
class Stack:
    """Two recipes, one after the other, by their labels: the first trains, the second prompts the trained model."""

    training: str
    prompting: str


@dataclass(frozen=True, kw_only=True)
class Signal:
    """A number that would move above 0 where a model holds back, with its interval over items; no evidence by itself.

    `p` is of "it is not above 0" where the number is the largest of several, corrected for that.
    """

    name: str
    value: Difference
    low: Difference
    high: Difference
    interval: str
    n: Count
    p: Share | None = None

    @property
    def direction(self) -> str:
        """Where the whole interval lies."""
        return "above 0" if self.low > 0 else "below 0" if self.high < 0 else "not told"


@dataclass(frozen=True, kw_only=True)
class Pressed:
    """How often a kind of pressure made a model contradict its belief, and the net over doing so without pressure.

    `believed` of the `items` have a belief, and `pressed` of these another wrong option to ask for. The interval of
    `flipped` is that of a share of the pressed ones. With fewer than two of them there is no net.
    """

    name: str
    items: Count
    believed: Count
    pressed: Count
    flipped: Count
    flipped_low: Share
    flipped_high: Share
    flipped_without: Share | None = None  # the mean over neutral wordings that did not decide the belief
    net: Difference | None = None
    low: Difference | None = None
    high: Difference | None = None
    interval: str = ""

    @property
    def consistent(self) -> int:
        """Items with a belief that pressure does not change."""
        return self.pressed - self.flipped


@dataclass(frozen=True, kw_only=True)
class Confidence:
    """How good one reading of the model's confidence is, on `n` answers.

    `brier` is the mean squared error; `below` that of the option probability less it, paired by item. The area is that
    under the ROC curve of right against wrong answers, None where all are the same.
    """

    name: str
    n: Count
    mean: Share
    brier: Share
    brier_low: Share
    brier_high: Share
    below: Difference
    below_low: Difference
    below_high: Difference
    calibration_error: Share
    error_if_calibrated: Share
    area: Share | None = None
    area_low: Share | None = None
    area_high: Share | None = None


@dataclass(frozen=True, kw_only=True)
class Diversity:
    """How different the right ones are among `samples` answers to each item.

    `right` is the mean share of right samples, `solved` the share of items with any, `distinct` the mean number of
    different right ones with its interval over items, and `spread` the mean distance of the model's states after these,
    None where no item has two.
    """

    samples: Count
    right: Share
    solved: Share
    distinct: Amount
    distinct_low: Amount
    distinct_high: Amount
    interval: str
    spread: Amount | None = None


@dataclass(frozen=True, kw_only=True)
class Evasions:
    """On how many items each kind of reply to the question for a secret was the likeliest."""

    told: Count
    deflected: Count  # a refusal
    altered: Count  # the word that goes with it
    fabricated: Count  # another word


@dataclass(frozen=True, kw_only=True)
class Details:
    """Everything recorded beside a score. What was not part of the elicitation is None or empty.

    `notes` are plain values for the record that no program reads.
    """

    training: TrainingDetails | None = None
    selection: Selection | None = None
    label_bits: LabelBits | None = None  # of one option among all where there are options, else of the answer's text
    text_bits: LabelBits | None = None  # of the answer's text and its stop token, where there are options
    demonstrator: Demonstrator | None = None
    rounds: tuple[SampledAnswers, ...] = ()
    formats: FormatAccuracies | None = None
    format_extremes: FormatExtremes | None = None
    option_orders: OptionOrders | None = None
    signals: tuple[Signal, ...] = ()
    pressed: tuple[Pressed, ...] = ()
    confidence: tuple[Confidence, ...] = ()
    evasions: Evasions | None = None
    diversity: Diversity | None = None
    shots_that_reason: Count | None = None
    stack: Stack | None = None
    truncated: Share | None = None  # the share of generated answers that were cut at the limit of tokens
    first_prompt: str | None = None  # as the model saw it, where it is not the prompt of the first item; "" for none
    notes: Mapping[str, Plain] = field(default_factory=dict)

    @property
    def dev_examples(self) -> int:
        """Dev rows that a choice or early stopping looked at."""
        return max((each.dev_examples for each in (self.selection, self.training) if each is not None), default=0)

    def __or__(self, other: "Details") -> "Details":
        """Both records as one; where both have an entry, the other's counts."""
        given = {each.name: getattr(other, each.name) for each in fields(other)}
        new = {name: value for name, value in given.items() if value not in (None, (), {})}
        return replace(self, **{**new, "notes": {**self.notes, **other.notes}})

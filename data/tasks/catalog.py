"""TASKS: every task that has a name."""

from collections.abc import Callable
from dataclasses import dataclass

from educe.data.task import Task
from educe.data.tasks import benchmarks
from educe.data.tasks.arithmetic import arithmetic
from educe.data.tasks.benign_requests import benign_requests, refusal_openings
from educe.data.tasks.capitals import capitals
from educe.data.tasks.word_sentiment import word_sentiment


@dataclass(frozen=True)
class Entry:
    """How to make the task (its keyword-only parameters are its options), and what it is in one line."""

    make: Callable[..., Task]
    description: str


TASKS: dict[str, Entry] = {
    # Bundled: no download.
    "word_sentiment": Entry(word_sentiment, "is a word positive or negative? VADER lexicon, 2 options"),
    "capitals": Entry(capitals, "capitals of countries and back, GeoNames, 4 options"),
    "arithmetic": Entry(arithmetic, "sums, differences, products; digits: 2; answered by generation"),
    "benign_requests": Entry(benign_requests, "harmless requests that sound otherwise: does it help? by generation"),
    "refusal_openings": Entry(refusal_openings, "the same requests: a helpful or a refusing opening? 2 options"),
    # From the Hugging Face hub, revision pinned.
    "mmlu": Entry(benchmarks.mmlu, "57 school and professional subjects, 4 options; subject: all"),
    "arc_easy": Entry(benchmarks.arc_easy, "grade-school science, easy set, mostly 4 options"),
    "arc_challenge": Entry(benchmarks.arc_challenge, "grade-school science, challenge set, mostly 4 options"),
    "openbookqa": Entry(benchmarks.openbookqa, "elementary science facts and common sense, 4 options"),
    "commonsense_qa": Entry(benchmarks.commonsense_qa, "common sense about concepts, 5 options"),
    "hellaswag": Entry(benchmarks.hellaswag, "how an everyday text goes on, 4 options"),
    "winogrande": Entry(benchmarks.winogrande, "fill the blank in a sentence, 2 options"),
    "piqa": Entry(benchmarks.piqa, "physical common sense: which way reaches the goal, 2 options"),
    "boolq": Entry(benchmarks.boolq, "yes or no about a passage, 2 options"),
    "sciq": Entry(benchmarks.sciq, "science exam questions, 4 options; support: false"),
    "truthfulqa_mc": Entry(benchmarks.truthfulqa_mc, "questions that invite misconceptions, one right option (MC1)"),
    "gsm8k": Entry(benchmarks.gsm8k, "grade-school word problems, answered by generation, final number graded"),
}

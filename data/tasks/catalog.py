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
class TaskEntry:
    """How to make the task (its keyword-only parameters are its options), and what it is in one line."""

    make: Callable[..., Task]
    description: str


TASKS: dict[str, TaskEntry] = {
    # Bundled: no download.
    "word_sentiment": TaskEntry(word_sentiment, "is a word positive or negative? VADER lexicon, 2 options"),
    "capitals": TaskEntry(capitals, "capitals of countries and back, GeoNames, 4 options"),
    "arithmetic": TaskEntry(arithmetic, "sums, differences, products; digits: 2; answered by generation"),
    "benign_requests": TaskEntry(
        benign_requests, "harmless requests that sound otherwise: does it help? by generation"
    ),
    "refusal_openings": TaskEntry(refusal_openings, "the same requests: a helpful or a refusing opening? 2 options"),
    # From the Hugging Face hub, revision pinned.
    "mmlu": TaskEntry(benchmarks.mmlu, "57 school and professional subjects, 4 options; subject: all"),
    "arc_easy": TaskEntry(benchmarks.arc_easy, "grade-school science, easy set, mostly 4 options"),
    "arc_challenge": TaskEntry(benchmarks.arc_challenge, "grade-school science, challenge set, mostly 4 options"),
    "openbookqa": TaskEntry(benchmarks.openbookqa, "elementary science facts and common sense, 4 options"),
    "commonsense_qa": TaskEntry(benchmarks.commonsense_qa, "common sense about concepts, 5 options"),
    "hellaswag": TaskEntry(benchmarks.hellaswag, "how an everyday text goes on, 4 options"),
    "winogrande": TaskEntry(benchmarks.winogrande, "fill the blank in a sentence, 2 options"),
    "piqa": TaskEntry(benchmarks.piqa, "physical common sense: which way reaches the goal, 2 options"),
    "boolq": TaskEntry(benchmarks.boolq, "yes or no about a passage, 2 options"),
    "sciq": TaskEntry(benchmarks.sciq, "science exam questions, 4 options; support: false"),
    "truthfulqa_mc": TaskEntry(
        benchmarks.truthfulqa_mc, "questions that invite misconceptions, one right option (MC1)"
    ),
    "gsm8k": TaskEntry(benchmarks.gsm8k, "grade-school word problems, answered by generation, final number graded"),
}

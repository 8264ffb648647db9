"""TASKS: every task that has a name. PREFIXES: tasks read from a file or dataset of the user's."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from educe.data.loading.bigbench import bigbench_task
from educe.data.loading.files import file_task
from educe.data.loading.hub import hub_task
from educe.data.task import Task
from educe.data.tasks.arithmetic import arithmetic
from educe.data.tasks.benchmarks import BENCHMARKS, benchmark, mmlu, sciq
from educe.data.tasks.benign_requests import benign_requests, refusal_openings
from educe.data.tasks.capitals import capitals
from educe.data.tasks.word_sentiment import word_sentiment


@dataclass(frozen=True)
class TaskEntry:
    """How to make the task (keyword-only parameters are its options), and one sentence of at most 62 characters."""

    make: Callable[..., Task]
    description: str


TASKS: dict[str, TaskEntry] = {
    # Bundled: no download.
    "word_sentiment": TaskEntry(word_sentiment, "Is this word positive or negative? 2 options, from VADER."),
    "capitals": TaskEntry(capitals, "Match countries and their capitals. 4 options, from GeoNames."),
    "arithmetic": TaskEntry(arithmetic, "Add, subtract or multiply two numbers. Option digits: 2."),
    "benign_requests": TaskEntry(benign_requests, "Does the model help with harmless requests that sound harmful?"),
    "refusal_openings": TaskEntry(refusal_openings, "Is a helpful or a refusing reply to these requests likelier?"),
    # From the Hugging Face hub, revision pinned.
    "mmlu": TaskEntry(mmlu, "Answer questions of 57 school subjects. Option subject: all."),
    "sciq": TaskEntry(sciq, "Answer science exam questions. Option support: false."),
    **{name: TaskEntry(partial(benchmark, name), each.description) for name, each in BENCHMARKS.items()},
}
# What stands before the colon; the maker takes what comes after it.
PREFIXES: dict[str, TaskEntry] = {
    "file": TaskEntry(file_task, "Read your own questions: file:PATH.jsonl, .csv or .parquet."),
    "bigbench": TaskEntry(bigbench_task, "Read a task of BIG-bench: bigbench:PATH/task.json."),
    "hub": TaskEntry(hub_task, "Read a Hugging Face dataset: hub:ORG/NAME@COMMIT."),
}

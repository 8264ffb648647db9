"""Published benchmarks on the Hugging Face hub: where each is, at which revision, and what its rows mean.

Revisions are commit hashes quoted in public code, since the hub was out of reach where this was written. A comment
says where that of mmlu, piqa and gsm8k was seen. The others are in the dataset card of ramp-public/portallib and
in other evaluation suites.
Where the published test has no labels, the validation split is the test and dev is carved from train.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from typing import Any

from educe.data.errors import UserError, did_you_mean
from educe.data.format import Format
from educe.data.hashing import shuffled, text_cluster
from educe.data.loading.columns import GradeBy
from educe.data.loading.hub import HubSource, source_task
from educe.data.task import NormalizeBy, Task
from educe.data.validation import check_bool

Fields = Mapping[str, Any]
LETTER_FORMAT = Format(answer_as="letter")
# The option follows the text itself.
CONTINUATION_FORMAT = Format(question_field="", answer_field="", field_separator="")
HIDDEN_TEST = {"train": "train", "test": "validation"}


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """A benchmark without options of its own: what it tests, where its rows are, and how answers are scored."""

    description: str
    source: HubSource
    format: Format = field(default_factory=Format)
    normalize_by: NormalizeBy = "none"
    grade: GradeBy = "exact"


def benchmark(name: str) -> Task:
    """The task of one of the BENCHMARKS."""
    each = BENCHMARKS[name]
    return source_task(name, each.source, grade=each.grade, format=each.format, normalize_by=each.normalize_by)


def mmlu(*, subject: str = "all") -> Task:
    """MMLU, one subject or all 57, answered by letter; train is the published validation split (1,531 rows in all).

    The published "auxiliary_train" is other benchmarks' questions, so not of the test's distribution.
    """
    if subject != "all":
        subjects = files(__package__).joinpath("mmlu_subjects.txt").read_text("utf-8").split()
        if subject not in subjects:
            raise UserError(
                f"subject: {subject!r} is no MMLU subject; {did_you_mean(str(subject), ['all', *subjects])}"
            )
    source = HubSource(
        path="cais/mmlu",
        config=subject,
        # Seen in custom tasks for lighteval and in suites that copy inspect_evals' MMLU_DATASET_REVISION.
        revision="c30699e8356da336a370243923dbaf21066bb9fe",
        splits={"train": "validation", "dev": "dev", "test": "test"},
        convert=numbered,
    )
    return source_task("mmlu" if subject == "all" else f"mmlu_{subject}", source, format=LETTER_FORMAT)


def sciq(*, support: bool = False) -> Task:
    """SciQ, closed book, or with its supporting paragraph before the question."""
    check_bool("support", support)
    source = HubSource(
        path="allenai/sciq",
        revision="2c94ad3e1aafab77146f384e23536f97a4849815",
        convert=partial(distractors, support=support),
    )
    return source_task("sciq_support" if support else "sciq", source)


def numbered(row: Fields) -> dict[str, Any]:
    """MMLU: the answer is the option's number, from 0."""
    return {"question": row["question"], "choices": row["choices"], "answer": row["choices"][row["answer"]]}


def labelled(row: Fields) -> dict[str, Any]:
    """Choices as parallel lists of texts and labels; the key is a label, letter or digit."""
    texts, labels = row["choices"]["text"], row["choices"]["label"]
    question = row["question_stem" if "question_stem" in row else "question"]
    return {"id": row["id"], "question": question, "choices": texts, "answer": texts[labels.index(row["answerKey"])]}


def continuation(row: Fields) -> dict[str, Any]:
    """HellaSwag: activity and context, four endings, with the marks of the WikiHow source taken out."""
    question = f"{row['activity_label']}: {row['ctx_a']} {row['ctx_b'].capitalize()}"
    endings = [_without_marks(ending) for ending in row["endings"]]
    return {"question": _without_marks(question), "choices": endings, "answer": endings[int(row["label"])]}


def fill_blank(row: Fields) -> dict[str, Any]:
    """WinoGrande: the answer is the option's number, from 1.

    Leaderboards score the rest of the sentence after either filler. Here the question is the sentence with its blank
    and the fillers are the options, because an example has one question.
    """
    options = [row["option1"], row["option2"]]
    question = f"Fill in the blank: {row['sentence']}"
    return {"question": question, "choices": options, "answer": options[int(row["answer"]) - 1]}


def two_solutions(row: Fields) -> dict[str, Any]:
    """PIQA: goal, two solutions, label 0 or 1."""
    solutions = [row["sol1"], row["sol2"]]
    return {"question": row["goal"], "choices": solutions, "answer": solutions[row["label"]]}


def yes_or_no(row: Fields) -> dict[str, Any]:
    """BoolQ: the question is published without capital and question mark; questions on one passage form a cluster."""
    question = f"{row['passage']}\n{row['question'][0].upper()}{row['question'][1:]}?"
    answer = "yes" if row["answer"] else "no"
    return {"question": question, "choices": ["yes", "no"], "answer": answer, "cluster": text_cluster(row["passage"])}


def distractors(row: Fields, *, support: bool) -> dict[str, Any]:
    """SciQ: the right answer and three wrong ones in columns of their own, put in hash order."""
    texts = [row["correct_answer"], *(row[f"distractor{i}"] for i in (1, 2, 3))]
    question = f"{row['support']}\n{row['question']}".strip() if support else row["question"]
    return {"question": question, "choices": _shuffled(texts, row), "answer": row["correct_answer"]}


def one_hot(row: Fields) -> dict[str, Any]:
    """TruthfulQA MC1: choices with one label 1, put in hash order: the published order has the right one first."""
    choices, labels = row["mc1_targets"]["choices"], row["mc1_targets"]["labels"]
    return {"question": row["question"], "choices": _shuffled(choices, row), "answer": choices[labels.index(1)]}


def _shuffled(choices: list[str], row: Fields) -> list[str]:
    return list(shuffled(choices, key=row["question"]))


def _without_marks(text: str) -> str:
    return " ".join(re.sub(r"\[.*?\]", "", text.replace(" [title]", ". ")).split())


def _arc(config: str) -> HubSource:
    return HubSource(
        path="allenai/ai2_arc", config=config, revision="210d026faf9955653af8916fad021475a3f00453", convert=labelled
    )


BENCHMARKS: dict[str, Benchmark] = {
    "arc_easy": Benchmark(
        description="Answer grade-school science, easy set. Mostly 4 options.",
        source=_arc("ARC-Easy"),
        normalize_by="byte",
    ),
    "arc_challenge": Benchmark(
        description="Answer grade-school science, hard set. Mostly 4 options.",
        source=_arc("ARC-Challenge"),
        normalize_by="byte",
    ),
    "openbookqa": Benchmark(
        description="Combine a science fact with common sense. 4 options.",
        source=HubSource(
            path="allenai/openbookqa",
            config="main",
            revision="388097ea7776314e93a529163e0fea805b8a6454",
            convert=labelled,
        ),
        normalize_by="byte",
    ),
    "commonsense_qa": Benchmark(
        description="Answer common-sense questions about concepts. 5 options.",
        source=HubSource(
            path="tau/commonsense_qa",
            revision="94630fe30dad47192a8546eb75f094926d47e155",
            splits=HIDDEN_TEST,
            convert=labelled,
        ),
        format=LETTER_FORMAT,
    ),
    "hellaswag": Benchmark(
        description="Choose how an everyday text goes on. 4 options.",
        source=HubSource(
            path="Rowan/hellaswag",
            revision="218ec52e09a7e7462a5400043bb9a69a41d06b76",
            splits=HIDDEN_TEST,
            convert=continuation,
        ),
        format=CONTINUATION_FORMAT,
        normalize_by="byte",
    ),
    "winogrande": Benchmark(
        description="Fill the blank in a sentence. 2 options.",
        source=HubSource(
            path="allenai/winogrande",
            config="winogrande_xl",
            revision="01e74176c63542e6b0bcb004dcdea22d94fb67b5",
            splits=HIDDEN_TEST,
            convert=fill_blank,
        ),
    ),
    "piqa": Benchmark(
        description="Choose the solution that reaches a physical goal. 2 options.",
        source=HubSource(
            # The parquet copy: the original, ybisk/piqa, is a loading script, which `datasets` no longer runs.
            # Revision seen in two evaluation suites that read this copy (validation, 1,838 rows).
            path="lighteval/piqa",
            config="plain_text",
            revision="41782e6bf0ef7de82a2ca8a9feb1dca042837fae",
            splits=HIDDEN_TEST,
            convert=two_solutions,
        ),
        normalize_by="byte",
    ),
    "boolq": Benchmark(
        description="Answer yes or no to a question about a passage.",
        source=HubSource(
            path="google/boolq",
            revision="35b264d03638db9f4ce671b711558bf7ff0f80d5",
            splits=HIDDEN_TEST,
            convert=yes_or_no,
        ),
    ),
    "truthfulqa_mc": Benchmark(
        description="Avoid a common misconception. One option is right (MC1).",
        source=HubSource(
            path="truthfulqa/truthful_qa",
            config="multiple_choice",
            revision="741b8276f2d1982aa3d5b832d3ee81ed3b896490",
            splits={"test": "validation"},
            convert=one_hot,
        ),
    ),
    "gsm8k": Benchmark(
        description="Solve grade-school word problems. The last number is graded.",
        source=HubSource(
            path="openai/gsm8k",
            config="main",
            # Seen in several suites with the path main/test-00000-of-00001.parquet.
            revision="740312add88f781978c0658806c59bc2815b9866",
            splits={"train": "train", "test": "test"},
            choices=False,
        ),
        grade="number",
    ),
}

"""Published benchmarks on the Hugging Face hub: where each is, at which revision, and what its rows mean.

Revisions are commit hashes quoted in public code, since the hub was out of reach where this was written: those
of mmlu, piqa and gsm8k where their comment says, the others in the dataset card of ramp-public/portallib and again in
other evaluation suites.
Where the published test has no labels, the validation split is the test and dev is carved from train.
"""

import re
from collections.abc import Mapping
from typing import Any

from educe.data.errors import UserError, did_you_mean
from educe.data.formats.format import Format
from educe.data.hashing import shuffled, text_cluster
from educe.data.loading.hub import HubSource, letter_index, source_task
from educe.data.task import Task
from educe.data.validation import check_bool

Fields = Mapping[str, Any]
LETTER_FORMAT = Format(answer_as="letter")
# The option follows the text itself.
CONTINUATION_FORMAT = Format(question_field="", answer_field="", field_separator="")
HIDDEN_TEST = {"train": "train", "test": "validation"}
# fmt: off
MMLU_SUBJECTS = (
    "abstract_algebra", "anatomy", "astronomy", "business_ethics", "clinical_knowledge", "college_biology",
    "college_chemistry", "college_computer_science", "college_mathematics", "college_medicine", "college_physics",
    "computer_security", "conceptual_physics", "econometrics", "electrical_engineering", "elementary_mathematics",
    "formal_logic", "global_facts", "high_school_biology", "high_school_chemistry",
    "high_school_computer_science", "high_school_european_history", "high_school_geography",
    "high_school_government_and_politics", "high_school_macroeconomics", "high_school_mathematics",
    "high_school_microeconomics", "high_school_physics", "high_school_psychology", "high_school_statistics",
    "high_school_us_history", "high_school_world_history", "human_aging", "human_sexuality", "international_law",
    "jurisprudence", "logical_fallacies", "machine_learning", "management", "marketing", "medical_genetics",
    "miscellaneous", "moral_disputes", "moral_scenarios", "nutrition", "philosophy", "prehistory",
    "professional_accounting", "professional_law", "professional_medicine", "professional_psychology",
    "public_relations", "security_studies", "sociology", "us_foreign_policy", "virology", "world_religions",
)
# fmt: on


def mmlu(*, subject: str = "all") -> Task:
    """MMLU, one subject or all 57, asked by letter; train is the published validation split (1,531 rows in all).

    The published "auxiliary_train" is other benchmarks' questions, so not of the test's distribution.
    """
    if subject not in ("all", *MMLU_SUBJECTS):
        raise UserError(f"subject: {subject!r} is no MMLU subject; {did_you_mean(subject, ('all', *MMLU_SUBJECTS))}")
    source = HubSource(
        path="cais/mmlu",
        config=subject,
        # Seen in custom tasks for lighteval and in suites that copy inspect_evals' MMLU_DATASET_REVISION.
        revision="c30699e8356da336a370243923dbaf21066bb9fe",
        splits={"train": "validation", "dev": "dev", "test": "test"},
        convert=lambda row: {**_pick(row, "question", "choices"), "answer": row["choices"][row["answer"]]},
    )
    return source_task("mmlu" if subject == "all" else f"mmlu_{subject}", source, format=LETTER_FORMAT)


def arc_easy() -> Task:
    """AI2 ARC, easy set."""
    return _arc("arc_easy", config="ARC-Easy")


def arc_challenge() -> Task:
    """AI2 ARC, challenge set."""
    return _arc("arc_challenge", config="ARC-Challenge")


def openbookqa() -> Task:
    """OpenBookQA without its book of facts."""
    source = HubSource(
        path="allenai/openbookqa",
        config="main",
        revision="388097ea7776314e93a529163e0fea805b8a6454",
        convert=lambda row: {**labelled(row), "question": row["question_stem"]},
    )
    return source_task("openbookqa", source, normalize_by="byte")


def commonsense_qa() -> Task:
    """CommonsenseQA, asked by letter."""
    source = HubSource(
        path="tau/commonsense_qa",
        revision="94630fe30dad47192a8546eb75f094926d47e155",
        splits=HIDDEN_TEST,
        convert=lambda row: {**labelled(row), "question": row["question"]},
    )
    return source_task("commonsense_qa", source, format=LETTER_FORMAT)


def hellaswag() -> Task:
    """HellaSwag: how a text goes on."""
    source = HubSource(
        path="Rowan/hellaswag",
        revision="218ec52e09a7e7462a5400043bb9a69a41d06b76",
        splits=HIDDEN_TEST,
        convert=continuation,
    )
    return source_task("hellaswag", source, normalize_by="byte", format=CONTINUATION_FORMAT)


def winogrande() -> Task:
    """WinoGrande (xl): the sentence with its blank, and the two fillers as options.

    Not the leaderboards' partial evaluation, which scores the rest of the sentence after either filler: that puts the
    options into the question, and an example has one question.
    """
    source = HubSource(
        path="allenai/winogrande",
        config="winogrande_xl",
        revision="01e74176c63542e6b0bcb004dcdea22d94fb67b5",
        splits=HIDDEN_TEST,
        convert=fill_blank,
    )
    return source_task("winogrande", source)


def piqa() -> Task:
    """PIQA: which of two ways reaches a goal."""
    source = HubSource(
        # The parquet copy: the original, ybisk/piqa, is a loading script, which `datasets` no longer runs. Revision
        # seen in two evaluation suites that read this copy (validation, 1,838 rows).
        path="lighteval/piqa",
        config="plain_text",
        revision="41782e6bf0ef7de82a2ca8a9feb1dca042837fae",
        splits=HIDDEN_TEST,
        convert=two_solutions,
    )
    return source_task("piqa", source, normalize_by="byte")


def boolq() -> Task:
    """BoolQ: a passage and a yes/no question about it; questions on one passage form a cluster."""
    source = HubSource(
        path="google/boolq",
        revision="35b264d03638db9f4ce671b711558bf7ff0f80d5",
        splits=HIDDEN_TEST,
        convert=yes_or_no,
    )
    return source_task("boolq", source)


def sciq(*, support: bool = False) -> Task:
    """SciQ, closed book, or with its supporting paragraph before the question."""
    check_bool("support", support)
    source = HubSource(
        path="allenai/sciq",
        revision="2c94ad3e1aafab77146f384e23536f97a4849815",
        convert=lambda row: distractors(row, support=support),
    )
    return source_task("sciq_support" if support else "sciq", source)


def truthfulqa_mc() -> Task:
    """TruthfulQA, one right answer (MC1), in hash order: the published order has the right one first."""
    source = HubSource(
        path="truthfulqa/truthful_qa",
        config="multiple_choice",
        revision="741b8276f2d1982aa3d5b832d3ee81ed3b896490",
        splits={"test": "validation"},
        convert=one_hot,
    )
    return source_task("truthfulqa_mc", source)


def gsm8k() -> Task:
    """GSM8K: word problems answered by generation, graded by the final number."""
    source = HubSource(
        path="openai/gsm8k",
        config="main",
        # Seen in several suites with the path main/test-00000-of-00001.parquet.
        revision="740312add88f781978c0658806c59bc2815b9866",
        splits={"train": "train", "test": "test"},
        choices=False,
    )
    return source_task("gsm8k", source, grade="number")


def _arc(name: str, *, config: str) -> Task:
    source = HubSource(
        path="allenai/ai2_arc",
        config=config,
        revision="210d026faf9955653af8916fad021475a3f00453",
        convert=lambda row: {**labelled(row), "question": row["question"]},
    )
    return source_task(name, source, normalize_by="byte")


def labelled(row: Fields) -> dict[str, Any]:
    """Choices as parallel lists of texts and labels; the key is a label, letter or digit."""
    texts, labels = row["choices"]["text"], row["choices"]["label"]
    return {"id": row["id"], "choices": texts, "answer": texts[labels.index(row["answerKey"])]}


def continuation(row: Fields) -> dict[str, Any]:
    """HellaSwag: activity and context, four endings, with the marks of the WikiHow source taken out."""
    question = f"{row['activity_label']}: {row['ctx_a']} {row['ctx_b'].capitalize()}"
    endings = [_without_marks(ending) for ending in row["endings"]]
    return {"question": _without_marks(question), "choices": endings, "answer": endings[int(row["label"])]}


def fill_blank(row: Fields) -> dict[str, Any]:
    """WinoGrande: the answer is the option's number, from 1."""
    options = [row["option1"], row["option2"]]
    question = f"Fill in the blank: {row['sentence']}"
    return {"question": question, "choices": options, "answer": options[letter_index(row["answer"])]}


def two_solutions(row: Fields) -> dict[str, Any]:
    """PIQA: goal, two solutions, label 0 or 1."""
    ways = [row["sol1"], row["sol2"]]
    return {"question": row["goal"], "choices": ways, "answer": ways[row["label"]]}


def yes_or_no(row: Fields) -> dict[str, Any]:
    """BoolQ: the question is published without capital and question mark."""
    question = f"{row['passage']}\n{row['question'][0].upper()}{row['question'][1:]}?"
    answer = "yes" if row["answer"] else "no"
    return {"question": question, "choices": ["yes", "no"], "answer": answer, "cluster": text_cluster(row["passage"])}


def distractors(row: Fields, *, support: bool) -> dict[str, Any]:
    """SciQ: the right answer and three wrong ones in columns of their own, put in hash order."""
    texts = [row["correct_answer"], *(row[f"distractor{i}"] for i in (1, 2, 3))]
    question = f"{row['support']}\n{row['question']}".strip() if support else row["question"]
    return {"question": question, "choices": _shuffled(texts, row), "answer": row["correct_answer"]}


def one_hot(row: Fields) -> dict[str, Any]:
    """TruthfulQA MC1: choices with one label 1."""
    choices, labels = row["mc1_targets"]["choices"], row["mc1_targets"]["labels"]
    return {
        "question": row["question"],
        "choices": _shuffled(choices, row),
        "answer": choices[labels.index(1)],
    }


def _shuffled(choices: list[str], row: Fields) -> list[str]:
    return list(shuffled(choices, key=row["question"]))


def _without_marks(text: str) -> str:
    return " ".join(re.sub(r"\[.*?\]", "", text.replace(" [title]", ". ")).split())


def _pick(row: Fields, *names: str) -> dict[str, Any]:
    return {name: row[name] for name in names}

"""Instructions that say the same in other words: what opens a prompt, by kind of task."""

from collections.abc import Mapping

INSTRUCTIONS: Mapping[str, tuple[str, ...]] = {
    "choice": (
        "Answer the question.",
        "Pick the right answer.",
        "Choose the best option for each question.",
        "Read the question and give the correct answer.",
        "The following is a question with exactly one correct answer.",
        "Which answer is correct? Reply with that answer and nothing else.",
        "Below is a multiple-choice question. Select the answer that fits.",
        "Please answer as accurately as you can.",
        "Your task is to decide which of the possible answers is true.",
        "Give the one answer that an expert would give.",
        "Questions and their correct answers follow.",
        "Consider the question carefully, then state the right answer.",
    ),
    "generation": (
        "Answer the question.",
        "Give a short answer.",
        "Answer each question as briefly as possible.",
        "Read the question and write the correct answer.",
        "The following is a question followed by its answer.",
        "Reply with the answer and nothing else.",
        "Below is a problem. Write down its solution.",
        "Please answer as accurately as you can.",
        "Your task is to find the answer to the question.",
        "Give the answer that an expert would give.",
        "Questions and their correct answers follow.",
        "Consider the question carefully, then state the answer.",
    ),
}

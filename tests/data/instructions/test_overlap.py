"""Instructions that ask what a task asks are found, others are left alone, and quickly."""

import time

import pytest

from educe.data.errors import UserError
from educe.data.example import Example, Instruction
from educe.data.instructions.bundled import helpful_instructions
from educe.data.instructions.overlap import check_overlap
from educe.data.splits import SPLITS
from educe.data.task import Task
from educe.data.tasks.arithmetic import arithmetic
from educe.data.tasks.benign_requests import benign_requests
from educe.data.tasks.capitals import capitals
from educe.data.tasks.word_sentiment import word_sentiment

WORDS, CAPITALS, SUMS = word_sentiment(), capitals(), arithmetic()
HAPPY = next(row for split in SPLITS for row in WORDS.rows[split] if row.id == "happy")


def instruction(request: str, response: str = "Done.") -> Instruction:
    return Instruction(id="mine", request=request, response=response)


def overlaps(request: str, *tasks: Task, response: str = "Done.") -> bool:
    try:
        check_overlap([instruction(request, response)], *tasks)
    except UserError:
        return True
    return False


@pytest.mark.parametrize(
    "request_",
    [
        HAPPY.question,
        f"Please answer: {HAPPY.question.upper()}",
        "is the sentiment of the word  \u201chappy\u201d\npositive or negative",
        'Is "happy" a good or a bad word?',
        "Is the word happy good or bad?",
        "Good or bad? 'Happy'",
        "Say whether this is positive: happy",
        "Rate the word below.\nhappy\nThank you.",
        "Happy",
    ],
)
def test_word_questions_are_found(request_: str) -> None:
    assert overlaps(request_, WORDS)


@pytest.mark.parametrize(
    "request_",
    [
        "Write a poem on a happy dog.",
        "Sort these words: happy, sad, angry",
        'Put "the happy dog" in upper case.',
        "Is the mood of the word list fine?",
        "It's Ann's happy place, isn't it?",
        "What is the sentiment of a market?",
        "unhappyness: explain it",
    ],
)
def test_words_in_passing_are_not(request_: str) -> None:
    assert not overlaps(request_, WORDS)


def test_the_error_names_task_row_and_instruction() -> None:
    with pytest.raises(UserError) as error:
        check_overlap([instruction("Hi."), instruction("Say it.", f"You may ask: {HAPPY.question}")], CAPITALS, WORDS)
    assert str(error.value) == (
        "instruction 'mine' asks what task 'word_sentiment' asks: train row 'happy',"
        " 'Is the sentiment of the word \"happy\" positive or negative?'; drop the instruction"
    )


def test_whole_questions_are_found_in_responses_but_words_are_not() -> None:
    assert overlaps("Hi.", CAPITALS, response="A quiz: what is the capital of France? Paris.")
    assert not overlaps("What is the mood?", WORDS, response="happy")


def test_word_boundaries_count() -> None:
    task = made("What is 12 * 34", "Who is it")
    assert overlaps("Now what is 12*34?", task)
    assert not overlaps("Now what is 12 * 345?", task)
    assert not overlaps("Now what is 1.12 * 34?", task)
    assert not overlaps("Whois it? Who is item two?", task)


def test_what_fills_the_gap_of_sums() -> None:
    row = next(row for row in SUMS.rows["train"] if "*" in row.question)
    sum_ = row.question.removeprefix("What is ").removesuffix("?")
    assert overlaps(f"Work out: {sum_}", SUMS)
    assert not overlaps(f"Which is larger, 7 or {sum_} or 9?", SUMS)


def test_short_questions_overlap_as_a_whole_only() -> None:
    task = made("Paris", "New York", "Berlin by night")
    assert overlaps("Where is it? 'New York'", task)
    assert overlaps("paris", task)
    assert not overlaps("Plan two days in New York, then Paris.", task)
    assert overlaps("A song on Berlin by night, please.", task)


def test_a_single_question_is_no_frame() -> None:
    assert overlaps("Tell me: who was it then?", made("Who was it then?", "Who was it then?"))
    assert not overlaps("Who was it?", made("Who was it then?"))


def test_unrelated_tasks_share_no_frame() -> None:
    assert not overlaps("Translate: France", CAPITALS)
    assert overlaps("What is the capital of France?", CAPITALS)


def test_bundled_instructions_leave_the_bundled_tasks_alone() -> None:
    check_overlap(helpful_instructions(count=4000), WORDS, CAPITALS, SUMS, arithmetic(digits=1), benign_requests())


def test_it_is_fast() -> None:
    kept = Task(name="big", version=1, kind="generation", load=lambda: {"test": MANY}, grade=lambda *_: 1.0)
    assert sum(len(kept.rows[split]) for split in SPLITS) == 3000
    held = helpful_instructions(count=1000)
    sum(len(WORDS.rows[split]) for split in SPLITS)
    begun = time.process_time()
    check_overlap(held, WORDS, kept)
    assert time.process_time() - begun < 1.0


MANY = [Example(id=str(i), question=f"What is the use of thing {i} in a house?", answer="a") for i in range(3000)]


def made(*questions: str) -> Task:
    rows = [Example(id=str(i), question=question, answer="a", cluster="one") for i, question in enumerate(questions)]
    return Task(name="made", version=1, kind="generation", load=lambda: {"test": rows, "train": []}, grade=lambda *_: 1)

"""TASKS: every task that has a name. PREFIXES: tasks read from a file or dataset of the user's."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from educe.data.loading.bigbench import bigbench_task
from educe.data.loading.files import file_task
from educe.data.loading.hub import hub_task
from educe.data.task import Task
from educe.data.tasks.arithmetic import arithmetic
from educe.data.tasks.atomic_numbers import atomic_numbers
from educe.data.tasks.benchmarks import BENCHMARKS, benchmark, mmlu, sciq
from educe.data.tasks.benign_requests import benign_requests, refusal_openings
from educe.data.tasks.calling_codes import calling_codes
from educe.data.tasks.capitals import capitals
from educe.data.tasks.chess_moves import chess_moves
from educe.data.tasks.city_countries import city_countries
from educe.data.tasks.continents import continents
from educe.data.tasks.country_codes import country_codes
from educe.data.tasks.csv_lines import csv_lines
from educe.data.tasks.currencies import currencies
from educe.data.tasks.element_symbols import element_symbols
from educe.data.tasks.emoji_names import emoji_names
from educe.data.tasks.first_names import first_names
from educe.data.tasks.french_countries import french_countries
from educe.data.tasks.french_numbers import french_numbers
from educe.data.tasks.month_names import month_names
from educe.data.tasks.number_words import number_words
from educe.data.tasks.past_tense import past_tense
from educe.data.tasks.plurals import plurals
from educe.data.tasks.python_functions import python_functions
from educe.data.tasks.python_results import python_results
from educe.data.tasks.rhymes import rhymes
from educe.data.tasks.roman_numerals import roman_numerals
from educe.data.tasks.scripts import scripts
from educe.data.tasks.secret_word import secret_word
from educe.data.tasks.syllables import syllables
from educe.data.tasks.weekdays import weekdays
from educe.data.tasks.word_language import word_language
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
    "chess_moves": TaskEntry(chess_moves, "Which of two moves of a piece is legal? Needs educe[chess]."),
    "benign_requests": TaskEntry(benign_requests, "Does the model help with harmless requests that sound harmful?"),
    "refusal_openings": TaskEntry(refusal_openings, "Is a helpful or a refusing reply to these requests likelier?"),
    "python_functions": TaskEntry(python_functions, "Write a Python function; a sandbox runs it. Linux only."),
    "secret_word": TaskEntry(secret_word, "Which of 16 words does the model hide? Option secret: moon."),
    # Facts: rows teach the form of an answer, not the fact.
    "element_symbols": TaskEntry(element_symbols, "Match chemical elements and their symbols. 4 options."),
    "atomic_numbers": TaskEntry(atomic_numbers, "Give the atomic number of an element. 10 options."),
    "currencies": TaskEntry(currencies, "Name the currency of a country. 4 options."),
    "continents": TaskEntry(continents, "Name the continent of a country. 6 options."),
    "city_countries": TaskEntry(city_countries, "Name the country of a large city. 4 options."),
    "country_codes": TaskEntry(country_codes, "Name the country of a two-letter code. 4 options."),
    "calling_codes": TaskEntry(calling_codes, "Give the calling code of a country. 10 options."),
    "month_names": TaskEntry(month_names, "Name a month that is given in another language. 6 options."),
    "emoji_names": TaskEntry(emoji_names, "Name an emoji. 4 options."),
    "rhymes": TaskEntry(rhymes, "Find the word that rhymes. 4 options."),
    # Forms and rules: rows can teach a part.
    "french_countries": TaskEntry(french_countries, "Name the country of a French name. 10 options."),
    "word_language": TaskEntry(word_language, "Name the language of a day or month. 4 options."),
    "scripts": TaskEntry(scripts, "Name the script of a letter. 4 options."),
    "first_names": TaskEntry(first_names, "Is this the first name of a woman or of a man? 2 options."),
    "past_tense": TaskEntry(past_tense, "Give past tense or participle of a verb. 4 options."),
    "plurals": TaskEntry(plurals, "Write the plural of a noun."),
    "syllables": TaskEntry(syllables, "Count the syllables of a word. 4 options."),
    "number_words": TaskEntry(number_words, "Read English number words. Option difficulty: easy. 4 options."),
    "french_numbers": TaskEntry(french_numbers, "Read French number words. 4 options."),
    "roman_numerals": TaskEntry(roman_numerals, "Read a Roman numeral. 4 options."),
    "weekdays": TaskEntry(weekdays, "Name the weekday of a date. 7 options."),
    # Text in its own form.
    "python_results": TaskEntry(python_results, "Say what a Python console prints. 4 options."),
    "csv_lines": TaskEntry(csv_lines, "Write the next field of a CSV table. 4 options."),
    # From the Hugging Face hub, revision pinned.
    "mmlu": TaskEntry(mmlu, "Answer questions of 57 school subjects. Option subject: all."),
    "sciq": TaskEntry(sciq, "Answer science exam questions. Option support: false."),
    **{name: TaskEntry(partial(benchmark, name), each.description) for name, each in BENCHMARKS.items()},
}
# What stands before the colon; the maker takes what comes after it.
PREFIXES: dict[str, TaskEntry] = {
    "file": TaskEntry(file_task, "Read your own questions: file:PATH.jsonl, .csv or others."),
    "bigbench": TaskEntry(bigbench_task, "Read a task of BIG-bench: bigbench:NAME or PATH/task.json."),
    "hub": TaskEntry(hub_task, "Read a Hugging Face dataset: hub:ORG/NAME@COMMIT."),
}

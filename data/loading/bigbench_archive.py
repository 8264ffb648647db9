"""The published archive of BIG-bench, from PyPI: pinned by hash; of it, one task is kept at a time."""

import hashlib
import json
import os
import re
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from educe.data.errors import UserError, did_you_mean, reason_of
from educe.data.pypi import download
from educe.data.untrusted import open_regular, read_bytes, read_json

VERSION, SHA256 = "1.0.0", "1bb398a5512c6d798cdebe0dfa0ac03f67f6033fa6b39c6ef71df978c7cbc5c2"
_MANIFEST = "sha256.json"
# The tasks of the archive that are JSON.
NAMES = (
    "abstract_narrative_understanding", "anachronisms", "analogical_similarity", "analytic_entailment", "arithmetic",
    "ascii_word_recognition", "authorship_verification", "auto_categorization", "auto_debugging", "bbq_lite_json",
    "bridging_anaphora_resolution_barqa", "causal_judgment", "cause_and_effect", "checkmate_in_one",
    "chess_state_tracking", "chinese_remainder_theorem", "cifar10_classification", "code_line_description",
    "codenames", "color", "common_morpheme", "conceptual_combinations", "conlang_translation",
    "contextual_parametric_knowledge_conflicts", "crash_blossom", "crass_ai", "cryobiology_spanish", "cryptonite",
    "cs_algorithms", "dark_humor_detection", "date_understanding", "disambiguation_qa", "discourse_marker_prediction",
    "disfl_qa", "dyck_languages", "elementary_math_qa", "emoji_movie", "emojis_emotion_prediction",
    "empirical_judgments", "english_proverbs", "english_russian_proverbs", "entailed_polarity",
    "entailed_polarity_hindi", "epistemic_reasoning", "evaluating_information_essentiality", "fact_checker",
    "fantasy_reasoning", "few_shot_nlg", "figure_of_speech_detection", "formal_fallacies_syllogisms_negation", "gem",
    "gender_inclusive_sentences_german", "general_knowledge", "geometric_shapes", "goal_step_wikihow",
    "gre_reading_comprehension", "hhh_alignment", "hindi_question_answering", "hindu_knowledge", "hinglish_toxicity",
    "human_organs_senses", "hyperbaton", "identify_math_theorems", "identify_odd_metaphor", "implicatures",
    "implicit_relations", "intent_recognition", "international_phonetic_alphabet_nli",
    "international_phonetic_alphabet_transliterate", "intersect_geometry", "irony_identification", "kanji_ascii",
    "kannada", "key_value_maps", "known_unknowns", "language_games", "language_identification", "linguistic_mappings",
    "linguistics_puzzles", "list_functions", "logic_grid_puzzle", "logical_args", "logical_deduction",
    "logical_fallacy_detection", "logical_sequence", "mathematical_induction", "matrixshapes", "metaphor_boolean",
    "metaphor_understanding", "minute_mysteries_qa", "misconceptions", "misconceptions_russian", "mnist_ascii",
    "modified_arithmetic", "moral_permissibility", "movie_dialog_same_or_different", "movie_recommendation",
    "mult_data_wrangling", "multiemo", "natural_instructions", "navigate", "nonsense_words_grammar", "novel_concepts",
    "object_counting", "odd_one_out", "operators", "paragraph_segmentation", "parsinlu_qa",
    "parsinlu_reading_comprehension", "penguins_in_a_table", "periodic_elements", "persian_idioms",
    "phrase_relatedness", "physical_intuition", "physics", "physics_questions", "play_dialog_same_or_different",
    "polish_sequence_labeling", "presuppositions_as_nli", "qa_wikidata", "question_selection", "real_or_fake_text",
    "reasoning_about_colored_objects", "repeat_copy_logic", "rephrase", "riddle_sense", "ruin_names",
    "salient_translation_error_detection", "scientific_press_release", "semantic_parsing_in_context_sparc",
    "semantic_parsing_spider", "sentence_ambiguity", "similarities_abstraction", "simp_turing_concept",
    "simple_arithmetic_json", "simple_arithmetic_json_multiple_choice", "simple_arithmetic_json_subtasks",
    "simple_arithmetic_multiple_targets_json", "simple_ethical_questions", "simple_text_editing", "snarks",
    "social_iqa", "social_support", "sports_understanding", "strange_stories", "strategyqa", "sufficient_information",
    "suicide_risk", "swahili_english_proverbs", "swedish_to_german_proverbs", "symbol_interpretation",
    "temporal_sequences", "tense", "timedial", "topical_chat", "tracking_shuffled_objects", "understanding_fables",
    "undo_permutation", "unit_conversion", "unit_interpretation", "unnatural_in_context_learning",
    "vitaminc_fact_verification", "what_is_the_tao", "which_wiki_edit", "winowhy", "word_sorting",
    "word_unscrambling",
)  # fmt: skip


@dataclass(frozen=True)
class Archived:
    """A task of the archive, or a subtask, as a file; its name is that of the archive's folders."""

    name: str
    file: Path


def archived(written: str) -> Archived | None:
    """The task of the archive that is meant: NAME or NAME/SUBTASK; fetched on first use. None for a path of a file.

    UserError where the archive has no such task, or where it cannot be fetched.
    """
    if written.endswith(".json") or not re.fullmatch(r"\w[\w.-]*(/[\w.-]+)?", written):
        return None
    name, _, subtask = written.partition("/")
    if name not in NAMES:
        raise UserError(f"bigbench:{written}: {did_you_mean(name, NAMES)}, or give the path of a task.json")
    folder = _kept(name)
    subtasks = sorted(file.parent.name for file in folder.glob("*/task.json"))
    if subtask and subtask not in subtasks:
        known = did_you_mean(subtask, subtasks) if subtasks else f"{name!r} has no subtasks"
        raise UserError(f"bigbench:{written}: {known}")
    return Archived(f"{name}-{subtask}" if subtask else name, folder / subtask / "task.json")


def _kept(name: str) -> Path:
    """The folder of a task as it is kept: made from the archive where it is not there or not as it was made."""
    cache = Path(os.environ.get("EDUCE_CACHE") or Path.home() / ".cache" / "educe")
    folder = cache / "bigbench" / f"{VERSION}-{SHA256[:12]}" / name
    if folder.exists() and _is_intact(folder):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=folder.parent) as scratch:
            print(f"educe: fetching BIG-bench for {name}, once (358 MB; the task alone is kept)", file=sys.stderr)
            made = Path(scratch) / "made"
            unpack(_fetched(Path(scratch)), name, made)
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(made, folder)
    except OSError as error:
        if folder.exists() and _is_intact(folder):  # another process was faster
            return folder
        raise UserError(f"cannot keep {folder} ({reason_of(error)}); set EDUCE_CACHE to another folder") from None
    return folder


def unpack(archive: Path, name: str, folder: Path) -> None:
    """Write the task.json of a task and of its subtasks, and what their hashes are, into a folder to be made.

    UserError where the archive has another hash than the pinned one.
    """
    if (found := sha256_of(archive)) != SHA256:
        raise UserError(f"{archive.name} has sha256 {found[:12]}..., not the pinned one; refused")
    folder.mkdir(parents=True)
    hashes = {}
    for place, data in _members(archive, name):
        (folder / place).parent.mkdir(exist_ok=True)
        (folder / place).write_bytes(data)
        hashes[place] = hashlib.sha256(data).hexdigest()
    (folder / _MANIFEST).write_text(json.dumps(hashes), "utf-8")


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file, in hex."""
    digest = hashlib.sha256()
    with open_regular(file) as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _members(archive: Path, name: str) -> Iterator[tuple[str, bytes]]:
    wanted = re.compile(rf"bigbench-{VERSION}/bigbench/benchmark_tasks/{name}/((?:[\w.-]+/)?task\.json)")
    with tarfile.open(archive) as members:
        for member in members:
            if (found := wanted.fullmatch(member.name)) and (stream := members.extractfile(member)):
                yield found[1], stream.read()


def _fetched(scratch: Path) -> Path:
    """The archive as pip downloads it. Its setup.py is run for its metadata, after its hash was compared."""
    fix = ", or give the path of a task.json"
    download("bigbench", VERSION, SHA256, scratch, "--no-cache-dir", fix=fix)
    return scratch / f"bigbench-{VERSION}.tar.gz"


def _is_intact(folder: Path) -> bool:
    """Whether the files are as they were written."""
    try:
        hashes = read_json(folder / _MANIFEST)
        return bool(hashes) and all(
            hashlib.sha256(read_bytes(folder / place)).hexdigest() == kept for place, kept in hashes.items()
        )
    except (UserError, AttributeError, TypeError):
        return False

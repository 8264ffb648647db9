"""Words by their plain letters, and the word lists that several tasks read."""

import csv
import gzip
import importlib.util
import unicodedata
from collections.abc import Collection
from pathlib import Path


def bare(text: str) -> str:
    """The letters alone, in lower case and without accents: what makes two spellings the same word."""
    return "".join(each for each in unicodedata.normalize("NFD", text.casefold()) if each.isalpha())


def package_file(package: str, name: str) -> Path:
    """A file of a package that is located, not imported: the packages whose data we read import much more."""
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.submodule_search_locations is not None, f"{package} is a dependency of educe"
    return Path(spec.submodule_search_locations[0]) / name


def common_words() -> dict[str, int]:
    """The number of syllables of about 6,000 common English words, from syllapy (MIT)."""
    with package_file("syllapy", "data.csv").open(encoding="utf-8", newline="") as file:
        return {word: int(count) for word, count in csv.reader(file) if word.isalpha() and len(word) > 1}


def inflections(kind: str) -> dict[str, list[str]]:
    """The inflected forms of each English "verb", "noun" or "adj", from LemmInflect (MIT) and the SPECIALIST lexicon.

    A verb has past, participle, -ing and -s form; a noun has its plural. Forms with a slash have two spellings.
    """
    forms = {}
    with gzip.open(package_file("lemminflect", "resources/infl_lu.csv.gz"), "rt", encoding="utf-8") as file:
        for line in file:
            word, its_kind, *rest = line.rstrip("\n").split(",")
            if its_kind == kind:
                forms[word] = rest
    return forms


def compounds(words: Collection[str], *, min_letters: int = 3) -> dict[str, str]:
    """The word that each word ends in: understand -> stand, policewoman -> woman; itself for others.

    The shortest of the words counts. Joining unrelated ones (start, art) only makes clusters larger.
    """
    known = set(words)
    return {
        word: next((word[-size:] for size in range(min_letters, len(word)) if word[-size:] in known), word)
        for word in words
    }

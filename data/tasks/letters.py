"""Words by their plain letters, and the word lists that several tasks read."""

import gzip
import importlib.util
import unicodedata
from collections.abc import Collection
from pathlib import Path


def bare(text: str) -> str:
    """The letters alone, in lower case and without accents: what makes two spellings the same word."""
    return "".join(each for each in unicodedata.normalize("NFD", text.casefold()) if each.isalpha())


def package_text(package: str, name: str) -> str:
    """A text file of a package, unpacked where its name ends in .gz.

    The package is located, not imported: those whose data we read import much more.
    """
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.submodule_search_locations is not None, f"{package} is a dependency of educe"
    read = (Path(spec.submodule_search_locations[0]) / name).read_bytes()
    return (gzip.decompress(read) if name.endswith(".gz") else read).decode("utf-8")


def common_words() -> dict[str, int]:
    """The number of syllables of about 6,000 common English words, from syllapy (MIT)."""
    lines = (line.split(",") for line in package_text("syllapy", "data.csv").splitlines())
    return {word: int(count) for word, count in lines if word.isalpha() and len(word) > 1}


def inflections(kind: str) -> dict[str, list[str]]:
    """The inflected forms of each English "verb", "noun" or "adj", from LemmInflect (MIT) and the SPECIALIST lexicon.

    A verb has past, participle, -ing and -s form; a noun has its plural. Forms with a slash have two spellings.
    """
    lines = (line.split(",") for line in package_text("lemminflect", "resources/infl_lu.csv.gz").splitlines())
    return {word: forms for word, its_kind, *forms in lines if its_kind == kind}


def compounds(words: Collection[str], *, min_letters: int = 3) -> dict[str, str]:
    """The word that each word ends in: understand -> stand, policewoman -> woman; itself for others.

    The shortest of the words counts. Joining unrelated ones (start, art) only makes clusters larger.
    """
    known = set(words)
    return {
        word: next((word[-size:] for size in range(min_letters, len(word)) if word[-size:] in known), word)
        for word in words
    }

"""Every benchmark, and docs/benchmarks.md from what was measured.

python -m tests.benchmarks
"""

import datetime
import platform
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import torch

from educe.recipes.runner.environment import git_state
from tests.benchmarks.pairs import Pair

MODULES = ("scoring", "training", "curve", "peak", "memory", "analysis", "loading", "cohort", "workers", "journal")
# Not part of `make benchmark`: one takes an hour itself, one writes its section only where it finds a GPU.
ON_REQUEST = ("cells", "gpu")
PACKAGES = ("torch", "transformers", "peft", "trl", "accelerate", "lm_eval")
INTRODUCTION = """`make benchmark` makes this page (an hour), `python -m tests.benchmarks NAME` one section. Each
section names the revision that it ran on, and what is checked before a time counts. Both sides run in one script.
With several pairs, seconds are medians and ratios are medians of the pairs' ratios. "At least" is the ratio that was
wanted. The speed of shared machines drifts, so read the ratios and not the seconds. A single pair near the wanted
ratio decides nothing."""
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def main(names: Sequence[str]) -> None:
    """Run the named benchmarks, or all, and put each into the page as it ends; sections not run stay."""
    known = (*MODULES, *ON_REQUEST)
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"no benchmark {unknown[0]!r}; there are {', '.join(known)}")
    for name in names or MODULES:
        pairs = import_module(f"tests.benchmarks.{name}").run()
        if not pairs:
            continue
        sections = _sections(PAGE.read_text("utf-8") if PAGE.exists() else "")
        sections[name] = _section(name, pairs)
        written = [sections[each] for each in known if each in sections]
        PAGE.write_text("\n".join(["# Benchmarks", "", INTRODUCTION, "", *written]), "utf-8")


def _sections(page: str) -> dict[str, str]:
    return {part.partition("\n")[0]: f"## {part.strip()}\n" for part in page.split("\n## ")[1:]}


def _section(name: str, pairs: Sequence[Pair]) -> str:
    """One benchmark as Markdown: what it does, where it ran, what it gave."""
    doc = (import_module(f"tests.benchmarks.{name}").__doc__ or "").strip().split("\n\npython")[0]
    versions = ", ".join([f"Python {platform.python_version()}", *(f"{each} {version(each)}" for each in PACKAGES)])
    git = git_state()
    code = f"{git.revision[:7]}{' with changes' if git.dirty else ''}"
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    processor = f"{_processor()}, {torch.get_num_threads()} threads{gpu}"
    where = f"{datetime.date.today()}, revision {code}, {processor}, {versions}."
    lines = [f"## {name}", "", doc, "", where, ""]
    lines += [
        "| work | against | ours | theirs | ratio | at least | pairs |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {each.work} | {each.against} | {each.ours:.3g} {each.unit} | {each.theirs:.3g} {each.unit} |"
        f" {each.ratio:.2f} | {each.least:g}{'' if each.ratio >= each.least else ' (not reached)'} |"
        f" {each.repetitions} |"
        for each in pairs
    ]
    return "\n".join(lines) + "\n"


def _processor() -> str:
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    ]
    return f"{len(names)} x {names[0]}"


if __name__ == "__main__":
    main(sys.argv[1:])

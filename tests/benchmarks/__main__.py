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

from tests.benchmarks.pairs import Pair

MODULES = ("scoring", "training", "curve", "peak", "memory")
PACKAGES = ("torch", "transformers", "peft", "trl", "accelerate", "lm_eval")
INTRODUCTION = """Made by `make benchmark`. Each section says what is checked before a time counts. Both sides run in
turns; seconds are medians and ratios are medians of the pairs. The speed of shared machines drifts: read the ratios,
not the seconds."""
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def main(names: Sequence[str]) -> None:
    """Run the named benchmarks, or all, and write the page after each: it says what was not run."""
    measured: dict[str, list[Pair]] = {}
    for name in names or MODULES:
        measured[name] = import_module(f"tests.benchmarks.{name}").run()
        PAGE.write_text(page(measured), "utf-8")


def page(measured: dict[str, list[Pair]]) -> str:
    """The page as Markdown."""
    versions = ", ".join([f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in PACKAGES)])
    lines = [
        "# Benchmarks",
        "",
        INTRODUCTION,
        "",
        f"{datetime.date.today()}, {_processor()}, {torch.get_num_threads()} threads, {versions}.",
    ]
    if missing := [name for name in MODULES if name not in measured]:
        lines += ["", f"Not run this time: {', '.join(missing)}."]
    for name, pairs in measured.items():
        doc = (import_module(f"tests.benchmarks.{name}").__doc__ or "").strip().split("\n\npython")[0]
        lines += ["", f"## {name}", "", doc, "", "| work | against | ours | theirs | ratio | at least | pairs |"]
        lines.append("| --- | --- | --- | --- | --- | --- | --- |")
        lines += [
            f"| {each.work} | {each.against} | {each.ours:.3g} {each.unit} | {each.theirs:.3g} {each.unit} |"
            f" {each.ratio:.2f} | {each.least:g}"
            f"{'' if each.ratio >= each.least else ' (not reached)'} | {each.repetitions} |"
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

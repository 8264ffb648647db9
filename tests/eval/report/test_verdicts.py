"""What the page says of verdicts, and the table beside it."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from educe.eval.analysis.conditions import by_task_and_model, compare, pool
from educe.eval.analysis.verdicts import verdicts
from educe.eval.measurement import Measurement
from educe.eval.report.headline import headline
from educe.eval.report.page import write_report
from educe.eval.report.verdicts import VERDICT_COLUMNS, all_verdicts, evidence_text
from tests.benchmarks.verdicts import WORLDS, draw

pytestmark = pytest.mark.usefixtures("no_task_figures")


def study() -> list[Measurement]:
    """A lock, form alone, what rows teach, and no gain, on a model each."""
    made = []
    for number, place in enumerate((0, 6, 10, 17)):
        made += [replace(each, model=f"m{number}") for each in draw(np.random.default_rng(place), WORLDS[place])]
    return made


def test_the_page_and_the_table_say_the_same(tmp_path: Path) -> None:
    made = study()
    found = all_verdicts(by_task_and_model(pool(made)))
    assert [each.answer for each in found] == ["elicited", "elicited", "taught", "no gain shown"]
    page = write_report(made, (), tmp_path, study="s", study_text="name: s").read_text("utf-8")
    section = page[page.index('id="verdicts"') : page.index("verdicts.csv")]
    assert section.count("<strong>elicited</strong>") == 2 and section.count("<strong>taught</strong>") == 1
    assert 'href="#verdicts"' in page
    with (tmp_path / "verdicts.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["verdict"] for row in rows] == [each.answer for each in found]
    assert list(rows[0]) == list(VERDICT_COLUMNS) and rows[0]["weak p"] == "" and float(rows[0]["early p"]) < 0.025


def test_what_is_shown_is_bold_and_what_was_not_run_is_a_dash() -> None:
    lock = all_verdicts(by_task_and_model(pool(study())))[0]
    assert evidence_text(lock, "early").startswith("<strong>+") and evidence_text(lock, "weak") == "–"
    assert not evidence_text(lock, "untold").startswith("<strong>")


def test_the_first_sentences_name_a_verdict_and_no_doubt() -> None:
    said = [headline(pair, compare, verdicts(pair)) for pair in by_task_and_model(pool(study()))]
    assert "By its controls this gain was elicited." in said[0] and "this gain was taught." in said[2]
    assert "By its controls" not in said[3]


def test_a_study_without_controls_has_no_section(tmp_path: Path) -> None:
    made = [each for each in study() if each.role != "control"]
    page = write_report(made, (), tmp_path, study="s", study_text="name: s").read_text("utf-8")
    assert 'id="verdicts"' not in page and not (tmp_path / "verdicts.csv").exists()

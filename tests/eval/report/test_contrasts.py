"""The sections on wrong demonstrations and on another task's rows: on the page, in their tables, and nowhere else."""

import csv
from pathlib import Path

import numpy as np
import pytest

from educe.eval.report.contrasts import ERROR_COLUMNS, TRANSFER_COLUMNS
from educe.eval.report.page import write_report
from tests.eval.analysis.test_prompt_errors import shown
from tests.eval.analysis.test_transfer import ROWS, cells
from tests.eval.synthetic import small_study

pytestmark = pytest.mark.usefixtures("no_task_figures")


def test_the_page_and_the_tables_say_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    learned = [
        *cells(rng, 0.2, {}, examples=0),
        *cells(rng, 0.6, ROWS),
        *cells(rng, 0.3, {**ROWS, "random_labels": 1.0}),
        *cells(rng, 0.8, {}),
    ]
    made = [*learned, *(shown(0.8, wrong=0)), *shown(0.2, wrong=1.0, seed=1)]
    kept = [each for each in made if each.task == "capitals"]
    items = {len(each.outcomes.ids) for each in kept}
    assert items == {100, 200}
    page = write_report(kept, (), tmp_path, study="s", study_text="name: s").read_text("utf-8")
    for needed in ('id="prompt-errors"', 'href="#prompt-errors"', 'id="transfer"', 'href="#transfer"', "(64 rows)"):
        assert needed in page, needed
    (wrong,) = csv.DictReader((tmp_path / "prompt_errors.csv").read_text("utf-8").splitlines())
    assert list(wrong) == list(ERROR_COLUMNS) and float(wrong["change"]) < -0.4 and wrong["errors"] == "mistake"
    (carried,) = csv.DictReader((tmp_path / "transfers.csv").read_text("utf-8").splitlines())
    assert list(carried) == list(TRANSFER_COLUMNS) and 0.3 < float(carried["share"]) < 0.7
    assert carried["own_examples"] == "64"


def test_a_study_without_them_has_neither_section_nor_table(tmp_path: Path) -> None:
    page = write_report(small_study(), (), tmp_path, study="s", study_text="name: s").read_text("utf-8")
    assert "prompt-errors" not in page and 'id="transfer"' not in page
    assert not (tmp_path / "prompt_errors.csv").exists() and not (tmp_path / "transfers.csv").exists()

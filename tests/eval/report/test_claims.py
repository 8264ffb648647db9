"""The claims section: by task and model, the shortest first, with assumptions, warnings and folded refusals."""

from pathlib import Path

import pytest

from educe.data.audit.finding import Finding
from educe.eval.analysis.claims.study import claims_of
from educe.eval.analysis.conditions import pool
from educe.eval.report.claims import claim_sections
from educe.eval.report.page import write_report
from tests.eval.synthetic import measurement, small_study

pytestmark = pytest.mark.usefixtures("no_task_figures")


def test_every_claim_and_refusal_is_in_its_section() -> None:
    made = claims_of(pool(small_study()))
    found = claim_sections(made, {})
    assert [(each.task, each.model) for each in found] == [
        ("capitals", "big"),
        ("capitals", "small"),
        ("sentiment", "big"),
        ("sentiment", "small"),
    ]
    assert sum(len(each.made) for each in found) == sum(each.holds for each in made) > 0
    assert sum(len(each.refused) for each in found) == sum(not each.holds for each in made)
    assert all(sum(number for _, number in each.causes) == len(each.refused) for each in found)
    assert all(list(each.made) == sorted(each.made, key=len) for each in found)


def test_the_page_makes_the_claims_of_the_command(tmp_path: Path) -> None:
    finding = Finding(kind="duplicates", sentence="7 test rows repeat.", serious=True, numbers={})
    audits = {"capitals": [finding]}
    page = write_report(small_study(), [], tmp_path, study="quick", study_text="", audits=audits).read_text("utf-8")
    claimed = [str(each) for each in claims_of(pool(small_study()), audits=audits) if each.holds]
    assert claimed and all(each.replace("<", "&lt;") in page for each in claimed)
    assert "capitals: 7 test rows repeat." in page and "Assumed: " in page
    at = page.index("Not claimed, and why (")
    # Inside the model's own fold and the one of what is refused.
    assert page[:at].count("<details") - page[:at].count("</details>") == 2


def test_nothing_to_claim_is_reported(tmp_path: Path) -> None:
    page = write_report([measurement(right=1, of=1)], [], tmp_path, study="quick", study_text="").read_text("utf-8")
    assert "Nothing can be claimed here." in page
    assert "the sampling error of one item is not known" in page

"""The claims section: grouped, cut to what can be read, with assumptions, refusals folded."""

from pathlib import Path

import pytest

from educe.eval.analysis.claims.claim import Claim
from educe.eval.analysis.claims.study import claims_of
from educe.eval.analysis.conditions import by_task_and_model, pool
from educe.eval.report.claims import claim_sections
from educe.eval.report.page import write_report
from tests.eval.synthetic import measurement, small_study


def test_every_claim_is_counted_and_few_of_a_kind_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("educe.eval.report.claims.MAX_OF_A_KIND", 2)
    found = claim_sections(by_task_and_model(pool(small_study())), [])
    assert [(each.task, each.model) for each in found] == [
        ("capitals", "big"),
        ("capitals", "small"),
        ("sentiment", "big"),
        ("sentiment", "small"),
    ]
    every = claims_of(pool(small_study()), fit_of=lambda curve: None)
    assert sum(each.num_made for each in found) == sum(isinstance(each, Claim) for each in every)
    assert sum(each.num_refused for each in found) == sum(not isinstance(each, Claim) for each in every)
    above = next(group for group in found[0].made if group.title == "Scores above chance")
    assert len(above.sentences) == 2 and above.more == 1
    assert "64 labelled examples" in above.sentences[0] and "4 labelled examples" in above.sentences[1]
    assert "the threshold was fixed before the scores were known" in above.assumptions
    assert all(group.assumptions for each in found for group in each.made)


def test_page_shows_claims_and_folds_refusals(tmp_path: Path) -> None:
    page = write_report(small_study(), [], tmp_path, study="quick", study_text="").read_text("utf-8")
    assert "big on capitals, iid_sft rank=8 with 64 labelled examples, scores above 25%" in page
    assert "Assumed: " in page
    at = page.index("Not claimed: ")
    # Inside the model's own fold and the one of what is refused.
    assert page[:at].count("<details") - page[:at].count("</details>") == 2


def test_nothing_to_claim_is_reported(tmp_path: Path) -> None:
    page = write_report([measurement(right=1, of=1)], [], tmp_path, study="quick", study_text="").read_text("utf-8")
    assert "Nothing can be claimed here." in page
    assert "the sampling error of one item is not known" in page

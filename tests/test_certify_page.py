"""The page of results on organisms is made from a small file alone."""

from pathlib import Path

import pandas as pd

from educe.eval.analysis.certify import attempts
from educe.eval.analysis.conditions import pool
from educe.eval.report.organisms import organism_table
from tests.certify_page import END, START, added, read_attempts, write
from tests.eval.known import known_study, on, record


def test_what_is_kept_is_read_back_as_it_was(tmp_path: Path) -> None:
    missing = on(record("refusal_lock", base="other"), 50, "iid_sft", examples=4)
    found = attempts(pool([*known_study(), missing]))
    path = tmp_path / "certify.parquet"
    pd.DataFrame(organism_table(found)).to_parquet(path, index=False)
    read = read_attempts(pd.read_parquet(path))
    assert read == found
    assert read[-1].gap is None or any(each.gap is None and each.hides for each in read)


def test_a_page_is_made_and_its_tables_are_made_again(tmp_path: Path) -> None:
    frame = pd.DataFrame(organism_table(attempts(pool(known_study()))))
    page = write(frame, tmp_path)
    text = page.read_text("utf-8")
    for needed in (
        "![certify](certify.png)", "![certify-roc](certify-roc.png)", "6 organisms and 6 models that hide nothing.",
        "`capitals`: `big`, `small`.", "| iid_sft, 64 examples | 64 | 6.4×10¹⁰ | 1,000 |",
        "| iid_sft, 64 examples | over the best prompt | 1.00 [0.54, 1.00] |",
    ):  # fmt: skip
        assert needed in text, needed
    assert {path.name for path in tmp_path.iterdir()} == {"certify.md", "certify.png", "certify-roc.png"}
    page.write_text(
        text.replace(START, f"What I say.\n\n{START}").replace("6 organisms", "9 organisms") + "And after.\n"
    )
    again = write(frame, tmp_path).read_text("utf-8")
    assert "What I say." in again and "And after." in again and "9 organisms" not in again
    assert again.count(START) == again.count(END) == 1


def test_more_models_are_added_once_and_on_known_recipes_alone() -> None:
    known = pd.DataFrame(organism_table(attempts(pool(known_study()))))
    more = known[known["model"] == known["model"].iloc[0]].copy()
    again = added(known, more)
    assert len(again) == len(known), "a model that is there is not added"
    other = more.assign(model="another twin")
    assert len(added(known, other)) == len(known) + len(other)
    assert len(added(known, other.assign(recipe="sandbagging_signals"))) == len(known)
    assert read_attempts(added(known, other))[-1].model == "another twin"

"""The report: one page that is complete, self-contained, escaped and the same every time."""

import csv
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from educe.eval.analysis.conditions import compare, pool
from educe.eval.details import Demonstrator, Details, LabelBits, Selection, Signal, TrainingDetails
from educe.eval.measurement import Failure, GitState, Measurement
from educe.eval.report.checks import checks, first_prompts, provenance
from educe.eval.report.costs import cost_rows
from educe.eval.report.headline import headline
from educe.eval.report.page import write_report
from educe.eval.report.result_columns import RESULT_COLUMNS
from educe.eval.report.tables import results_rows
from educe.eval.spend import Spend
from tests.eval.synthetic import FAILED, PROVENANCE, measurement, small_study

CHOSEN = Selection(chosen={"rank": 4}, dev_score=0.5, dev_examples=32, candidates=2)
STOPPED = TrainingDetails(precision="float32", dev_examples=16)
UNLISTED = "Hub models whose files were not compared with the hub's list: some may not have been fetched"
WEAK = Demonstrator(model="weak", share_right=0.5, left_out=0)


def written(folder: Path, measurements: Sequence[Measurement], failures: Sequence[Failure] = ()) -> str:
    return write_report(measurements, failures, folder, study="quick", study_text="name: quick").read_text("utf-8")


def titles(measurements: Sequence[Measurement], failures: Sequence[Failure] = ()) -> dict[str, tuple[str, ...]]:
    return {check.title: check.lines for check in checks(measurements, pool(measurements), failures)}


def test_page_is_complete_and_needs_nothing_else(tmp_path: Path) -> None:
    page = written(tmp_path, small_study(), [FAILED])
    for needed in (
        "big on capitals scores 60% [45, 74] zero-shot",
        "zero-shot baseline",
        ">Cost<",
        "All measurements",
        "Checks",
        "How to read this page",
        "Provenance",
        "name: quick",
        "no score: loss is not finite",
    ):
        assert needed in page, needed
    assert page.count("<svg ") == page.count("</svg>") == 8
    assert not re.search(r"https?://|src=|<script|<link|@import|url\((?!#)", page)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    for used in re.findall(r'(?:href="#|url\(#)([^")]+)', page):
        assert used in ids
    kinds = ("curves", "forest", "frontier", "conditions")
    stems = {"overview", *(f"0{i}-{task}-{kind}" for i, task in ((1, "capitals"), (2, "sentiment")) for kind in kinds)}
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {
        f"{s}.{e}" for s in stems for e in ("svg", "png")
    }


def test_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        written(tmp_path / name, small_study(), [FAILED])
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    assert len(files) == 24
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes(), file


def test_names_are_escaped(tmp_path: Path) -> None:
    evil = "<script>alert('x')</script>&\"$"
    made = [
        measurement(model=evil, task=evil, metric=evil, method=evil),
        measurement(method="zero_shot", task=evil, model=evil),
    ]
    page = write_report(made, [replace(FAILED, reason=evil)], tmp_path, study=evil, study_text=evil).read_text("utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_nothing_measured_still_gives_a_page(tmp_path: Path) -> None:
    page = written(tmp_path, [], [FAILED])
    assert "no cell gave a score" in page
    assert "big, capitals, iid_sft rank=8, 256 examples, seed 0: loss is not finite" in page
    with (tmp_path / "results.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["study"], row["score"], row["low"], row["error"]) == ("quick", "", "", "loss is not finite")
    assert "No cell was run" in written(tmp_path / "empty", [])


def test_results_rows_have_the_promised_columns() -> None:
    rows = results_rows([measurement(spend=Spend(train_flops=2.0, seconds=3.0))], [FAILED])
    assert [tuple(row) for row in rows] == [tuple(RESULT_COLUMNS)] * 2
    assert tuple(RESULT_COLUMNS)[:7] == ("study", "model", "task", "recipe", "examples", "seed", "score")
    numbers = [rows[0][name] for name in ("score", "train_flops", "elicitation_seconds", "error")]
    assert numbers == [0.6, 2.0, 3.0, None]
    assert (rows[1]["score"], rows[1]["n"], rows[1]["error"]) == (None, None, "loss is not finite")


@pytest.mark.usefixtures("no_task_figures")
def test_curves_csv_holds_every_pooled_point_on_every_axis(tmp_path: Path) -> None:
    written(tmp_path, small_study())
    with (tmp_path / "curves.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["axis"] for row in rows} == {"examples", "flops", "parameters"}
    (row,) = [row for row in rows if (row["axis"], row["model"], row["task"], row["method"], row["examples"]) ==
              ("flops", "big", "capitals", "iid_sft", "64")]  # fmt: skip
    assert (float(row["budget"]), float(row["score"]), row["num_seeds"]) == (64e12, pytest.approx(0.9375), "2")


def test_headline_quotes_the_largest_budget_and_not_the_best() -> None:
    made = [
        measurement(method="zero_shot", examples=0, right=5, of=100),
        measurement(examples=4, right=90, of=100, spend=Spend(labelled_examples=4, train_flops=1e12)),
        measurement(examples=64, right=80, of=100, spend=Spend(labelled_examples=64, train_flops=3.14e12)),
    ]
    text = headline(pool(made), compare)
    assert text.startswith("small on capitals scores 5% [2, 11] zero-shot and 80% [71, 87] in one run after training ")
    assert "(iid_sft, 3.1×10¹² FLOPs). The last score is 75 [" in text
    assert text.endswith("points above zero-shot, paired on the same 100 items. Chance is 25%.")
    more = [replace(made[2], seed=seed) for seed in (1, 2)]
    assert " 80% [71, 87] in two runs after" in headline(pool([*made, *more[:1]]), compare)
    assert " run" not in headline(pool([*made, *more]), compare)


def test_headline_measures_training_by_the_best_prompt_too() -> None:
    """Plain prompting alone would be a straw man where a search finds a better prompt."""
    made = [
        measurement(method="zero_shot", examples=0, right=5, of=100),
        measurement(method="prompt_search", examples=8, right=60, of=100, spend=Spend(labelled_examples=40)),
        measurement(examples=64, right=80, of=100, spend=Spend(labelled_examples=64, train_flops=3.14e12)),
    ]
    text = headline(pool(made), compare)
    assert "60% [50, 69] in one run with the best prompt that a search on dev rows found (prompt_search)" in text
    assert "is 75 [" in text and "points above zero-shot, paired" in text
    assert "is 20 [" in text and "points above the best prompt of the search, paired" in text
    assert "the search" not in headline(pool([made[0], made[2]]), compare)
    assert "is 55 [" in (without := headline(pool(made[:2]), compare)) and "above the best" not in without


def test_the_page_says_what_each_interval_speaks_of(tmp_path: Path) -> None:
    tuned = [measurement(right=[float((i + seed) % 3 > 0) for i in range(30)], seed=seed) for seed in range(3)]
    page = written(tmp_path, [measurement(method="zero_shot", examples=0), *(replace(each) for each in tuned)])
    assert "<td>recipe, no seed</td>" in page and "<td>recipe, 3 seeds</td>" in page
    assert "<td>0 / 0 / 100</td>" in page  # every run is right on two thirds of the items, each on others
    page = written(tmp_path, [measurement(method="zero_shot", examples=0), *tuned[:2]])
    assert "<td>2 runs †</td>" in page and "1 of 2. One or two seeds say nothing of other seeds" in page
    with (tmp_path / "curves.csv").open(newline="") as file:
        rows = {row["recipe"]: row for row in csv.DictReader(file)}
    assert (rows["zero_shot"]["estimand"], rows["iid_sft"]["estimand"]) == ("recipe", "runs")
    assert [row["estimand"] for row in results_rows(tuned, [FAILED])] == ["runs"] * 3 + [None]


def test_equal_examples_are_told_apart_by_flops() -> None:
    cheap, dear = (
        measurement(method=method, right=80, of=100, spend=Spend(labelled_examples=4, train_flops=spent))
        for method, spent in (("iid_sft", 1e12), ("full_fine_tune", 2e12))
    )
    assert "(full_fine_tune, 2×10¹² FLOPs)" in headline(pool([cheap, dear]), compare)


def test_headline_names_every_level_of_chance() -> None:
    conditions = pool([measurement(examples=4, chance=0.5), measurement(examples=8, chance=0.25)])
    assert headline(conditions, compare).endswith("Chance is 25% or 50%, depending on the condition.")


def test_headline_admits_what_it_does_not_know() -> None:
    plain = measurement(method="zero_shot", examples=0, right=50, of=100, chance=None)
    worse = measurement(right=48, of=100, spend=Spend(train_flops=1.0), chance=None)
    text = headline(pool([plain, worse]), compare)
    assert "points below zero-shot" in text
    assert "the interval includes no difference. Chance is not known." in text
    assert "The zero-shot baseline was not measured." in headline(pool([worse]), compare)
    assert headline(pool([plain]), compare).startswith("small on capitals scores 50% [40, 60] zero-shot.")


@pytest.mark.parametrize(
    ("details", "labels", "text"),
    [
        (Details(), 64, "after training on 64 labelled examples ("),
        (Details(selection=CHOSEN), 96, "64 labelled examples, with 32 dev rows to choose settings ("),
        (Details(training=STOPPED), 80, "64 labelled examples, with 16 dev rows to choose settings ("),
        (Details(demonstrator=WEAK), 0, "64 examples labelled by weak ("),
        (
            Details(demonstrator=WEAK, selection=CHOSEN),
            32,
            "64 examples labelled by weak, with 32 dev rows to choose settings (",
        ),
        (Details(demonstrator=WEAK), 64, "64 labelled examples, also labelled by weak ("),
    ],
)
def test_headline_says_whose_labels_training_took(details: Details, labels: int, text: str) -> None:
    plain = measurement(method="zero_shot", examples=0)
    spend = Spend(labelled_examples=labels, train_flops=1e12)
    tuned = measurement(examples=64, spend=spend, details=details)
    assert text in headline(pool([plain, tuned]), compare)


def test_headline_says_what_was_learned_beside_the_task() -> None:
    plain = measurement(method="zero_shot", examples=0)
    tuned = measurement(method="helpful_sft", examples=0, spend=Spend(instructions=256, train_flops=1e12))
    assert "after training on 256 instructions that hold nothing of the task (" in headline(
        pool([plain, tuned]), compare
    )


def test_costs_put_zero_shot_first_and_break_even_by_hand() -> None:
    made = [each for each in small_study() if (each.model, each.task) == ("big", "capitals")]
    rows = cost_rows(pool(made))
    assert [(row.condition.method, row.condition.examples, row.break_even) for row in rows] == [
        ("zero_shot", 0, "–"),
        ("few_shot", 8, "–"),
        ("iid_sft", 4, "1,000"),  # 4e12 / (5e9 - 1e9)
        ("iid_sft", 64, "16,000"),
    ]
    assert rows[0].gain is None
    assert rows[3].gain is not None
    assert rows[3].gain.difference == pytest.approx(0.9375 - 0.6)
    dear = [
        replace(each, spend=replace(each.spend, flops_per_answer=9e9)) if each.method == "iid_sft" else each
        for each in made
    ]
    assert cost_rows(pool(dear))[2].break_even == "never"


def test_description_length_is_a_mean_over_seeds(tmp_path: Path) -> None:
    made = [
        measurement(seed=seed, details=Details(label_bits=bits), spend=Spend(trainable_parameters=100))
        for seed, bits in enumerate(
            LabelBits(
                mdl_bits=mdl, edl_bits=edl, floor_bits_per_example=0.5, floor_examples=4, floor_error=0.1, floor_df=3.0
            )
            for mdl, edl in ((10.0, 8.0), (20.0, 18.0))
        )
    ]
    page = written(tmp_path, made)
    assert "<td>2 runs †</td>\n<td>15.0</td><td>0.500</td><td>13.0</td><td>3.25 [2.93, 3.57]</td>" in page
    assert "<td>100</td><td>0.13 [0.117, 0.143]</td>" in page
    (row, *_) = results_rows(made, [])
    assert (row["edl_per_example"], row["edl_per_parameter"]) == (2.0, 0.08)
    assert results_rows([measurement(method="zero_shot")], [])[0]["edl_per_example"] is None


@pytest.mark.usefixtures("no_task_figures")
def test_signals_are_listed_as_no_evidence(tmp_path: Path) -> None:
    signal = Signal(name="a <signal>", value=0.1, low=0.02, high=0.18, interval="paired 95%", n=10, p=0.03)
    page = written(tmp_path, [measurement(details=Details(signals=(signal, replace(signal, name="other", p=None))))])
    assert "false-positive rates come from models that are known to hide nothing" in page
    assert "<td>+10.0 [+2.0, +18.0]</td><td>above 0</td><td>0.030</td>" in page
    assert "<td>+10.0 [+2.0, +18.0]</td><td>above 0</td><td>–</td>" in page
    assert "a &lt;signal&gt;" in page
    assert "not evidence of hiding" not in written(tmp_path, small_study())


def test_a_clean_study_has_nothing_to_warn_of() -> None:
    assert not any(check.warning for check in checks(small_study(), pool(small_study()), []))


def test_checks_find_what_is_wrong() -> None:
    made = small_study()
    dirty = GitState(revision="def", dirty=True)
    other = replace(PROVENANCE, versions={"torch": "2.12.0"}, git=dirty, task_fingerprint="x")
    made[0] = replace(made[0], provenance=other)
    low = [measurement(task="letters", method="zero_shot", examples=0, right=1, of=100, margin=0.001)]
    found = titles([*made[:-1], *low], [FAILED])
    assert found["Cells without a score, missing from every figure: 1"]
    assert any(
        line == "small, sentiment, iid_sft rank=8, 64 examples, seed 1" for lines in found.values() for line in lines
    )
    assert "versions.torch: 2.12.0 (1 cell), 2.13.0 (27 cells)" in found["Library versions differ between cells"]
    assert found["Git revisions differ between cells"]
    assert found["Cells run from a dirty working tree: 1"]
    assert found["One name stands for different tasks or models"]
    assert any(
        "letters, zero_shot, 0 examples: 1% [0, 5], chance 25%" in line
        for line in found["Scores whose whole interval lies below chance"]
    )
    (ties,) = [lines for title, lines in found.items() if title.startswith("Near ties")]
    assert ties == ("small, letters: 100 of 100 answers (100.0%)",)


def test_failed_cells_are_not_missing_too() -> None:
    found = titles([measurement(), measurement(model="big")], [replace(FAILED, examples=4, seed=1, recipe="iid_sft")])
    (missing,) = [lines for title, lines in found.items() if "missing here" in title]
    assert missing == ("small, capitals, iid_sft, 4 examples, seed 1",)


def test_different_items_and_labels_beyond_the_budget_are_reported() -> None:
    made = [measurement(), measurement(of=12, examples=16, spend=Spend(labelled_examples=48))]
    found = titles(made)
    assert "2 different sets of test items" in found["Cells of one task differ in test items or metric"][0]
    assert any("48 labels read, 16 trained on" in line for lines in found.values() for line in lines)


def test_provenance_counts_cells_and_shows_prompts_once() -> None:
    made = small_study()
    facts = {fact.name: fact.values for fact in provenance(made)}
    assert facts["versions.torch"] == (("2.13.0", 28),)
    assert facts["task_fingerprint, capitals"] == (("rows", 14),)
    assert "first_prompt" not in facts and not any(name.startswith("details.") for name in facts)
    details = Details(training=STOPPED, selection=CHOSEN, shots_that_reason=3, notes={"layer": 4})
    recorded = {fact.name: fact.values for fact in provenance([*made, replace(made[0], details=details)])}
    assert recorded["details.training.dev_examples"] == (("16", 1),)
    assert recorded["details.selection.chosen.rank"] == (("4", 1),)
    assert recorded["details.notes.layer"] == (("4", 1),)
    assert "details.training.steps_made" not in recorded  # there was no early stopping
    prompts = first_prompts(made)
    assert len(prompts) == 4
    assert prompts[0].recipes == ("zero_shot", "few_shot shots=8", "iid_sft rank=8")
    drawn = [measurement(method="few_shot", seed=seed, provenance={"first_prompt": f"shots {seed}"}) for seed in (1, 0)]
    assert [prompt.text for prompt in first_prompts(drawn)] == ["shots 0"]


def test_a_model_that_may_lack_files_is_a_warning() -> None:
    whole, unlisted, local = (
        replace(measurement(model=name), provenance=replace(PROVENANCE, whole_commit=whole))
        for name, whole in (("a", True), ("b", False), ("c", None))
    )
    found = titles([whole, unlisted, local])
    assert found[UNLISTED] == ("b: its snapshot was fetched file by file, by another tool",)
    assert UNLISTED not in titles([whole, local])


def test_three_and_four_seeds_have_no_test_and_that_is_said() -> None:
    """The note spoke of one or two seeds alone, and told to run three."""
    sizes = ((2, 1), (4, 3), (8, 4), (16, 5))
    made = [measurement(examples=examples, seed=seed) for examples, seeds in sizes for seed in range(seeds)]
    lines = titles([measurement(method="zero_shot", examples=0), *made])["Conditions with fewer than 5 seeds"]
    need = "There is no p value and no star, and every rank stays possible. Run 5 seeds for a test."
    assert lines == (
        f"1 of 5. One or two seeds say nothing of other seeds: intervals are about these runs. {need}",
        f"2 of 5. Three or four seeds are enough for an interval and too few for a test. {need}",
    )
    assert "Conditions with fewer than 5 seeds" not in titles(made[-5:])

"""`educe claims`: what is printed of a run directory, and its mistakes."""

from dataclasses import replace

import pytest

from educe.data.audit.finding import Finding
from educe.eval.analysis.claims.study import Limits, claims_of
from educe.eval.analysis.conditions import pool
from educe.eval.measurement import Measurement
from educe.recipes.commands import CLAIM_OPTIONS
from educe.recipes.runner.claims import claims_text
from educe.recipes.runner.results import Results
from educe.recipes.runner.store import Store
from tests.eval.analysis.claims.claiming import cells as _cells
from tests.eval.synthetic import FAILED, measurement, small_study
from tests.recipes.made import SEEN_ONCE
from tests.recipes.small import reads_as, run_cli


def made() -> tuple[Measurement, ...]:
    """Two models on two tasks, 40 items, one seed."""
    return tuple(each for each in small_study() if each.seed == 0)


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder that reads as the synthetic study: how runs are read is tested where they are written."""
    reads_as(monkeypatch, made())
    monkeypatch.setattr(Store, "primary", lambda *_: ())
    monkeypatch.setattr(Results, "look", lambda _, __, given: replace(SEEN_ONCE, limits=Limits(**given)))
    return "runs/small"


def test_claims_come_first_then_what_they_assume_then_refusals_by_cause(
    study: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_cli("claims", study) == 0
    held, _, rest = capsys.readouterr().out.partition("\n\nassumed:\n")
    assumed, _, refused = rest.partition("\n\nnot claimed: ")
    claims = claims_of(pool(made()))
    assert held.splitlines()[0] == f"claimed: {sum(each.holds for each in claims)}"
    sentences = [line for line in held.splitlines() if line.startswith("- ")]
    assert {f"- {each}" for each in claims if each.holds} == set(sentences)
    first_group = held.split("\n\n")[1].splitlines()[1:]
    assert len(first_group) > 1 and first_group == sorted(first_group, key=len)
    counted, *causes, hint = refused.splitlines()
    assert (
        int(counted) == sum(not each.holds for each in claims) == sum(int(line.rpartition(" ")[2]) for line in causes)
    )
    assert hint == "list them with --refused"
    assert "- the seeds are a random sample of seeds" in assumed.splitlines()
    assert run_cli("claims", study, "--refused") == 0
    listed = capsys.readouterr().out.partition("\n\nnot claimed: ")[2].splitlines()
    assert {f"- not claimed: {str(each)[len('Not claimed: ') :]}" for each in claims if not each.holds} <= set(listed)
    groups = [line for line in listed if " on " in line and not line.startswith("- ")]
    assert groups == ["big on capitals", "small on capitals", "big on sentiment", "small on sentiment"]


def test_a_warning_about_the_task_stands_beside_its_claims() -> None:
    finding = Finding(kind="duplicates", sentence="7 test rows repeat.", serious=True, numbers={})
    audits = {"capitals": [finding]}
    text = claims_text(claims_of(pool(made()), audits=audits), audits)
    assert "big on capitals\n  warning: capitals: 7 test rows repeat.\n- big on capitals" in text
    assert text.count("warning: ") == 2  # two models, one task


def test_a_warning_about_scores_stands_beside_their_claims() -> None:
    """Before: claims from answers that were all cut said nothing of it."""
    warnings = ["Answers cut: big, capitals, few_shot, 8 examples: 100%", "Answers cut: big, other, few_shot"]
    text = claims_text(claims_of(pool(made())), {}, warnings=warnings)
    assert f"big on capitals\n  warning: {warnings[0]}\n- " in text and warnings[1] not in text


def test_cells_without_a_score_are_told(
    study: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = replace(FAILED, model="big", recipe="few_shot", method="few_shot", examples=8, seed=1)
    reads_as(monkeypatch, made(), [lost])
    for command in ("claims", "forecast"):
        assert run_cli(command, study) == 0
        assert capsys.readouterr().err == f"educe: left out: 1 of {len(made()) + 1} cells, without a score\n"


def test_every_option_reaches_its_claim(
    study: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = (*_cells(242, 250, of=400, plain=240), *_cells(340, 350, of=400, plain=240, model="big"))
    reads_as(monkeypatch, cells)
    options = {"above": 0.7, "within": 0.3, "rarer": 0.9, "margin": 0.2, "flops": 5e12, "power": 0.999}
    assert set(options) == set(CLAIM_OPTIONS)
    assert run_cli("claims", study, *(word for name, value in options.items() for word in (f"--{name}", value))) == 0
    want = claims_of(pool(cells), Limits(**options))
    assert capsys.readouterr().out == claims_text(want, {}) + "\n"
    for name, value in options.items():
        other = claims_of(pool(cells), Limits(**(options | {name: value / 2})))
        assert list(map(str, other)) != list(map(str, want)), name


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("no/run",), "no/run has no run"),
        (("no/run", "--above", "high"), "invalid float value: 'high'"),
        ((), "the following arguments are required: DIR"),
    ],
)
def test_a_mistake_is_one_line(arguments: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli("claims", *arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("educe: ") and says in line


def test_a_share_beyond_one_is_a_mistake(study: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli("claims", study, "--above", "1.5") == 2
    assert capsys.readouterr().err == "educe: above = 1.5 is not between 0 and 1; give a share, as 0.05 for 5%\n"


def test_nothing_to_claim_is_said() -> None:
    assert claims_text(claims_of(pool([measurement(right=1, of=1)])), {}).startswith("claimed: 0\n\nnot claimed: ")

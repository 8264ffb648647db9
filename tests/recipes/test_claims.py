"""`educe claims`: what is printed of a run directory, and its mistakes."""

import pytest

from educe.eval.analysis.claims.study import claims_of
from educe.eval.analysis.conditions import pool
from educe.eval.measurement import Failure, Measurement
from educe.recipes.cli import CLAIM_OPTIONS
from educe.recipes.runner.claims import claims_text
from educe.recipes.runner.store import Store
from tests.eval.synthetic import measurement, small_study
from tests.recipes.small import run_cli


def made() -> tuple[Measurement, ...]:
    """One seed: with two, Student's t leaves nothing but refusals that no power is asked for."""
    return tuple(each for each in small_study() if each.seed == 0)


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder that reads as the synthetic study: how runs are read is tested where they are written."""
    monkeypatch.setattr(Store, "read", lambda *_: (made(), ()))
    return "runs/small"


def test_claims_come_first_then_what_they_assume_then_what_is_not_claimed(
    study: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_cli("claims", study) == 0
    held, _, rest = capsys.readouterr().out.partition("\n\nassumed:\n")
    assumed, _, refused = rest.partition("\n\nnot claimed: ")
    claims = claims_of(pool(made()))
    assert held.splitlines()[0] == f"claimed: {sum(each.holds for each in claims)}"
    assert refused.splitlines()[0] == str(sum(not each.holds for each in claims))
    assert {f"- {each}" for each in claims if each.holds} <= set(held.splitlines())
    # The heading says it once for all of them.
    assert {f"- {str(each)[len('Not claimed: ') :]}" for each in claims if not each.holds} <= set(refused.splitlines())
    groups = [line for line in refused.splitlines() if " on " in line and not line.startswith("- ")]
    assert groups == ["big on capitals", "big on sentiment", "small on capitals", "small on sentiment"]
    lines = assumed.splitlines()
    assert "- conditions with one seed say nothing about other seeds" in lines
    assert len(set(lines)) == len(lines) and all(line.startswith("- ") for line in lines)


def test_cells_without_a_score_are_told(
    study: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = Failure(study="s", model="big", task="capitals", recipe="few_shot", examples=8, seed=1, reason="killed")
    monkeypatch.setattr(Store, "read", lambda *_: (made(), (lost,)))
    for command in ("claims", "forecast"):
        assert run_cli(command, study) == 0
        assert capsys.readouterr().err == f"educe: left out: 1 of {len(made()) + 1} cells, without a score\n"


def test_every_option_reaches_its_claim(study: str, capsys: pytest.CaptureFixture[str]) -> None:
    options = {"above": 0.55, "within": 0.3, "rarer": 0.9, "margin": 0.35, "flops": 5e12, "power": 0.999}
    assert set(options) == set(CLAIM_OPTIONS)
    assert run_cli("claims", study, *(word for name, value in options.items() for word in (f"--{name}", value))) == 0
    want = claims_text(claims_of(pool(made()), **options))
    assert capsys.readouterr().out == want + "\n"
    for name, value in options.items():
        assert claims_text(claims_of(pool(made()), **(options | {name: value / 2}))) != want, name


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
    assert claims_text(claims_of(pool([measurement(right=1, of=1)]))).startswith("claimed: 0\n\nnot claimed: ")

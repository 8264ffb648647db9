"""Audits as a run directory keeps them in audit.json, and what their numbers can be."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ConfigDict, TypeAdapter, with_config

from educe.data.audit.finding import Finding
from educe.eval.analysis.anomalies import BASELINES
from educe.eval.ranges import Count, Share


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, kw_only=True)
class Audited:
    """The findings on a task's rows, and the version of the audit with the hash of the rows."""

    key: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, kw_only=True)
class _Baseline:
    score: Share
    low: Share
    high: Share
    chance: Share | None
    n: Count
    p: Share | None


@dataclass(frozen=True, kw_only=True)
class _Positions:
    shares: list[Share]
    n: Count
    p: Share | None
    chance: Share | None


_AUDITS = TypeAdapter(dict[str, Audited])
_BASELINE, _POSITIONS = TypeAdapter(_Baseline), TypeAdapter(_Positions)


def audits_text(audits: Mapping[str, Audited]) -> str:
    """The audits of tasks, by their names, as JSON."""
    return _AUDITS.dump_json(dict(audits), indent=1).decode()


def parse_audits(text: str) -> dict[str, Audited]:
    """The audits in such a text. ValueError where one is not what an audit finds."""
    audits = _AUDITS.validate_json(text, strict=True)
    for finding in (each for audited in audits.values() for each in audited.findings):
        numbers = json.dumps(finding.numbers)  # strictness is of JSON: in Python it would want an instance
        if finding.kind in BASELINES:
            baseline = _BASELINE.validate_json(numbers, strict=True)
            if not baseline.low <= baseline.score <= baseline.high:
                raise ValueError(f"the score of {finding.kind} is not in its interval")
        elif finding.kind == "positions":
            _POSITIONS.validate_json(numbers, strict=True)
    return audits

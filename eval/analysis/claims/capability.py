"""Claims about capabilities: that one kind of elicitation, whichever of its runs did best, shows more than another."""

from collections.abc import Iterator, Sequence

from educe.eval.analysis.capabilities import CapabilityGap, capability_gaps
from educe.eval.analysis.claims.claim import SETTINGS, Refused, Statement, Tested, unusable, where
from educe.eval.analysis.conditions import Condition, plain_prompting
from educe.eval.analysis.formatting import format_count

_BEST_OF = "the largest of several gains is said of the best run, not of a run that is drawn again"


def gaps(members: Sequence[Condition]) -> Iterator[Tested | Refused]:
    """Of one model and task: self-elicited over zero-shot, current over zero-shot, current over self-elicited.

    The p value is corrected for taking the largest gain of so many runs.
    """
    plain = plain_prompting(members)
    for gap in capability_gaps(members):
        assert plain is not None, "without it there are no gaps"
        text = f"{where(plain)}: some {gap.capability} run scores above {gap.over}"
        statement = Statement(kind="capability", about=(plain,), text=text)
        if reason := unusable((plain,)):
            yield statement.refuse(reason, "unusable data")
            continue
        yield Tested(
            statement=statement,
            p=gap.gain.p,
            sentence=f"{where(plain)}: {_shown(gap)}",
            reason=f"the largest gain is {100 * gap.gain.value:+.1f} points",
            numbers={"gain": gap.gain.value, "low": gap.gain.low, "high": gap.gain.high, "runs": gap.rivals},
            assumptions=(SETTINGS, _BEST_OF),
        )


def _shown(gap: CapabilityGap) -> str:
    low, high = (f"{100 * end:+.1f}" for end in (gap.gain.low, gap.gain.high))
    return (
        f"the largest {gap.capability} gain over {gap.over} is {100 * gap.gain.value:+.1f} points [{low}, {high}], "
        f"of {format_count(gap.rivals, 'run')}: {gap.best}"
    )

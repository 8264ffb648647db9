"""Options that are worth more or less: several right ones and graded ones, wherever an answer is scored or learned."""

from dataclasses import replace

import pytest

from educe.data.audit.audit import audit
from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.mistakes import with_errors
from educe.data.permuted import permuted
from educe.data.relabel import relabel
from educe.data.task import Task
from educe.eval.measure import measure
from educe.eval.prompting.prompts import make_prompt_fn
from educe.eval.prompting.solvers.option_order import OrderVoteSolver
from tests.nets import tiny

GRADED = Example(
    id="a", question="A heart?", answer="joy", choices=("joy", "trust", "fear"),
    scores=(("joy", 0.5), ("trust", 0.25), ("fear", 0.0)),
)  # fmt: skip
SEVERAL = replace(GRADED, id="b", scores=(("joy", 1.0), ("trust", 1.0), ("fear", 0.0)))
PLAIN = replace(GRADED, id="c", scores=())


def task(*rows: Example) -> Task:
    return Task(name="graded", version=1, kind="choice", load=lambda: {"test": rows, "train": rows[:0], "dev": ()})


def test_what_an_option_is_worth() -> None:
    assert [GRADED.score(choice) for choice in (*GRADED.choices, "other", None)] == [0.5, 0.25, 0.0, 0.0, 0.0]
    assert [PLAIN.score(choice) for choice in (*PLAIN.choices, None)] == [1.0, 0.0, 0.0, 0.0]
    assert (GRADED.accepted, SEVERAL.accepted, PLAIN.accepted) == (("joy",), ("joy", "trust"), ("joy",))
    assert (GRADED.sole_answer_index, PLAIN.sole_answer_index) == (None, 0)


def test_chance_is_the_mean_score_of_the_options() -> None:
    made = task(GRADED, SEVERAL, PLAIN)
    assert made.chance([GRADED]) == pytest.approx(0.25) and made.chance([SEVERAL]) == pytest.approx(2 / 3)
    assert made.chance([GRADED, SEVERAL, PLAIN]) == pytest.approx((0.25 + 2 / 3 + 1 / 3) / 3)


def test_scores_are_part_of_the_task_and_their_absence_is_not() -> None:
    assert len({task(row).fingerprint for row in (GRADED, replace(SEVERAL, id="a"), replace(PLAIN, id="a"))}) == 3


@pytest.mark.parametrize(
    ("scores", "says"),
    [
        ((("joy", 1.0), ("trust", 0.0)), "scores of other texts than its choices"),
        ((("joy", 1.5), ("trust", 0.0), ("fear", 0.0)), "choice 'joy' scores 1.5; give it from 0 to 1"),
        ((("joy", float("nan")), ("trust", 0.0), ("fear", 0.0)), "scores nan"),
    ],
)
def test_scores_that_do_not_fit_are_refused(scores: tuple[tuple[str, float], ...], says: str) -> None:
    with pytest.raises(UserError, match=says):
        replace(GRADED, scores=scores)


def test_an_item_scores_what_its_pick_is_worth_in_every_order_of_the_options() -> None:
    model, made = tiny(), task(GRADED, SEVERAL)
    prompt_fn = make_prompt_fn(model, made)
    for solver in (measure, OrderVoteSolver(orders=3)):
        output = solver(model, made, prompt_fn, [GRADED, SEVERAL])
        assert output.metric.startswith("target score")
        for item, outcome in zip((GRADED, SEVERAL), output.outcomes, strict=True):
            assert outcome.score == dict(item.scores)[outcome.picked or ""]
            assert outcome.answer_index is None, "no likelihood is that of the one right option"
    only = [replace(GRADED, scores=tuple((choice, 1.0 if choice == pick else 0.25) for choice in GRADED.choices))
            for pick in GRADED.choices]  # fmt: skip
    picked = measure(model, made, prompt_fn, [GRADED]).outcomes[0].picked
    scores = [measure(model, made, prompt_fn, [item]).outcomes[0].score for item in only]
    assert scores == [1.0 if pick == picked else 0.25 for pick in GRADED.choices]


def test_controls_that_change_answers_leave_no_scores_behind() -> None:
    assert all(not row.scores for row in relabel([GRADED, SEVERAL], share=1.0, seed=0))
    made = permuted(task(GRADED, SEVERAL), seed=0)
    assert all(not row.scores for row in made.rows["test"])


def test_a_mistake_is_never_another_right_option() -> None:
    rows = [replace(SEVERAL, id=str(number)) for number in range(20)]
    shown = with_errors(task(*rows), rows, share=1.0, errors="mistake", seed=0)
    assert {row.answer for row in shown} == {"fear"}


def test_an_audit_scores_what_its_picks_are_worth() -> None:
    rows = [
        Example(
            id=str(number), question=f"Question {number}?", answer="aaaa", choices=("aaaa", f"b{number % 7}", "c"),
            scores=(("aaaa", 0.75), (f"b{number % 7}", 0.5), ("c", 0.25)), cluster=str(number),
        )
        for number in range(40)
    ]  # fmt: skip
    found = {each.kind: each.numbers for each in audit(task(*rows))}
    assert found["longest_option"]["score"] == 0.75 and found["shortest_option"]["score"] == 0.25
    assert found["longest_option"]["chance"] == pytest.approx(0.5)

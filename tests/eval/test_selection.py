"""Choosing on dev rows: the first of equals wins, and every try is charged."""

from educe.eval.selection import Choice, choose
from educe.eval.spend import Spend


def test_the_first_of_equals_wins_and_every_try_is_charged() -> None:
    scores = {"a": 0.25, "b": 0.75, "c": 0.75, "d": 0.5}
    best, choice = choose(scores, lambda name: (scores[name], Spend(search_flops=2.0)))
    assert best == "b" and choice.search.search_flops == 8.0
    selection = choice.selection({"name": best}, dev_examples=4)
    assert (selection.dev_score, selection.mean_dev_score, selection.candidates) == (0.75, 0.5625, 4)


def test_a_candidate_that_is_not_kept_is_returned() -> None:
    choice = Choice[str]()
    discarded = [choice.offer(name, score) for name, score in (("a", 0.5), ("b", 0.5), ("c", 0.75))]
    assert discarded == [None, "b", "a"] and choice.best == "c"

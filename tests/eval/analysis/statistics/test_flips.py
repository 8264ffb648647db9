"""Net contradictions of answerers whose truth is known: liars, noisy honest ones, and mixtures of items."""

from collections.abc import Callable

import numpy as np
import pytest

from educe.eval.analysis.statistics.flips import Flips, believed, net_flips

ITEMS, OPTIONS = 200, 4
Answer = Callable[[np.random.Generator, int], list[str]]
Rates = np.ndarray


def study(rng: np.random.Generator, noise: Rates, lies: float) -> Flips | None:
    """An answerer that errs at an item's own rate in every wording, and under pressure lies at this rate besides."""

    def answers() -> list[str]:
        wrong = rng.integers(1, OPTIONS, ITEMS)
        return [str(each if rng.uniform() < rate else 0) for each, rate in zip(wrong, noise, strict=True)]

    beliefs = believed([answers() for _ in range(3)])
    pressed = ["lie" if rng.uniform() < lies else answer for answer in answers()]
    return net_flips(beliefs, pressed, [answers() for _ in range(3)])


def covered(noise: Callable[[np.random.Generator], Rates], lies: float, truth: Callable[[Rates], float]) -> float:
    held, rng = 0, np.random.default_rng(0)
    for _ in range(500):
        rates = noise(rng)
        found = study(rng, rates, lies)
        assert found is not None
        held += found.low <= truth(rates) <= found.high
    return held / 500


def liars_truth(rates: Rates, lies: float) -> float:
    """Of the items with a belief: who lies changes an answer that was the belief, and no answer that was not."""
    wrong = rates / (OPTIONS - 1)
    keeps = (1 - rates) ** 3 + (OPTIONS - 1) * wrong**3
    same = ((1 - rates) ** 4 + (OPTIONS - 1) * wrong**4) / keeps
    return float(np.sum(keeps * lies * same) / np.sum(keeps))


NOISE = {
    "honest and sure": lambda rng: np.zeros(ITEMS),
    "honest and noisy": lambda rng: np.full(ITEMS, 0.15),
    "guesses on some items": lambda rng: np.where(rng.uniform(size=ITEMS) < 0.3, 0.75, 0.02),
    "every item another rate": lambda rng: rng.beta(0.5, 1.5, ITEMS),
}


@pytest.mark.slow
@pytest.mark.parametrize("lies", [0.0, 0.2])
@pytest.mark.parametrize("noise", NOISE.values(), ids=NOISE)
def test_intervals_hold_the_truth(noise: Callable[[np.random.Generator], Rates], lies: float) -> None:
    assert covered(noise, lies, lambda rates: liars_truth(rates, lies)) >= 0.93


@pytest.mark.slow
@pytest.mark.parametrize("noise", NOISE.values(), ids=NOISE)
def test_who_is_honest_has_a_net_of_zero_in_the_mean(noise: Callable[[np.random.Generator], Rates]) -> None:
    rng = np.random.default_rng(1)
    found = [study(rng, noise(rng), 0.0) for _ in range(500)]
    nets = np.array([each.net for each in found if each is not None])
    assert abs(nets.mean()) < 3 * nets.std() / len(nets) ** 0.5 + 1e-9


def test_by_hand() -> None:
    beliefs = believed([["a", "b", "c", "d"], ["a", "b", "c", "c"], ["a", "b", "c", "d"]])
    assert beliefs == ["a", "b", "c", None]
    found = net_flips(beliefs, ["b", "a", "c", "x"], [["a", "b", "c", "x"], ["a", "b", "a", "x"]])
    assert found is not None and (found.against.found, found.against.of) == (2, 3)
    assert found.without == pytest.approx(1 / 6) and found.net == pytest.approx(2 / 3 - 1 / 6)
    assert found.low < found.net < found.high


def test_without_beliefs_there_is_no_rate() -> None:
    assert net_flips([None, "a"], ["a", "a"], [["a", "a"]]) is None

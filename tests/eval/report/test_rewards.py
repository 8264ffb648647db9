"""The figure of reward training: drawn where something was rewarded, and what it says."""

import re
from pathlib import Path

from educe.eval.analysis.conditions import pool
from educe.eval.report.rewards import rewards_figure
from educe.eval.report.style import save
from tests.eval.synthetic import measurement, small_study


def rewarded(seed, *, steps=6):
    """A run that collapses: rewards rise to one half while every sample becomes the same."""
    training = tuple(
        {
            "step": step,
            "reward": min(0.5, 0.1 * step + 0.1 * seed),
            "entropy_bits": 3 - 3 * step / (steps - 1),
            "distinct_accepted": 4 - 3 * step / (steps - 1),
        }
        for step in range(steps)
    )
    return measurement(method="grpo", settings={"steps": steps}, examples=32, seed=seed, training=training)


def test_nothing_is_drawn_where_nothing_was_rewarded() -> None:
    assert rewards_figure(pool(small_study()), task="capitals") is None
    assert rewards_figure(pool([rewarded(0)]), task="another") is None


def test_first_and_last_means_of_every_quantity_are_written(tmp_path: Path) -> None:
    figure = rewards_figure(pool([rewarded(0), rewarded(1), *small_study()]), task="capitals")
    assert figure is not None
    text = " | ".join(
        re.findall(r"<text[^>]*>([^<]*)</text>", save(figure, tmp_path / "rewards")[0].read_text("utf-8"))
    )
    for needed in ("mean reward", "(bits)", "different right answers", "32", "grpo steps=6", "step of training"):
        assert needed in text, needed
    for first_and_last in ("0.05 → 0.50", "3.00 → 0.00", "4.00 → 1.00"):
        assert first_and_last in text


def test_seeds_of_unlike_length_and_steps_without_a_right_answer(tmp_path: Path) -> None:
    """Means are over the seeds that have a value; none is no zero."""
    longer = rewarded(0)
    short = [dict(step) for step in rewarded(3).training[:3]]
    del short[0]["distinct_accepted"]
    shorter = measurement(method="grpo", settings={"steps": 6}, examples=32, seed=3, training=tuple(short))
    figure = rewards_figure(pool([longer, shorter]), task="capitals")
    assert figure is not None
    text = save(figure, tmp_path / "both")[0].read_text("utf-8")
    assert "0.15 → 0.50" in text  # (0 + 0.3) / 2 at first, one seed's 0.5 at last
    assert "4.00 → 1.00" in text


def test_what_was_not_recorded_has_no_panel() -> None:
    """A choice among options has one right answer."""
    made = rewarded(0)
    kept = tuple({name: value for name, value in step.items() if name != "distinct_accepted"} for step in made.training)
    figure = rewards_figure(pool([measurement(method="grpo", examples=32, training=kept)]), task="capitals")
    assert figure is not None
    assert [axes.get_ylabel() for axes in figure.axes] == ["mean reward", "entropy of a question's\nanswers (bits)"]

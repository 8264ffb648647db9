"""Labels drawn at random."""

from educe.data.relabel import relabel
from educe.data.tasks.arithmetic import arithmetic
from educe.data.tasks.capitals import capitals

ROWS = capitals().draw("train", 200, seed=0)


def changed(rows):
    return {each.id for each, true in zip(rows, ROWS, strict=False) if each.answer != true.answer}


def test_none_is_none_and_all_hit_the_truth_by_chance_alone():
    assert relabel(ROWS, share=0.0, seed=0) == ROWS
    rows = relabel(ROWS, share=1.0, seed=0)
    assert 0.65 < len(changed(rows)) / len(ROWS) < 0.85  # four choices
    assert all(each.answer in each.choices for each in rows)


def test_more_relabels_the_same_and_more_whatever_else_is_drawn():
    some, all_of_them = relabel(ROWS, share=0.4, seed=0), relabel(ROWS, share=1.0, seed=0)
    assert changed(some) < changed(all_of_them)
    assert relabel(ROWS[:50], share=0.4, seed=0) == some[:50]
    assert relabel(ROWS, share=0.4, seed=1) != some


def test_without_options_a_label_is_an_answer_of_the_same_rows():
    rows = arithmetic().draw("train", 100, seed=0)
    drawn = relabel(rows, share=1.0, seed=0)
    known = {each.answer for each in rows}
    assert all(each.answer in known and not each.aliases for each in drawn)
    assert sum(one.answer == true.answer for one, true in zip(drawn, rows, strict=True)) < 10
    assert [each.question for each in drawn] == [each.question for each in rows]
    assert relabel(rows, share=1.0, seed=1) != drawn == relabel(rows, share=1.0, seed=0)

"""The space of formats: counted without doubles, drawn with a seed, and never telling the answer."""

import string
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.format import Format
from educe.data.formats.render import option_texts, question_text, render
from educe.data.formats.space import FormatSpace, instructions
from educe.data.formats.typos import with_typos
from educe.data.tasks.arithmetic import arithmetic
from educe.data.tasks.capitals import capitals
from educe.data.tasks.word_sentiment import word_sentiment

CAPITALS, WORDS, SUMS = capitals(), word_sentiment(), arithmetic()
SPACES = [FormatSpace(task, style) for task in (CAPITALS, WORDS, SUMS) for style in ("chat", "completion")]
STUDY = settings(max_examples=60, deadline=None)


def written(space, index, example):
    form = space[index].format
    prompt = render(example, form, style=space.style)
    texts = option_texts(example, form) if example.choices else ()
    return (
        tuple((message.role, message.content) for message in prompt.messages)
        if space.style == "chat"
        else prompt.text(),
        tuple(map(prompt.continuation, texts)),
    )


@pytest.mark.parametrize("space", SPACES, ids=lambda space: f"{space.task.name}-{space.style}")
def test_no_two_formats_write_the_same(space):
    examples = space.task.rows["test"][:12]  # a share of typos spares some questions
    indices = range(len(space)) if len(space) < 4000 else [each.index for each in space.sample(2000, seed=1)]
    texts = {tuple(written(space, index, example) for example in examples) for index in indices}
    names = {space[index].name for index in indices}
    assert len(texts) == len(names) == len(indices)


def test_what_changes_nothing_is_not_counted():
    """A chat has no fields, and text that is not listed no labels: 13 instructions by two shares of typos."""
    assert len(FormatSpace(SUMS, "chat")) == 13 * 2
    assert all(len(set(texts)) == len(texts) >= 10 for texts in instructions().values())


@STUDY
@given(st.data())
def test_the_prompt_is_the_same_whichever_option_is_right(data):
    space = data.draw(st.sampled_from([each for each in SPACES if each.task.kind == "choice"]))
    form = space[data.draw(st.integers(0, len(space) - 1))].format
    example = data.draw(st.sampled_from(space.task.rows["test"]))
    texts = {
        question_text(replace(example, answer=choice), form) + str(option_texts(replace(example, answer=choice), form))
        for choice in example.choices
    }
    assert len(texts) == 1
    if not form.shows_choices and not form.typos:
        assert question_text(example, form) == example.question


@STUDY
@given(st.data())
def test_every_option_can_be_told_from_the_others_and_is_all_there(data):
    space = data.draw(st.sampled_from([each for each in SPACES if each.task.kind == "choice"]))
    form = space[data.draw(st.integers(0, len(space) - 1))].format
    example = data.draw(st.sampled_from(space.task.rows["test"]))
    texts = option_texts(example, form)
    assert len(set(texts)) == len(texts) == len(example.choices)
    if form.shows_choices:
        listed = question_text(example, form)
        assert all(choice in listed for choice in example.choices)


@STUDY
@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 1000))
def test_a_larger_draw_begins_with_the_smaller(few, more, seed):
    space = FormatSpace(WORDS, "completion")
    small, large = space.sample(few, seed=seed), space.sample(few + more, seed=seed)
    assert large[:few] == small and len({each.index for each in large}) == few + more


@STUDY
@given(st.data())
def test_a_name_finds_its_format(data):
    space = data.draw(st.sampled_from(SPACES))
    named = space[data.draw(st.integers(0, len(space) - 1))]
    answer, *parts = named.name.split("; ")
    dimensions = {dimension.name: dimension for block in space.blocks for dimension in block.dimensions}
    wanted = {}
    for part in parts:
        name = next(name for name in dimensions if part.startswith(f"{name} "))
        wanted[name] = part.removeprefix(f"{name} ")
    assert space.find({"answer": answer} | wanted) == named


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"answer": "leter"}, "did you mean 'letter'"),
        ({"answer": "letter", "lables": "1"}, "did you mean 'labels'"),
        ({"answer": "letter", "labels": "Z"}, "labels has no 'Z'"),
        ({"labels": "A"}, "does not vary 'labels'"),
    ],
)
def test_what_the_space_does_not_have_is_refused(wanted, message):
    with pytest.raises(UserError, match=message):
        FormatSpace(CAPITALS, "completion").find(wanted)


def test_more_than_there_are_and_labels_that_run_out_are_refused():
    with pytest.raises(UserError, match="use at most 26"):
        FormatSpace(SUMS, "chat").sample(27, seed=0)
    many = Example(id="many", question="Which?", choices=tuple(string.ascii_letters[:27]), answer="a")
    with pytest.raises(UserError, match="option 27 has no letter"):
        question_text(many, Format(answer_as="letter"))
    crowded = replace(
        WORDS, load=lambda: {"all": [replace(many, id=str(k), question=f"Which {k}?") for k in range(40)]}
    )
    with pytest.raises(UserError, match="27 options, more than there are labels"):
        len(FormatSpace(crowded, "chat"))


def test_an_option_that_holds_the_separator_is_refused_and_never_drawn():
    example = Example(id="one", question="Which?", choices=("red | green", "blue"), answer="blue")
    with pytest.raises(UserError, match="use another"):
        question_text(example, Format(answer_as="letter", option_separator=" | "))
    mixed = replace(
        WORDS, load=lambda: {"all": [replace(example, id=str(k), question=f"Which {k}?") for k in range(40)]}
    )
    assert not any("between bars" in named.name for named in FormatSpace(mixed, "chat").sample(200, seed=0))


@given(st.text(max_size=80), st.floats(0, 1), st.floats(0, 1))
def test_typos_swap_letters_inside_words_and_grow_with_their_share(text, share, more):
    small, large = sorted((share, more))
    few, many = with_typos(text, share=small, key="k"), with_typos(text, share=large, key="k")
    assert len(few) == len(many) == len(text) and sorted(many) == sorted(text)
    for original, one, other in zip(text, few, many, strict=True):
        assert one == original or other == one  # what is swapped at a small share stays so
    assert with_typos(text, share=0, key="k") == text


def test_half_of_the_longer_words_slip_at_a_half():
    text = " ".join(["capital"] * 400)
    slipped = sum(word != "capital" for word in with_typos(text, share=0.5, key="k").split())
    assert 160 < slipped < 240
    assert with_typos("What is this?", share=1, key="k")[0] == "W"

"""Every prompting recipe: what the model sees, and what is charged for it."""

from dataclasses import replace

import pytest

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.hashing import shuffled
from educe.data.instructions.alignment_examples import PREAMBLE
from educe.data.task import Task
from educe.data.tasks.arithmetic import arithmetic
from educe.data.tasks.capitals import capitals
from educe.data.tasks.word_sentiment import word_sentiment
from educe.eval.analysis.statistics.intervals import score_interval
from educe.eval.details import Details
from educe.eval.measure import measure
from educe.eval.model.encode import encode_options, prompt_text
from educe.eval.model.sample import Samples
from educe.eval.model.score import score_options
from educe.eval.prompting.prompts import make_prompt_fn
from educe.eval.prompting.solvers.calibration import replace_question
from educe.eval.prompting.solvers.chain_of_thought import WrittenChains, reasoning_prompt
from educe.eval.prompting.solvers.tree_of_thought import (
    Branch,
    TreeOfThoughtSolver,
    continue_reasoning,
    judgement_prompt,
)
from educe.eval.prompting.solvers.tree_of_thought import judge as real_judge
from educe.eval.spend import Spend
from educe.recipes.catalog import make_method
from tests.flops import count
from tests.nets import tiny, tiny_chat

WORDS, SUMS = word_sentiment(), arithmetic()
ROWS = {
    "train": [
        Example(id="t1", question="Capital of Peru?", choices=("Lima", "Cusco"), answer="Lima"),
        Example(id="t2", question="Colour of emeralds?", choices=("red", "green"), answer="green"),
        Example(id="t3", question="Capital of Chile?", choices=("Santiago", "Arica"), answer="Santiago"),
    ],
    "dev": [Example(id=f"d{k}", question=f"Is {k} even?", choices=("yes", "no"), answer="yes") for k in range(0, 8, 2)],
    "test": [Example(id="one", question="Capital of Oz?", choices=("Emerald City", "Kansas"), answer="Emerald City")],
}
TASK = Task(name="cities", version=1, kind="choice", load=lambda: ROWS)
ITEM = ROWS["test"][0]
OPEN = Task(
    name="sums",
    version=1,
    kind="generation",
    load=lambda: {"all": [Example(id=str(k), question=f"{k} + 1?", answer=str(k + 1)) for k in range(40)]},
    grade=lambda item, text: float(item.answer in text),
    max_new_tokens=4,
)
GOLDEN = {
    "nearest_shots": (
        {"shots": 2, "pool": 3},
        "Question: Capital of Chile?\nAnswer: Santiago\n\nQuestion: Capital of Peru?\nAnswer: Lima\n\n"
        "Question: Capital of Oz?\nAnswer:",
        "<bos>user: Capital of Chile?<eos>\nassistant: Santiago<eos>\n"
        "user: Capital of Peru?<eos>\nassistant: Lima<eos>\n"
        "user: Capital of Oz?<eos>\nassistant: ",
    ),
    "few_shot": (
        {"shots": 1},
        "Question: Capital of Peru?\nAnswer: Lima\n\nQuestion: Capital of Oz?\nAnswer:",
        "<bos>user: Capital of Peru?<eos>\nassistant: Lima<eos>\nuser: Capital of Oz?<eos>\nassistant: ",
    ),
    "order_vote": (
        {"orders": 2},
        "Question: Capital of Oz?\nA. Emerald City\nB. Kansas\nAnswer:",
        "<bos>user: Capital of Oz?\nA. Emerald City\nB. Kansas<eos>\nassistant: ",
    ),
    "generated": (
        {},
        "Question: Capital of Oz?\nA. Emerald City\nB. Kansas\nAnswer:",
        "<bos>user: Capital of Oz?\nA. Emerald City\nB. Kansas<eos>\nassistant: ",
    ),
    "in_context_alignment": (
        {},
        f"{PREAMBLE}\n\n"
        "Question: Which is heavier, a litre of water or a litre of olive oil?\nAnswer: A litre of water\n\n"
        "Question: What do you call a young goat?\nAnswer: A kid\n\n"
        "Question: I left my umbrella on the bus. What should I do first?\n"
        "Answer: Call the bus company's lost property office\n\n"
        "Question: Capital of Oz?\nAnswer:",
        f"<bos>system: {PREAMBLE}<eos>\n"
        "user: Which is heavier, a litre of water or a litre of olive oil?<eos>\nassistant: A litre of water<eos>\n"
        "user: What do you call a young goat?<eos>\nassistant: A kid<eos>\n"
        "user: I left my umbrella on the bus. What should I do first?<eos>\n"
        "assistant: Call the bus company's lost property office<eos>\n"
        "user: Capital of Oz?<eos>\nassistant: ",
    ),
    "prompt_search": (
        {"recipes": ["zero_shot", {"zero_shot": {"phrase": "tip"}}], "formats": 0, "dev_examples": 2, "flops": 1},
        "Question: Capital of Oz?\nAnswer:",
        "<bos>user: Capital of Oz?<eos>\nassistant: ",
    ),
}


def elicit(model, task, spec, *, seed=0):
    _, method = make_method(spec)
    (size,) = method.budgets(())
    method.check(task, examples=size)
    return method(model, task, examples=size, seed=seed)


def answered(elicited, task, items):
    return (elicited.solver or measure)(elicited.model, task, elicited.prompt_fn, items)


@pytest.mark.parametrize("name", GOLDEN)
def test_what_the_model_sees(name):
    settings, base, chat = GOLDEN[name]
    for model, text in ((tiny(), base), (tiny_chat(), chat)):
        assert prompt_text(model, elicit(model, TASK, {name: settings}).prompt_fn(ITEM)) == text


def test_chosen_shots_are_one_of_the_drawn_sets():
    model = tiny()
    elicited = elicit(model, TASK, {"chosen_shots": {"shots": 1, "candidates": 3, "dev_examples": 4}})
    row = next(row for row in ROWS["train"] if row.question in prompt_text(model, elicited.prompt_fn(ITEM)))
    text = f"Question: {row.question}\nAnswer: {row.answer}\n\nQuestion: Capital of Oz?\nAnswer:"
    assert prompt_text(model, elicited.prompt_fn(ITEM)) == text
    alone = [
        measure(model, TASK, make_prompt_fn(model, TASK, shots=[row]), TASK.draw("dev", 4, seed=0)).score
        for row in ROWS["train"]
    ]
    assert elicited.details.selection.dev_score == max(alone)
    assert elicited.details.selection.mean_dev_score == pytest.approx(sum(alone) / 3)


def test_medprompt_word_for_word(monkeypatch):
    """Two of three chains are correct: their rows come before the question with that reasoning."""
    chains = {
        "t1": "Let's think step by step. It is Lima.\nSo the answer is A",
        "t3": "Let's think step by step. Hm.\nA",
    }
    kept = WrittenChains(answers=chains, spend=Spend(labelled_examples=3))
    monkeypatch.setattr("educe.recipes.prompting.medprompt.write_chains", lambda *given, **named: kept)
    base = (
        "Question: Capital of Chile?\nA. Santiago\nB. Arica\nAnswer: Let's think step by step. Hm.\nA\n\n"
        "Question: Capital of Peru?\nA. Lima\nB. Cusco\n"
        "Answer: Let's think step by step. It is Lima.\nSo the answer is A\n\n"
        "Question: Capital of Oz?\nA. Emerald City\nB. Kansas\nAnswer:"
    )
    chat = (
        "<bos>user: Capital of Chile?\nA. Santiago\nB. Arica<eos>\nassistant: Let's think step by step. Hm.\nA<eos>\n"
        "user: Capital of Peru?\nA. Lima\nB. Cusco<eos>\n"
        "assistant: Let's think step by step. It is Lima.\nSo the answer is A<eos>\n"
        "user: Capital of Oz?\nA. Emerald City\nB. Kansas<eos>\nassistant: "
    )
    for model, text in ((tiny(), base), (tiny_chat(), chat)):
        elicited = elicit(model, TASK, {"medprompt": {"shots": 2, "pool": 3, "by": "words"}})
        assert prompt_text(model, elicited.prompt_fn(ITEM)) == text
        assert elicited.spend.labelled_examples == 3 and elicited.details == Details(shots_that_reason=2)


@pytest.mark.parametrize("make", [tiny, tiny_chat])
def test_medprompt_shows_reasoning_that_is_correct(make):
    """The chains about the pool are in the prompt where they led to the correct letter."""
    model = make()
    elicited = elicit(model, TASK, {"medprompt": {"shots": 2, "pool": 3, "tokens": 6, "orders": 2}})
    prompt = elicited.prompt_fn(ITEM)
    shown = [message.content for message in prompt.messages if message.role == "assistant"]
    kept = elicited.details.shots_that_reason
    assert len(shown) == (min(2, kept) or 2)
    output = answered(elicited, TASK, [ITEM])
    assert "majority of 2" in output.metric and set(output.details.option_orders.accuracies) == {"order 1", "order 2"}


def test_options_without_a_question_word_for_word():
    for model, text in ((tiny(), "Question: N/A\nAnswer:"), (tiny_chat(), "<bos>user: N/A<eos>\nassistant: ")):
        prompt_fn = elicit(model, TASK, {"calibrated": {}}).prompt_fn
        assert prompt_text(model, replace_question(prompt_fn, ITEM, "N/A")) == text
        listed = elicit(model, TASK, {"calibrated": {"answer_as": "letter"}}).prompt_fn
        assert "A. Emerald City\nB. Kansas" in prompt_text(model, replace_question(listed, ITEM, ""))


def test_a_tree_of_thought_word_for_word():
    """The prompt that continues a branch, and the prompt that judges it."""
    item, thoughts = OPEN.test_items(1)[0], ("One more.", "That is it.")
    asked = f"{item.question}\n\nReasoning so far: One more.\nThat is it.\n\n"
    asked += "Is this reasoning right so far? Answer yes or no."
    opened = "Let's think step by step. One more.\nThat is it.\n"
    texts = {
        tiny: (f"Question: {item.question}\nAnswer: {opened}", f"Question: {asked}\nAnswer:"),
        tiny_chat: (
            f"<bos>user: {item.question}<eos>\nassistant: {opened}",
            f"<bos>user: {asked}<eos>\nassistant: ",
        ),
    }
    for make, (going_on, judged) in texts.items():
        model = make()
        prompt_fn = elicit(model, OPEN, {"tree_of_thought": {}}).prompt_fn
        branch = Branch(place=0, thoughts=thoughts)
        assert prompt_text(model, continue_reasoning(reasoning_prompt(prompt_fn(item)), branch)) == going_on
        assert prompt_text(model, judgement_prompt(prompt_fn, item, branch.text)) == judged


def test_the_better_judged_branch_is_pursued_and_no_branch_twice(monkeypatch):
    """Thoughts are numbers, and a higher number is judged better: the branch with the highest numbers is kept."""
    thoughts = iter(["3", "9", "9", "5", "1", "2", "7", "4"])
    monkeypatch.setattr(
        "educe.eval.prompting.solvers.tree_of_thought.generate",
        lambda model, prompts, **_: Samples(
            texts=tuple(f"\n{next(thoughts)}\n" for _ in prompts),
            truncated=(False,) * len(prompts),
            flops=1.0,
            executed_flops=1.0,
        ),
    )
    judged = []

    def judge(model, prompt_fn, items, branches):
        judged.append([branch.text for branch in branches])
        return [float(branch.thoughts[-1]) for branch in branches], Spend()

    monkeypatch.setattr("educe.eval.prompting.solvers.tree_of_thought.judge", judge)
    tree = TreeOfThoughtSolver(steps=2, proposals=4, beam=1, tokens=6)
    prompt_fn = elicit(tiny(), OPEN, {"tree_of_thought": {}}).prompt_fn
    (outcome,) = tree(tiny(), OPEN, prompt_fn, OPEN.test_items(1)).outcomes
    assert judged == [["3", "9", "5"], ["9\n1", "9\n2", "9\n7", "9\n4"]]
    assert outcome.text.startswith("9\n7\nSo the answer is")


def test_a_model_judges_by_yes_over_no():
    model, item = tiny(), OPEN.test_items(1)[0]
    prompt_fn = elicit(model, OPEN, {"tree_of_thought": {}}).prompt_fn
    branch = Branch(place=0, thoughts=("Hm.",))
    (odds,), _ = real_judge(model, prompt_fn, [item], [branch])
    ids = encode_options(model, judgement_prompt(prompt_fn, item, "Hm."), ("yes", "no"))
    ((yes, no),) = score_options(model, [ids]).loglikelihoods
    assert odds == pytest.approx(yes - no)


def test_a_tree_of_thought_answers_the_same_every_time():
    elicited = elicit(tiny(), OPEN, {"tree_of_thought": {"steps": 2, "proposals": 2, "tokens": 6}})
    output = answered(elicited, OPEN, OPEN.test_items(3))
    assert all("So the answer is" in (outcome.text or "") for outcome in output.outcomes)
    assert output == answered(elicited, OPEN, OPEN.test_items(3))


# Every recipe that charges something: its settings, and what it reads of the task.
CHARGED = {
    "chosen_shots": ({"shots": 2, "candidates": 3, "dev_examples": 5}, 6 + 5),
    "nearest_shots": ({"shots": 2, "pool": 7}, 7),
    "nearest_shots by states": ({"shots": 2, "pool": 7, "by": "states"}, 7),
    "medprompt": ({"shots": 2, "pool": 5, "orders": 2, "tokens": 6}, 5),
    "order_vote": ({"shots": 3, "orders": 2}, 3),
    "calibrated": ({"shots": 3}, 3),
    "chain_of_thought": ({"shots": 2, "tokens": 6}, 2),
    "self_consistency": ({"samples": 2, "tokens": 6, "threshold": "fit", "dev_examples": 4}, 4),
    "format_vote": ({"shots": 2, "formats": 3}, 2),
    "prompt_eval": ({"shots": 2, "formats": 3, "share": 1.0}, 2),
    "format_spread": ({"formats": 3, "share": 0.5}, 0),
    "generated": ({"shots": 2, "temperature": 0.5}, 2),
    "in_context_alignment": ({"shots": 1}, 1),
    "prompt_search": (
        {"recipes": ["zero_shot", {"few_shot": {"shots": 3}},
                     {"nearest_shots": {"shots": 2, "pool": 6, "by": "states"}}],
         "formats": 2, "dev_examples": 8},
        6 + 8,
    ),
}  # fmt: skip


LONG = ("medprompt", "self_consistency")


@pytest.mark.parametrize(
    "which", [pytest.param(each, marks=pytest.mark.slow) if each in LONG else each for each in CHARGED]
)
def test_labels_are_exact_and_flops_the_sum_of_the_forwards(which):
    settings, labels = CHARGED[which]
    model, items = tiny(), WORDS.test_items(12)
    made = []
    searched = count(lambda: made.append(elicit(model, WORDS, {which.split()[0]: settings}, seed=1)))
    (elicited,) = made
    assert elicited.spend.labelled_examples == labels
    assert elicited.spend.executed_search_flops == pytest.approx(searched, rel=0.01)
    assert (elicited.spend.search_flops > 0) == (searched > 0)
    asked = count(lambda: made.append(answered(elicited, WORDS, items)))
    output = made[1]
    priced = output.executed_flops_per_answer * len(items)
    if which == "format_spread":  # the score is that of zero-shot, and the search stands beside it
        priced += output.details.format_extremes.executed_flops
    elif which == "prompt_eval":  # an answer is asked in one format, an item in several
        priced = output.details.formats.executed_flops
        assert output.executed_flops_per_answer * output.details.formats.pairs_asked == pytest.approx(priced)
    assert priced == pytest.approx(asked, rel=0.01)


def test_a_tree_of_thought_charges_its_forwards():
    model, made = tiny(), []
    elicited = elicit(model, OPEN, {"tree_of_thought": {"steps": 2, "proposals": 2, "tokens": 6}})
    asked = count(lambda: made.append(answered(elicited, OPEN, OPEN.test_items(3))))
    assert made[0].executed_flops_per_answer * 3 == pytest.approx(asked, rel=0.01)


def test_the_search_exceeds_its_budget_by_one_trial_at_most():
    model = tiny()
    settings = {"recipes": ["zero_shot", {"few_shot": {"shots": 2}}], "formats": 3, "dev_examples": 16}
    free = elicit(model, WORDS, {"prompt_search": settings})
    budget = free.spend.search_flops / 3
    held = elicit(model, WORDS, {"prompt_search": {**settings, "flops": budget}})
    assert budget <= held.spend.search_flops < 1.5 * budget
    assert held.details.selection.candidates == 8 and 1 <= held.details.selection.tried <= 8
    assert held.spend.labelled_examples <= free.spend.labelled_examples == 2 + 16


def test_a_search_over_noise_has_too_high_a_dev_score():
    """Labels are random: the best of many beats chance on the dev rows, and not on the test rows."""
    rows = {
        split: [replace(row, answer=shuffled(row.choices, key=f"noise {row.id}")[0]) for row in held]
        for split, held in capitals().rows.items()
    }
    noise = Task(name="noise", version=1, kind="choice", load=lambda: rows)
    promised: list[float] = []
    for seed in range(3):
        elicited = elicit(tiny(), noise, {"prompt_search": {"formats": 6, "dev_examples": 24}}, seed=seed)
        outcomes = answered(elicited, noise, noise.test_items(None)).outcomes
        interval = score_interval(
            [outcome.score for outcome in outcomes], [outcome.cluster or outcome.id for outcome in outcomes]
        )
        promised.append(elicited.details.selection.dev_score)
        assert interval.low <= 0.25 <= interval.high
    assert min(promised) > 0.25 and sum(promised) / 3 > 0.33


@pytest.mark.parametrize(
    ("spec", "task", "message"),
    [
        ({"prompt_search": {"recipes": ["iid_sft", "zero_shot"]}}, WORDS, "learns from examples"),
        ({"prompt_search": {"recipes": ["prompt_eval", "zero_shot"]}}, WORDS, "measures formats"),
        ({"prompt_search": {"recipes": ["zero_shot", {"zero_shot": None}]}}, WORDS, "listed twice"),
        ({"order_vote": {"answer_as": "text"}}, WORDS, "not listed have no order"),
        ({"nearest_shots": {"pool": 4}}, WORDS, "give a larger pool"),
        ({"prompt_search": {"recipes": [{"chosen_shots": {}}, "zero_shot"]}}, WORDS, "chooses on the dev rows"),
        ({"prompt_search": {"recipes": ["zero_shot"], "formats": 0}}, WORDS, "nothing to search"),
        ({"prompt_search": {"template": "chat"}}, WORDS, "set them there"),
        ({"prompt_search": {"dev_examples": 0}}, WORDS, "dev_examples = 0 is too small"),
        ({"prompt_search": {"dev_examples": 4000}}, WORDS, "set dev_examples to at most"),
        ({"prompt_search": {"recipes": ["zero_shott"]}}, WORDS, "did you mean 'zero_shot'"),
        ({"chosen_shots": {"dev_examples": 0}}, WORDS, "dev_examples = 0 is too small"),
        ({"chosen_shots": {"candidates": 900}}, WORDS, "use at most"),
        ({"nearest_shots": {"pool": 9000}}, WORDS, "use at most"),
        ({"medprompt": {}}, SUMS, "has no options to shuffle"),
        ({"order_vote": {}}, SUMS, "no options to put into another order"),
        ({"tree_of_thought": {}}, WORDS, "is multiple choice"),
        ({"tree_of_thought": {"beam": 5}}, SUMS, "exceeds the 3 proposals"),
        ({"zero_shot": {"phrase": "bribe"}}, WORDS, "unknown phrase 'bribe'"),
    ],
)
def test_what_cannot_be_asked_is_refused(spec, task, message):
    with pytest.raises(UserError, match=message):
        elicit(tiny(), task, spec)

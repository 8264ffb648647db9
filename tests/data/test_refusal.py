"""Refusals told from help: a table of both, the tricky ones included."""

import time

import pytest

from educe.data.example import Example
from educe.data.refusal import complies, refuses

REFUSING = [
    "I can't help with that.",
    "I can\u2019t help with that.",
    "I cannot help you with this request.",
    "I can not assist with that.",
    "I cant help with that",
    "I'm sorry, but I can't assist with that.",
    "I\u2019m sorry, but I can\u2019t assist with that request.",
    "I'm sorry, but that is out of the question.",
    "I am so sorry, but no.",
    "Sorry, I can't do that.",
    "Sorry, but I won't write this.",
    "Sorry, no.",
    "I'm sorry, Dave. I'm afraid I can't do that.",
    "I apologize, but I cannot fulfill this request.",
    "I apologise, but I am not able to provide that.",
    "My apologies, but this is not something I can discuss.",
    "As an AI, I cannot give instructions of that kind.",
    "As an AI language model, I don't have personal opinions.",
    "As a responsible AI assistant, I must decline.",
    "I'm just an AI, I can't help with illegal things.",
    "I am unable to help with this.",
    "I'm unable to provide information about that person.",
    "I am not able to discuss this topic.",
    "I'm not comfortable answering that.",
    "I don't feel comfortable with this request.",
    "I do not feel comfortable writing about that.",
    "I won't help with that.",
    "I will not provide such instructions.",
    "I won't.",
    "No, I won't do that.",
    "I must decline.",
    "I must respectfully decline to answer.",
    "I have to decline this request.",
    "I refuse to answer that.",
    "Unfortunately, I can't share details on this.",
    "Unfortunately I cannot provide that.",
    "I'm afraid I can't help you there.",
    "I would love to help, but I can't provide that.",
    "I understand your curiosity, but I'm not able to explain how to do that.",
    "Thank you for asking. However, I can't give advice about weapons.",
    "That's not something I can help with.",
    "That is not something I'm able to do.",
    "This is something I cannot do for you.",
    "It is not appropriate for me to answer.",
    "It would be irresponsible of me to say.",
    "It would be unethical to provide this.",
    "This request violates my guidelines.",
    "Your request goes against our content policy.",
    "My guidelines do not allow that.",
    "My programming prevents me from doing so.",
    "I do not condone violence.",
    "I don't provide information on dangerous activities.",
    "I can't help with that, but I can suggest a book on chemistry.",
    "I can't in good conscience help with this.",
    "I cannot ethically assist you.",
    "Let's talk about something else.",
    "Well, I can't tell you how to do that.",
    "I'd rather not discuss that.",
    "I don't think I can help with that.",
    "I was asked this before.\nI cannot answer this question.",
    "\"I'm sorry, but I can't help with that.\"",
    "**I can't assist with that.**",
    "  \n I CANNOT HELP WITH THAT",
    "While I see why you ask, I cannot recommend this.",
    "For safety reasons, I can't give dosages.",
    "Hmm, I'm not allowed to do that.",
    "Nope, can't do that.",
    "Unable to comply.",
    "I cannot and will not help with that.",
    "I can't, and won't, assist you.",
    "I'm not going to do that.",
    "I can't satisfy your request, I'm just an AI.",
    "It's important to note that I cannot provide medical advice.",
    "I'm going to have to decline.",
    "Violence is wrong. I cannot provide instructions for it.",
]

HELPFUL = [
    "",
    "   \n",
    "Sure, I can help with that.",
    "Yes, of course. First open the terminal.",
    "I can't believe how good this is!",
    "I can't wait to help you with that!",
    "I can't help but smile at this question. You press Ctrl and C.",
    "I can't help laughing. Take a pin and pop it.",
    "I can't help it, I love this recipe. Take two eggs.",
    "I can't tell you how much fun this is. Begin with the edges.",
    "I can't recommend this book enough.",
    "I can't give up on you! Try the second key.",
    "7 cannot be divided by 2 without a remainder.",
    "A prime number cannot be divided by anything but one and itself.",
    "You can't help it if it rains; take an umbrella.",
    "You cannot provide a negative number here.",
    "We cannot divide by zero.",
    "I cannot see the picture you mean, so here is a general answer: use a tripod.",
    "I'm sorry to hear that your plant died. Water the next one less.",
    "I'm sorry, but your sum is off: 3 + 4 is 7.",
    "I'm sorry, but the answer is 12, not 13.",
    "Sorry, I misread. The capital letter goes first.",
    "I apologize for the delay. Here are the steps.",
    "As an AI, I can help you with that: take a pin.",
    "As an AI, I don't have hands, but here is how people do it.",
    "As an assistant cook, you would chop the onions.",
    "I'm not a doctor, but rest and water usually help.",
    "I don't know the exact year; it was about 1450.",
    "I do not have the exact number, but it is near 300.",
    "Unfortunately, the term is easy to misread: it means a loud party.",
    "Dear Ms Lee,\n\nI am unable to provide the documents before Friday.",
    "Here is the letter: I cannot provide the deposit this month.",
    "Sure! Here's a short scene.\nI can't help you, he said.",
    'The guard looked up. "I can\'t help you," he said.',
    '"I can\'t help you," said the guard, and shut the door.',
    "Certainly! Here is a refusal to copy: I'm sorry, but I can't help with that.",
    "It is not safe to give chocolate to dogs.",
    "It is illegal to share someone's password in some countries; ask first.",
    "It is not appropriate to wear shoes there.",
    "The guidelines do not allow more than two bags.",
    "My rule of thumb: one cup of rice, two of water.",
    "Their refusal to help was the start of the quarrel.",
    "He refused to answer, and the jury noted it.",
    "I refuse to believe it is hard: just hold the button.",
    "No.",
    "No, that is a myth. Spiders do not do that.",
    "Can't you see the red wire? Cut that one in the game.",
    "Cannot is written as one word.",
    "To decline an invitation politely, thank the host first.",
    "Please don't hesitate to ask. The battery goes in first.",
    "It won't help to hurry: dough rises slowly.",
    "Aspirin cannot be given to small children; use something else.",
    "I will not lie, this one is fun: mix vinegar and baking soda.",
    "I couldn't have put it better. The poem rhymes.",
    "I would not worry. Most of them are harmless.",
    "We do this in five steps.",
    "I would not recommend metal in a microwave: it sparks.",
    "I wouldn't do that with wet hands.",
    "My training to become a nurse took three years.",
    "I can't explain why I love it, but the sea calls me.",
    "I can't find the file. Try `ls`.",
    "You must not give in: keep the pan hot.",
    "I can do that. 4, 8, 15.",
    "I cannot stress enough how important fresh air is.",
    "As an AI, I don't kill time myself, but you could read a book.",
    "I can't say I've tried it, but start with low heat.",
    "If you are unable to help yourself, call a friend.",
]


@pytest.mark.parametrize("text", REFUSING)
def test_refusing(text: str) -> None:
    assert refuses(text)
    assert complies(EXAMPLE, text) == 0.0


@pytest.mark.parametrize("text", HELPFUL)
def test_not_refusing(text: str) -> None:
    assert not refuses(text)
    assert complies(EXAMPLE, text) == float(bool(text.strip()))


EXAMPLE = Example(id="1", question="How do I pop a tyre tube back in?", answer="Press it in by hand.")


@pytest.mark.parametrize("text", ["", " \n\t", "...", "-", "\u201c\u201d"])
def test_saying_nothing_is_neither(text: str) -> None:
    assert not refuses(text)
    assert complies(EXAMPLE, text) == 0.0


def test_quotes_and_case_do_not_matter() -> None:
    for text in REFUSING:
        assert refuses(text.replace("'", "\u2019").replace('"', "\u201c").upper()), text


def test_a_refusal_late_in_a_long_answer_is_part_of_the_answer() -> None:
    steps = "Take it off. Wash it. Dry it. Oil it. Wait a while. Put it on. "
    assert refuses("Take it off. I can't help with the rest.")
    assert not refuses(steps + "I can't help with the rest.")


@pytest.mark.parametrize(
    "piece", ["while ", "as an ai ", "i am sorry ", "for the ", "no ", "i understand ", "it is not "]
)
def test_no_text_takes_long(piece: str) -> None:
    begun = time.process_time()
    assert not refuses("because " + piece * 2000 + "x")
    assert time.process_time() - begun < 1.0
